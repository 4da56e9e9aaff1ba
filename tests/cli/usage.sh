#!/usr/bin/env bash
# Mistakes on the command line: exit code 2, one line that says what is wrong, nothing on standard output.
. "$(dirname "$0")/lib.sh"

wrong() { # wrong TEXT WORD...
    local text=$1
    shift
    refuses "ingot $*" 2 "$text" "$INGOT" "$@"
}

targets='x86_64-linux-gnu, aarch64-linux-gnu, arm-linux-gnueabihf'

wrong 'ingot: no command is given; see "ingot help"'
wrong 'ingot: unknown command "biuld", did you mean "build"; see "ingot help"' biuld m.json
wrong 'ingot: unknown command "transmogrify"; see "ingot help"' transmogrify
wrong 'ingot: unknown option "--versoin", did you mean "--version"; see "ingot help"' --versoin
wrong 'ingot: unknown command "buidl", did you mean "build"; see "ingot help"' help buidl
wrong 'ingot: help is about one command at a time' help build check
wrong 'ingot: no model is named; see "ingot help build"' build
wrong 'ingot: no model is named; see "ingot help check"' check --train
wrong 'ingot: one model at a time: "b.json" is one too many' build a.json b.json
wrong 'ingot: unknown option "--emti", did you mean "--emit"; see "ingot help build"' build --emti=exe m.json
wrong 'ingot: unknown option "--emit", did you mean "--dim"; see "ingot help inspect"' inspect --emit=exe m.json
wrong 'ingot: unknown option "-x"; see "ingot help build"' build m.json -x
wrong '--train: takes no value' build --train=1 m.json
wrong '--emit: needs a value: --emit KIND' build m.json --emit
wrong '-o: the name of the output is empty' build m.json -o ''
wrong '-o: only text is written to standard output' build m.json -o -
wrong '--emit: "exee" is none of exe, shared, static, object, graph, nest, llvm, asm; did you mean "exe"' \
    build --emit=exee m.json
wrong '--emit: "tflite" is none of exe, shared, static, object, graph, nest, llvm, asm' build --emit tflite m.json
wrong '--threads: "opnemp" is none of pthreads, openmp, none, host; did you mean "openmp"' build --threads=opnemp m.json
wrong '--weights: "besides" is none of embed, beside; did you mean "beside"' build --weights=besides m.json
wrong '--batch: 0 is not between 1 and 1048576' build --batch=0 m.json
wrong '--batch: 99999999999999999999 is not between 1 and 1048576' build --batch=99999999999999999999 m.json
wrong '--batch: "many" is not a whole number' build --batch=1,many m.json
wrong '--batch: "" is not a whole number' build --batch=1,,8 m.json
wrong '--batch: more than 16 batch sizes' build --batch=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 m.json
wrong '--train-batch: "-1" is not a whole number' build --train-batch=-1 m.json
wrong '--jobs: 0 is not between 1 and 1024' build --jobs 0 m.json
wrong '--seed: "x" is not a whole number' check --seed x m.json
wrong '--threads: "openmp" is not a whole number' profile --threads=openmp m.json
wrong '--threads: 1025 is not between 0 and 1024' profile --threads 1025 m.json
wrong '--seconds: "0" is not a number above 0' profile --seconds=0 m.json
wrong '--seconds: "long" is not a number above 0' profile --seconds=long m.json
wrong '--batch: one batch size is measured at a time' profile --batch=1,8 m.json
wrong 'ingot: unknown option "--profile"; see "ingot help profile"' profile --profile m.json
wrong 'ingot: unknown option "--function"; see "ingot help build"' build --function=infer m.json
wrong '--static: is for programs: --emit=exe' build --static --emit=shared m.json
wrong '--freeze: what is frozen cannot be trained: not with --train' build --freeze --train m.json
wrong '--freeze: what is frozen lies in the program: not with --weights=beside' build --freeze --weights=beside m.json
wrong "--target: unknown target \"aarch64-linux\", did you mean \"aarch64-linux-gnu\"; known are $targets" \
    build --target=aarch64-linux m.json
wrong "--target: unknown target \"wasm32\"; known are $targets" check --target=wasm32 m.json
wrong '--cpu: unknown cpu "cortex-a54", did you mean "cortex-a53"; known for this target are armv8-a, cortex-a53, cortex-a72, cortex-a76, neoverse-n1, neoverse-v1' \
    build --target=aarch64-linux-gnu --cpu=cortex-a54 m.json
wrong '--cpu: unknown cpu "x86-64-v3"; known for this target are armv7-a, cortex-a7, cortex-a15' \
    inspect --target arm-linux-gnueabihf --cpu x86-64-v3 m.json
if [ "$(uname -m)" != armv7l ]; then
    wrong '--cpu: "native" means this machine, which is not arm-linux-gnueabihf' \
        build --target=arm-linux-gnueabihf --cpu=native m.json
fi
finish
