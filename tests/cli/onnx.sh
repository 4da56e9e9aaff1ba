#!/usr/bin/env bash
# ONNX models from the command line: built, checked against what ONNX Runtime computes, trained further, written back.
. "$(dirname "$0")/lib.sh"

models=$INGOT_SOURCE/tests/onnx
small_model # for its data

# --- what comes out ---
for folder in "$models"/*/; do
    name=$(basename "$folder")
    run "$INGOT" check "$folder/model.onnx" --inputs "$folder"
    is "$name: exit code" "$code$err" 0
    matches "$name: outputs" "$out" '^all [1-9][0-9]* tensors agree'
done
run "$INGOT" check "$models/classifier/model.onnx" --inputs "$work"
is 'inputs that are not there' "$err" "--inputs: $work holds no in_numbers.npy and no input_0.pb for the input \"numbers\""

# --- a program ---
cp "$models/classifier/model.onnx" classifier.onnx
cp "$models/residual/model.onnx" residual.onnx
holds 'build' "$INGOT" build classifier.onnx --batch=1,4 -o classifier
holds 'infer' ./classifier infer --input "$models/classifier/in_numbers.npy" --output results
holds 'inspect' "$INGOT" inspect residual.onnx --dim N=2
matches 'inspect names nodes' "$out" '^stem +Conv +f32\[2,8,8,8\] +216 +27,648$'
holds 'a library' "$INGOT" build residual.onnx --emit=static -o residual

# --- half precision and unsigned integers ---
cp "$models/half/model.onnx" half.onnx
holds 'build in half precision' "$INGOT" build half.onnx --batch=5 -o half
holds 'infer in half precision' ./half infer --input x="$models/half/in_x.npy" --input counts="$models/half/in_counts.npy" \
    --output halves
for output in y large; do # behind headers that may differ
    size=$([ $output = y ] && echo 80 || echo 120)
    is "$output.npy" "$(tail -c $size halves/$output.npy | od -An -tx1)" \
        "$(tail -c $size "$models/half/out_$output.npy" | od -An -tx1)"
done
holds 'a library in half precision' "$INGOT" build half.onnx --emit=object -o half
is 'what its header says' "$(grep -c 'uint16_t\[1\]\[8\], bits of f16' half.h)" 2
matches 'and explains' "$(grep 'binary16' half.h)" 'A uint16_t that is "bits of f16" holds an IEEE binary16'

# --- several sizes, one program ---
cp "$models/tokens/model.onnx" tokens.onnx
holds 'several sizes' "$INGOT" check tokens.onnx --batch=1,2 --dim length=2,3
holds 'a program for several sizes' "$INGOT" build tokens.onnx --batch=1,2 --dim length=2,3 -o tokens
run ./tokens info
is 'its functions' "$(printf '%s\n' "$out" | grep infer)" '  infer, batch 1, length=2
  infer, batch 1, length=3
  infer, batch 2, length=2
  infer, batch 2, length=3'
run ./tokens infer --input "$models/tokens/in_words.npy"
matches 'the one that fits is run' "$out" '^score f32\[5,2\]$'
refuses 'none fits' 1 "tokens: $models/classifier/in_numbers.npy: each row is f32[4], but \"words\" needs f32[2,4]; \
the model was built for length=2, and for length=3" ./tokens infer --input "$models/classifier/in_numbers.npy"
holds 'a library for several sizes' "$INGOT" build tokens.onnx --batch=1,2 --dim length=2,3 --emit=object -o tokens
is 'its symbols' "$(grep -o 'tokens_infer[a-z0-9_]*' tokens.h | tr '\n' ' ')" \
    'tokens_infer tokens_infer_length3 tokens_infer_batch2 tokens_infer_batch2_length3 '
refuses 'rows that nobody counts' 1 "--batch: the first dimension of the model's inputs does not count rows of data; \
--dim and --shape say what other dimensions are" "$INGOT" build tokens.onnx --batch=2 --shape words=1x3x4

# one copy of the weights, in one layout
constants_of() { "$INGOT" inspect residual.onnx --dim "N=$1" | grep '^constants'; }
is 'functions share weights' "$(constants_of 1,8,32)" "$(constants_of 1)"

# --- training ---
cat >recipe.json <<'END'
{ "train": { "targets": { "label": { "classes": 2 } },
             "loss": { "softmax_cross_entropy": ["logits", "label"] }, "metrics": ["accuracy"],
             "optimizer": { "adam": 0.02 }, "batch": 16, "epochs": 30, "seed": 3 },
  "data": { "csv": "small.csv", "columns": { "numbers": "0-3", "label": 4 }, "validation": 0.2 } }
END
holds 'build to train' "$INGOT" build classifier.onnx --train recipe.json -o trainer
holds 'check gradients' "$INGOT" check classifier.onnx --train recipe.json
holds 'train' ./trainer train --quiet --save trained.onnx
accuracy=$(printf '%s\n' "$out" | sed -n 's/^held-out accuracy \([0-9.]*\) .*/\1/p')
if awk -v a="${accuracy:-0}" 'BEGIN { exit !(a >= 95) }'; then pass; else fail "accuracy ${accuracy:-none}" "$out"; fi
run "$INGOT" check trained.onnx --inputs "$models/classifier"
is 'trained weights give other numbers' $code 1
cat >evaluate.json <<'END'
{ "train": { "targets": { "label": { "classes": 2 } },
             "loss": { "softmax_cross_entropy": ["logits", "label"] }, "metrics": ["accuracy"], "seed": 3 },
  "data": { "csv": "small.csv", "columns": { "numbers": "0-3", "label": 4 }, "validation": 0.2 } }
END
holds 'build what was written' "$INGOT" build trained.onnx --train evaluate.json -o again
run ./again evaluate
matches 'it is as good' "$out" "^accuracy ${accuracy}0 %$"

# --- some parameters alone ---
sed 's/"batch": 16/"trainable": ["fc2.*"], "batch": 16/' recipe.json >head.json
holds 'build to train the head' "$INGOT" build classifier.onnx --train head.json -o head
holds 'train the head' ./head train --quiet --epochs 1 --save head.onnx
size=$(stat -c %s classifier.onnx)
is 'the file keeps its size' "$(stat -c %s head.onnx)" "$size"
# fc1.weight is 8 x 4 floats, in one piece in both files
differing=$(cmp -l classifier.onnx head.onnx | wc -l)
if [ "$differing" -gt 0 ] && [ "$differing" -le $((18 * 4)) ]; then pass; else fail "bytes that differ: $differing"; fi

# --- mistakes ---
refuses 'no recipe' 1 '--train: an ONNX model does not say how to train it; write "train" and "data" into a file, and give it: --train recipe.json' \
    "$INGOT" build classifier.onnx --train
refuses 'recipe without --train' 1 'recipe.json: is a recipe for training; add --train' \
    "$INGOT" build classifier.onnx recipe.json
refuses 'unknown input' 1 '--shape: nombers is no input of the model; there are "numbers"' \
    "$INGOT" build classifier.onnx --shape nombers=1x4
refuses 'a shape that does not fit' 1 '--shape: numbers: the model says [batch, 4]' \
    "$INGOT" build classifier.onnx --shape numbers=1x5
refuses 'unknown dimension' 1 '--dim: no open dimension of an input is called rows; the inputs are numbers [batch, 4]' \
    "$INGOT" build classifier.onnx --dim rows=3
refuses 'for descriptions there is nothing to bind' 1 '--dim: is for ONNX models' \
    "$INGOT" build small.json --dim batch=3
head -c 300 classifier.onnx >short.onnx
refuses 'cut short' 1 'short.onnx: is cut short, or no ONNX model' "$INGOT" build short.onnx
: >empty.onnx
refuses 'empty' 1 'empty.onnx: is no ONNX model: there is no graph in it' "$INGOT" build empty.onnx
# Graphs within attributes of nodes within graphs, as protobuf; bytes are written as \xHH.
message() { # message KEY BYTES
    local size=$((${#2} / 4)) key=$1
    local head="\\x$key"
    while [ $size -gt 127 ]; do
        head+=$(printf '\\x%02x' $((size & 127 | 128)))
        size=$((size >> 7))
    done
    printf '%s\\x%02x%s' "$head" $size "$2"
}
nested=
for ((i = 0; i < 30; i++)); do nested=$(message 32 "$(message 0a "$(message 2a "$nested")")"); done # graph of attribute, node, attribute
printf '%b' "$(message 3a "$(message 0a "$(message 2a "$nested")")")" >deep.onnx
refuses 'graphs within graphs' 1 'deep.onnx: nests graphs within graphs more than 20 deep' "$INGOT" build deep.onnx
no_leftovers 'nothing is left behind' "$work"

# --- real models, where they are ---
shared=${INGOT_SHARED:-$INGOT_SOURCE/../shared}/models
if [ -d "$shared" ]; then
    for model in "$shared"/*.onnx; do
        name=$(basename "$model" .onnx)
        constants=()
        [ "$name" != silero_vad ] || constants=(--const sr) # half of it is for another rate, and wants another shape
        run "$INGOT" check "$model" --inputs "$shared/expected/$name" "${constants[@]}"
        if [ $code -eq 0 ]; then pass; else fail "$name" "$out$err"; fi
    done
else
    skip "there are no models in $shared"
fi
finish
