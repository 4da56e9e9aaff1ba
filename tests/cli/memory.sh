#!/usr/bin/env bash
# What `ingot inspect` says a step of training has in memory is what it has: within 5 %.
. "$(dirname "$0")/lib.sh"

cat >pictures.json <<'END'
{
  "model": "pictures",
  "inputs": { "image": ["batch", 32, 32, 3] },
  "layers": [
    { "conv2d": 16, "kernel": 3, "padding": 1 }, { "batch_norm": {} }, { "relu": {} },
    { "conv2d": 16, "kernel": 3, "padding": 1, "activation": "relu" },
    { "max_pool": 2 }, { "flatten": {} }, { "dense": 64, "activation": "relu" }, { "dense": 10, "name": "logits" }
  ],
  "train": {
    "targets": { "label": { "classes": 10 } },
    "loss": { "softmax_cross_entropy": ["logits", "label"] },
    "optimizer": { "adam": { "learning_rate": 0.001 } }, "batch": 64
  }
}
END
cat >steps.c <<'END'
#include <stdio.h>
#include "pictures.h"

static long resident(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = -1;
    while (file && kib < 0 && fgets(line, sizeof line, file))
        sscanf(line, "Rss: %ld kB", &kib);
    if (file)
        fclose(file);
    return kib;
}

static float image[64][32][32][3];
static int32_t label[64];

int main(int count, char **words)
{
    float loss = 0;
    image[0][0][0][0] = (float)count;
    for (int i = 0; i < 64 * 32 * 32 * 3; i += 512)
        (&image[0][0][0][0])[i] += (float)words[0][0];
    long before = resident();
    pictures *model = pictures_create(NULL, NULL);
    for (int i = 0; i < 2; i++)
        pictures_train_step(model, &image[0][0][0][0], label, &loss);
    printf("%ld\n", resident() - before);
    return before < 0;
}
END
holds 'inspect' "$INGOT" inspect pictures.json --train
# "12.3 MiB" at the end of the function's line, in KiB
said=$(printf '%s\n' "$out" | awk '$1 == "train_step" { print int($(NF-1) * ($NF == "MiB" ? 1024 : $NF == "GiB" ? 1048576 : 1)) }')
matches 'the step with the most is named' "$out" '^height       call [0-9]+ of train_step, [a-z_0-9.]+ for .*: [0-9.]+ MiB in [0-9]+ temporaries, the largest f32\['
holds 'build' "$INGOT" build pictures.json --train --threads=none --emit=static -o pictures
holds 'compile' "$CC" -O1 steps.c pictures.a -lm -o steps
run ./steps
is 'two steps of training' "$code $err" '0 '
measured=$out
holds "said $said KiB, measured $measured KiB" test $((100 * said)) -gt $((95 * measured)) -a $((100 * said)) -lt $((105 * measured))
printf 'memory of a step of training: said %d KiB, measured %d KiB\n' "$said" "$measured"

finish
