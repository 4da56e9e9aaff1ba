/* One model in memory: its state, its temporaries and the threads that run it.
 *
 * The functions of a generated header (`digits_create`, `digits_infer`, …) are thin wrappers around
 * these. Everything is allocated by ingot_create(); nothing is allocated after it. There are no
 * globals: any number of instances, of one model or several, live side by side. One instance serves
 * one call at a time; different instances may be used from different threads at the same time. */
#ifndef INGOT_RUNTIME_INSTANCE_H
#define INGOT_RUNTIME_INSTANCE_H

#include "model.h"

/* What a call can answer. Zero is success. */
enum {
    INGOT_OK = 0,
    INGOT_NO_MEMORY = 1, /* allocation failed, or the caller's block is too small or unaligned */
    INGOT_BAD_ARGUMENT = 2,
    INGOT_NO_FILE = 3,    /* a file could not be opened, read or written: errno says why */
    INGOT_BAD_FILE = 4,   /* no checkpoint of this model; ingot_last_error() says where and why */
    INGOT_NO_FUNCTION = 5 /* the model was built without what was asked for (say, train_step) */
};

/* Runs work(argument, member, members) for every member 0 … members-1, at the same time, and
 * returns when all have returned. A library built with --threads=host is given one of these by its
 * caller. */
typedef void IngotWork(void *argument, int32_t member, int32_t members);
typedef void IngotParallel(void *pool, int32_t members, IngotWork *work, void *argument);

typedef struct IngotOptions {
    int32_t threads; /* members of the team; 0: one for each processor this process may use */
    IngotParallel *parallel; /* NULL: the way chosen when the model was built */
    void *pool;              /* handed to `parallel` */
    void *memory; /* NULL: allocate; else a block of ingot_memory_bytes() bytes, aligned to 64,
                     that stays the caller's */
    size_t memory_bytes;
} IngotOptions;

typedef struct IngotInstance IngotInstance;

/* Bytes that an instance with this many threads takes, all of them. */
size_t ingot_memory_bytes(const IngotModel *model, int32_t threads);

/* A new instance with its weights in place: the embedded ones or, where there are none, freshly
 * initialised from the recipe's seed. `options` may be NULL. NULL and a code in *code on failure.
 */
IngotInstance *ingot_create(const IngotModel *model, const IngotOptions *options, int32_t *code);
void ingot_destroy(IngotInstance *instance); /* NULL is allowed */

/* Gives every state its first value again, from this seed. INGOT_NO_FUNCTION if built without it.
 */
int32_t ingot_initialize(IngotInstance *instance, uint64_t seed);

/* Runs function number `function` of the model: one pointer for each input and output, dense
 * arrays of the shapes in the descriptor. Bit-identical results at any number of threads. */
int32_t ingot_run(IngotInstance *instance, int32_t function, const void *const *inputs,
                  void *const *outputs);

/* Checkpoint as safetensors; or, of a model that was made from a file such as .onnx and is saved
 * under that suffix, that file with these weights, without the optimizer's states. Saving writes to
 * a temporary file beside `path`, syncs and renames, so `path` is the old or the new checkpoint
 * whole, never a part. Loading checks all names, types and shapes before it changes the first byte.
 * A checkpoint without the optimizer's states (parameters only) is accepted into a model built for
 * inference, and vice versa extra states are ignored there. */
int32_t ingot_save(const IngotInstance *instance, const char *path);
int32_t ingot_load(IngotInstance *instance, const char *path);

/* What the last failed call on this instance would say to a person. Never NULL; valid until the
 * next call. */
const char *ingot_last_error(const IngotInstance *instance);

const IngotModel *ingot_model(const IngotInstance *instance);
/* The bytes of a state inside this instance, by its number in the descriptor. Ask again before each
 * time you write there: the call tells the instance that the state changes. */
void *ingot_state(IngotInstance *instance, int32_t state);
/* The number of the function with this name and the largest batch not above `rows` (or, failing
 * that, the smallest batch); -1 when there is none. */
int32_t ingot_find_function(const IngotModel *model, const char *name, int64_t rows);
/* The same among those whose inputs are like those of function number `like` but for their rows. */
int32_t ingot_find_alike(const IngotModel *model, int32_t like, int64_t rows);

#endif
