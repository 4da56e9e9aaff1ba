#!/usr/bin/env bash
# Recurrent models: loops in functions agree with the evaluator, the same bits come at any number of threads, and
# weights are packed before the loop or ahead of the call.
. "$(dirname "$0")/lib.sh"

# model NAME UNITS BATCH: kernels of a step are shared out when both are large
model() {
    cat >"$1.json" <<END
{ "model": "$1", "inputs": { "x": ["batch", 9, 6] },
  "layers": [
    { "lstm": $2, "layers": 2, "dropout": 0.25, "bidirectional": true },
    { "rnn": 10, "activation": "relu", "bias": false },
    { "gru": 7, "return": "last", "name": "state" },
    { "dense": 3, "name": "logits" } ],
  "train": { "targets": { "label": { "classes": 3 } }, "batch": $3, "epochs": 2, "seed": 5,
    "loss": { "softmax_cross_entropy": ["logits", "label"] }, "optimizer": { "adam": 0.01 } },
  "data": { "csv": "$1.csv", "columns": { "x": "0-53", "label": 54 } } }
END
    awk 'BEGIN { srand(3); for (i = 0; i < 96; i++) { s = 0; for (j = 0; j < 54; j++) {
        v = int(rand() * 100) / 50 - 1; s += v * (j % 3 - 1); printf "%s,", v }; print (s > 1) + (s > -1) } }' >"$1.csv"
}

model narrow 12 8
model wide 96 32
for way in '' --train '--freeze --batch=1,3'; do
    holds "narrow.json $way" "$INGOT" check narrow.json $way
done
holds 'wide.json --train' "$INGOT" check wide.json --train --batch=1,4
for triple in aarch64-linux-gnu arm-linux-gnueabihf; do
    if ! command -v "$triple-gcc" >/dev/null || ! command -v "qemu-${triple%%-*}" >/dev/null; then
        skip "$triple: no $triple-gcc or no qemu-${triple%%-*}"
        continue
    fi
    holds "$triple: narrow.json --train" "$INGOT" check narrow.json --train --target=$triple
done

holds 'build' "$INGOT" build wide.json --train
for threads in 1 2 3; do
    holds "$threads threads" ./wide train --quiet --threads $threads --save $threads.safetensors
done
same_bytes 'the same bits at two threads' 1.safetensors 2.safetensors
same_bytes 'the same bits at three threads' 1.safetensors 3.safetensors

# the schedule of one function
schedule() { awk -v name="@$1" '$1 == "schedule" { p = $2 == name } p' <<<"$out"; }
run "$INGOT" build wide.json --train --batch=32 --emit=nest -o -
step=$(schedule train_step)
infer=$(schedule infer)
matches 'train_step packs' "$step" '^  [0-9]+: @pack'
matches 'train_step repeats' "$step" '^  repeat t[0-9]* = 0\.\.9'
is 'train_step: no step packs' "$(grep -cE '^    +[0-9]+: @pack' <<<"$step")" 0
matches 'infer repeats' "$infer" '^  repeat t[0-9]* = 0\.\.9'
is 'infer: weights are packed ahead of the call' "$(grep -c '@pack' <<<"$infer")" 0
finish
