#!/usr/bin/env bash
# Training: the same bits from the same seed at any number of threads, and from a run that was stopped and resumed.
. "$(dirname "$0")/lib.sh"
small_model
holds 'build' "$INGOT" build small.json --train

train() { ./small train --quiet "$@"; }

holds 'one thread' train --threads 1 --log one.jsonl --save one.safetensors
holds 'two threads' train --threads 2 --log two.jsonl --save two.safetensors
same_bytes 'weights at one and two threads' one.safetensors two.safetensors
losses() { sed 's/"\(seconds\|rows_per_second\|time\|threads\)":[^,}]*,\{0,1\}//g' "$1"; }
is 'losses at one and two threads' "$(losses one.jsonl)" "$(losses two.jsonl)"
if [ -s one.jsonl ]; then pass; else fail 'the log is empty'; fi

holds 'the same seed again' train --threads 2 --save again.safetensors
same_bytes 'the same seed gives the same weights' one.safetensors again.safetensors
holds 'another seed' train --seed 4 --save other.safetensors
if cmp -s one.safetensors other.safetensors; then fail 'another seed gives the same weights'; else pass; fi

holds 'half of the epochs' train --epochs 4 --save half.safetensors
holds 'the other half' train --epochs 8 --resume half.safetensors --save resumed.safetensors
same_bytes 'stopped and resumed is as never stopped' one.safetensors resumed.safetensors

# The ways to get threads: the same bits; and nothing is linked that could start one where no kernel is shared.
shared_model
for way in pthreads openmp none host; do
    holds "build with --threads=$way" "$INGOT" build shared.json --train --threads=$way -o shared-$way
    holds "train with --threads=$way" ./shared-$way train --quiet --threads 3 --epochs 3 --save $way.safetensors
    same_bytes "--threads=$way gives the same bits" pthreads.safetensors $way.safetensors
    holds "build a small one with --threads=$way" "$INGOT" build small.json --train --threads=$way -o small-$way
    same_bytes "--threads=$way changes nothing where no kernel is shared" small small-$way
done
asks_for() { nm "$1" | grep -cE "$2"; }
is 'pthreads: a team of its own' "$(asks_for shared-pthreads 'pthread_create'),$(asks_for shared-pthreads GOMP_parallel)" 1,0
is 'openmp: its team' "$(asks_for shared-openmp ' T GOMP_parallel$')" 1
for program in shared-none shared-host small; do
    is "$program: no threads" "$(asks_for $program 'pthread_create|GOMP_parallel')" 0
done
is 'small: nobody to meet' "$(asks_for small ingot_team_barrier)" 0
threads_used() { # threads_used PROGRAM ENVIRONMENT...: of a training in progress
    local program=$1 most=0 now
    shift
    env "$@" ./$program train --quiet --epochs 100000 --threads 0 &
    for _ in $(seq 100); do
        now=$(ls /proc/$!/task 2>/dev/null | wc -l)
        [ "$now" -gt "$most" ] && most=$now
        [ "$most" -ge 3 ] && break
        sleep 0.02
    done
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    echo "$most"
}
is 'pthreads: OMP_NUM_THREADS' "$(threads_used shared-pthreads OMP_NUM_THREADS=3)" 3
is 'pthreads: INGOT_THREADS' "$(threads_used shared-pthreads OMP_NUM_THREADS=2 INGOT_THREADS=3)" 3
is 'openmp: OMP_NUM_THREADS' "$(threads_used shared-openmp OMP_NUM_THREADS=3)" 3
holds 'build with --static' "$INGOT" build small.json --train --static -o small-static
is '--static needs no library' "$(ldd small-static 2>&1 | tr -d '\t')" 'not a dynamic executable'
holds 'train with --static' ./small-static train --quiet --save static.safetensors
same_bytes '--static gives the same bits' one.safetensors static.safetensors
is 'a program needs the C library only' "$(ldd small | sed -n 's/^[[:space:]]*\(lib[^.]*\)\..*/\1/p' | grep -vE '^lib(c|m)$')" ''

# digits packs the weights that evaluate reads: what training saw of them after its last step is what another process sees.
holds 'build digits' "$INGOT" build "$INGOT_SOURCE/examples/digits.json" --train
holds 'digits has packed weights' grep -q '^packed ' <(./digits info)
holds 'train digits' ./digits train --quiet --epochs 2 --save digits.safetensors --log digits.jsonl
held_out=$(sed -n '$s/.*"validation_loss":\([^,]*\).*/\1/p' digits.jsonl)
run ./digits evaluate --weights digits.safetensors
is 'evaluate agrees with training, in which weights changed' "$(sed -n 's/^loss //p' <<<"$out")" "$(printf %g "$held_out")"

run ./small evaluate --data small.csv --weights one.safetensors
is 'evaluate: exit code' $code 0
run env INGOT_HOME=/nonexistent ./small infer --weights one.safetensors --input small.csv
is 'infer: exit code' "$code" 0
finish
