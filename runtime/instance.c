/* One model in memory; see instance.h.
 *
 * The memory is a single block whose size is known before anything runs: the instance, the state,
 * one arena as large as the largest function needs (a call leaves nothing in it that another reads)
 * and scratch for every member of the team. After ingot_create() nothing here allocates.
 *
 * A call enters the team at most once. Each member takes over the caller's floating-point mode,
 * flushes denormals, runs the body and restores its own mode. Functions too small to gain from
 * threads, and teams of one, are called directly. */
#include "runtime/system.h"

#include "runtime/clock.h"
#include "runtime/element.h"
#include "runtime/float_mode.h"
#include "runtime/instance_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_THREADS = 1024, ALIGNMENT = 64, HUGE_PAGE = 2 << 20, LEAST_HUGE = 8 << 20 };

/* Starting threads takes a few tenths of a millisecond, as long as this much work. Where nobody has
 * said how many there shall be, none are started before the calls so far could have used them that
 * long: a program that computes one small thing has none. Multiply-adds, and something for what is
 * shared without them. */
enum { WORK_OF_STARTING = 1 << 25, LEAST_WORK = 1 << 20 };

typedef struct MemoryPlan {
    int64_t pool, found, state, arena, scratch, total; /* offsets, and the size */
} MemoryPlan;

/* Adds `bytes` rounded up to the alignment; false when the sum does not fit. */
static bool reserve(int64_t *total, int64_t bytes, int64_t *offset)
{
    *offset = *total;
    if (bytes < 0 || bytes > INT64_MAX - ALIGNMENT - *total)
        return false;
    *total += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return true;
}

/* What a function may have no use for, weights as other functions want them, comes last: in front
 * of something else it would share huge pages with it, and be in memory. */
static bool plan_memory(const IngotModel *model, int32_t threads, MemoryPlan *plan)
{
    int64_t arena = 0, scratch = 0, start;
    for (int32_t i = -1; i < model->function_count; i++) {
        const IngotFunction *function = i < 0 ? model->prepare : &model->functions[i];
        if (!function)
            continue;
        arena = function->arena_bytes > arena ? function->arena_bytes : arena;
        scratch = function->scratch_bytes > scratch ? function->scratch_bytes : scratch;
    }
    if (scratch > INT64_MAX / threads)
        return false;
    plan->total = 0;
    return reserve(&plan->total, sizeof(IngotInstance), &start) &&
           reserve(&plan->total, ingot_team_pool_bytes(threads), &plan->pool) &&
           reserve(&plan->total, (int64_t)sizeof(int64_t) * model->state_count, &plan->found) &&
           reserve(&plan->total, arena, &plan->arena) &&
           reserve(&plan->total, scratch * threads, &plan->scratch) &&
           reserve(&plan->total, model->state_bytes, &plan->state) &&
           reserve(&plan->total, model->prepared_bytes, &start) &&
           (uint64_t)plan->total <= SIZE_MAX / 2;
}

static int32_t limit_threads(int32_t threads)
{
    return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
}

size_t ingot_memory_bytes(const IngotModel *model, int32_t threads)
{
    if (threads == 0) { /* the most that ingot_create could decide on */
        int32_t usual = ingot_team_default_threads(), processors = ingot_team_processors();
        threads = usual > processors ? usual : processors;
    }
    MemoryPlan plan;
    return plan_memory(model, limit_threads(threads), &plan) ? (size_t)plan.total : SIZE_MAX;
}

/* Weights that fill many pages are read twice as fast where the pages are huge. What would fill
 * the last of them in part has small ones: no memory is taken that the model does not need. */
static unsigned char *allocate_block(size_t size)
{
    if (size < LEAST_HUGE)
        return aligned_alloc(ALIGNMENT, size);
    unsigned char *block = aligned_alloc(HUGE_PAGE, size);
#ifdef MADV_HUGEPAGE
    if (block)
        madvise(block, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a wish, no more */
#endif
    return block;
}

static unsigned char *obtain_block(const IngotOptions *options, size_t size)
{
    if (!options->memory)
        return allocate_block(size);
    if ((uintptr_t)options->memory % ALIGNMENT != 0 || options->memory_bytes < size)
        return NULL;
    return options->memory;
}

static IngotInstance *place_instance(const IngotModel *model, const IngotOptions *options,
                                     int32_t threads)
{
    MemoryPlan plan;
    if (!plan_memory(model, threads, &plan))
        return NULL;
    unsigned char *block = obtain_block(options, (size_t)plan.total);
    if (!block)
        return NULL;
    IngotInstance *instance = (IngotInstance *)(void *)block;
    memset(block, 0, (size_t)plan.found); /* the instance, and a pool without threads */
    ingot_team_prepare(&instance->team, threads);
    instance->model = model;
    instance->found = (int64_t *)(void *)(block + plan.found);
    instance->state = block + plan.state;
    instance->arena = block + plan.arena;
    instance->scratch = block + plan.scratch;
    instance->own_team = !options->parallel;
    instance->patience = instance->own_team && !options->threads ? WORK_OF_STARTING : 0;
    instance->parallel = options->parallel ? options->parallel : ingot_team_default_parallel;
    instance->pool = options->parallel ? options->pool : block + plan.pool;
    instance->threads = threads;
    instance->owned = !options->memory;
    return instance;
}

/* The embedded weights, else fresh ones, else zeros for ingot_load() to fill. */
static int32_t fill_state(IngotInstance *instance)
{
    const IngotModel *model = instance->model;
    instance->stale = true;
    if (model->initial_state) {
        memcpy(instance->state, model->initial_state, (size_t)model->state_bytes);
        return INGOT_OK;
    }
    memset(instance->state, 0, (size_t)model->state_bytes);
    int32_t code = ingot_initialize(instance, model->recipe ? model->recipe->seed : 0);
    instance->failure.text[0] = '\0';
    return code == INGOT_NO_FUNCTION ? INGOT_OK : code;
}

IngotInstance *ingot_create(const IngotModel *model, const IngotOptions *options, int32_t *code)
{
    int32_t ignored;
    IngotOptions usual = {0};
    code = code ? code : &ignored;
    options = options ? options : &usual;
    *code = INGOT_BAD_ARGUMENT;
    if (!model || model->abi != INGOT_ABI || options->threads < 0 ||
        options->threads > MOST_THREADS)
        return NULL;
    int32_t threads = options->threads;
    if (threads == 0)
        threads = limit_threads(options->parallel ? ingot_team_processors()
                                                  : ingot_team_default_threads());
    *code = INGOT_NO_MEMORY;
    IngotInstance *instance = place_instance(model, options, threads);
    if (!instance)
        return NULL;
    *code = fill_state(instance);
    if (*code == INGOT_OK)
        return instance;
    ingot_destroy(instance);
    return NULL;
}

void ingot_destroy(IngotInstance *instance)
{
    if (!instance)
        return;
    if (instance->own_team)
        ingot_team_pool_end(instance->pool);
    if (instance->owned)
        free(instance);
}

int32_t ingot_initialize(IngotInstance *instance, uint64_t seed)
{
    if (!instance)
        return INGOT_BAD_ARGUMENT;
    int32_t function = ingot_find_function(instance->model, "initialize", 0);
    if (function < 0) {
        ingot_fail(&instance->failure,
                   "model \"%s\" was built without \"initialize\"; build it with --train",
                   instance->model->name);
        return INGOT_NO_FUNCTION;
    }
    uint32_t halves[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const void *inputs[1] = {halves};
    return ingot_run(instance, function, inputs, NULL);
}

typedef struct Run {
    IngotCall call;
    IngotBody *body;
    int32_t most; /* members there is scratch for */
    FloatMode mode;
} Run;

/* One member's part of a call. Every member stores the same number of members before its first
 * barrier, so each finds it there whichever comes first. */
static void run_member(void *argument, int32_t member, int32_t members)
{
    Run *run = argument;
    if (member >= run->most)
        return;
    members = members < run->most ? members : run->most;
    if (run->call.team)
        atomic_store_explicit(&run->call.team->members, members, memory_order_relaxed);
    FloatMode own = float_mode_get();
    float_mode_set(run->mode);
    run->body(&run->call, member, members);
    float_mode_set(own);
}

static bool starting_pays(IngotInstance *instance, const IngotFunction *what)
{
    if (instance->patience <= 0)
        return true;
    int64_t work = what->multiply_adds > LEAST_WORK ? what->multiply_adds : LEAST_WORK;
    instance->patience -= work < instance->patience ? work : instance->patience;
    return instance->patience == 0;
}

/* sharing: NULL: a host's team is asked every time, and so is that of rare functions. */
static void enter(IngotInstance *instance, const IngotFunction *what, Sharing *sharing,
                  const void *const *inputs, void *const *outputs)
{
    bool for_one = !what->parallel || instance->threads == 1 || !starting_pays(instance, what);
    sharing = for_one || !instance->own_team ? NULL : sharing;
    bool alone = for_one || (sharing && !sharing_pays(sharing));
    Run run = {{.state = instance->state,
                .arena = instance->arena,
                .scratch = instance->scratch,
                .inputs = inputs,
                .outputs = outputs,
                .constants = instance->model->constants,
                .team = alone ? NULL : &instance->team},
               what->body,
               alone ? 1 : instance->threads,
               float_mode_flushing(float_mode_get())};
    int64_t start = sharing ? clock_nanoseconds() : 0;
    if (alone)
        run_member(&run, 0, 1);
    else
        instance->parallel(instance->pool, instance->threads, run_member, &run);
    if (sharing)
        (alone ? sharing_note_alone : sharing_note_team)(sharing, clock_nanoseconds() - start);
}

static bool all_given(const void *const *pointers, const IngotTensor *tensors, int32_t count)
{
    if (count && !pointers)
        return false;
    for (int32_t i = 0; i < count; i++)
        if (!pointers[i] && tensors[i].bytes > 0)
            return false;
    return true;
}

int32_t ingot_run(IngotInstance *instance, int32_t function, const void *const *inputs,
                  void *const *outputs)
{
    if (!instance)
        return INGOT_BAD_ARGUMENT;
    const IngotModel *model = instance->model;
    if (function < 0 || function >= model->function_count) {
        ingot_fail(&instance->failure, "model \"%s\" has no function number %d", model->name,
                   (int)function);
        return INGOT_NO_FUNCTION;
    }
    const IngotFunction *what = &model->functions[function];
    if (!all_given(inputs, what->inputs, what->input_count) ||
        !all_given((const void *const *)outputs, what->outputs, what->output_count)) {
        ingot_fail(&instance->failure, "%s: an input or output of \"%s\" is NULL", model->name,
                   what->name);
        return INGOT_BAD_ARGUMENT;
    }
    if (what->changes_states) {
        instance->stale = true;
    } else if (instance->stale && model->prepare) {
        enter(instance, model->prepare, NULL, NULL, NULL);
        instance->stale = false;
    }
    Sharing *sharing = function < SHARING_FUNCTIONS ? &instance->sharing[function] : NULL;
    enter(instance, what, sharing, inputs, outputs);
    return INGOT_OK;
}

const char *ingot_last_error(const IngotInstance *instance)
{
    return instance ? instance->failure.text : "no instance was given";
}

const IngotModel *ingot_model(const IngotInstance *instance)
{
    return instance->model;
}

void *ingot_state(IngotInstance *instance, int32_t state)
{
    if (state < 0 || state >= instance->model->state_count)
        return NULL;
    instance->stale = true; /* the caller may write there */
    return instance->state + instance->model->states[state].offset;
}

static bool are_alike(const IngotFunction *a, const IngotFunction *b)
{
    if (a->input_count != b->input_count)
        return false;
    for (int32_t i = 0; i < a->input_count; i++) {
        const IngotTensor *x = &a->inputs[i], *y = &b->inputs[i];
        if (x->rank != y->rank)
            return false;
        for (int32_t j = x->batched && y->batched; j < x->rank; j++)
            if (x->dims[j] != y->dims[j])
                return false;
    }
    return true;
}

/* `like`: NULL, or what the function must be like. */
static int32_t find_function(const IngotModel *model, const char *name, const IngotFunction *like,
                             int64_t rows)
{
    int32_t best = -1, smallest = -1;
    for (int32_t i = 0; i < model->function_count; i++) {
        const IngotFunction *function = &model->functions[i];
        if (strcmp(function->name, name) != 0 || (like && !are_alike(function, like)))
            continue;
        if (smallest < 0 || function->batch < model->functions[smallest].batch)
            smallest = i;
        if (function->batch <= rows && (best < 0 || function->batch > model->functions[best].batch))
            best = i;
    }
    return best >= 0 ? best : smallest;
}

int32_t ingot_find_function(const IngotModel *model, const char *name, int64_t rows)
{
    return find_function(model, name, NULL, rows);
}

int32_t ingot_find_alike(const IngotModel *model, int32_t like, int64_t rows)
{
    return find_function(model, model->functions[like].name, &model->functions[like], rows);
}
