# Sourced by every test of the command line. A test runs in an empty folder of its own, counts its cases, and ends with
# `finish`, which prints the counts that ./dev test adds up.
#
#   INGOT          the command under test            INGOT_SOURCE   the source tree
#   INGOT_BUILD    where it was built                INGOT_SHARED   larger data, when it is there
set -u
export LC_ALL=C.UTF-8 NO_COLOR=1
INGOT_SOURCE=${INGOT_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
INGOT_BUILD=${INGOT_BUILD:-$INGOT_SOURCE/build}
INGOT=${INGOT:-$INGOT_BUILD/ingot}
CC=${INGOT_CC:-cc}
# Only the tests that set it want it in the environment of ingot.
export -n CC
unset INGOT_HOME

passed=0 failed=0 skipped=0
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# run COMMAND...: leaves $code, $out and $err
run() {
    "$@" >"$work/.out" 2>"$work/.err"
    code=$?
    out=$(cat "$work/.out")
    err=$(cat "$work/.err")
}

pass() { passed=$((passed + 1)); }

fail() { # fail NAME [text]
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$1"
    [ $# -lt 2 ] || printf '%s\n' "$2"
}

skip() { # skip REASON
    skipped=$((skipped + 1))
    printf 'SKIP: %s\n' "$1"
}

# is NAME ACTUAL EXPECTED: the same text
is() {
    if [ "$2" = "$3" ]; then
        pass
    else
        fail "$1" "$(diff -u --label expected <(printf '%s\n' "$3") --label got <(printf '%s\n' "$2"))"
    fi
}

# matches NAME ACTUAL REGEX: one of the lines does
matches() {
    if printf '%s\n' "$2" | grep -qE -- "$3"; then pass; else fail "$1" "no line matches $3 in:
$(printf '%s\n' "$2" | head -20)"; fi
}

# holds NAME COMMAND...: succeeds
holds() {
    local name=$1
    shift
    run "$@"
    if [ $code -eq 0 ]; then pass; else fail "$name" "exit code $code
$out
$err"; fi
}

# refuses NAME CODE TEXT COMMAND...: ends with this code, this on standard error, nothing on standard output
refuses() {
    local name=$1 expected_code=$2 text=$3
    shift 3
    run "$@"
    is "$name" "exit $code
$out$err" "exit $expected_code
$text"
}

same_bytes() { # same_bytes NAME FILE FILE
    if cmp -s "$2" "$3"; then pass; else fail "$1" "$2 and $3 differ, or one is missing"; fi
}

# no_leftovers NAME FOLDER: nothing half-written in it
no_leftovers() {
    local found
    found=$(find "$2" -name '*.part' -o -name 'ingot-*')
    is "$1" "$found" ''
}

finish() {
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ]
    exit
}

# shared_model: small.json as shared.json, large enough that its kernels are shared among threads.
shared_model() {
    small_model
    sed 's/"model": "small"/"model": "shared"/; s/"dense": 8/"dense": 256/; s/"batch": 16/"batch": 64/' small.json >shared.json
}

# A model that compiles and trains within a second, and rows for it: is the sum of four numbers above 0?
small_model() {
    cat >small.json <<'END'
{
  "model": "small",
  "inputs": { "numbers": ["batch", 4] },
  "layers": [
    { "dense": 8, "activation": "tanh" },
    { "dense": 2, "name": "logits" },
    { "softmax": {}, "name": "probabilities" }
  ],
  "outputs": ["probabilities"],
  "train": {
    "targets": { "label": { "classes": 2 } },
    "loss": { "softmax_cross_entropy": ["logits", "label"] },
    "metrics": ["accuracy"],
    "optimizer": { "adam": { "learning_rate": 0.01 } },
    "batch": 16, "epochs": 8, "seed": 3
  },
  "data": { "csv": "small.csv", "columns": { "numbers": "0-3", "label": 4 }, "validation": 0.2 }
}
END
    awk 'BEGIN {
        srand(7)
        for (i = 0; i < 400; i++) {
            sum = 0; line = ""
            for (j = 0; j < 4; j++) { x = int(rand() * 2001 - 1000) / 1000; sum += x; line = line x "," }
            print line (sum > 0 ? 1 : 0)
        }
    }' >small.csv
}
