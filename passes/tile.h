/* A contraction as tiling sees it: shared by tile.c, which writes the loops, and tile_block.c,
 * which chooses their sizes. */
#ifndef INGOT_PASSES_TILE_H
#define INGOT_PASSES_TILE_H

#include "passes/schedule_kernel.h"

enum { LOOP_MAX = 16, PACK_ROWS = 8 };

typedef struct Axis {
    const Var *var;
    int64_t extent;
    int64_t a, b, out; /* elements that A, B and the output move with one step */
} Axis;

typedef struct Contraction {
    Arena *arena;
    const Target *target;
    Kernel *kernel;
    Packings *packings;
    Axis outer[LOOP_MAX], reduced[LOOP_MAX];
    int outer_count, reduced_count;
    Buffer *acc;
    Expr *first, *a, *b; /* a and b are loads */
    Stmt *epilogue;
    ElementType element;
    int lanes;
    int vector;      /* position in outer */
    int row;         /* position in outer; -1: none */
    int line;        /* position in outer; -1: none. With a line loop a block holds `lines` whole
                        rounds of the row loop */
    int rows, lines; /* block size: rows · lines vectors high */
    int vectors;     /* and so many across */
    Buffer *packed;  /* or NULL */
    int64_t depth;   /* product of the reduced extents */
} Contraction;

/* Chooses row and line loop and block size of the least cost. */
void tile_choose_block(Contraction *c);

/* True: one panel of B meets all rows before the next panel (B is large, or rows are few). False:
 * one block of rows meets all panels (B stays in the second-level cache, and rows are plenty to
 * share out). */
bool tile_rows_innermost(const Contraction *c);

/* Columns of all packed panels together. */
int64_t tile_packed_width(const Contraction *c);

#endif
