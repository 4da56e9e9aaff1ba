/* Loads and stores of a kernel.
 *
 * An address is the buffer, plus its loop variables from the outermost inwards, plus a number: so
 * what an outer loop fixes is computed there, and the number becomes the displacement of the
 * instruction.
 *
 * In a vector loop the elements of the lanes lie side by side (one vector access), all in one place
 * (one value for all lanes), backwards (a vector access and a shuffle), near one another (see
 * kernel_pattern.c), or anywhere (lane after lane). A partial vector must not touch memory behind
 * its last lane: it is masked where the processor has cheap masks, else put together from smaller
 * pieces, 5 lanes being 4 and 1. Locals have padding and are always accessed whole.
 *
 * bool is one byte in memory, not 0 meaning true, and one bit in a value. */
#include "codegen/kernel_parts.h"

LLVMTypeRef gen_memory_type(const Gen *g, ElementType element, int lanes)
{
    return codegen_type(g->context, element == TYPE_BOOL ? TYPE_U8 : element, lanes);
}

static LLVMValueRef from_memory(Gen *g, ElementType element, LLVMValueRef value)
{
    if (element != TYPE_BOOL)
        return value;
    return LLVMBuildICmp(g->builder, LLVMIntNE, value, LLVMConstNull(LLVMTypeOf(value)), "");
}

static LLVMValueRef to_memory(Gen *g, ElementType element, LLVMValueRef value, int lanes)
{
    return element == TYPE_BOOL
               ? LLVMBuildZExt(g->builder, value, gen_memory_type(g, element, lanes), "")
               : value;
}

/* Places */

static LLVMValueRef base_pointer(const Gen *g, const Buffer *buffer)
{
    if (buffer->kind == BUFFER_ARGUMENT)
        return LLVMGetParam(g->function, (unsigned)buffer->index);
    if (buffer->kind == BUFFER_SCRATCH)
        return g->scratch[buffer->index];
    for (int i = g->local_count - 1; i >= 0; i--)
        if (g->locals[i].buffer == buffer)
            return g->locals[i].pointer;
    INGOT_BUG("kernel @%s: local %s is used outside of its block", g->kernel->name, buffer->name);
}

static LLVMValueRef step_pointer(Gen *g, ElementType element, LLVMValueRef pointer,
                                 LLVMValueRef index)
{
    return LLVMBuildGEP2(g->builder, gen_memory_type(g, element, 1), pointer, &index, 1, "");
}

static LLVMValueRef scale_index(Gen *g, LLVMValueRef index, int64_t factor)
{
    return factor == 1 ? index : LLVMBuildNSWMul(g->builder, index, gen_index(g, factor), "");
}

/* An offset taken apart by what its variables are bound to. */
typedef struct Parts {
    int64_t constant, lane_factor;
    int64_t *lanes; /* of variables that have a number for each lane; or NULL */
    int count;
    Term terms[64]; /* of variables known only when the code runs, outermost loop first */
} Parts;

static void add_term(const Gen *g, Parts *parts, const Term *term)
{
    if (parts->count == (int)(sizeof parts->terms / sizeof parts->terms[0]))
        INGOT_BUG("kernel @%s: an offset depends on more than %d variables", g->kernel->name,
                  parts->count);
    int depth = g->bindings[term->var->id].depth, place = parts->count++;
    for (; place > 0 && g->bindings[parts->terms[place - 1].var->id].depth > depth; place--)
        parts->terms[place] = parts->terms[place - 1];
    parts->terms[place] = *term;
}

static void add_lanes(const Gen *g, Parts *parts, int64_t factor, const int64_t *numbers)
{
    if (!parts->lanes)
        parts->lanes = ARENA_ARRAY(g->arena, int64_t, g->lanes);
    for (int lane = 0; lane < g->active; lane++)
        parts->lanes[lane] += factor * numbers[lane];
}

/* Lanes counted from lane 0; evenly spaced ones are told by their factor alone. */
static void finish_lanes(const Gen *g, Parts *parts)
{
    int64_t *lanes = parts->lanes, first = lanes[0];
    parts->constant += first;
    bool even = true;
    for (int lane = 0; lane < g->active; lane++) {
        lanes[lane] += lane * parts->lane_factor - first;
        even = even && lanes[lane] == lane * lanes[1];
    }
    parts->lane_factor = even && g->active > 1 ? lanes[1] : 0;
    if (even)
        parts->lanes = NULL;
}

static void split_offset(const Gen *g, Affine offset, Parts *parts)
{
    parts->constant = offset.constant;
    parts->lane_factor = 0;
    parts->lanes = NULL;
    parts->count = 0;
    for (int i = 0; i < offset.count; i++) {
        const Term *term = &offset.terms[i];
        const Binding *binding = &g->bindings[term->var->id];
        if (binding->kind == BINDING_NUMBER)
            parts->constant += term->factor * binding->number;
        else if (binding->kind == BINDING_LANE)
            parts->lane_factor = term->factor;
        else if (binding->kind == BINDING_LANES)
            add_lanes(g, parts, term->factor, binding->lanes);
        else if (binding->kind == BINDING_VALUE)
            add_term(g, parts, term);
        else
            INGOT_BUG("kernel @%s: variable %s is used outside of its loop", g->kernel->name,
                      term->var->name);
    }
    if (parts->lanes)
        finish_lanes(g, parts);
}

/* Scratch and locals begin at a multiple of 64; arguments may be anything their element allows. */
static unsigned known_alignment(const Gen *g, const Buffer *buffer, const Parts *parts,
                                bool dynamic)
{
    int64_t bytes = element_bytes(buffer->element), alignment = 64;
    if (buffer->kind == BUFFER_ARGUMENT || dynamic)
        return (unsigned)bytes;
    while (alignment > bytes && parts->constant * bytes % alignment != 0)
        alignment /= 2;
    for (int i = 0; i < parts->count; i++) {
        int64_t step = parts->terms[i].factor * g->bindings[parts->terms[i].var->id].number * bytes;
        while (alignment > bytes && step % alignment != 0)
            alignment /= 2;
    }
    return (unsigned)alignment;
}

Place gen_place(Gen *g, const Buffer *buffer, Affine offset, const Expr *dynamic,
                int64_t dynamic_factor)
{
    Parts parts;
    split_offset(g, offset, &parts);
    Place place = {.buffer = buffer,
                   .pointer = base_pointer(g, buffer),
                   .lane_factor = parts.lane_factor,
                   .lanes = parts.lanes,
                   .alignment = known_alignment(g, buffer, &parts, dynamic != NULL)};
    for (int i = 0; i < parts.count; i++) {
        LLVMValueRef index = g->bindings[parts.terms[i].var->id].value;
        place.pointer = step_pointer(g, buffer->element, place.pointer,
                                     scale_index(g, index, parts.terms[i].factor));
    }
    if (dynamic) {
        Operand index = gen_expr(g, dynamic);
        int lanes = index.vector ? g->lanes : 1;
        LLVMTypeRef type =
            index.vector ? LLVMVectorType(g->index_type, (unsigned)lanes) : g->index_type;
        LLVMValueRef value = LLVMBuildIntCast2(g->builder, index.value, type, 1, "");
        LLVMValueRef factor = codegen_splat(g->builder, gen_index(g, dynamic_factor), lanes);
        value = LLVMBuildNSWMul(g->builder, value, factor, "");
        if (index.vector)
            place.dynamic_lanes = value;
        else
            place.pointer = step_pointer(g, buffer->element, place.pointer, value);
    }
    if (parts.constant != 0)
        place.pointer =
            step_pointer(g, buffer->element, place.pointer, gen_index(g, parts.constant));
    return place;
}

LLVMValueRef gen_lane_pointer(Gen *g, const Place *place, int lane)
{
    int64_t apart = place->lanes ? place->lanes[lane] : lane * place->lane_factor;
    LLVMValueRef pointer = place->pointer;
    if (place->dynamic_lanes) {
        LLVMValueRef index =
            LLVMConstInt(LLVMInt32TypeInContext(g->context), (unsigned long long)lane, 0);
        index = LLVMBuildExtractElement(g->builder, place->dynamic_lanes, index, "");
        pointer = step_pointer(g, place->buffer->element, pointer, index);
    }
    if (apart == 0)
        return pointer;
    return step_pointer(g, place->buffer->element, pointer, gen_index(g, apart));
}

/* Plain accesses of `lanes` elements side by side. */

static LLVMValueRef load_lanes(Gen *g, const Place *place, LLVMValueRef pointer, int lanes,
                               unsigned alignment)
{
    LLVMValueRef value =
        LLVMBuildLoad2(g->builder, gen_memory_type(g, place->buffer->element, lanes), pointer, "");
    LLVMSetAlignment(value, alignment);
    return value;
}

static void store_lanes(Gen *g, LLVMValueRef value, LLVMValueRef pointer, unsigned alignment)
{
    LLVMSetAlignment(LLVMBuildStore(g->builder, value, pointer), alignment);
}

static unsigned element_alignment(const Place *place)
{
    return (unsigned)element_bytes(place->buffer->element);
}

/* Partial vectors */

static LLVMValueRef lane_number(const Gen *g, int lane)
{
    return LLVMConstInt(LLVMInt32TypeInContext(g->context), (unsigned long long)lane, 0);
}

/* A shuffle's mask: lanes first … first+count-1, then `total - count` lanes that do not matter. */
static LLVMValueRef lane_numbers(Gen *g, int first, int count, int total)
{
    LLVMValueRef *numbers = ARENA_ARRAY(g->arena, LLVMValueRef, total);
    for (int i = 0; i < total; i++)
        numbers[i] = i < count ? lane_number(g, first + i)
                               : LLVMGetPoison(LLVMInt32TypeInContext(g->context));
    return LLVMConstVector(numbers, (unsigned)total);
}

static LLVMValueRef first_mask(Gen *g, int count)
{
    LLVMTypeRef bit = LLVMInt1TypeInContext(g->context);
    LLVMValueRef *bits = ARENA_ARRAY(g->arena, LLVMValueRef, g->lanes);
    for (int i = 0; i < g->lanes; i++)
        bits[i] = LLVMConstInt(bit, i < count, 0);
    return LLVMConstVector(bits, (unsigned)g->lanes);
}

/* llvm.masked.load(ptr, [align], mask, otherwise), llvm.masked.store(value, ptr, [align], mask):
 * the alignment was an operand until LLVM 21 and is an attribute of the pointer since. Without one
 * it is 1, which costs nothing where masks exist. */
static LLVMValueRef call_masked(Gen *g, const char *name, LLVMTypeRef vector, LLVMValueRef *in,
                                int in_count, int mask_place, unsigned alignment)
{
    unsigned id = LLVMLookupIntrinsicID(name, __builtin_strlen(name));
    LLVMTypeRef overloads[2] = {vector, LLVMPointerTypeInContext(g->context, 0)};
    LLVMModuleRef module = LLVMGetGlobalParent(g->function);
    LLVMValueRef callee = LLVMGetIntrinsicDeclaration(module, id, overloads, 2);
    LLVMTypeRef type = LLVMGlobalGetValueType(callee);
    LLVMValueRef all[4];
    int count = 0;
    for (int i = 0; i < in_count; i++) {
        if (i == mask_place && (int)LLVMCountParamTypes(type) > in_count)
            all[count++] = lane_number(g, (int)alignment);
        all[count++] = in[i];
    }
    return LLVMBuildCall2(g->builder, type, callee, all, (unsigned)count, "");
}

/* AVX and AVX2 have masked loads of 4- and 8-byte elements that are fast everywhere; their masked
 * stores are slow on some processors. */
static bool masks_load(const Gen *g, const Place *place)
{
    return g->target->masked ||
           (g->target->architecture == ARCHITECTURE_X86_64 && g->target->vector_bits >= 256 &&
            element_bytes(place->buffer->element) >= 4);
}

static int largest_piece(int lanes)
{
    int piece = 1;
    while (piece * 2 <= lanes)
        piece *= 2;
    return piece;
}

static LLVMValueRef piece_pointer(Gen *g, const Place *place, LLVMValueRef pointer, int first)
{
    return first == 0 ? pointer
                      : step_pointer(g, place->buffer->element, pointer, gen_index(g, first));
}

/* `vector` with the lanes of `piece` (count of them) at `first`. */
static LLVMValueRef insert_piece(Gen *g, LLVMValueRef vector, LLVMValueRef piece, int first,
                                 int count)
{
    if (count == 1)
        return LLVMBuildInsertElement(g->builder, vector, piece, lane_number(g, first), "");
    LLVMValueRef poison = LLVMGetPoison(LLVMTypeOf(piece));
    LLVMValueRef wide =
        LLVMBuildShuffleVector(g->builder, piece, poison, lane_numbers(g, 0, count, g->lanes), "");
    if (first == 0)
        return wide;
    LLVMValueRef *numbers = ARENA_ARRAY(g->arena, LLVMValueRef, g->lanes);
    for (int i = 0; i < g->lanes; i++)
        numbers[i] = lane_number(g, i >= first && i < first + count ? g->lanes + i - first : i);
    return LLVMBuildShuffleVector(g->builder, vector, wide,
                                  LLVMConstVector(numbers, (unsigned)g->lanes), "");
}

LLVMValueRef gen_load_first(Gen *g, const Place *place, LLVMValueRef pointer, int total)
{
    LLVMTypeRef type = gen_memory_type(g, place->buffer->element, g->lanes);
    if (total == g->lanes)
        return load_lanes(g, place, pointer, total, element_alignment(place));
    if (masks_load(g, place)) {
        LLVMValueRef in[3] = {pointer, first_mask(g, total), LLVMConstNull(type)};
        return call_masked(g, "llvm.masked.load", type, in, 3, 1, element_alignment(place));
    }
    LLVMValueRef vector = LLVMConstNull(type);
    for (int first = 0; first < total;) {
        int count = largest_piece(total - first);
        LLVMValueRef piece = load_lanes(g, place, piece_pointer(g, place, pointer, first), count,
                                        element_alignment(place));
        vector = insert_piece(g, vector, piece, first, count);
        first += count;
    }
    return vector;
}

static void store_partial(Gen *g, const Place *place, LLVMValueRef value)
{
    if (g->target->masked) {
        LLVMValueRef in[3] = {value, place->pointer, first_mask(g, g->active)};
        call_masked(g, "llvm.masked.store", LLVMTypeOf(value), in, 3, 2, element_alignment(place));
        return;
    }
    for (int first = 0; first < g->active;) {
        int count = largest_piece(g->active - first);
        LLVMValueRef piece;
        if (count == 1)
            piece = LLVMBuildExtractElement(g->builder, value, lane_number(g, first), "");
        else
            piece = LLVMBuildShuffleVector(g->builder, value, LLVMGetPoison(LLVMTypeOf(value)),
                                           lane_numbers(g, first, count, count), "");
        store_lanes(g, piece, piece_pointer(g, place, place->pointer, first),
                    element_alignment(place));
        first += count;
    }
}

/* May the vector's other lanes be touched as well? */
static bool is_whole(const Gen *g, const Place *place)
{
    if (g->active == g->lanes)
        return true;
    unsigned bytes = (unsigned)(g->lanes * element_bytes(place->buffer->element));
    return place->buffer->kind == BUFFER_LOCAL && place->alignment >= (bytes < 64 ? bytes : 64);
}

/* Loads */

static LLVMValueRef load_backwards(Gen *g, const Place *place)
{
    LLVMValueRef first =
        step_pointer(g, place->buffer->element, place->pointer, gen_index(g, 1 - g->lanes));
    LLVMValueRef vector = load_lanes(g, place, first, g->lanes, element_alignment(place));
    LLVMValueRef *numbers = ARENA_ARRAY(g->arena, LLVMValueRef, g->lanes);
    for (int i = 0; i < g->lanes; i++)
        numbers[i] = lane_number(g, g->lanes - 1 - i);
    return LLVMBuildShuffleVector(g->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(numbers, (unsigned)g->lanes), "");
}

static LLVMValueRef load_anywhere(Gen *g, const Place *place)
{
    LLVMValueRef vector = LLVMConstNull(gen_memory_type(g, place->buffer->element, g->lanes));
    for (int lane = 0; lane < g->active; lane++) {
        LLVMValueRef value =
            load_lanes(g, place, gen_lane_pointer(g, place, lane), 1, element_alignment(place));
        vector = LLVMBuildInsertElement(g->builder, vector, value, lane_number(g, lane), "");
    }
    return vector;
}

static LLVMValueRef load_side_by_side(Gen *g, const Place *place)
{
    return is_whole(g, place) ? load_lanes(g, place, place->pointer, g->lanes, place->alignment)
                              : gen_load_first(g, place, place->pointer, g->active);
}

Operand gen_load(Gen *g, const Place *place)
{
    bool vector = g->lanes > 1 && (place->lane_factor != 0 || place->lanes || place->dynamic_lanes);
    LLVMValueRef value;
    if (!vector)
        value = load_lanes(g, place, place->pointer, 1, element_alignment(place));
    else if (place->lane_factor == 1 && !place->dynamic_lanes)
        value = load_side_by_side(g, place);
    else if (place->lane_factor == -1 && !place->dynamic_lanes && g->active == g->lanes)
        value = load_backwards(g, place);
    else if (!(value = gen_load_pattern(g, place)))
        value = load_anywhere(g, place);
    return (Operand){from_memory(g, place->buffer->element, value), vector};
}

/* Stores */

static LLVMValueRef combine(Gen *g, ElementType element, StoreMode mode, LLVMValueRef old,
                            LLVMValueRef value, LLVMValueRef product, int lanes)
{
    if (product)
        return codegen_multiply_add(g->builder, g->target, value, product, old);
    ElementType elements[2] = {element, element};
    /* the new value first: what max and min do to find a NaN there need not wait for the old one */
    LLVMValueRef in[2] = {value, old};
    return codegen_apply(g->builder, g->target, store_op(mode), element, elements, in, lanes);
}

static void store_side_by_side(Gen *g, const Place *place, StoreMode mode, Operand value,
                               const Operand *product)
{
    ElementType element = place->buffer->element;
    LLVMValueRef result = gen_splat(g, value);
    if (mode != STORE_SET) {
        LLVMValueRef old = from_memory(g, element, load_side_by_side(g, place));
        result = combine(g, element, mode, old, result, product ? gen_splat(g, *product) : NULL,
                         g->lanes);
    }
    result = to_memory(g, element, result, g->lanes);
    if (is_whole(g, place))
        store_lanes(g, result, place->pointer, place->alignment);
    else
        store_partial(g, place, result);
}

static void store_lane(Gen *g, const Place *place, int lane, StoreMode mode, Operand value,
                       const Operand *product)
{
    ElementType element = place->buffer->element;
    LLVMValueRef pointer = gen_lane_pointer(g, place, lane), result = gen_lane(g, value, lane);
    if (mode != STORE_SET) {
        LLVMValueRef old = load_lanes(g, place, pointer, 1, element_alignment(place));
        old = from_memory(g, element, old);
        result =
            combine(g, element, mode, old, result, product ? gen_lane(g, *product, lane) : NULL, 1);
    }
    store_lanes(g, to_memory(g, element, result, 1), pointer, element_alignment(place));
}

void gen_store(Gen *g, const Place *place, StoreMode mode, Operand value, const Operand *product)
{
    if (g->lanes > 1 && place->lane_factor == 1 && !place->dynamic_lanes) {
        store_side_by_side(g, place, mode, value, product);
        return;
    }
    bool one_place =
        place->lane_factor == 0 && !place->lanes && !place->dynamic_lanes && mode == STORE_SET;
    for (int lane = one_place ? g->active - 1 : 0; lane < g->active; lane++)
        store_lane(g, place, lane, mode, value, product);
}

/* llvm.prefetch(ptr, write, locality 0…3, data): as if to write, where that is known. */
void gen_fetch(Gen *g, const Stmt *fetch)
{
    Place place = gen_place(g, fetch->buffer, fetch->offset, NULL, 0);
    const char *name = "llvm.prefetch";
    unsigned id = LLVMLookupIntrinsicID(name, __builtin_strlen(name));
    LLVMTypeRef overload = LLVMPointerTypeInContext(g->context, 0);
    LLVMModuleRef module = LLVMGetGlobalParent(g->function);
    LLVMValueRef callee = LLVMGetIntrinsicDeclaration(module, id, &overload, 1);
    LLVMTypeRef type = LLVMGlobalGetValueType(callee);
    LLVMValueRef in[] = {place.pointer, lane_number(g, fetch->buffer->written),
                         lane_number(g, fetch->fetch == FETCH_FAR ? 2 : 3), lane_number(g, 1)};
    LLVMBuildCall2(g->builder, type, callee, in, 4, "");
}
