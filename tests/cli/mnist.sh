#!/usr/bin/env bash
# Accuracy on real images: examples/lenet.json on MNIST and examples/fashion.json on Fashion-MNIST, five epochs each, where
# their data are.
. "$(dirname "$0")/lib.sh"

mnist=${INGOT_SHARED:-$INGOT_SOURCE/../shared}/data/mnist
fashion=/usr/share/datasets/fashion-mnist

# reaches NAME MODEL FOLDER PERCENT
reaches() {
    local name=$1 model=$2 folder=$3 percent=$4 accuracy
    holds "$name: build" "$INGOT" build "$INGOT_SOURCE/examples/$model.json" --train
    run "./$model" train --quiet --epochs 5 --data "$folder"
    is "$name: train" "$code" 0
    accuracy=$(printf '%s\n%s\n' "$out" "$err" | sed -n 's/^held-out accuracy \([0-9.]*\) .*/\1/p')
    printf '%s: held-out accuracy %s %%\n' "$name" "${accuracy:-none}"
    if awk -v a="${accuracy:-0}" -v b="$percent" 'BEGIN { exit !(a >= b) }'; then
        pass
    else
        fail "$name: accuracy ${accuracy:-none} %, at least $percent % wanted" "$out$err"
    fi
}

if [ -e "$mnist/train-images-idx3-ubyte.gz" ] || [ -e "$mnist/train-images-idx3-ubyte" ]; then
    reaches MNIST lenet "$mnist" 98.9
else
    skip "MNIST is not in $mnist"
fi
if [ -d "$fashion" ]; then
    reaches Fashion-MNIST fashion "$fashion" 89
else
    skip "Fashion-MNIST is not in $fashion: Debian's package dataset-fashion-mnist"
fi
finish
