#!/usr/bin/env bash
# What the machine lacks: linkers, runtime, room, permission. One error, exit code 1, nothing half-written.
. "$(dirname "$0")/lib.sh"
small_model

host=$(cd "$INGOT_BUILD/runtime" && for triple in *; do case $triple in "$(uname -m)"*) echo "$triple" ;; esac; done)

# --- tools and runtime ---

mkdir empty
refuses 'no cc' 1 "cc is not installed, which links for this machine: install Debian's package gcc" \
    env PATH="$PWD/empty" "$INGOT" build small.json --train
refuses 'CC that is not there' 1 "CC: no-such-cc is not installed, which links for this machine: install Debian's package gcc" \
    env CC=no-such-cc "$INGOT" build small.json --train
for triple in x86_64-linux-gnu aarch64-linux-gnu arm-linux-gnueabihf; do
    [ "$triple" = "$host" ] && continue
    refuses "no $triple-gcc" 1 \
        "--target: $triple-gcc is not installed, which links for $triple: install Debian's package gcc-${triple//_/-}" \
        env PATH="$PWD/empty" "$INGOT" build small.json --target="$triple"
done
refuses 'no runtime' 1 \
    "--target: Ingot's runtime for $host is not installed: expected $PWD/empty/$host/libingot_runtime.a; build Ingot with $host-gcc installed, or set INGOT_HOME" \
    env INGOT_HOME="$PWD/empty" bash -c 'cp "$1" empty/ingot && empty/ingot build small.json' - "$INGOT"
rm -f empty/ingot

cat >failing-cc <<'END'
#!/bin/sh
echo "failing-cc: cannot find -lgomp" >&2
exit 1
END
chmod +x failing-cc
refuses 'a linker that fails' 1 'small: cannot be linked: ./failing-cc failed
failing-cc: cannot find -lgomp' env CC=./failing-cc "$INGOT" build small.json --train
holds 'CC of several words' env CC='env gcc' "$INGOT" build small.json -o words

# --- places that cannot be written ---

refuses 'no such folder' 1 'no/such/folder/small: cannot be written: there is no folder no/such/folder/' \
    "$INGOT" build small.json -o no/such/folder/small
mkdir taken
refuses 'the output is a folder' 1 'taken: cannot be written: Is a directory' "$INGOT" build small.json -o taken
refuses 'text into no folder' 1 'no/graph: cannot be written: No such file or directory' \
    "$INGOT" build small.json --emit=graph -o no/graph
if [ "$(id -u)" -ne 0 ]; then
    mkdir closed && chmod 555 closed
    refuses 'a folder without permission' 1 'closed/small: cannot be written: Permission denied' \
        "$INGOT" build small.json -o closed/small
else
    skip 'permission: root may write everywhere'
fi
run env TMPDIR=no "$INGOT" build small.json
is 'no temporary folder' "$code $(printf '%s' "$out$err" | sed 's/ingot-[^:]*/ingot-NAME/')" \
    '1 no/ingot-NAME: cannot be created: No such file or directory (set TMPDIR to a folder with room)'

# --- full disks ---

refuses 'text into a full disk' 1 'standard output: cannot be written: No space left on device' \
    bash -c '"$1" build small.json --emit=graph >/dev/full' - "$INGOT"
mkdir disk
if mount -t tmpfs -o size=64k tmpfs disk 2>/dev/null; then
    trap 'umount "$work/disk"; rm -rf "$work"' EXIT
    refuses 'a program into a full disk' 1 'disk/small: cannot be written: No space left on device' \
        "$INGOT" build small.json --train -o disk/small
    is 'nothing is left on the full disk' "$(ls disk)" ''
    run env TMPDIR="$PWD/disk" "$INGOT" build small.json --train -o small
    is 'temporary files into a full disk' "$code" 1
    matches 'temporary files into a full disk, the reason' "$err" 'No space left on device'
    is 'nothing is left in the full temporary folder' "$(ls disk)" ''
    holds 'an older program' "$INGOT" build small.json -o older
    cp older keep
    mount -o remount,size=4m disk && cp older disk/older
    cat /dev/zero >disk/fill 2>/dev/null
    run "$INGOT" build small.json --train -o disk/older
    is 'over an older program on a full disk' "$code" 1
    same_bytes 'the older program stays whole' disk/older keep
else
    skip 'full disks: no right to mount a small one'
fi

# A limit on the size of files fails like a full disk does, but needs no rights. Small parts fit, the program does not.
mkdir limited
run bash -c 'ulimit -f 40; TMPDIR="$PWD/limited" exec "$1" build small.json --train' - "$INGOT"
is 'a program over the limit of file sizes' "$code" 1
matches 'a program over the limit of file sizes, the reason' "$err" '^small: cannot be (linked|written): '
run bash -c 'ulimit -f 4; TMPDIR="$PWD/limited" exec "$1" build small.json --train' - "$INGOT"
is 'a part over the limit of file sizes' "$code" 1
matches 'a part over the limit of file sizes, the reason' "$err" 'cannot be written: File too large'
is 'nothing is left in the temporary folder' "$(ls limited)" ''
is 'no output of all these' "$(ls small 2>&1)" "ls: cannot access 'small': No such file or directory"
no_leftovers 'no temporary files of all these' "$work"
finish
