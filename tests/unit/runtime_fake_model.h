/* A model as the compiler would describe it, written by hand so that the runtime can be tested
 * without the compiler: softmax regression on 8x8 digits, trained by gradient descent with
 * momentum. Its bodies split work by shape and meet at barriers, as compiled ones do. */
#ifndef INGOT_TESTS_RUNTIME_FAKE_MODEL_H
#define INGOT_TESTS_RUNTIME_FAKE_MODEL_H

#include "runtime/model.h"
#include "runtime/team.h"

#include <math.h>
#include <string.h>

enum { FAKE_IN = 64, FAKE_OUT = 10, FAKE_BATCH = 32, FAKE_EVALUATE = 50, FAKE_INFER = 8 };
enum { FAKE_WEIGHT = 0, FAKE_BIAS = 2560, FAKE_MOMENT = 2624, FAKE_STEP = 5184, FAKE_BYTES = 5248 };

static inline float *fake_floats(const IngotCall *call, int offset)
{
    return (float *)(void *)((char *)call->state + offset);
}

/* Rows i of logits turned into probabilities. */
static inline void fake_forward(const IngotCall *call, const float *x, float *p, int row)
{
    const float *w = fake_floats(call, FAKE_WEIGHT), *b = fake_floats(call, FAKE_BIAS);
    float most = -1e30F, sum = 0;
    for (int j = 0; j < FAKE_OUT; j++) {
        float z = b[j];
        for (int k = 0; k < FAKE_IN; k++)
            z += x[row * FAKE_IN + k] * 0.0625F * w[k * FAKE_OUT + j];
        p[row * FAKE_OUT + j] = z;
        most = z > most ? z : most;
    }
    for (int j = 0; j < FAKE_OUT; j++)
        sum += p[row * FAKE_OUT + j] = expf(p[row * FAKE_OUT + j] - most);
    for (int j = 0; j < FAKE_OUT; j++)
        p[row * FAKE_OUT + j] /= sum;
}

static inline void fake_initialize(const IngotCall *call, int32_t member, int32_t members)
{
    const uint32_t *seed = call->inputs[0];
    (void)members;
    if (member)
        return;
    memset(call->state, 0, FAKE_BYTES);
    for (uint32_t i = 0; i < FAKE_IN * FAKE_OUT; i++)
        fake_floats(call, FAKE_WEIGHT)[i] =
            (float)((i * 2654435761U + seed[0] * 40503U + seed[1]) % 1000U) / 50000.0F;
}

static inline void fake_infer(const IngotCall *call, int rows, int32_t member, int32_t members)
{
    for (int i = member; i < rows; i += members)
        fake_forward(call, call->inputs[0], call->outputs[0], i);
}

static inline void fake_infer_1(const IngotCall *call, int32_t member, int32_t members)
{
    fake_infer(call, 1, member, members);
}

static inline void fake_infer_8(const IngotCall *call, int32_t member, int32_t members)
{
    fake_infer(call, FAKE_INFER, member, members);
}

static inline void fake_train_step(const IngotCall *call, int32_t member, int32_t members)
{
    const float *x = call->inputs[0];
    const int32_t *label = call->inputs[1];
    float *p = call->arena;
    for (int i = member; i < FAKE_BATCH; i += members)
        fake_forward(call, x, p, i);
    ingot_team_barrier(call->team, member);
    if (member == 0) {
        float loss = 0;
        for (int i = 0; i < FAKE_BATCH; i++)
            loss -= logf(p[i * FAKE_OUT + label[i]] + 1e-30F) / FAKE_BATCH;
        *(float *)call->outputs[0] = loss;
        ++*(int64_t *)(void *)((char *)call->state + FAKE_STEP);
    }
    ingot_team_barrier(call->team, member);
    for (int k = member; k < FAKE_IN; k += members)
        for (int j = 0; j < FAKE_OUT; j++) {
            float g = 0;
            for (int i = 0; i < FAKE_BATCH; i++)
                g += x[i * FAKE_IN + k] * 0.0625F * (p[i * FAKE_OUT + j] - (label[i] == j)) /
                     FAKE_BATCH;
            float *moment = &fake_floats(call, FAKE_MOMENT)[k * FAKE_OUT + j];
            *moment = 0.9F * *moment + g;
            fake_floats(call, FAKE_WEIGHT)[k * FAKE_OUT + j] -= 0.1F * *moment;
        }
    ingot_team_barrier(call->team, member);
}

static inline void fake_evaluate(const IngotCall *call, int32_t member, int32_t members)
{
    const int32_t *label = call->inputs[1];
    const float *rows = call->inputs[2];
    float *p = call->arena, loss = 0, right = 0, count = 0;
    for (int i = member; i < FAKE_EVALUATE; i += members)
        fake_forward(call, call->inputs[0], p, i);
    ingot_team_barrier(call->team, member);
    for (int i = 0; i < FAKE_EVALUATE && member == 0; i++) {
        int best = 0;
        for (int j = 1; j < FAKE_OUT; j++)
            best = p[i * FAKE_OUT + j] > p[i * FAKE_OUT + best] ? j : best;
        loss -= rows[i] * logf(p[i * FAKE_OUT + label[i]] + 1e-30F);
        right += rows[i] * (float)(best == label[i]);
        count += rows[i];
    }
    if (member == 0) {
        *(float *)call->outputs[0] = loss;
        *(float *)call->outputs[1] = right;
        *(float *)call->outputs[2] = count;
    }
    ingot_team_barrier(call->team, member);
}

static const int64_t fake_weight_dims[] = {FAKE_IN, FAKE_OUT}, fake_bias_dims[] = {FAKE_OUT};
static const int64_t fake_one_in[] = {1, FAKE_IN}, fake_one_out[] = {1, FAKE_OUT};
static const int64_t fake_some_in[] = {FAKE_INFER, FAKE_IN},
                     fake_some_out[] = {FAKE_INFER, FAKE_OUT};
static const int64_t fake_train_in[] = {FAKE_BATCH, FAKE_IN};
static const int64_t fake_evaluate_in[] = {FAKE_EVALUATE, FAKE_IN};
static const int64_t fake_seed_dims[] = {2};

static const IngotTensor fake_states[] = {
    {.name = "layers.0.weight", .dims = fake_weight_dims, .rank = 2, .bytes = 2560, .trainable = 1},
    {.name = "layers.0.bias",
     .dims = fake_bias_dims,
     .rank = 1,
     .bytes = 40,
     .offset = FAKE_BIAS,
     .trainable = 1},
    {.name = "momentum.layers.0.weight",
     .dims = fake_weight_dims,
     .rank = 2,
     .bytes = 2560,
     .offset = FAKE_MOMENT},
    {.name = "step", .type = INGOT_I64, .bytes = 8, .offset = FAKE_STEP},
};

#define FAKE_PIXELS(shape, rows)                                                                   \
    {.name = "pixels", .dims = shape, .rank = 2, .bytes = (rows) * 256, .batched = 1}
#define FAKE_LABEL(shape, rows)                                                                    \
    {.name = "label",                                                                              \
     .dims = shape,                                                                                \
     .rank = 1,                                                                                    \
     .bytes = (rows) * 4,                                                                          \
     .type = INGOT_I32,                                                                            \
     .classes = 10,                                                                                \
     .batched = 1}
#define FAKE_RESULT(shape, rows)                                                                   \
    {.name = "probabilities", .dims = shape, .rank = 2, .bytes = (rows) * 40, .batched = 1}

static const IngotTensor fake_seed[] = {
    {.name = "seed", .dims = fake_seed_dims, .rank = 1, .bytes = 8, .type = INGOT_I32}};
static const IngotTensor fake_inputs_1[] = {FAKE_PIXELS(fake_one_in, 1)};
static const IngotTensor fake_outputs_1[] = {FAKE_RESULT(fake_one_out, 1)};
static const IngotTensor fake_inputs_8[] = {FAKE_PIXELS(fake_some_in, FAKE_INFER)};
static const IngotTensor fake_outputs_8[] = {FAKE_RESULT(fake_some_out, FAKE_INFER)};
static const IngotTensor fake_train_inputs[] = {FAKE_PIXELS(fake_train_in, FAKE_BATCH),
                                                FAKE_LABEL(fake_train_in, FAKE_BATCH)};
static const IngotTensor fake_loss[] = {{.name = "loss", .bytes = 4}};
static const IngotTensor fake_evaluate_inputs[] = {FAKE_PIXELS(fake_evaluate_in, FAKE_EVALUATE),
                                                   FAKE_LABEL(fake_evaluate_in, FAKE_EVALUATE),
                                                   {.name = "rows",
                                                    .dims = fake_evaluate_in,
                                                    .rank = 1,
                                                    .bytes = FAKE_EVALUATE * 4,
                                                    .batched = 1}};
static const IngotTensor fake_sums[] = {
    {.name = "loss", .bytes = 4}, {.name = "accuracy", .bytes = 4}, {.name = "count", .bytes = 4}};

static const IngotFunction fake_functions[] = {
    {.name = "initialize",
     .sizes = "",
     .inputs = fake_seed,
     .input_count = 1,
     .body = fake_initialize},
    {.name = "infer",
     .sizes = "",
     .inputs = fake_inputs_1,
     .outputs = fake_outputs_1,
     .input_count = 1,
     .output_count = 1,
     .body = fake_infer_1,
     .batch = 1,
     .multiply_adds = 640},
    {.name = "infer",
     .sizes = "",
     .inputs = fake_inputs_8,
     .outputs = fake_outputs_8,
     .input_count = 1,
     .output_count = 1,
     .body = fake_infer_8,
     .batch = FAKE_INFER,
     .multiply_adds = 640 * FAKE_INFER,
     .parallel = 1},
    {.name = "train_step",
     .sizes = "",
     .inputs = fake_train_inputs,
     .outputs = fake_loss,
     .input_count = 2,
     .output_count = 1,
     .body = fake_train_step,
     .batch = FAKE_BATCH,
     .arena_bytes = 1280,
     .scratch_bytes = 64,
     .multiply_adds = 2 * 640 * FAKE_BATCH,
     .parallel = 1},
    {.name = "evaluate",
     .sizes = "",
     .inputs = fake_evaluate_inputs,
     .outputs = fake_sums,
     .input_count = 3,
     .output_count = 3,
     .body = fake_evaluate,
     .batch = FAKE_EVALUATE,
     .arena_bytes = 2048,
     .multiply_adds = 640 * FAKE_EVALUATE,
     .parallel = 1},
};

static const IngotColumn fake_columns[] = {{.tensor = "pixels", .first = 0, .count = FAKE_IN},
                                           {.tensor = "label", .first = FAKE_IN, .count = 1}};
static const char *const fake_metrics[] = {"accuracy"};

static const IngotRecipe fake_recipe = {.training = {.path = "examples/data/digits.csv",
                                                     .columns = fake_columns,
                                                     .format = INGOT_DATA_CSV,
                                                     .column_count = 2,
                                                     .separator = ','},
                                        .validation_part = 0.2,
                                        .epochs = 3,
                                        .seed = 1,
                                        .metrics = fake_metrics,
                                        .metric_count = 1,
                                        .shuffle = 1};

static const IngotModel fake_model = {.name = "digits",
                                      .compiler = "ingot 0.1.0",
                                      .target = "test",
                                      .states = fake_states,
                                      .functions = fake_functions,
                                      .recipe = &fake_recipe,
                                      .state_bytes = FAKE_BYTES,
                                      .parameter_count = 650,
                                      .abi = INGOT_ABI,
                                      .state_count = 4,
                                      .function_count = 5};

/* The same network built for inference only: no recipe, no optimizer, no way to initialise. */
static inline IngotModel fake_inference_model(void)
{
    IngotModel model = fake_model;
    model.state_count = 2;
    model.functions = fake_functions + 1;
    model.function_count = 2;
    model.recipe = NULL;
    return model;
}

#endif
