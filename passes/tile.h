/* A contraction as tiling sees it: shared by tile.c, which writes the loops, tile_block.c,
 * which chooses their sizes, tile_sum.c, which writes the sums of a block, tile_epilogue.c,
 * which writes what is done with them, tile_depth.c, which takes deep sums in stretches, and
 * tile_window.c, which does it all for depthwise ones. */
#ifndef INGOT_PASSES_TILE_H
#define INGOT_PASSES_TILE_H

#include "passes/rewrite.h"
#include "passes/schedule_kernel.h"

enum { LOOP_MAX = 16, PACK_ROWS = 8, L2_BYTES_PER_CYCLE = 32, LINE_BYTES = 64 };

typedef struct Axis {
    const Var *var;
    int64_t extent;
    int64_t a, b, out; /* elements that A, B and the output move with one step */
} Axis;

/* How a block reads the elements of A it multiplies vectors by. */
typedef enum Factors {
    FACTORS_EACH,        /* one at a time */
    FACTORS_ALONG_ROWS,  /* a vector of them, which belong to rows side by side */
    FACTORS_ALONG_DEPTH, /* a vector of them, of one row, for as many steps of the innermost
                            reduced loop */
} Factors;

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
    int vector;                 /* position in outer */
    const Var *rounds, *across; /* not NULL: the vector loop is these two, numbered through; the */
    int64_t round;              /* inner one has `round` steps. The epilogue still knows both */
    int row;                    /* position in outer; -1: none */
    int line;        /* position in outer; -1: none. With a line loop a block holds `lines` whole
                        rounds of the row loop */
    int rows, lines; /* block size: rows · lines vectors high */
    int vectors;     /* and so many across */
    Buffer *packed;  /* or NULL */
    Buffer *sums;    /* scratch for those of a block; NULL until an epilogue wants it */
    int64_t depth;   /* product of the reduced extents */
    bool deep;       /* the sum is taken in stretches, of copies of A and B */
    Factors factors; /* for blocks of full height */
} Contraction;

typedef struct Block {
    int rows, lines, vectors;
    int64_t real;     /* outputs across; the last vector may be part full */
    Affine i, j;      /* its first row (or line) and column */
    Affine first_row; /* of the rows (or lines) that are gone through together */
    int64_t row_count;
    const Var *l, *r, *u, *v;
    const Var *p, *c;   /* of a vector loop that is two: rounds and across in the epilogue */
    Affine ahead;       /* where its part of the next panel begins, and how many elements of it */
    int64_t ahead_step; /* each step asks for; 0: none */
} Block;

/* What to do with one contraction of plain loops: what replaces it, or NULL. `nest` is its
 * outermost loop, alone; c is filled in as far as `vector`. */
typedef Stmt *EachContraction(Contraction *c, Stmt *nest);
/* All contractions of a kernel, in whatever loops they stand. */
void tile_contractions_by(EachContraction *each, Arena *arena, const Target *target, Kernel *kernel,
                          Packings *packings);

/* Is B a whole that can be copied before the kernel runs? */
bool tile_can_pack(const Contraction *c);

/* A kernel that copies B, as an argument more of the contraction's: `count` elements, from p0 to p1
 * of the new kernel. Returns the argument. */
Buffer *tile_add_packing(Contraction *c, const char *name, int64_t count, Kernel **packing);

/* Chooses row and line loop and block size of the least cost; returns the cycles all blocks take,
 * by that model. */
double tile_choose_block(Contraction *c);

/* True: one panel of B meets all rows before the next panel (B is large, or rows are few). False:
 * one block of rows meets all panels (B stays in the second-level cache, and rows are plenty to
 * share out). */
bool tile_rows_innermost(const Contraction *c);

/* `body` inside the outermost `count` reduced loops. */
Stmt *tile_reduced_loops(const Contraction *c, int count, Stmt *body);

/* `body` written out for each vector of each row. With `exact`, lanes beyond the edge of the output
 * are left out. */
Stmt *tile_each_vector(const Contraction *c, const Block *b, bool exact, Stmt *body);

/* All of a contraction both of whose operands move with the lanes; NULL when nothing could be
 * gained (tile_window.c). */
Stmt *tile_window(Contraction *c);

/* Does it pay to take the sum in stretches? Then `deep` makes tile_choose_block() choose for that,
 * and tile_depth() writes what stands inside of the other loops (tile_depth.c). */
bool tile_is_deep(const Contraction *c);
bool tile_can_be_deep_row(const Contraction *c, int outer);
Stmt *tile_depth(Contraction *c);

/* The reduced loops of a block; `add` is one of its sums: `%acc[…] += mul(A, B)`. */
Stmt *tile_sum(Contraction *c, const Block *b, Stmt *add);

/* Steps of a sum that are written out behind one another in one round of a loop of so many.
 * Counting takes instructions that a processor shared with another thread has no room for beside
 * the products of a small block. */
int64_t tile_steps_at_once(const Block *b, int64_t steps);
/* A loop over steps of a block's sum as one of several at once, and what is left. */
Stmt *tile_several_steps(const Contraction *c, const Block *b, Stmt *loop);

/* Position in the packed copy of the panel that starts at output `j`, `width` wide, at the reduced
 * loops' current step, less the place inside the panel. */
Affine tile_packed_offset(const Contraction *c, Affine j, int64_t width);

/* `sum`, in the course of which the cache is asked for what the epilogue will touch. */
Stmt *tile_fetch_ahead(Contraction *c, const Block *b, const Replace *replace, Stmt *sum);

/* What is done with the sums of a block; `replace` makes the contraction's epilogue that of the
 * block. */
Stmt *tile_epilogue(Contraction *c, const Block *b, const Replace *replace);

/* `body` in loops over the vectors of a block, those of the edge in part. */
Stmt *tile_loop_over_vectors(const Contraction *c, const Block *b, Stmt *body);

/* Columns of all packed panels together. */
int64_t tile_packed_width(const Contraction *c);

#endif
