/* How to train: optimizer, schedule, decay, clipping, what is frozen; batch, epochs, seed. */
#include <float.h>
#include <string.h>

#include "base/pattern.h"
#include "base/text.h"
#include "frontend/train.h"

#define BATCH_LIMIT ((int64_t)1 << 20)
#define EPOCH_LIMIT ((int64_t)1000000000)

/* Numbers with a range */

typedef struct Range {
    double low, high;
    bool low_open, high_open;
    const char *text;
} Range;

static const Range positive = {0, DBL_MAX, true, false, "greater than 0"};
static const Range not_negative = {0, DBL_MAX, false, false, "that is not negative"};
static const Range below_one = {0, 1, false, true, "from 0 up to but not 1"};
static const Range at_least_one = {1, 1e15, false, false, "of at least 1"};

static bool read_number(Json *json, Range range, double *value)
{
    double number;
    if (!json)
        return true; /* the default stays */
    if (!json_number(json, &number))
        return false;
    if (number < range.low || number > range.high || (range.low_open && number <= range.low) ||
        (range.high_open && number >= range.high))
        return json_error(json, "expected a number %s, found %.15g", range.text, number);
    *value = number;
    return true;
}

/* { "adam": 0.001 } and { "adam": { "learning_rate": 0.001 } }: the one key of `json`. */
static bool read_choice(Json *json, const char *what, const char *names, Json **body)
{
    Arena *arena = json->file->arena;
    json->used = true;
    if (json->kind != JSON_OBJECT || json->count != 1)
        return json_error(json, "expected an object with one key, %s, found %s",
                          json_words(arena, names), json_describe(json));
    *body = json->items[0];
    (*body)->used = true;
    if (!json_word_in((*body)->key, names))
        return json_error(json, "unknown %s \"%s\"%s", what, (*body)->key,
                          json_suggest(arena, (*body)->key, names));
    return (*body)->kind == JSON_NUMBER || (*body)->kind == JSON_OBJECT ||
           json_error(*body, "expected a number or an object, found %s", json_describe(*body));
}

/* Optimizer */

typedef struct OptimizerRow {
    const char *name, *keys;
    OptimizerRecipe defaults;
} OptimizerRow;

static const OptimizerRow optimizers[] = {
    {"sgd", "learning_rate momentum nesterov", {.kind = OPTIMIZER_SGD, .learning_rate = 0.01}},
    {"adam",
     "learning_rate beta1 beta2 epsilon",
     {.kind = OPTIMIZER_ADAM,
      .learning_rate = 0.001,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8}},
    {"adamw",
     "learning_rate beta1 beta2 epsilon",
     {.kind = OPTIMIZER_ADAMW,
      .learning_rate = 0.001,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8}},
    {"rmsprop",
     "learning_rate momentum smoothing epsilon",
     {.kind = OPTIMIZER_RMSPROP, .learning_rate = 0.01, .beta2 = 0.99, .epsilon = 1e-8}},
};

/* Keys that people look for in the optimizer but that stand beside it. */
static bool refuse_misplaced(const Json *body)
{
    bool fine = true;
    for (int i = 0; i < body->count; i++) {
        if (json_word_in(body->items[i]->key, "weight_decay l1 clip_norm clip_value schedule"))
            fine = json_error(body->items[i], "stands beside \"optimizer\", in \"train\"");
    }
    return fine;
}

static bool read_optimizer(Json *json, OptimizerRecipe *recipe)
{
    const OptimizerRow *row;
    Json *body = NULL;
    *recipe = optimizers[1].defaults;
    if (!json)
        return true;
    if (!read_choice(json, "optimizer", "sgd adam adamw rmsprop", &body))
        return false;
    for (row = optimizers; strcmp(row->name, body->key) != 0;)
        row++;
    *recipe = row->defaults;
    if (body->kind == JSON_NUMBER)
        return read_number(body, positive, &recipe->learning_rate);
    if (!refuse_misplaced(body) || !json_check_keys(body, row->keys))
        return false;
    Json *nesterov = json_get(body, "nesterov");
    bool fine = read_number(json_get(body, "learning_rate"), positive, &recipe->learning_rate);
    fine &= read_number(json_get(body, "momentum"), below_one, &recipe->momentum);
    fine &= read_number(json_get(body, "beta1"), below_one, &recipe->beta1);
    fine &= read_number(json_get(body, "beta2"), below_one, &recipe->beta2);
    fine &= read_number(json_get(body, "smoothing"), below_one, &recipe->beta2);
    fine &= read_number(json_get(body, "epsilon"), positive, &recipe->epsilon);
    fine &= !nesterov || json_boolean(nesterov, &recipe->nesterov);
    if (fine && recipe->nesterov && recipe->momentum == 0)
        fine = json_error(nesterov, "needs a \"momentum\" greater than 0");
    return fine;
}

/* "schedule": { "cosine": 10000, "warmup_steps": 500 } */
static bool read_schedule(Json *json, OptimizerRecipe *recipe)
{
    static const char *const names[] = {"constant", "cosine", "linear", "step"};
    Arena *arena;
    Json *body = NULL;
    recipe->schedule = SCHEDULE_CONSTANT;
    if (!json)
        return true;
    arena = json->file->arena;
    if (!json_expect(json, JSON_OBJECT) ||
        !json_check_keys(json, "cosine linear step warmup_steps") ||
        !read_number(json_get(json, "warmup_steps"), not_negative, &recipe->warmup_steps))
        return false;
    for (int i = 0; i < json->count; i++) {
        if (strcmp(json->items[i]->key, "warmup_steps") == 0)
            continue;
        if (body)
            return json_error(json, "\"%s\" and \"%s\" exclude each other", body->key,
                              json->items[i]->key);
        body = json->items[i];
    }
    if (!body)
        return true;
    body->used = true;
    for (int i = 1; i < 4; i++) {
        if (strcmp(body->key, names[i]) == 0)
            recipe->schedule = (ScheduleKind)i;
    }
    bool step = recipe->schedule == SCHEDULE_STEP;
    recipe->final_factor = step ? 0.1 : 0;
    if (body->kind == JSON_NUMBER)
        return read_number(body, at_least_one, &recipe->schedule_steps);
    if (!json_expect(body, JSON_OBJECT) ||
        !json_check_keys(body, arena_print(arena, "steps %s", step ? "factor" : "final_factor")))
        return false;
    Json *steps = json_get(body, "steps");
    if (!steps)
        return json_error(body, "needs \"steps\"");
    return read_number(steps, at_least_one, &recipe->schedule_steps) &&
           read_number(json_get(body, step ? "factor" : "final_factor"), not_negative,
                       &recipe->final_factor);
}

/* What the parameters' names are made of: "layers 0 weight logits weight …" */
static const char *name_parts(const Program *program)
{
    Text text = text_create(program->arena);
    for (int i = 0; i < program->state_count; i++) {
        if (program->states[i]->parameter)
            text_print(&text, "%s ", program->states[i]->name);
    }
    for (char *c = text.data; *c; c++)
        *c = *c == '.' ? ' ' : *c;
    return text.data;
}

/* The longest part of a pattern that is plain text: "wieght" of "*.wieght" */
static const char *plain_part(Arena *arena, const char *pattern)
{
    const char *best = pattern;
    size_t longest = 0;
    while (*pattern) {
        size_t length = strcspn(pattern, "*.");
        if (length > longest) {
            best = pattern;
            longest = length;
        }
        pattern += length + (pattern[length] != '\0');
    }
    return arena_copy_bytes(arena, best, longest);
}

/* Whether any parameter has a name like this; if `freeze`, they are frozen. */
static bool match_pattern(const Program *program, const Json *place, const char *pattern,
                          bool freeze)
{
    bool found = false;
    for (int i = 0; i < program->state_count; i++) {
        State *state = program->states[i];
        if (state->parameter && pattern_matches(pattern, state->name)) {
            state->frozen |= freeze;
            found = true;
        }
    }
    return found || json_error(place, "no parameter is called \"%s\"%s", pattern,
                               json_suggest(program->arena, plain_part(program->arena, pattern),
                                            name_parts(program)));
}

static bool read_patterns(Network *network, Json *json, PatternValue **list, int *count)
{
    Arena *arena = network->builder.arena;
    bool fine = true;
    if (!json)
        return true;
    if (json->kind != JSON_NUMBER && json->kind != JSON_OBJECT)
        return json_error(json,
                          "expected a number or an object like { \"*.weight\": 0.01 }, found %s",
                          json_describe(json));
    bool single = json->kind == JSON_NUMBER;
    *count = single ? 1 : json->count;
    *list = ARENA_ARRAY(arena, PatternValue, *count);
    for (int i = 0; i < *count; i++) {
        Json *value = single ? json : json->items[i];
        PatternValue *pattern = &(*list)[i];
        pattern->pattern = single ? "*" : value->key;
        pattern->place = json_place(value);
        pattern->matched =
            single || match_pattern(network->builder.program, json, value->key, false);
        fine &= read_number(value, not_negative, &pattern->value) && pattern->matched;
    }
    return fine;
}

static bool read_freeze(Network *network, Json *json)
{
    bool fine = true;
    if (!json)
        return true;
    if (!json_expect(json, JSON_LIST))
        return false;
    for (int i = 0; i < json->count; i++) {
        const char *pattern;
        fine &= json_string(json->items[i], &pattern) &&
                match_pattern(network->builder.program, json->items[i], pattern, true);
    }
    return fine;
}

/* What no pattern names is frozen. */
static bool read_trainable(Network *network, Json *json)
{
    const Program *program = network->builder.program;
    Arena *arena = network->builder.arena;
    bool fine = true, *named = ARENA_ARRAY(arena, bool, program->state_count);
    if (!json)
        return true;
    if (!json_expect(json, JSON_LIST))
        return false;
    for (int i = 0; i < json->count; i++) {
        const char *pattern;
        if (!json_string(json->items[i], &pattern)) {
            fine = false;
            continue;
        }
        fine &= match_pattern(program, json->items[i], pattern, false);
        for (int s = 0; s < program->state_count; s++)
            named[s] |= pattern_matches(pattern, program->states[s]->name);
    }
    for (int s = 0; fine && s < program->state_count; s++)
        program->states[s]->frozen |= program->states[s]->parameter && !named[s];
    return fine;
}

static bool check_something_trains(Network *network, const Json *json)
{
    const Program *program = network->builder.program;
    for (int i = 0; i < program->state_count; i++) {
        if (program->states[i]->parameter && !program->states[i]->frozen)
            return true;
    }
    return json_error(json,
                      "nothing is left to train: the model has no parameters that are not frozen");
}

static bool read_count(Json *json, int64_t low, int64_t high, int64_t otherwise, int64_t *value)
{
    *value = otherwise;
    return !json || json_integer(json, low, high, value);
}

bool recipe_read(Network *network, Json *train, Recipe *recipe)
{
    OptimizerRecipe *optimizer = &recipe->optimizer;
    Json *freeze = json_get(train, "freeze"), *shuffle = json_get(train, "shuffle");
    int64_t seed;
    bool fine = read_optimizer(json_get(train, "optimizer"), optimizer);
    fine &= read_schedule(json_get(train, "schedule"), optimizer);
    fine &= read_number(json_get(train, "clip_norm"), positive, &optimizer->clip_norm);
    fine &= read_number(json_get(train, "clip_value"), positive, &optimizer->clip_value);
    fine &= read_patterns(network, json_get(train, "weight_decay"), &optimizer->weight_decay,
                          &optimizer->weight_decay_count);
    fine &= read_patterns(network, json_get(train, "l1"), &optimizer->l1, &optimizer->l1_count);
    if (fine && optimizer->kind == OPTIMIZER_ADAMW && !json_peek(train, "weight_decay")) {
        optimizer->weight_decay = ARENA_NEW(network->builder.arena, PatternValue);
        *optimizer->weight_decay = (PatternValue){.pattern = "*", .value = 0.01, .matched = true};
        optimizer->weight_decay_count = 1;
    }
    fine &= read_freeze(network, freeze);
    fine &= read_trainable(network, json_get(train, "trainable"));
    fine &= check_something_trains(network, freeze ? freeze : train);
    fine &= read_count(json_get(train, "batch"), 1, BATCH_LIMIT, 32, &recipe->batch);
    fine &= read_count(json_get(train, "epochs"), 1, EPOCH_LIMIT, 10, &recipe->epochs);
    fine &= read_count(json_get(train, "seed"), 0, JSON_INTEGER_LIMIT, 0, &seed);
    recipe->seed = (uint64_t)seed;
    recipe->shuffle = true;
    return (!shuffle || json_boolean(shuffle, &recipe->shuffle)) && fine;
}
