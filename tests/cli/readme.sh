#!/usr/bin/env bash
# The README is true: its commands run as they stand, its C compiles and runs, its links lead somewhere.
. "$(dirname "$0")/lib.sh"
readme=$INGOT_SOURCE/README.md

# block LANGUAGE N: the Nth fenced block of that language
block() {
    awk -v language="$1" -v wanted="$2" '
        /^```/ && inside { inside = 0; next }
        $0 == "```" language && ++count == wanted { inside = 1; next }
        inside { print }' "$readme"
}

ln -s "$INGOT_SOURCE/examples" examples
ln -s "$INGOT_BUILD" build
block json 1 >iris.json
block c 1 >flower.c
if [ -s iris.json ] && [ -s flower.c ]; then pass; else fail 'the README has its model and its program'; fi
is 'the model has ten lines, more or less' "$(($(wc -l <iris.json) <= 12))" 1
is 'the embedding has fifteen lines, more or less' "$(($(grep -c . flower.c) <= 16))" 1

blocks=$(grep -c '^```sh$' "$readme")
number=0
for i in $(seq "$blocks"); do
    while IFS= read -r line; do
        line=${line%%  #*}
        [ -n "${line// /}" ] || continue
        number=$((number + 1))
        case $line in
        './dev test'*) ;; # is what runs this
        './dev demo'*) demo=yes ;;
        *'--target=aarch64'*)
            if command -v aarch64-linux-gnu-gcc >/dev/null; then
                holds "README: $line" bash -c "$line"
            else
                skip "README: $line: no aarch64-linux-gnu-gcc here"
            fi
            ;;
        *) holds "README: $line" bash -c "$line" ;;
        esac
    done < <(block sh "$i")
done
if [ "$number" -ge 9 ]; then pass; else fail "the README has $number commands only"; fi

accuracy=$(./iris train --quiet --threads 1 | sed -n 's/^held-out accuracy \([0-9.]*\) .*/\1/p')
if awk -v a="${accuracy:-0}" 'BEGIN { exit !(a >= 90) }'; then pass; else fail "iris: held-out accuracy ${accuracy:-none}"; fi

# The demo, with the build that is being tested.
case ${demo:-} in
yes)
    case $INGOT_BUILD in
    "$INGOT_SOURCE/build") preset=release ;;
    "$INGOT_SOURCE/build-debug") preset=debug ;;
    "$INGOT_SOURCE/build-sanitize") preset=sanitize ;;
    *) preset= ;;
    esac
    if [ -n "$preset" ]; then
        run env PRESET="$preset" "$INGOT_SOURCE/dev" demo
        is './dev demo: exit code' $code 0
        held_out=$(printf '%s\n%s\n' "$out" "$err" | sed -n 's/^held-out accuracy \([0-9.]*\) .*/\1/p')
        if awk -v a="${held_out:-0}" 'BEGIN { exit !(a >= 97) }'; then pass; else fail "./dev demo: held-out accuracy ${held_out:-none}"; fi
        matches './dev demo draws a digit' "$out" '█'
        matches './dev demo says which' "$out" 'class [0-9]'
    else
        skip './dev demo: this build is in a folder of its own'
    fi
    ;;
*) fail 'the README shows ./dev demo' ;;
esac

# Links between the documents.
cd "$INGOT_SOURCE" || exit 1
for document in *.md docs/*.md; do
    for link in $(grep -oE '\]\([^)#:]+\)' "$document" | sed 's/^](//; s/)$//'); do
        if [ -e "$(dirname "$document")/$link" ]; then pass; else fail "$document links to $link, which is not there"; fi
    done
done
finish
