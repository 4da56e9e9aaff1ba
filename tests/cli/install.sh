#!/usr/bin/env bash
# An installed ingot works without its build folder, and wherever it is moved to.
. "$(dirname "$0")/lib.sh"
small_model
holds 'cmake --install' cmake --install "$INGOT_BUILD" --prefix "$PWD/usr"
mv usr moved
is 'what is installed beside the command' "$(cd moved && find . -maxdepth 3 -path './lib/ingot/*' | sort)" \
    "$(cd "$INGOT_BUILD/runtime" && for triple in *; do echo "./lib/ingot/$triple"; done)"
for triple in moved/lib/ingot/*; do
    is "files of ${triple##*/}" "$(ls "$triple" | tr '\n' ' ')" \
        'calm_openmp.o libingot_runtime.a main.o main_profile.o probe.o team_host.o team_none.o team_openmp.o team_pthreads.o '
done
holds 'the installed command builds' moved/bin/ingot build small.json --train
holds 'and the program runs' ./small info
run "$INGOT" build small.json --train -o other
same_bytes 'the same program as from the build folder' small other
finish
