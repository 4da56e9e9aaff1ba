#!/usr/bin/env bash
# What --emit, -o, --print-after, --stop-after and --time-passes write, and where.
. "$(dirname "$0")/lib.sh"
small_model

for kind in graph nest llvm asm; do
    run "$INGOT" build small.json --train --emit=$kind
    is "--emit=$kind: exit code and errors" "$code $err" '0 '
    printf '%s\n' "$out" >$kind.txt
    holds "--emit=$kind -o FILE" "$INGOT" build small.json --train --emit=$kind -o $kind.file
    same_bytes "--emit=$kind: the same in a file" $kind.txt $kind.file
    run "$INGOT" build small.json --train --emit=$kind -o -
    is "--emit=$kind -o -" "$out" "$(cat $kind.file)"
done
matches 'the graph has the model name' "$(cat graph.txt)" '^program @small .*\{'
matches 'the graph has a step of training' "$(cat graph.txt)" 'fn @train_step\(%numbers: f32\[16,4\]'
matches 'the nest has kernels' "$(cat nest.txt)" '^kernel @'
matches 'LLVM IR has explicit vectors' "$(cat llvm.txt)" '<[0-9]+ x float>'
matches 'assembly has the public functions' "$(cat asm.txt)" '^small_train_step:'

holds 'the default output is the name of the model' "$INGOT" build small.json
holds 'and it runs' ./small info
is 'nothing else is written' "$(ls)" "$(printf '%s\n' asm.file asm.txt graph.file graph.txt llvm.file llvm.txt nest.file nest.txt small small.csv small.json)"

mkdir libraries && cd libraries || exit 1
holds '--emit=shared' "$INGOT" build ../small.json --emit=shared
holds '--emit=static' "$INGOT" build ../small.json --emit=static
holds '--emit=object' "$INGOT" build ../small.json --emit=object -o other.o
is 'libraries and their headers' "$(ls | tr '\n' ' ')" 'other.h other.o small.a small.h small.so '
cd ..

run "$INGOT" build small.json --train --stop-after=read
matches '--stop-after=read still has the composites' "$out" 'softmax_cross_entropy'
run "$INGOT" build small.json --train --stop-after=optimizer
matches '--stop-after=optimizer has moments' "$out" 'state %optimizer\.m\.'
run "$INGOT" build small.json --train --stop-after=expand
is '--stop-after=expand has no composites' "$(printf '%s\n' "$out" | grep -c 'softmax_cross_entropy %')" 0
run "$INGOT" build small.json --train --stop-after=tile
matches '--stop-after=tile prints kernels' "$out" '^kernel @'
is '--stop-after=tile knows no threads yet' "$(printf '%s\n' "$out" | grep -c 'parallel ')" 0
run "$INGOT" build small.json --train --emit=nest --print-after=cse -o nest2
matches '--print-after=cse' "$err" '^// after cse$'
same_bytes '--print-after changes nothing' nest.file nest2
for pass in lower vectorize plan; do
    run "$INGOT" build small.json --train --emit=nest --print-after=$pass -o nest3
    matches "--print-after=$pass" "$err" "^// after $pass\$"
done
matches '--print-after=plan prints calls' "$err" '^schedule @train_step'
same_bytes '--stop-after=plan is all of it' nest.file <("$INGOT" build small.json --train --stop-after=plan)
run "$INGOT" build small.json --stop-after=vectorise
is 'a pass of the loop level nearly named' "$code $out$err" '1 --stop-after: there is no pass "vectorise", did you mean "vectorize"; docs/passes.md lists them'
run "$INGOT" build small.json --print-after=cess --emit=graph
is '--print-after of an unknown pass' "$code $out$err" '1 --print-after: there is no pass "cess", did you mean "cse"; docs/passes.md lists them'
run "$INGOT" build small.json --stop-after=cess
is '--stop-after of an unknown pass' "$code $out$err" '1 --stop-after: there is no pass "cess", did you mean "cse"; docs/passes.md lists them'
run "$INGOT" build small.json --time-passes -o timed
matches '--time-passes' "$err" '^simplify +[0-9]+ +[0-9]+ +[0-9.]+$'
matches '--time-passes, the loop level' "$err" '^vectorize +[0-9]+ +[0-9.]+$'
matches '--time-passes, codegen' "$err" '^codegen +[0-9.]+ ms$'
finish
