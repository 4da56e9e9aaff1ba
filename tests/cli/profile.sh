#!/usr/bin/env bash
# Models that measure themselves: what is counted, what is printed, and that others have nothing of it.
. "$(dirname "$0")/lib.sh"
small_model

# Sizes of whole vectors on every processor, so that loops do what the model says and no more.
cat >vectors.json <<'END'
{
  "model": "vectors",
  "inputs": { "image": ["batch", 10, 10, 4] },
  "layers": [
    { "conv2d": 16, "kernel": 3, "name": "first" },
    { "conv2d": 32, "kernel": 3, "stride": 2, "padding": "valid", "bias": false },
    { "flatten": {} },
    { "dense": 64, "activation": "relu", "name": "third" },
    { "dense": 16, "name": "logits" }
  ],
  "train": {
    "targets": { "label": { "classes": 16 } },
    "loss": { "softmax_cross_entropy": ["logits", "label"] },
    "optimizer": { "sgd": { "learning_rate": 0.01 } }, "batch": 4
  }
}
END
first=$((8 * 8 * 16 * 3 * 3 * 4)) second=$((3 * 3 * 32 * 3 * 3 * 16)) third=$((288 * 64)) last=$((64 * 16))
forward=$((first + second + third + last))

field() { # field NAME: of the JSON in $out, the first of that name
    printf '%s\n' "$out" | grep -oE "\"$1\":[^,}]*" | head -1 | cut -d: -f2-
}
kernel() { # kernel LAYER FIELD: of the line of that layer
    printf '%s\n' "$out" | grep -F "\"layers\":[\"$1\"]" | grep -oE "\"$2\":[^,}]*" | sort -t: -k2 -n | tail -1 | cut -d: -f2-
}

holds 'a program that measures itself' "$INGOT" build vectors.json --train --profile --batch=1,2 -o program
run ./program profile --json --threads 1 --seconds 0.01
is 'profile --json: exit code and errors' "$code $err" '0 '
is 'multiply-adds of the first convolution: 8·8·16·3·3·4' "$(kernel first multiply_adds)" $first
is 'multiply-adds of the second: 3·3·32·3·3·16' "$(kernel layers.1 multiply_adds)" $second
is 'multiply-adds of the first product: 288·64' "$(kernel third multiply_adds)" $third
is 'multiply-adds of the last: 64·16' "$(kernel logits multiply_adds)" $last
is 'all of them' "$(field multiply_adds) $(field multiply_adds_of_model)" "$forward $forward"
is 'bytes of the last product: weights, bias and 64 numbers in; 16 out' \
    "$(kernel logits bytes_read) $(kernel logits bytes_written)" "$((4 * (64 * 16 + 16 + 64))) $((4 * 16))"
is 'the function, its batch and its threads' "$(field name) $(field batch) $(field threads)" '"infer" 1 1'
is 'shares add up' "$(printf '%s\n' "$out" | grep -oE '"share":[0-9.e-]+' | cut -d: -f2 |
    awk '{ sum += $1 } END { print (sum > 0.98 && sum < 1.001) }')" 1
is 'GFLOP/s is twice the multiply-adds over the time' "$(printf '%s\n' "$out" | grep -F '"third"' |
    awk -F'[:,]' '{ for (i = 1; i < NF; i++) { if ($i ~ /"seconds_per_call"/) s = $(i + 1); if ($i ~ /"gflops"/) g = $(i + 1) } }
                  END { ratio = g * s * 1e9 / (2 * '$third'); print (ratio > 0.999 && ratio < 1.001) }')" 1
is 'nothing is faster than the registers allow' "$(printf '%s\n' "$out" | grep -oE '"gflops":[0-9.e+-]+' | cut -d: -f2 |
    awk 'NR == 1 { most = $1 } $1 > 1.1 * most { wrong = 1 } END { print (most > 0.1 && !wrong) }')" 1

run ./program profile --json --threads 1 --seconds 0.01 --batch 2
is 'twice the rows, twice the work' "$(field batch) $(field multiply_adds)" "2 $((2 * forward))"
# backward: each product once more for the weights, and for its input, but for the first layer's
run ./program profile --json --threads 1 --seconds 0.01 --function train_step
is 'a step of training, in the model' "$(field name) $(field multiply_adds_of_model)" \
    "\"train_step\" $((4 * (3 * forward - first)))"
matches 'gradients and updates name their layers' "$out" '"layers":\["[^"]*third\.weight'
for function in evaluate initialize; do
    holds "--function $function" ./program profile --threads 1 --seconds 0.01 --function $function
done

# --- the table ---
run ./program profile --threads 1 --seconds 0.01
is 'the table: exit code and errors' "$code $err" '0 '
matches 'its first line' "$out" '^vectors for [a-z0-9_-]+, [a-z0-9-]+$'
matches 'the ceiling' "$out" '^ceiling: [0-9.]+ GFLOP/s on registers alone; GB/s when reading [0-9.]+ in 16\.0 KiB, [0-9.]+ in 256\.0 KiB, [0-9.]+ in 4\.0 MiB, [0-9.]+ in [0-9.]+ MiB$'
matches 'what measuring costs' "$out" '^each line has [0-9]+ ns for a look at the clock in it$'
matches 'what is measured' "$out" '^infer, batch 1: 1 thread, [0-9,]+ runs; 97,792 multiply-adds a run, 97,792 in the model$'
matches 'the columns' "$out" '^kernel +calls +us/call +share +GFLOP/s +ceiling +bytes +GB/s  layers$'
matches 'a line with multiply-adds' "$out" '^conv_add +1 +[0-9.]+ +[0-9.]+ % +[0-9.]+ +[0-9.]+ % +[0-9.]+ KiB +[0-9.]+  first$'
matches 'all kernels' "$out" '^all kernels +[0-9.]+ +[0-9.]+ %$'
matches 'a run' "$out" '^a run +[0-9.]+ 100\.0 % +[0-9.]+$'
is 'lines are sorted by time' "$(printf '%s\n' "$out" | sed -n '/^kernel/,/^all kernels/p' | grep -c .)" \
    "$(printf '%s\n' "$out" | sed -n '/^kernel/,/^all kernels/p' |
        awk '{ for (i = 1; i <= NF; i++) if ($i == "%") { share = $(i - 1); break } }
             NR == 1 || $1 == "all" || last == "" || share <= last { count++ } NR > 1 { last = share } END { print count }')"
is 'one thread waits for nobody' "$(printf '%s\n' "$out" | grep -cE '^(waiting|load)')" 0

# A product large enough for two threads.
printf '{"inputs":{"x":["batch",512]},"layers":[{"dense":512,"name":"a"},{"dense":512,"name":"b"}]}' >wide.json
holds 'a wide model' "$INGOT" build wide.json --batch=64 --profile -o wide
run ./wide profile --threads 2 --seconds 0.05
matches 'two threads wait for each other' "$out" '^waiting +[0-9.]+ +[0-9.]+ %  each member, on average$'
matches 'two threads have a load each' "$out" '^load of members  [0-9.]+ % [0-9.]+ %$'
matches 'two layers of one kernel' "$out" '^matmul_add +2 .*  a, b$'

# --- mistakes ---
refuses 'a function nearly named' 2 'vectors: --function: there is no "trian_step"; did you mean "train_step"?
Try "./program profile --help".' ./program profile --function trian_step
refuses 'a function nobody knows' 2 'vectors: --function: there is no "frobnicate"; there are infer, initialize, train_step, evaluate
Try "./program profile --help".' ./program profile --function frobnicate
refuses 'a batch that is not there' 2 'vectors: --batch: "infer" is not there for 8 rows, but for 1, 2; ingot build MODEL.json --profile --batch=8 makes that one
Try "./program profile --help".' ./program profile --batch 8
refuses 'an option nearly named' 2 'vectors: unknown option "--second"; did you mean "--seconds"?
Try "./program profile --help".' ./program profile --second 1
refuses 'no time at all' 2 'vectors: --seconds: "0" is not a number above 0
Try "./program profile --help".' ./program profile --seconds 0
holds 'without --train' "$INGOT" build vectors.json --profile -o untrained
refuses 'what needs --train' 2 'vectors: --function: built without "train_step"; build it with: ingot build MODEL.json --train --profile
Try "./untrained profile --help".' ./untrained profile --function train_step
run bash -c './program profile --threads 1 --seconds 0.01 >/dev/full'
is 'a full disk' "$code $err" '1 vectors: standard output: cannot be written: No space left on device'

# --- ingot profile ---
mkdir temporary
run env TMPDIR="$PWD/temporary" "$INGOT" profile vectors.json --threads=1 --seconds 0.01 --batch=2
is 'ingot profile: exit code and errors' "$code $err" '0 '
matches 'ingot profile prints the same table' "$out" '^infer, batch 2: 1 thread, '
is 'ingot profile leaves nothing' "$(ls temporary)" ''
run "$INGOT" profile vectors.json --train --function=train_step --json --threads=1 --seconds=0.01
is 'ingot profile --json' "$code $(field name) $(field batch)" '0 "train_step" 4'
refuses 'ingot profile without --train' 1 '--function: built without "train_step"; add --train' \
    "$INGOT" profile vectors.json --function=train_step
refuses 'ingot profile of a function nearly named' 1 '--function: there is no "infre"; did you mean "infer"?' \
    "$INGOT" profile vectors.json --function=infre
refuses 'ingot profile of a function nobody knows' 1 '--function: there is no "x"; there are infer, initialize' \
    "$INGOT" profile vectors.json --function x
refuses 'ingot profile for another machine' 1 '--target: programs for arm-linux-gnueabihf do not run here; make one with: ingot build MODEL.json --profile --target=arm-linux-gnueabihf, and run its command profile there' \
    "$INGOT" profile vectors.json --target=arm-linux-gnueabihf

# --- others have nothing of it, and compute the same ---
holds 'without --profile' "$INGOT" build small.json --train -o plain
holds 'with --profile' "$INGOT" build small.json --train --profile -o measured
is 'a plain program has no word of it' "$(grep -c profile plain)" 0
is 'one with --profile has' "$(($(grep -c profile measured) > 0))" 1
refuses 'nor the command' 2 'small: unknown command "profile"
Try "./plain --help".' ./plain profile
matches 'the other one lists it' "$(./measured --help)" '^  profile +where the time goes, kernel by kernel$'
for kind in asm llvm; do
    is "--emit=$kind has nothing of it" "$("$INGOT" build small.json --train --emit=$kind | grep -c profile)" 0
    is "--emit=$kind --profile has" \
        "$(($("$INGOT" build small.json --train --profile --emit=$kind | grep -c profile) > 0))" 1
done
./plain train --quiet --epochs 2 --threads 1 --save plain.safetensors >/dev/null
./measured train --quiet --epochs 2 --threads 1 --save measured.safetensors >/dev/null
same_bytes 'the same weights after training' plain.safetensors measured.safetensors

# --- libraries ---
for kind in shared static object; do
    holds "--emit=$kind" "$INGOT" build small.json --train --emit=$kind
    is "--emit=$kind has nothing of it" "$(cat small.so small.a small.o 2>/dev/null | grep -c profile) $(grep -c profile small.h)" '0 0'
    rm -f small.so small.a small.o
done
holds '--emit=static --profile' "$INGOT" build small.json --train --emit=static --profile
matches 'the header tells how to start' "$(cat small.h)" '^void small_profile_start\(small \*model\);$'
matches 'and how to write' "$(cat small.h)" '^int32_t small_profile_write\(small \*model, const char \*path, int32_t json\);$'
cat >inside.c <<'END'
#include <stdio.h>
#include <string.h>

#include "small.h"

int main(void)
{
    small *model = small_create(NULL, NULL);
    float numbers[64] = {0.5f}, loss, probabilities[2];
    int32_t labels[16] = {1};
    if (!model || small_profile_write(model, "early", 0) != SMALL_BAD_ARGUMENT)
        return 1;
    printf("%s\n", small_last_error(model));
    small_profile_start(model);
    for (int i = 0; i < 10; i++)
        if (small_infer(model, numbers, probabilities) != SMALL_OK)
            return 2;
    for (int i = 0; i < 5; i++)
        if (small_train_step(model, numbers, labels, &loss) != SMALL_OK)
            return 3;
    if (small_profile_write(model, "/nowhere/at/all", 0) != SMALL_NO_FILE)
        return 4;
    printf("%s\n", small_last_error(model));
    if (small_profile_write(model, "table", 0) != SMALL_OK || small_profile_write(model, "json", 1) != SMALL_OK)
        return 5;
    small_profile_start(model);
    if (small_profile_write(model, "empty", 1) != SMALL_OK)
        return 6;
    small_destroy(model);
    return 0;
}
END
holds 'a program with it inside' cc -std=c11 -Wall -Wextra -Werror inside.c small.a -pthread -lm -o inside
run ./inside
is 'what it says' "$code
$out" '0
small: nothing has been counted; call small_profile_start() first
/nowhere/at/all: cannot be written: No such file or directory'
is 'the functions that ran, as often as they ran' "$(grep -oE '^(infer|train_step|evaluate|initialize)[^;]*runs' table | sed 's/: [0-9]* thread[s]*,/:/')" \
    'infer, batch 1: 10 runs
train_step, batch 16: 5 runs'
matches 'the same as JSON' "$(cat json)" '^ \{"name":"train_step","batch":16,"threads":[0-9]+,"runs":5,'
is 'nothing ran: no functions' "$(grep -c '"name"' empty) $(tail -1 empty | grep -o '"functions":\[.*')" '0 "functions":[]}'

# --- other machines ---
for triple in aarch64-linux-gnu arm-linux-gnueabihf; do
    emulator=qemu-${triple%%-*}
    if command -v $triple-gcc >/dev/null && command -v $emulator >/dev/null; then
        holds "--profile for $triple" "$INGOT" build vectors.json --profile --target=$triple -o other
        run $emulator -L /usr/$triple ./other profile --threads 2 --seconds 0.01 --json
        is "$triple: the same work" "$code $(kernel first multiply_adds) $(field multiply_adds)" "0 $first $forward"
    else
        skip "--profile for $triple: no compiler or no emulator here"
    fi
done
finish
