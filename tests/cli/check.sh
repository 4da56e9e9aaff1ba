#!/usr/bin/env bash
# `ingot check` agrees with the evaluator, for every processor this machine can be, and notices when it should not.
. "$(dirname "$0")/lib.sh"
small_model

flags=$(sed -n 's/^flags[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
cpus=
if [ "$(uname -m)" = x86_64 ]; then
    cpus="x86-64"
    case " $flags " in *' sse4_2 '*) cpus="$cpus x86-64-v2" ;; esac
    case " $flags " in *' avx2 '*) cpus="$cpus x86-64-v3" ;; esac
    case " $flags " in *' avx512bw '*) cpus="$cpus x86-64-v4" ;; *) skip 'x86-64-v4: this machine has no AVX-512' ;; esac
fi

for cpu in $cpus; do
    holds "small.json for $cpu" "$INGOT" check small.json --cpu=$cpu
    holds "small.json --train for $cpu" "$INGOT" check small.json --train --cpu=$cpu
    matches "small.json --train for $cpu: summary" "$out" "^all [0-9]+ tensors agree: x86_64-linux-gnu, $cpu\$"
done
for seed in 2 3; do
    holds "small.json, seed $seed" "$INGOT" check small.json --train --batch=1,3,16 --train-batch=7 --seed=$seed
done
shared_model
for way in pthreads openmp none host; do
    holds "shared.json, --threads=$way" "$INGOT" check shared.json --train --train-batch=64 --threads=$way
done
for model in "$INGOT_SOURCE"/examples/*.json; do
    holds "examples/${model##*/}" "$INGOT" check "$model" --batch=2
    holds "examples/${model##*/} --train" "$INGOT" check "$model" --train --train-batch=3
done

# 3×3 convolutions of many channels take Winograd's algorithm, unless it is refused.
echo '{ "model": "deep", "inputs": { "x": ["batch", 13, 18, 20] }, "layers": [
  { "conv2d": 35, "kernel": 3, "padding": 1, "activation": "relu" }, { "conv2d": 48, "kernel": 3, "name": "y" } ] }' >deep.json
for cpu in $cpus ''; do
    for way in '' --winograd=no --freeze; do
        holds "deep.json ${cpu:+--cpu=$cpu} $way" "$INGOT" check deep.json --batch=1,3 ${cpu:+--cpu=$cpu} $way
    done
done
run "$INGOT" build deep.json --emit=nest -o -
matches 'deep.json: Winograd' "$out" 'kernel @winograd_product\('
run "$INGOT" build deep.json --winograd=no --emit=nest -o -
is 'deep.json --winograd=no' "$(grep -c winograd <<<"$out")" 0

# A runtime whose probe lies about one number of each function: the check must see it.
host=$(cd "$INGOT_BUILD/runtime" && for triple in *; do case $triple in "$(uname -m)"*) echo "$triple" ;; esac; done)
mkdir home && cp -r "$INGOT_BUILD/runtime/$host" home/
lie() { # lie STATEMENT: done to the outputs after every call
    awk -v lie="$1" '{ print } /INGOT_OK\)/ { getline; print; print "    if (function->output_count) " lie ";" }' \
        "$INGOT_SOURCE/driver/probe/probe.c" >lying.c
    cc -std=gnu11 -I"$INGOT_SOURCE" -fvisibility=hidden -c lying.c -o "home/$host/probe.o"
}
lie '((float *)probe->outputs[0])[0] += 1'
run env INGOT_HOME="$PWD/home" "$INGOT" check small.json
is 'a wrong output: exit code' "$code$err" 1
matches 'a wrong output: which' "$out" \
    '^infer: output probabilities\[0,0\] is 1\.[0-9]+, the evaluator says 0\.[0-9]+; 1 apart, [0-9.e-]+ allowed$'
matches 'a wrong output: summary' "$out" '^1 of [0-9]+ tensors differ: '
run env INGOT_HOME="$PWD/home" "$INGOT" check small.json --train
matches 'a wrong loss' "$out" '^train_step: output loss\[\] is '
lie '((float *)probe->outputs[function->output_count - 1])[0] *= 1.001f'
run env INGOT_HOME="$PWD/home" "$INGOT" check small.json --train
is 'a gradient a thousandth too large: exit code' "$code$err" 1
matches 'a gradient a thousandth too large' "$out" '^train_step: output gradient\.logits\.bias\[0\] is '
finish
