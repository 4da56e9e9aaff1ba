/* What a model tells the runtime about itself: the constant IngotModel of runtime/model.h, field by
 * field in that order.
 *
 * LLVM lays a structure out by the same rules as C does, on 32- and 64-bit targets alike;
 * tests/unit/test_codegen_descriptor.c has a C compiler read one back. */
#include "codegen/object.h"
#include "codegen/public.h"
#include "codegen/record.h"

#include <string.h>

enum { ABI = 5, TENSOR_FIELDS = 9, FUNCTION_FIELDS = 13 }; /* ABI is INGOT_ABI of runtime/model.h */

/* Tensors */

typedef struct TensorFacts {
    const char *name;
    TensorType type;
    int64_t offset, classes;
    bool trainable, batched;
} TensorFacts;

static LLVMValueRef tensor(const ObjectPart *part, const TensorFacts *facts)
{
    LLVMValueRef dims[RANK_LIMIT];
    for (int i = 0; i < facts->type.rank; i++)
        dims[i] = record_number64(part, facts->type.dims[i]);
    LLVMValueRef fields[TENSOR_FIELDS] = {
        record_text(part, facts->name),
        record_list(part, dims, facts->type.rank),
        record_number64(part, type_bytes(&facts->type)),
        record_number64(part, facts->offset),
        record_number64(part, facts->classes),
        record_number32(part, facts->type.element),
        record_number32(part, facts->type.rank),
        record_number32(part, facts->trainable),
        record_number32(part, facts->batched),
    };
    return record_make(part, fields, TENSOR_FIELDS);
}

static LLVMValueRef states(const ObjectPart *part)
{
    const Program *program = part->module->program;
    LLVMValueRef *values = ARENA_ARRAY(part->arena, LLVMValueRef, program->state_count);
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        TensorFacts facts = {.name = state->name,
                             .type = state->type,
                             .offset = part->module->state_offsets[i],
                             .trainable = state->parameter};
        values[i] = tensor(part, &facts);
    }
    return record_list(part, values, program->state_count);
}

static bool is_batched(const Function *function, const TensorType *type)
{
    return function->batch > 0 && type->rank > 0 && type->dims[0] == function->batch;
}

static int64_t classes_of(const ObjectPart *part, const char *input)
{
    for (int i = 0; i < part->options->label_count; i++)
        if (input && strcmp(part->options->labels[i].input, input) == 0)
            return part->options->labels[i].classes;
    return 0;
}

static LLVMValueRef inputs(const ObjectPart *part, const Function *function)
{
    LLVMValueRef *values = ARENA_ARRAY(part->arena, LLVMValueRef, function->input_count);
    for (int i = 0; i < function->input_count; i++) {
        const Node *node = function->inputs[i];
        TensorFacts facts = {.name = node->attr.text,
                             .type = node->type,
                             .classes = classes_of(part, node->attr.text),
                             .batched = is_batched(function, &node->type)};
        values[i] = tensor(part, &facts);
    }
    return record_list(part, values, function->input_count);
}

static LLVMValueRef outputs(const ObjectPart *part, const Function *function)
{
    LLVMValueRef *values = ARENA_ARRAY(part->arena, LLVMValueRef, function->result_count);
    for (int i = 0; i < function->result_count; i++) {
        const Result *result = &function->results[i];
        TensorType type = node_resolve(result->node)->type;
        TensorFacts facts = {.name = result->name ? result->name
                                                  : arena_print(part->arena, "output%d", i),
                             .type = type,
                             .batched = is_batched(function, &type)};
        values[i] = tensor(part, &facts);
    }
    return record_list(part, values, function->result_count);
}

/* Functions, in the order of public_function_order() */

static LLVMValueRef function_record(const ObjectPart *part, int index, LLVMValueRef body)
{
    const Schedule *schedule = part->module->schedules[index];
    const Function *function = part->module->program->functions[index];
    LLVMValueRef fields[FUNCTION_FIELDS] = {
        record_text(part, function->name),
        record_text(part, function_sizes_text(part->arena, function)),
        inputs(part, function),
        outputs(part, function),
        body,
        record_number64(part, function->batch),
        record_number64(part, schedule->arena_bytes),
        record_number64(part, object_scratch_bytes(part, schedule)),
        record_number64(part, schedule->multiply_adds),
        record_number32(part, function->input_count),
        record_number32(part, function->result_count),
        record_number32(part, schedule->parallel),
        record_number32(part, function->update_count > 0),
    };
    return record_make(part, fields, FUNCTION_FIELDS);
}

/* What packs weights when states have changed; no function of the program. */
static LLVMValueRef prepare_record(const ObjectPart *part, LLVMValueRef body)
{
    const Schedule *schedule = part->module->prepare;
    if (!schedule)
        return record_nothing(part);
    LLVMValueRef fields[FUNCTION_FIELDS] = {
        record_text(part, "prepare"),
        record_text(part, ""),
        record_nothing(part),
        record_nothing(part),
        body,
        record_number64(part, 0),
        record_number64(part, schedule->arena_bytes),
        record_number64(part, object_scratch_bytes(part, schedule)),
        record_number64(part, 0),
        record_number32(part, 0),
        record_number32(part, 0),
        record_number32(part, schedule->parallel),
        record_number32(part, 0),
    };
    return record_keep(part, record_make(part, fields, FUNCTION_FIELDS), 0);
}

static LLVMValueRef functions(const ObjectPart *part, const LLVMValueRef *bodies)
{
    const Program *program = part->module->program;
    const int *order = public_function_order(part->arena, program);
    LLVMValueRef *values = ARENA_ARRAY(part->arena, LLVMValueRef, program->function_count);
    for (int i = 0; i < program->function_count; i++)
        values[i] = function_record(part, order[i], bodies[order[i]]);
    return record_list(part, values, program->function_count);
}

/* How to train */

static LLVMValueRef dataset(const ObjectPart *part, const DataRecipe *data)
{
    LLVMValueRef *columns = ARENA_ARRAY(part->arena, LLVMValueRef, data->column_count);
    for (int i = 0; i < data->column_count; i++) {
        const ColumnRecipe *column = &data->columns[i];
        LLVMValueRef fields[] = {record_text(part, column->tensor), record_text(part, column->path),
                                 record_number64(part, column->first),
                                 record_number64(part, column->count)};
        columns[i] = record_make(part, fields, 4);
    }
    LLVMValueRef fields[] = {
        record_text(part, data->path),       record_list(part, columns, data->column_count),
        record_number32(part, data->format), record_number32(part, data->column_count),
        record_number32(part, data->header), record_number32(part, data->separator)};
    return record_make(part, fields, 6);
}

static LLVMValueRef recipe_record(const ObjectPart *part)
{
    const Recipe *recipe = part->options->recipe;
    if (!recipe)
        return record_nothing(part);
    LLVMValueRef *metrics = ARENA_ARRAY(part->arena, LLVMValueRef, recipe->metric_count);
    for (int i = 0; i < recipe->metric_count; i++)
        metrics[i] = record_text(part, recipe->metrics[i]);
    LLVMValueRef fields[] = {
        dataset(part, &recipe->training),
        dataset(part, &recipe->validation),
        LLVMConstReal(LLVMDoubleTypeInContext(part->context), recipe->validation_part),
        record_number64(part, recipe->epochs),
        record_number64(part, (int64_t)recipe->seed),
        record_list(part, metrics, recipe->metric_count),
        record_number32(part, recipe->metric_count),
        record_number32(part, recipe->shuffle),
    };
    return record_keep(part, record_make(part, fields, 8), 0);
}

/* Blocks of memory */

/* States without a value begin as noughts, as those of optimizers do, unless `initialize` gives
 * them one: then it gives all of them theirs. */
static bool has_initial_state(const Program *program)
{
    bool none = !program_find_function(program, "initialize");
    for (int i = 0; i < program->state_count; i++)
        if (!program->states[i]->value && !(none && !program->states[i]->parameter))
            return false;
    return program->state_count > 0;
}

static LLVMValueRef initial_state(const ObjectPart *part)
{
    const Module *module = part->module;
    const Program *program = module->program;
    if (part->options->weights_beside || !has_initial_state(program))
        return record_nothing(part);
    char *bytes = arena_alloc(part->arena, (size_t)module->state_bytes);
    for (int i = 0; i < program->state_count; i++) {
        const State *state = program->states[i];
        if (state->value)
            memcpy(bytes + module->state_offsets[i], state->value,
                   (size_t)type_bytes(&state->type));
    }
    return record_block(part, bytes, module->state_bytes);
}

static LLVMValueRef constants(const ObjectPart *part)
{
    const Module *module = part->module;
    char *bytes = arena_alloc(part->arena, (size_t)module->constant_bytes);
    for (int i = 0; i < module->constant_count; i++) {
        const Slot *slot = module->constants[i];
        memcpy(bytes + slot->offset, slot->data, (size_t)type_bytes(&slot->type));
    }
    return record_block(part, bytes, module->constant_bytes);
}

static LLVMValueRef weights_path(const ObjectPart *part)
{
    if (!part->options->weights_beside)
        return record_nothing(part);
    const char *file = part->options->weights_file;
    return record_text(part,
                       file ? file : arena_print(part->arena, "%s.safetensors", part->prefix));
}

/* The function that writes it is linked because its address stands here. */
static LLVMValueRef template_record(const ObjectPart *part)
{
    const Template *file = part->options->file;
    if (!file)
        return record_nothing(part);
    LLVMValueRef *pieces = ARENA_ARRAY(part->arena, LLVMValueRef, file->piece_count);
    for (int i = 0; i < file->piece_count; i++) {
        const TemplatePiece *piece = &file->pieces[i];
        LLVMValueRef order[RANK_LIMIT];
        int rank = piece->order ? piece->state->type.rank : 0;
        for (int j = 0; j < rank; j++)
            order[j] = record_number64(part, piece->order[j]);
        LLVMValueRef fields[] = {
            piece->bytes ? record_block(part, piece->bytes, piece->size) : record_nothing(part),
            record_list(part, order, rank),
            record_number64(part, piece->size),
            record_number32(part, piece->state ? piece->state->index : 0),
            record_number32(part, 0),
        };
        pieces[i] = record_make(part, fields, 5);
    }
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(part->context), NULL, 0, 0);
    LLVMValueRef writer = LLVMAddFunction(part->llvm, "ingot_template_write", type);
    LLVMSetVisibility(writer, LLVMHiddenVisibility);
    LLVMValueRef fields[] = {
        record_text(part, file->suffix),
        record_list(part, pieces, file->piece_count),
        writer,
        record_number64(part, file->piece_count),
    };
    return record_keep(part, record_make(part, fields, 4), 0);
}

static int64_t parameter_count(const Program *program)
{
    int64_t count = program->constant_parameters;
    for (int i = 0; i < program->state_count; i++)
        if (program->states[i]->parameter)
            count += type_elements(&program->states[i]->type);
    return count;
}

LLVMValueRef object_add_descriptor(const ObjectPart *part, const LLVMValueRef *bodies)
{
    const Module *module = part->module;
    const Program *program = module->program;
    LLVMValueRef fields[] = {
        record_text(part, part->prefix),
        record_text(part, part->options->compiler),
        record_text(
            part, arena_print(part->arena, "%s, %s", module->target->triple, module->target->name)),
        states(part),
        functions(part, bodies),
        prepare_record(part, bodies[program->function_count]),
        recipe_record(part),
        initial_state(part),
        constants(part),
        weights_path(part),
        template_record(part),
        record_number64(part, module->state_bytes),
        record_number64(part, module->prepared_bytes),
        record_number64(part, module->constant_bytes),
        record_number64(part, parameter_count(program)),
        record_number32(part, ABI),
        record_number32(part, program->state_count),
        record_number32(part, program->function_count),
        record_number32(part, 0),
    };
    LLVMValueRef value = record_make(part, fields, (int)(sizeof fields / sizeof fields[0]));
    LLVMValueRef global = LLVMAddGlobal(part->llvm, LLVMTypeOf(value), "ingot_descriptor");
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetVisibility(global, LLVMHiddenVisibility);
    return global;
}
