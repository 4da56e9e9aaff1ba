/* Losses and metrics: the functions train_step and evaluate.
 *
 *     fn @train_step(%pixels: f32[32,64], %label: i32[32]) -> f32[]            loss: mean over the
 * batch fn @evaluate(%pixels: …, %label: …, %rows: f32[32]) -> f32[], …, f32[]   sums over rows,
 * and how many
 *
 * A loss is first made for each row of data (the mean over all other axes). `rows` is 1 for a row
 * that counts and 0 for padding. Gradients, optimizer and the step counter are added by the passes.
 */
#include "frontend/train.h"

#include <string.h>

#define LOSS_NAMES                                                                                 \
    "softmax_cross_entropy binary_cross_entropy mean_squared_error mean_absolute_error huber"
#define METRIC_NAMES "accuracy mean_absolute_error mean_squared_error"

static int word_index(const char *word, const char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0)
            return i;
    }
    return -1;
}

/* Reading */

static bool read_loss_numbers(LossTerm *term)
{
    Json *weight = json_get(term->json, "weight"), *delta = json_get(term->json, "delta");
    term->weight = term->delta = 1;
    if (weight && !json_number(weight, &term->weight))
        return false;
    if (delta && !json_number(delta, &term->delta))
        return false;
    return !delta || term->delta > 0 ||
           json_error(delta, "expected a number greater than 0, found %s", json_describe(delta));
}

static bool read_loss(Json *json, LossTerm *term)
{
    static const char *const names[] = {"softmax_cross_entropy", "binary_cross_entropy",
                                        "mean_squared_error", "mean_absolute_error", "huber"};
    Json *body = NULL;
    json->used = true;
    term->json = json;
    if (!json_expect(json, JSON_OBJECT))
        return false;
    for (int i = 0; i < json->count && !body; i++) {
        int kind = word_index(json->items[i]->key, names, 5);
        if (kind >= 0) {
            term->kind = (LossKind)kind;
            body = json->items[i];
        }
    }
    if (!body)
        return json->count
                   ? json_error(json, "unknown loss \"%s\"%s", json->items[0]->key,
                                json_suggest(json->file->arena, json->items[0]->key, LOSS_NAMES))
                   : json_error(json, "expected one of %s",
                                json_words(json->file->arena, LOSS_NAMES));
    const char *keys = arena_print(json->file->arena, "%s weight%s", body->key,
                                   term->kind == LOSS_HUBER ? " delta" : "");
    if (!json_check_keys(json, keys))
        return false;
    body->used = true;
    if (body->kind != JSON_LIST || body->count != 2)
        return json_error(body, "expected two names, [prediction, target], found %s",
                          json_describe(body));
    term->prediction = body->items[0];
    term->target = body->items[1];
    return read_loss_numbers(term);
}

static bool read_losses(Network *network, Json *train, Training *training)
{
    Json *loss = json_get(train, "loss");
    if (!loss)
        return json_error(train, "needs \"loss\"");
    training->loss_count = loss->kind == JSON_LIST ? loss->count : 1;
    training->losses = ARENA_ARRAY(network->builder.arena, LossTerm, training->loss_count);
    if (!training->loss_count)
        return json_error(loss, "expected at least one loss");
    bool fine = true;
    for (int i = 0; i < training->loss_count; i++)
        fine &= read_loss(loss->kind == JSON_LIST ? loss->items[i] : loss, &training->losses[i]);
    return fine;
}

static bool read_metrics(Network *network, Json *train, Training *training)
{
    static const char *const names[] = {"accuracy", "mean_absolute_error", "mean_squared_error"};
    Arena *arena = network->builder.arena;
    Json *list = json_get(train, "metrics");
    bool fine = true;
    if (!list)
        return true;
    if (!json_expect(list, JSON_LIST))
        return false;
    training->metrics = ARENA_ARRAY(arena, Metric, list->count);
    training->recipe->metrics = ARENA_ARRAY(arena, const char *, list->count);
    for (int i = 0; i < list->count; i++) {
        const char *name;
        if (!json_string(list->items[i], &name)) {
            fine = false;
            continue;
        }
        int kind = word_index(name, names, 3);
        if (kind < 0)
            fine = json_error(list->items[i], "unknown metric \"%s\"%s", name,
                              json_suggest(arena, name, METRIC_NAMES));
        else if (word_index(name, training->recipe->metrics, training->metric_count) >= 0)
            fine = json_error(list->items[i], "\"%s\" stands here twice", name);
        else {
            training->metrics[training->metric_count] = (Metric){(MetricKind)kind, list->items[i]};
            training->recipe->metrics[training->metric_count++] = name;
        }
    }
    training->recipe->metric_count = training->metric_count;
    return fine;
}

bool training_read(Network *network, Json *train, Training *training)
{
    Json *targets = json_get(train, "targets");
    training->recipe = ARENA_NEW(network->builder.arena, Recipe);
    if (!json_expect(train, JSON_OBJECT))
        return false;
    const char *more = network->train_keys ? network->train_keys : "";
    bool fine = json_check_keys(train, arena_print(network->builder.arena, "%s %s", more,
                                                   "targets loss metrics " RECIPE_KEYS));
    if (targets)
        fine &= tensor_specs_read(targets, "target", &training->targets, &training->target_count);
    fine &= read_losses(network, train, training);
    fine &= read_metrics(network, train, training);
    return recipe_read(network, train, training->recipe) && fine;
}

/* Building */

/* The tensor a loss names, with its place in *json; NULL after an error. */
static Node *find_tensor(Network *network, Json *json)
{
    const char *name;
    Arena *arena = network->builder.arena;
    if (!json_string(json, &name))
        return NULL;
    const NamedTensor *tensor = scope_find(&network->scope, name);
    if (!tensor)
        json_error(json, "no layer, input or target is called \"%s\"%s", name,
                   json_suggest(arena, name, scope_names(arena, &network->scope)));
    return tensor ? tensor->node : NULL;
}

/* What a person calls the tensor that `node` is; NULL when it has no name. */
static const char *name_of(const Network *network, const Node *node)
{
    for (int i = 0; i < network->scope.count; i++) {
        if (network->scope.names[i].node == node)
            return network->scope.names[i].name;
    }
    return NULL;
}

/* softmax_cross_entropy takes the numbers before softmax: it is exact where probabilities round to
 * 0. */
static bool refuse_probabilities(const Network *network, const LossTerm *term,
                                 const Node *prediction)
{
    if (prediction->op != OP_softmax && prediction->op != OP_log_softmax)
        return true;
    const char *before = name_of(network, prediction->in[0]);
    const char *remedy =
        before ? arena_print(network->builder.arena, "name \"%s\" here instead", before)
               : "give the layer before it a name and put that name here";
    return json_error(
        term->prediction,
        "\"%s\" is the output of softmax, but this loss takes the numbers before it; %s",
        term->prediction->text, remedy);
}

static bool same_row(const TensorType *a, const TensorType *b)
{
    int i = 1, j = 1;
    for (;;) { /* sizes of 1 do not matter */
        while (i < a->rank && a->dims[i] == 1)
            i++;
        while (j < b->rank && b->dims[j] == 1)
            j++;
        if (i == a->rank || j == b->rank)
            return i == a->rank && j == b->rank;
        if (a->dims[i++] != b->dims[j++])
            return false;
    }
}

static bool misfit(Network *network, const LossTerm *term, const Node *prediction,
                   const Node *target)
{
    Layer layer = {.builder = &network->builder};
    return json_error(term->target, "\"%s\" %s does not fit \"%s\" %s", term->target->text,
                      layer_shape(&layer, target), term->prediction->text,
                      layer_shape(&layer, prediction));
}

/* Labels [batch, …] for predictions [batch, …, classes]. */
static bool check_labels(Network *network, const LossTerm *term, const Node *prediction,
                         const Node *target)
{
    const NamedTensor *label = scope_find(&network->scope, term->target->text);
    int last = prediction->type.rank - 1;
    if (element_is_float(target->type.element))
        return json_error(term->target, "\"%s\" must have \"classes\" for this loss",
                          term->target->text);
    if (target->type.rank != last || memcmp(target->type.dims, prediction->type.dims,
                                            (size_t)last * sizeof target->type.dims[0]) != 0)
        return misfit(network, term, prediction, target);
    if (prediction->type.dims[last] != label->classes)
        return json_error(term->prediction,
                          "\"%s\" has %lld numbers a row, but \"%s\" has %lld classes",
                          term->prediction->text, (long long)prediction->type.dims[last],
                          term->target->text, (long long)label->classes);
    return true;
}

/* The target of an element-wise loss as floats in the shape of the prediction; NULL after an error.
 */
static Node *matching_target(Network *network, const LossTerm *term, Node *prediction, Node *target)
{
    Function *f = network->builder.f;
    const NamedTensor *label = scope_find(&network->scope, term->target->text);
    if (!element_is_float(target->type.element) &&
        (term->kind != LOSS_BINARY_CROSS_ENTROPY || label->classes != 2)) {
        json_error(term->target,
                   term->kind == LOSS_BINARY_CROSS_ENTROPY
                       ? "\"%s\" must have 2 classes, or a \"shape\", for this loss"
                       : "\"%s\" must have a \"shape\" and no \"classes\" for this loss",
                   term->target->text);
        return NULL;
    }
    if (!same_row(&prediction->type, &target->type)) {
        misfit(network, term, prediction, target);
        return NULL;
    }
    target = graph_cast(f, target, TYPE_F32);
    return graph_reshape(f, target, prediction->type.rank, prediction->type.dims);
}

/* The tensors of a loss, ready to be compared. For binary_cross_entropy of a sigmoid that is the
 * sigmoid's input. */
typedef struct Pair {
    Node *prediction, *target;
} Pair;

static bool find_pair(Network *network, const LossTerm *term, Pair *pair)
{
    pair->prediction = find_tensor(network, term->prediction);
    pair->target = find_tensor(network, term->target);
    if (!pair->prediction || !pair->target)
        return false;
    if (!element_is_float(pair->prediction->type.element))
        return json_error(term->prediction,
                          "\"%s\" holds whole numbers; a prediction comes first, then its target",
                          term->prediction->text);
    pair->prediction = graph_cast(network->builder.f, pair->prediction,
                                  element_computed(pair->prediction->type.element));
    if (term->kind == LOSS_SOFTMAX_CROSS_ENTROPY)
        return refuse_probabilities(network, term, pair->prediction) &&
               check_labels(network, term, pair->prediction, pair->target);
    pair->target = matching_target(network, term, pair->prediction, pair->target);
    if (term->kind == LOSS_BINARY_CROSS_ENTROPY && pair->prediction->op == OP_sigmoid)
        pair->prediction = pair->prediction->in[0];
    return pair->target != NULL;
}

/* |e| ≤ δ ? ½e² : δ(|e| − ½δ): Huber, 1964 */
static Node *huber(Function *f, Node *error, double delta)
{
    Node *size = graph_unary(f, OP_abs, error);
    Node *square = graph_binary_scalar(f, OP_mul, graph_mul(f, error, error), 0.5);
    Node *line =
        graph_binary_scalar(f, OP_mul, graph_binary_scalar(f, OP_sub, size, delta / 2), delta);
    return graph_select(f, graph_binary_scalar(f, OP_le, size, delta), square, line);
}

/* The mean over all axes but the batch: f32[batch] */
static Node *row_means(Function *f, Node *x)
{
    static const int64_t axes[RANK_LIMIT] = {1, 2, 3, 4, 5, 6, 7, 8};
    if (!x || x->type.rank == 1)
        return x;
    double elements = 1;
    for (int i = 1; i < x->type.rank; i++)
        elements *= (double)x->type.dims[i];
    Node *sum = graph_reduce(f, OP_reduce_sum, x, x->type.rank - 1, axes, false);
    return graph_binary_scalar(f, OP_mul, sum, 1 / elements);
}

static Node *loss_of_rows(Network *network, const LossTerm *term)
{
    Function *f = network->builder.f;
    Pair pair;
    f->place = json_place(term->json);
    if (!find_pair(network, term, &pair))
        return NULL;
    Node *each;
    if (term->kind == LOSS_SOFTMAX_CROSS_ENTROPY) {
        each = graph_binary(f, OP_softmax_cross_entropy, pair.prediction, pair.target);
    } else if (term->kind == LOSS_BINARY_CROSS_ENTROPY) {
        each = graph_binary(f, OP_sigmoid_cross_entropy, pair.prediction, pair.target);
    } else {
        Node *error = graph_sub(f, pair.prediction, pair.target);
        each = term->kind == LOSS_MEAN_SQUARED_ERROR    ? graph_mul(f, error, error)
               : term->kind == LOSS_MEAN_ABSOLUTE_ERROR ? graph_unary(f, OP_abs, error)
                                                        : huber(f, error, term->delta);
    }
    Node *rows = row_means(f, each);
    return term->weight == 1 ? rows : graph_binary_scalar(f, OP_mul, rows, term->weight);
}

static Node *total_of_rows(Network *network, const Training *training)
{
    Node *total = NULL;
    for (int i = 0; i < training->loss_count; i++) {
        Node *rows = loss_of_rows(network, &training->losses[i]);
        total = i ? graph_add(network->builder.f, total, rows) : rows;
    }
    return total;
}

/* Metrics look at the first loss they go with. */

static const LossTerm *loss_for(const Training *training, const Metric *metric)
{
    for (int i = 0; i < training->loss_count; i++) {
        LossKind kind = training->losses[i].kind;
        bool classifies = kind == LOSS_SOFTMAX_CROSS_ENTROPY || kind == LOSS_BINARY_CROSS_ENTROPY;
        if (classifies == (metric->kind == METRIC_ACCURACY))
            return &training->losses[i];
    }
    json_error(
        metric->json,
        metric->kind == METRIC_ACCURACY
            ? "goes with softmax_cross_entropy or binary_cross_entropy, not with this loss"
            : "goes with mean_squared_error, mean_absolute_error or huber, not with this loss");
    return NULL;
}

static Node *metric_of_rows(Network *network, const Training *training, const Metric *metric)
{
    Function *f = network->builder.f;
    const LossTerm *term = loss_for(training, metric);
    Pair pair;
    if (!term || !find_pair(network, term, &pair))
        return NULL;
    Node *each;
    if (term->kind == LOSS_SOFTMAX_CROSS_ENTROPY) {
        Node *best = graph_argmax(f, pair.prediction, pair.prediction->type.rank - 1);
        each = graph_cast(f, graph_binary(f, OP_eq, best, pair.target), TYPE_F32);
    } else if (term->kind == LOSS_BINARY_CROSS_ENTROPY) {
        Node *yes = graph_binary_scalar(f, OP_gt, pair.prediction, 0);
        Node *truth = graph_binary_scalar(f, OP_gt, pair.target, 0.5);
        each = graph_cast(f, graph_binary(f, OP_eq, yes, truth), TYPE_F32);
    } else {
        Node *error = graph_sub(f, pair.prediction, pair.target);
        each = metric->kind == METRIC_MEAN_SQUARED_ERROR ? graph_mul(f, error, error)
                                                         : graph_unary(f, OP_abs, error);
    }
    return row_means(f, each);
}

/* Functions */

static bool add_targets(Network *network, const Training *training)
{
    for (int i = 0; i < training->target_count; i++) {
        const TensorSpec *spec = &training->targets[i];
        NamedTensor tensor = {
            .name = spec->name, .node = network_input(network, spec), .classes = spec->classes};
        if (!tensor.node || !scope_add(network, &network->scope, spec->json, tensor))
            return false;
    }
    return true;
}

static bool build_step(Network *network, const Training *training, int64_t batch)
{
    Function *f = program_add_function(network->builder.program, "train_step");
    if (!network_build(network, f, batch, true) || !add_targets(network, training))
        return false;
    Node *sum = graph_reduce_all(f, OP_reduce_sum, total_of_rows(network, training));
    Node *loss = graph_binary_scalar(f, OP_mul, sum, 1 / (double)batch);
    if (loss)
        function_add_result(f, "loss", loss);
    f->place = NULL;
    return loss != NULL;
}

static Node *weighted_sum(Function *f, Node *values, Node *rows)
{
    return graph_reduce_all(f, OP_reduce_sum, values ? graph_mul(f, values, rows) : NULL);
}

static bool build_evaluate(Network *network, const Training *training, int64_t batch)
{
    Function *f = program_add_function(network->builder.program, "evaluate");
    if (!network_build(network, f, batch, false) || !add_targets(network, training))
        return false;
    f->place = NULL;
    Node *rows = graph_input(f, "rows", type_make(TYPE_F32, 1, &batch));
    Node *loss = weighted_sum(f, total_of_rows(network, training), rows);
    if (loss)
        function_add_result(f, "loss", loss);
    for (int i = 0; i < training->metric_count; i++) {
        const Metric *metric = &training->metrics[i];
        f->place = json_place(metric->json);
        Node *sum = weighted_sum(f, metric_of_rows(network, training, metric), rows);
        if (sum)
            function_add_result(f, metric->json->text, sum);
    }
    f->place = NULL;
    function_add_result(f, "count", graph_reduce_all(f, OP_reduce_sum, rows));
    return diag_ok(network->builder.program->diag);
}

bool training_build(Network *network, const Training *training, int64_t batch)
{
    Program *program = network->builder.program;
    return program_find_state(program, "seed") && build_step(network, training, batch) &&
           build_evaluate(network, training, batch);
}
