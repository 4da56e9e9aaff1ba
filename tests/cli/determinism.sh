#!/usr/bin/env bash
# The same input gives the same bytes, whatever the time, the folders, the number of jobs.
. "$(dirname "$0")/lib.sh"
small_model
mkdir -p first second temporary/of/another/length
for kind in exe shared static object llvm asm nest graph; do
    holds "--emit=$kind" "$INGOT" build small.json --train --emit=$kind --jobs=1 -o first/$kind
    holds "--emit=$kind again" env TZ=UTC-5 TMPDIR="$PWD/temporary/of/another/length" \
        "$INGOT" build small.json --train --emit=$kind --jobs=2 -o second/$kind
done
is 'the same files' "$(ls first)" "$(ls second)"
for file in first/*; do
    same_bytes "$file" "$file" "second/${file#first/}"
done
if grep -qE "$work|$INGOT_SOURCE/(runtime|driver|codegen)/" first/exe; then fail 'a path of this machine is in the program'; else pass; fi
finish
