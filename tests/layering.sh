#!/usr/bin/env bash
# The rooms include each other downwards only:
#     base ← ir ← {frontend, passes, codegen} ← driver        runtime includes nothing but itself
# Headers of the runtime that are its agreement with what it serves (model.h, instance.h, system.h)
# may be read by driver, whose probe runs in the place of a model's program. Prints every #include that breaks a rule.
set -euo pipefail
cd "$(dirname "$0")/.."

broken=0
# allow ROOM PATTERN: every #include "room/…" in ROOM matches PATTERN
allow() {
    local room=$1 pattern=$2 found
    found=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' -r "$room" --include='*.[ch]' --include='*.def' |
        grep -vE "include[[:space:]]+\"($pattern)" || true)
    if [ -n "$found" ]; then
        printf '%s/ may not include this:\n%s\n' "$room" "$found"
        broken=1
    fi
}

allow base '(base)/'
allow ir '(ir|base)/'
for room in frontend passes codegen; do
    allow "$room" "($room|ir|base)/"
done
allow runtime 'runtime/|[a-z_]+\.h"'
allow driver '(driver|frontend|passes|codegen|ir|base)/|runtime/(model|instance|system)\.h"'
exit $broken
