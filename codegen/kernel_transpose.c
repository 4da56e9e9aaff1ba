/* `transpose %t by 8` in registers: 8 vectors of 8 lanes become their columns in 3 rounds.
 *
 * In the round of distance d = 4, 2, 1, rows r and r + d change the blocks that lie across the
 * diagonal between them: with d = 1
 *
 *     a0 a1 a2 a3 …          a0 b0 a2 b2 …
 *     b0 b1 b2 b3 …    →     a1 b1 a3 b3 …
 *
 * which is one shuffle of two vectors for each row (Eklundh 1972). */
#include "codegen/kernel_parts.h"

/* Of rows a and b, d apart: what becomes of a (b when `second`). */
static LLVMValueRef exchange(Gen *g, LLVMValueRef a, LLVMValueRef b, int size, int d, bool second)
{
    LLVMValueRef *lanes = ARENA_ARRAY(g->arena, LLVMValueRef, size);
    for (int lane = 0; lane < size; lane++) {
        bool from_b = (lane & d) != 0;
        int place = second ? (from_b ? lane : lane + d) : (from_b ? lane - d : lane);
        lanes[lane] = LLVMConstInt(LLVMInt32TypeInContext(g->context),
                                   (unsigned long long)(from_b ? place + size : place), 0);
    }
    return LLVMBuildShuffleVector(g->builder, a, b, LLVMConstVector(lanes, (unsigned)size), "");
}

void gen_transpose(Gen *g, const Buffer *local, int size)
{
    LLVMValueRef *rows = ARENA_ARRAY(g->arena, LLVMValueRef, size);
    LLVMValueRef *places = ARENA_ARRAY(g->arena, LLVMValueRef, size);
    LLVMTypeRef type = gen_memory_type(g, local->element, size);
    unsigned bytes = (unsigned)(size * element_bytes(local->element));
    for (int r = 0; r < size; r++) {
        Place place = gen_place(g, local, affine_number((int64_t)r * size), NULL, 0);
        places[r] = place.pointer;
        rows[r] = LLVMBuildLoad2(g->builder, type, place.pointer, "");
        LLVMSetAlignment(rows[r], bytes < 64 ? bytes : 64);
    }
    for (int d = size / 2; d > 0; d /= 2)
        for (int r = 0; r < size; r++) {
            LLVMValueRef a = rows[r], b = rows[r | d];
            if (r & d)
                continue;
            rows[r] = exchange(g, a, b, size, d, false);
            rows[r | d] = exchange(g, a, b, size, d, true);
        }
    for (int r = 0; r < size; r++)
        LLVMSetAlignment(LLVMBuildStore(g->builder, rows[r], places[r]), bytes < 64 ? bytes : 64);
}
