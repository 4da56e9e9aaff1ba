#!/usr/bin/env bash
# Models inside other programs: shared, static and object; several in one process; the caller's threads and memory.
. "$(dirname "$0")/lib.sh"
small_model
sed 's/"small"/"second"/; s/"tanh"/"relu"/' small.json >second.json
strict='-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror'

for kind in shared static object; do
    holds "--emit=$kind" "$INGOT" build small.json --train --emit=$kind
    holds "--emit=$kind of a second model" "$INGOT" build second.json --train --emit=$kind
done
is 'what a shared library exports has its prefix' \
    "$(nm -D --defined-only small.so | awk '{ print $3 }' | grep -v '^small_')" ''
for file in small.a small.o; do
    is "what $file shows has its prefix" "$(nm -g --defined-only $file | awk 'NF == 3 { print $3 }' | grep -v '^small_')" ''
done

printf '#include "small.h"\n#include "small.h"\n#include "second.h"\nint main(void) { return SMALL_OK; }\n' >header.c
holds 'the header stands alone, in C' cc $strict -c header.c
if command -v c++ >/dev/null; then
    holds 'the header stands alone, in C++' c++ -x c++ -Wall -Wextra -Wpedantic -Werror -c header.c
else
    skip 'the header in C++: no c++ here'
fi

# Both models, two instances of the first, each on a thread of its own; memory of the caller; save and load.
cat >two.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "second.h"
#include "small.h"

static void train(small *model, int steps)
{
    for (int i = 0; i < steps; i++) {
        float numbers[16][4], loss;
        int32_t labels[16];
        unsigned random = 12345u + (unsigned)i;
        for (int row = 0; row < 16; row++) {
            float sum = 0;
            for (int j = 0; j < 4; j++) {
                random = random * 1664525u + 1013904223u;
                numbers[row][j] = (float)(random >> 8) / 8388608.0f - 1.0f;
                sum += numbers[row][j];
            }
            labels[row] = sum > 0;
        }
        if (small_train_step(model, &numbers[0][0], labels, &loss) != SMALL_OK)
            exit(10);
    }
}

static void *train_200(void *model)
{
    train(model, 200);
    return NULL;
}

int main(void)
{
    const float numbers[4] = {0.5f, 0.25f, -0.125f, 0.75f};
    float first[2], other[2], again[2];
    int32_t code;
    small_options options = {.threads = 1};
    options.memory_bytes = small_memory_bytes(1);
    options.memory = aligned_alloc(64, (options.memory_bytes + 63) / 64 * 64);
    small *a = small_create(&options, &code), *b = small_create(NULL, NULL);
    second *c = second_create(NULL, &code);
    if (!a || !b || !c)
        return 1;
    pthread_t thread;
    if (small_initialize(b, 99) != SMALL_OK || pthread_create(&thread, NULL, train_200, a) != 0)
        return 2;
    train(b, 200);
    pthread_join(thread, NULL);
    if (small_infer(a, numbers, first) != SMALL_OK || small_infer(b, numbers, again) != SMALL_OK ||
        second_infer(c, numbers, other) != SECOND_OK)
        return 3;
    if (!(first[1] > 0.8f) || !(again[1] > 0.8f) || memcmp(first, again, sizeof first) == 0)
        return 4; /* both have learnt, from different beginnings */
    if (small_save(a, "a.safetensors") != SMALL_OK || small_load(b, "a.safetensors") != SMALL_OK ||
        small_infer(b, numbers, again) != SMALL_OK || memcmp(first, again, sizeof first) != 0)
        return 5;
    if (second_load(c, "none.safetensors") != SECOND_NO_FILE || small_load(b, "two.c") != SMALL_BAD_FILE)
        return 6;
    puts(small_last_error(b));
    options.memory_bytes = 64;
    if (small_create(&options, &code) || code != SMALL_NO_MEMORY)
        return 7;
    if (!small_state(b, 0) || small_state(b, 1000) || small_infer(b, NULL, again) != SMALL_BAD_ARGUMENT)
        return 8;
    small_destroy(a);
    small_destroy(b);
    small_destroy(NULL);
    second_destroy(c);
    free(options.memory);
    return 0;
}
END
for way in 'small.so second.so -Wl,-rpath,.' 'small.a second.a -lm' 'small.o second.o -lm' 'small.so second.a -Wl,-rpath,. -lm'; do
    holds "two models: $way" cc $strict two.c $way -pthread -o two
    holds "two models run: $way" ./two
    matches "two models, an error: $way" "$out" '^two\.c: '
done

# The caller's own pool, given to a library that was built for one and to one that was not; and the library's own.
cat >pool.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "small.h"

typedef struct Member {
    pthread_t thread;
    small_work *work;
    void *argument;
    int32_t member, members;
} Member;

static void *run(void *pointer)
{
    Member *m = pointer;
    m->work(m->argument, m->member, m->members);
    return NULL;
}

static void pool(void *calls, int32_t members, small_work *work, void *argument)
{
    Member list[64];
    *(int *)calls += 1;
    for (int32_t i = 1; i < members; i++) {
        list[i] = (Member){.work = work, .argument = argument, .member = i, .members = members};
        pthread_create(&list[i].thread, NULL, run, &list[i]);
    }
    work(argument, 0, members);
    for (int32_t i = 1; i < members; i++)
        pthread_join(list[i].thread, NULL);
}

int main(void)
{
    int calls = 0;
    float numbers[16][4], loss[3];
    int32_t labels[16];
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 4; j++)
            numbers[i][j] = (float)(i - 7) * 0.1f + (float)j * 0.01f;
        labels[i] = i > 7;
    }
    for (int way = 0; way < 3; way++) {
        small_options options = {.threads = way + 1, .parallel = way == 2 ? NULL : pool, .pool = &calls};
        small *model = small_create(&options, NULL);
        if (!model)
            return 1;
        for (int i = 0; i < 20; i++)
            if (small_train_step(model, &numbers[0][0], labels, &loss[way]) != SMALL_OK)
                return 2;
        small_destroy(model);
    }
    printf("%.9g %.9g %.9g, %d\n", (double)loss[0], (double)loss[1], (double)loss[2], calls);
    if (calls != 20)
        return 4;
    return memcmp(&loss[0], &loss[1], sizeof loss[0]) || memcmp(&loss[0], &loss[2], sizeof loss[0]) ? 3 : 0;
}
END
shared_model
sed 's/"model": "shared"/"model": "small"/; s/256/1024/' shared.json >large.json
for way in pthreads openmp host none; do
    holds "--threads=$way" "$INGOT" build large.json --train --train-batch=16 --emit=static --threads=$way -o $way
    mkdir -p $way.d && cp $way.h $way.d/small.h
    link=$(sed -n 's/.* Link with \(.*\)\.$/\1/p' $way.h)
    case $way in pthreads) want='-pthread -lm' ;; openmp) want='-lgomp -lm' ;; *) want=-lm ;; esac
    is "--threads=$way: what its header says to link with" "$link" "$want"
    holds "a pool of the caller's, --threads=$way" cc $strict -I$way.d pool.c $way.a $link -pthread -o pool
    holds "a pool of the caller's runs, --threads=$way" ./pool
done
if nm pthreads.a none.a host.a | grep -qE 'GOMP|omp_'; then fail 'a library without OpenMP asks for it'; else pass; fi
if nm openmp.a none.a host.a | grep -q 'pthread_create'; then fail 'a library without threads of its own starts some'; else pass; fi

# Inference only, several batch sizes, weights as in a trained checkpoint.
holds 'inference only' "$INGOT" build small.json --emit=object --batch=1,8 -o plain
matches 'one function a batch size' "$(cat plain.h)" '^int32_t small_infer_batch8\('
if grep -q train_step plain.h; then fail 'an inference build offers train_step'; else pass; fi

# Names that are no C identifiers.
sed 's/"model": "small"/"model": "2-small model"/; s/"numbers"/"in put"/g; s/"probabilities"/"class"/g' small.json >odd.json
run "$INGOT" build odd.json --emit=object -o odd
if [ $code -eq 0 ]; then
    printf '#include "odd.h"\nint main(void) { return 0; }\n' >odd.c
    holds 'odd names make a valid header' cc $strict odd.c odd.o -lm -o odd
else
    matches 'odd names are refused with a place' "$err" '^odd\.json: '
fi
finish
