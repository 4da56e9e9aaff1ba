#!/usr/bin/env bash
# What the examples learn whose data are in examples/data: on rows that training does not see, after all their epochs.
. "$(dirname "$0")/lib.sh"

# reaches MODEL METRIC LEAST MOST
reaches() {
    local model=$1 metric=$2 least=$3 most=$4 value
    holds "$model: build" "$INGOT" build "$INGOT_SOURCE/examples/$model.json" --train
    run "./$model" train --quiet --data "$INGOT_SOURCE/examples/data"
    is "$model: train" "$code" 0
    value=$(printf '%s\n%s\n' "$out" "$err" | sed -n "s/^held-out $metric \([0-9.]*\).*/\1/p")
    printf '%s: held-out %s %s\n' "$model" "$metric" "${value:-none}"
    if awk -v a="${value:--1}" -v b="$least" -v c="$most" 'BEGIN { exit !(a >= b && a <= c) }'; then
        pass
    else
        fail "$model: $metric ${value:-none}, from $least to $most wanted" "$out$err"
    fi
}

reaches digits accuracy 97 100
reaches transformer accuracy 95 100
reaches lstm accuracy 95 100
reaches mlp accuracy 95 100
reaches regression mean_absolute_error 0 0.2
reaches autoencoder mean_absolute_error 0 0.08
finish
