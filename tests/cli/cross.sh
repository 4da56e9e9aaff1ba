#!/usr/bin/env bash
# Programs for other processors: built here, run under qemu, trained to the same accuracy.
. "$(dirname "$0")/lib.sh"
cp "$INGOT_SOURCE/examples/digits.json" . && cp -r "$INGOT_SOURCE/examples/data" data
small_model

accuracy() { # of held-out rows after the last epoch, from a log: 0.9722
    sed -n 's/.*"accuracy": *\([0-9.]*\).*/\1/p' "$1" | tail -1
}

holds 'build for this machine' "$INGOT" build digits.json --train
holds 'train on this machine' ./digits train --quiet --epochs 5 --log native.jsonl
native=$(accuracy native.jsonl)
matches 'accuracy on this machine' "$native" '^0\.9|^1'

for triple in x86_64-linux-gnu aarch64-linux-gnu arm-linux-gnueabihf; do
    qemu=qemu-${triple%%-*}
    if [ "$triple" = "$(cc -dumpmachine 2>/dev/null)" ]; then continue; fi
    if ! command -v "$triple-gcc" >/dev/null || ! command -v "$qemu" >/dev/null; then
        [ "$triple" = x86_64-linux-gnu ] || skip "$triple: no $triple-gcc or no $qemu"
        continue
    fi
    on_target() { "$qemu" -L "/usr/$triple" "$@"; }
    holds "$triple: build" "$INGOT" build digits.json --train --target=$triple -o digits-$triple
    holds "$triple: train" on_target ./digits-$triple train --quiet --epochs 5 --log $triple.jsonl --save $triple.safetensors
    there=$(accuracy $triple.jsonl)
    if awk -v a="$native" -v b="$there" 'BEGIN { d = a - b; exit !(b != "" && d < 0.012 && d > -0.012) }'; then
        pass
    else
        fail "$triple: accuracy $there, here $native"
    fi
    holds "$triple: two threads" on_target ./digits-$triple train --quiet --threads 2 --epochs 5 --save $triple-2.safetensors
    same_bytes "$triple: the same bits at two threads" $triple.safetensors $triple-2.safetensors
    holds "$triple: weights from there run here" ./digits evaluate --data data/digits.csv --weights $triple.safetensors
    for kind in shared static object asm llvm; do
        holds "$triple: --emit=$kind" "$INGOT" build small.json --target=$triple --emit=$kind -o library-$triple
    done
    holds "$triple: the compiled model against the evaluator" "$INGOT" check small.json --train --target=$triple
done

holds 'aarch64: another cpu' "$INGOT" build small.json --target=aarch64-linux-gnu --cpu=cortex-a53 --emit=asm -o /dev/null

# a product takes elements of A four at a time, and multiplies by each lane
printf '{ "model": "product", "inputs": { "x": ["batch", 64] }, "layers": [ { "dense": 64, "bias": false, "name": "y" } ] }' >product.json
holds 'aarch64: a product' "$INGOT" build product.json --batch=8 --target=aarch64-linux-gnu --emit=asm -o product.s
product=$(sed -n '/^product\.matmul:/,/Lfunc_end/p' product.s)
for lane in 0 1 2 3; do
    matches "aarch64: multiplies by lane $lane" "$product" "fmla	v[0-9]+\.4s, v[0-9]+\.4s, v[0-9]+\.s\[$lane\]"
done
is 'aarch64: no element is copied into all lanes' "$(grep -cE '	(dup|ld1r)	' <<<"$product")" 0
finish
