/* Loads whose lanes lie near one another in a pattern that is known when code is made: every second
 * element, the first six of every twelve, each element three times over.
 *
 *     %x[2*i + 2*v], v = 0..8      elements 0 … 7 and 7 … 14 from 2*i on, as two vectors, and a
 *                                  shuffle that takes lane 0 from place 0, lane 1 from place 2, …
 *
 * All elements from the first one wanted to the last one are loaded, in vectors side by side; the
 * last vector ends with the last one wanted, so nothing beyond is touched. Shuffles of two vectors
 * at a time gather the lanes. Where the lanes are so far apart that it would take more than half as
 * many vectors as there are lanes, one element after the other is no worse. */
#include "codegen/kernel_parts.h"

typedef struct Pattern {
    int64_t offsets[VECTOR_LANES]; /* of each lane from the pointer of the place */
    int64_t least, greatest;
    int pieces;
} Pattern;

static bool find_pattern(const Gen *g, const Place *place, Pattern *pattern)
{
    if (place->dynamic_lanes || place->buffer->kind == BUFFER_LOCAL || g->lanes > VECTOR_LANES)
        return false;
    for (int lane = 0; lane < g->active; lane++) {
        int64_t offset = place->lanes ? place->lanes[lane] : lane * place->lane_factor;
        pattern->offsets[lane] = offset;
        pattern->least = lane && pattern->least < offset ? pattern->least : offset;
        pattern->greatest = lane && pattern->greatest > offset ? pattern->greatest : offset;
    }
    int64_t pieces = (pattern->greatest - pattern->least) / g->lanes + 1;
    pattern->pieces = (int)pieces;
    return pieces == 1 || 2 * pieces <= g->lanes;
}

static int64_t piece_start(const Gen *g, const Pattern *pattern, int piece)
{
    int64_t start = pattern->least + (int64_t)piece * g->lanes;
    int64_t latest = pattern->greatest + 1 - g->lanes;
    return piece > 0 && start > latest ? latest : start;
}

static bool lies_in(const Gen *g, const Pattern *pattern, int lane, int piece)
{
    return (pattern->offsets[lane] - pattern->least) / g->lanes == piece;
}

static LLVMValueRef load_piece(Gen *g, const Place *place, const Pattern *pattern, int piece)
{
    bool wanted = false;
    for (int lane = 0; lane < g->active; lane++)
        wanted = wanted || lies_in(g, pattern, lane, piece);
    if (!wanted)
        return NULL;
    Place at = *place;
    int64_t start = piece_start(g, pattern, piece), count = pattern->greatest + 1 - start;
    at.lanes = &start;
    return gen_load_first(g, place, gen_lane_pointer(g, &at, 0),
                          (int)(count < g->lanes ? count : g->lanes));
}

/* The lanes that lie in pieces `first` and `first` + 1; NULL when there are none. */
static LLVMValueRef gather_pair(Gen *g, const Place *place, const Pattern *pattern, int first)
{
    LLVMValueRef a = load_piece(g, place, pattern, first);
    LLVMValueRef b = first + 1 < pattern->pieces ? load_piece(g, place, pattern, first + 1) : NULL;
    if (!a && !b)
        return NULL;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef poison = LLVMGetPoison(LLVMTypeOf(a ? a : b)), mask[VECTOR_LANES];
    for (int lane = 0; lane < g->lanes; lane++) {
        /* lanes that do not count get some number: a branch may look at them */
        mask[lane] = lane < g->active ? LLVMGetPoison(i32)
                                      : LLVMConstInt(i32, a ? 0 : (unsigned)g->lanes, 0);
        for (int half = 0; half < 2 && lane < g->active; half++)
            if (lies_in(g, pattern, lane, first + half)) {
                int64_t from = pattern->offsets[lane] - piece_start(g, pattern, first + half);
                mask[lane] = LLVMConstInt(i32, (unsigned long long)(from + half * g->lanes), 0);
            }
    }
    return LLVMBuildShuffleVector(g->builder, a ? a : poison, b ? b : poison,
                                  LLVMConstVector(mask, (unsigned)g->lanes), "");
}

/* Lanes of pieces `piece` and `piece` + 1 from `pair`, all others from `rest`. */
static LLVMValueRef blend_pair(Gen *g, const Pattern *pattern, LLVMValueRef rest, LLVMValueRef pair,
                               int piece)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef mask[VECTOR_LANES];
    for (int lane = 0; lane < g->lanes; lane++) {
        bool mine = lane < g->active &&
                    (lies_in(g, pattern, lane, piece) || lies_in(g, pattern, lane, piece + 1));
        mask[lane] = LLVMConstInt(i32, (unsigned long long)(mine ? lane + g->lanes : lane), 0);
    }
    return LLVMBuildShuffleVector(g->builder, rest, pair, LLVMConstVector(mask, (unsigned)g->lanes),
                                  "");
}

LLVMValueRef gen_load_pattern(Gen *g, const Place *place)
{
    Pattern pattern = {.pieces = 0};
    if (!find_pattern(g, place, &pattern))
        return NULL;
    LLVMValueRef vector = NULL;
    for (int piece = 0; piece < pattern.pieces; piece += 2) {
        LLVMValueRef pair = gather_pair(g, place, &pattern, piece);
        if (pair)
            vector = vector ? blend_pair(g, &pattern, vector, pair, piece) : pair;
    }
    return vector;
}
