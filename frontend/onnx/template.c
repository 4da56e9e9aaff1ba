/* Where the weights lie in the bytes of an ONNX file.
 *
 *     ModelProto.graph (7) → GraphProto.initializer (5), the i-th → TensorProto.raw_data (9)
 *                                                                or float_data (4), packed
 *
 * The file is cut there: what lies between stays as it is, with comments, opset and all. Numbers
 * of fields are of the schema, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; the file has
 * been unpacked before, so its structure is sound. */
#include "frontend/onnx/template.h"

enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5, TENSOR_FLOAT_DATA = 4, TENSOR_RAW_DATA = 9 };

typedef struct Range {
    const char *begin, *end;
} Range;

static uint64_t read_varint(Range *rest)
{
    uint64_t value = 0;
    for (int shift = 0; rest->begin < rest->end && shift < 64; shift += 7) {
        unsigned char byte = (unsigned char)*rest->begin++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

/* The next field of a message: its number, and its bytes where it has a length. False at the end.
 */
static bool next_field(Range *rest, int *number, Range *bytes)
{
    enum { VARINT = 0, FIXED_64 = 1, BLOCK = 2 };
    if (rest->begin >= rest->end)
        return false;
    uint64_t key = read_varint(rest), size = 0;
    int kind = (int)(key & 7);
    *number = kind == BLOCK ? (int)(key >> 3) : 0;
    if (kind == VARINT)
        read_varint(rest);
    else
        size = kind == BLOCK ? read_varint(rest) : kind == FIXED_64 ? 8 : 4;
    if (size > (uint64_t)(rest->end - rest->begin))
        return false;
    *bytes = (Range){rest->begin, rest->begin + size};
    rest->begin += size;
    return true;
}

static bool find_field(Range message, int wanted, Range *bytes)
{
    int number;
    while (next_field(&message, &number, bytes))
        if (number == wanted)
            return true;
    return false;
}

static void add_bytes(OnnxReader *r, Template *template, const char *from, const char *to)
{
    TemplatePiece piece = {.bytes = from, .size = to - from};
    if (from == to)
        return;
    template->pieces = arena_grow(r->arena, template->pieces, template->piece_count,
                                  &template->piece_capacity, sizeof piece);
    template->pieces[template->piece_count++] = piece;
}

static void add_state(OnnxReader *r, Template *template, const OnnxWeight *weight)
{
    TemplatePiece piece = {
        .size = type_bytes(&weight->type), .state = weight->state, .order = weight->order};
    template->pieces = arena_grow(r->arena, template->pieces, template->piece_count,
                                  &template->piece_capacity, sizeof piece);
    template->pieces[template->piece_count++] = piece;
}

bool onnx_template_make(OnnxReader *r, Template **result)
{
    const char *bytes = (const char *)r->file.data, *done = bytes;
    Range file = {bytes, bytes + r->file.len}, graph, tensor;
    Template *template = ARENA_NEW(r->arena, Template);
    template->suffix = ".onnx";
    *result = NULL;
    if (!find_field(file, MODEL_GRAPH, &graph))
        return true;
    int number;
    size_t index = 0;
    while (next_field(&graph, &number, &tensor)) {
        if (number != GRAPH_INITIALIZER || index >= r->proto->graph->n_initializer)
            continue;
        const char *name = r->proto->graph->initializer[index++]->name;
        const OnnxWeight *weight = map_get(&r->weights, name ? name : "");
        Range data;
        if (!weight || !weight->state)
            continue;
        if (!find_field(tensor, TENSOR_RAW_DATA, &data) &&
            !find_field(tensor, TENSOR_FLOAT_DATA, &data))
            return true;
        if (data.end - data.begin != type_bytes(&weight->type))
            return true;
        add_bytes(r, template, done, data.begin);
        add_state(r, template, weight);
        done = data.end;
    }
    add_bytes(r, template, done, file.end);
    *result = template;
    return true;
}
