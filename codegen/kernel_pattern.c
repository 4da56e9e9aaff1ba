/* Loads whose lanes lie in a pattern that is known when code is made: every second element, the
 * first six of every twelve, each element three times over, turns from two places.
 *
 *     %x[2*i + 2*v], v = 0..8      elements 0 … 7 and 7 … 14 from 2*i on, as two vectors, and a
 *                                  shuffle that takes lane 0 from place 0, lane 1 from place 2, …
 *
 * The elements wanted are loaded in vectors: each begins with the first one that those before it
 * do not hold, and none reaches beyond the last one wanted. Shuffles of two vectors at a time
 * gather the lanes. Where it would take more than half as many vectors as there are lanes, one
 * element after the other is no worse. */
#include "codegen/kernel_parts.h"

typedef struct Pattern {
    int64_t offsets[VECTOR_LANES]; /* of each lane from the pointer of the place */
    int64_t starts[VECTOR_LANES];  /* of the pieces, ascending */
    int64_t greatest;
    int pieces;
} Pattern;

/* Every piece begins at the least offset that no piece holds. */
static void choose_pieces(const Gen *g, Pattern *pattern)
{
    for (int64_t held = INT64_MIN;;) {
        int64_t next = INT64_MAX;
        for (int lane = 0; lane < g->active; lane++)
            if (pattern->offsets[lane] >= held && pattern->offsets[lane] < next)
                next = pattern->offsets[lane];
        if (next == INT64_MAX)
            return;
        held = next + g->lanes;
        pattern->starts[pattern->pieces++] = next;
    }
}

static bool find_pattern(const Gen *g, const Place *place, Pattern *pattern)
{
    if (place->dynamic_lanes || place->buffer->kind == BUFFER_LOCAL || g->lanes > VECTOR_LANES)
        return false;
    for (int lane = 0; lane < g->active; lane++) {
        int64_t offset = place->lanes ? place->lanes[lane] : lane * place->lane_factor;
        pattern->offsets[lane] = offset;
        pattern->greatest = lane && pattern->greatest > offset ? pattern->greatest : offset;
    }
    choose_pieces(g, pattern);
    /* the last one may begin earlier, to end with the last element */
    int64_t latest = pattern->greatest + 1 - g->lanes;
    if (pattern->pieces > 1 && pattern->starts[pattern->pieces - 1] > latest)
        pattern->starts[pattern->pieces - 1] = latest;
    return pattern->pieces == 1 || 2 * pattern->pieces <= g->lanes;
}

static bool lies_in(const Pattern *pattern, int lane, int piece)
{
    int64_t offset = pattern->offsets[lane];
    return piece < pattern->pieces && offset >= pattern->starts[piece] &&
           (piece + 1 == pattern->pieces || offset < pattern->starts[piece + 1]);
}

static LLVMValueRef load_piece(Gen *g, const Place *place, const Pattern *pattern, int piece)
{
    Place at = *place;
    int64_t start = pattern->starts[piece], count = pattern->greatest + 1 - start;
    at.lanes = &start;
    return gen_load_first(g, place, gen_lane_pointer(g, &at, 0),
                          (int)(count < g->lanes ? count : g->lanes));
}

/* The lanes that lie in pieces `first` and `first` + 1. */
static LLVMValueRef gather_pair(Gen *g, const Place *place, const Pattern *pattern, int first)
{
    LLVMValueRef a = load_piece(g, place, pattern, first);
    LLVMValueRef b = first + 1 < pattern->pieces ? load_piece(g, place, pattern, first + 1) : NULL;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(g->context);
    LLVMValueRef poison = LLVMGetPoison(LLVMTypeOf(a)), mask[VECTOR_LANES];
    for (int lane = 0; lane < g->lanes; lane++) {
        /* lanes that do not count get some number: a branch may look at them */
        mask[lane] = lane < g->active ? LLVMGetPoison(i32) : LLVMConstInt(i32, 0, 0);
        for (int half = 0; half < 2 && lane < g->active; half++)
            if (lies_in(pattern, lane, first + half)) {
                int64_t from = pattern->offsets[lane] - pattern->starts[first + half];
                mask[lane] = LLVMConstInt(i32, (unsigned long long)(from + half * g->lanes), 0);
            }
    }
    return LLVMBuildShuffleVector(g->builder, a, b ? b : poison,
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
                    (lies_in(pattern, lane, piece) || lies_in(pattern, lane, piece + 1));
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
        vector = vector ? blend_pair(g, &pattern, vector, pair, piece) : pair;
    }
    return vector;
}
