#!/usr/bin/env bash
# --freeze: the same numbers, and each weight in the file once, as its kernel wants it.
. "$(dirname "$0")/lib.sh"

cat >model.json <<'END'
{
  "model": "frozen",
  "inputs": { "x": ["batch", 8, 8, 16] },
  "layers": [
    { "conv2d": 64, "kernel": 3, "padding": 1, "bias": false }, { "batch_norm": {} }, { "relu": {} },
    { "conv2d": 64, "kernel": 3, "padding": 1, "groups": 64 }, { "batch_norm": {} }, { "relu6": {} },
    { "conv2d": 128, "kernel": 1, "bias": false }, { "batch_norm": {} },
    { "flatten": {} }, { "dense": 128, "activation": "relu" }, { "dense": 10, "name": "y" }
  ],
  "outputs": ["y"],
  "train": { "targets": { "label": { "classes": 10 } }, "loss": { "softmax_cross_entropy": ["y", "label"] },
             "optimizer": { "sgd": { "learning_rate": 0.01 } }, "batch": 4 }
}
END
# Three steps on noise: scales, shifts and averages of the normalisations are then numbers of their own.
cat >learn.c <<'END'
#include "learn.h"
int main(void)
{
    static float x[4 * 8 * 8 * 16];
    int32_t label[4] = {1, 2, 3, 4};
    float loss;
    unsigned random = 1;
    frozen *model = frozen_create(0, 0);
    for (int step = 0; step < 3; step++) {
        for (unsigned i = 0; i < sizeof x / sizeof *x; i++) {
            random = random * 1103515245u + 12345u;
            x[i] = (float)(random >> 16) / 20000.0f - 1.0f;
        }
        if (frozen_train_step(model, x, label, &loss))
            return 1;
    }
    return frozen_save(model, "weights.safetensors");
}
END
holds 'trainer' "$INGOT" build model.json --train --emit=static -o learn
holds 'trainer, linked' cc -std=c11 learn.c learn.a -pthread -lm -o learn
holds 'trainer, run' ./learn
sed '/^  "train"/,$d' model.json | sed 's/^  "model": /  "weights": "weights.safetensors",\n&/; $s/,$/ }/' >weights.json

for way in '' '--winograd=no' '--cpu=x86-64-v2'; do
    case $way in --cpu*) [ "$(uname -m)" = x86_64 ] || continue ;; esac
    holds "check $way" "$INGOT" check weights.json --batch=1,3 $way
    holds "check --freeze $way" "$INGOT" check weights.json --batch=1,3 --freeze $way
done
matches 'check --freeze: there are no states' "$out" '^all 2 tensors agree: '

holds 'build' "$INGOT" build weights.json -o plain
holds 'build --freeze' "$INGOT" build weights.json --freeze -o frozen
weights=$(stat -c %s weights.safetensors)
beyond=$(($(stat -c %s frozen) - weights))
if [ $beyond -lt 150000 ]; then pass; else fail "a frozen program is $beyond bytes larger than its weights"; fi
run ./frozen info
matches 'info: weights' "$out" '^weights     inside, for good$'
matches 'info: parameters' "$out" '^parameters  [1-9]'
matches 'info: states' "$out" '^state       0 bytes in 0 tensors$'

awk 'BEGIN { srand(3); for (i = 0; i < 8 * 8 * 16; i++) printf "%s%.3f", i ? "," : "", 2 * rand() - 1; print "" }' >x.csv
run ./plain infer --input x.csv
expected=$(sed 's/ (.*//' <<<"$out")
run ./frozen infer --input x.csv
is 'the same answer' "$code $err$(sed 's/ (.*//' <<<"$out")" "0 $expected"
refuses 'other weights are refused' 1 'frozen: has its weights inside for good: it was built with --freeze' \
    ./frozen infer --input x.csv --weights weights.safetensors
finish
