#!/usr/bin/env bash
# What a program weighs beyond its weights, and that it carries nothing it cannot use.
. "$(dirname "$0")/lib.sh"

# with_weights MODEL: MODEL-weights.json, with weights as they are before the first step of training
with_weights() {
    local name
    name=$(sed -n 's/^ *"model": "\([^"]*\)".*/\1/p' "$1.json")
    holds "$1: library" "$INGOT" build "$1.json" --train --emit=static -o "$1"
    printf '#include "%s.h"\nint main(void) { return %s_save(%s_create(NULL, NULL), "%s.safetensors"); }\n' \
        "$1" "$name" "$name" "$1" >"$1.c"
    holds "$1: weights" cc -std=c11 "$1.c" "$1.a" -pthread -lm -o "$1-save"
    holds "$1: weights, saved" "./$1-save"
    sed 's/^ *"model": /"weights": "'"$1"'.safetensors", &/' "$1.json" >"$1-weights.json"
}

bytes() { stat -c %s "$1"; }
weight_bytes() { # of 32-bit parameters
    echo $((4 * $("$INGOT" inspect "$1" | awk '$1 == "all" { gsub(",", "", $2); print $2; exit }')))
}

# below NAME BYTES LIMIT: prints the figure, which docs/performance.md quotes
below() {
    printf '%s: %d bytes, limit %d\n' "$1" "$2" "$3"
    if [ "$2" -lt "$3" ]; then pass; else fail "$1: $2 bytes, limit $3"; fi
}

# lacks PROGRAM SYMBOL...
lacks() {
    local program=$1 symbol
    shift
    for symbol; do
        is "$program: no $symbol" "$(nm --defined-only "$program" | grep -c " $symbol\$")" 0
    done
}

cp "$INGOT_SOURCE/examples/lenet.json" lenet.json
cp "$INGOT_SOURCE/bench/models/lenet5.json" lenet5.json
for model in lenet lenet5; do
    with_weights $model
    weights=$(weight_bytes $model.json)
    holds "$model: inference" "$INGOT" build $model-weights.json -o $model-infer
    holds "$model: trainer" "$INGOT" build $model.json --train -o $model-train
    if [ "$(bytes $model-infer)" -gt "$weights" ]; then pass; else fail "$model: the weights are not inside"; fi
    below "$model, inference, beyond its weights" $(($(bytes $model-infer) - weights)) 150000
    below "$model, trainer" "$(bytes $model-train)" 350000
    lacks $model-infer command_train command_evaluate training_run evaluation_run order_permute progress_step \
        source_resolve GOMP_parallel
    is "$model: the C library is all it needs" \
        "$(ldd $model-infer | sed -n 's/^[[:space:]]*\(lib[^.]*\)\..*/\1/p')" libc
done
refuses 'an inference program does not train' 1 \
    'lenet: built without "train_step"; build it with: ingot build MODEL.json --train' ./lenet-infer train --epochs 3
refuses 'nor evaluate' 1 'lenet: built without "evaluate"; build it with: ingot build MODEL.json --train' \
    ./lenet-infer evaluate
run ./lenet-infer --help
is 'its help lists what it can do' "$(sed -n 's/^  \([a-z]*\)  .*/\1/p' <<<"$out" | tr '\n' ' ')" 'infer bench info '

# A model of four numbers draws nothing.
small_model
holds 'four numbers' "$INGOT" build small.json --train
lacks small command_show_picture picture_draw
run ./small infer --input small.csv --row 1 --show
matches 'four numbers are no picture' "$err" '^small: --show: no input is a picture of up to 32 by 32 pixels$'
if [ "$(nm lenet-infer | grep -c ' command_show_picture$')" = 1 ]; then pass; else fail 'lenet cannot draw its input'; fi
finish
