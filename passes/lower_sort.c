/* Sorting: the permutation that puts each row, a run along the last axis, in order.
 *
 * Short rows. The place of an element is the number of those before it, which is counted in
 * vectors:
 *
 *     for i = 0..n { %key[i] = %x[i] }
 *     for i = 0..n {
 *       local %acc: i32[1]
 *       %acc[0] = 0
 *       for j = 0..n { %acc[0] += cast:i32(… is %key[j] before %key[i]? …) }
 *       let %rank: i32 = %acc[0]
 *       %y[(%rank)] = index:i32(i)
 *     }
 *
 * Long rows are cut into runs of so few elements, and neighbouring runs are merged until one is
 * left, keys and indices back and forth between two places. Two runs of w elements are merged from
 * both ends at once, w steps each way: no run ends before that, so that nothing has to be tested,
 * and the two do not wait for each other. `i` of the least elements come from the left run so far,
 * `j` of the greatest from the right one:
 *
 *     for s = 0..w {
 *       let %right: bool = … is %from[s - i + w] before %from[i]? …
 *       %to[s] = select(%right, %from[s - i + w], %from[i])        i += not right
 *       let %left: bool = … is %from[2*w - 1 - j] before %from[w - 1 - s + j]? …
 *       %to[2*w - 1 - s] = select(%left, …)                        j += not left
 *     }
 *
 * Equal elements keep their order. NaN is greater than all numbers, and both zeros are equal. */
#include "passes/lowering.h"

enum { RUN = 32, SHORT = 64 };

typedef struct Keys { /* of one row: where keys and their indices lie */
    Buffer *keys, *indices;
    Affine first; /* of the row, in `indices` */
} Keys;

typedef struct Sort {
    Lowering *l;
    ElementType element;
    bool descending;
    int64_t length;
} Sort;

static Expr *apply(Sort *s, Op op, ElementType element, Expr *a, Expr *b)
{
    return expr_apply(s->l->arena, op, element, b ? 2 : 1, (Expr *[]){a, b});
}

static Expr *number(Sort *s, int64_t value)
{
    return expr_number(s->l->arena, TYPE_I32, (double)value);
}

static Affine plus(Sort *s, Affine a, Affine b)
{
    return affine_add(s->l->arena, a, b);
}

static Stmt *let(Sort *s, const char *name, Expr *value, Expr **temp)
{
    Temp *made = ARENA_NEW(s->l->arena, Temp);
    *made = (Temp){name, value->element};
    *temp = expr_temp(s->l->arena, made);
    return stmt_let(s->l->arena, made, value);
}

/* Must x come before y, whichever of them stands first? */
static Expr *is_before(Sort *s, Expr *x, Expr *y)
{
    Expr *low = s->descending ? y : x, *high = s->descending ? x : y;
    if (!element_is_float(s->element))
        return apply(s, OP_lt, TYPE_BOOL, low, high);
    Expr *less = apply(s, OP_not, TYPE_BOOL, apply(s, OP_le, TYPE_BOOL, high, low), NULL);
    return apply(s, OP_and, TYPE_BOOL, less, apply(s, OP_eq, TYPE_BOOL, low, low));
}

static Expr *key_at(Sort *s, const Keys *run, Affine offset, Expr *dynamic, int64_t factor)
{
    Expr *load = expr_load(s->l->arena, run->keys, offset);
    load->dynamic = dynamic;
    load->dynamic_factor = factor;
    return load;
}

static Expr *index_at(Sort *s, const Keys *run, Affine offset, Expr *dynamic, int64_t factor)
{
    Expr *load = expr_load(s->l->arena, run->indices, plus(s, run->first, offset));
    load->dynamic = dynamic;
    load->dynamic_factor = factor;
    return load;
}

/* Key and index into place `offset` + dynamic of a run; one that keeps no keys takes the index. */
static Stmt *put(Sort *s, const Keys *to, Affine offset, Expr *dynamic, Expr *key, Expr *index)
{
    Stmt *all = NULL;
    for (int part = to->keys ? 0 : 1; part < 2; part++) {
        Affine at = part ? plus(s, to->first, offset) : offset;
        Stmt *store = stmt_store(s->l->arena, STORE_SET, part ? to->indices : to->keys, at,
                                 part ? index : key);
        store->dynamic = dynamic;
        store->dynamic_factor = dynamic ? 1 : 0;
        all = stmt_append(all, store);
    }
    return all;
}

/* ---- by counting ---- */

/* Sorts the `count` elements from `first` on. */
static Stmt *count_run(Sort *s, const Keys *from, const Keys *to, Affine first, int64_t count)
{
    Lowering *l = s->l;
    Axes outer = {0}, inner = {0};
    Affine i = axes_add(l, &outer, "i", count), j = axes_add(l, &inner, "j", count);
    Affine zero = affine_number(0), at = plus(s, first, i);
    Buffer *acc = nest_local(l->arena, "acc", TYPE_I32, 1);
    Expr *mine = key_at(s, from, at, NULL, 0), *other = key_at(s, from, plus(s, first, j), NULL, 0);
    Expr *earlier = apply(s, OP_lt, TYPE_BOOL, expr_index(l->arena, TYPE_I32, j),
                          expr_index(l->arena, TYPE_I32, i));
    Expr *stays = apply(s, OP_not, TYPE_BOOL, is_before(s, mine, other), NULL);
    Expr *which[] = {earlier, stays, is_before(s, other, mine)};
    Expr *before = expr_apply(l->arena, OP_select, TYPE_BOOL, 3, which), *rank;
    Stmt *body = stmt_local(l->arena, acc);
    stmt_append(body, stmt_store(l->arena, STORE_SET, acc, zero, number(s, 0)));
    stmt_append(body, axes_loops(l, &inner,
                                 stmt_store(l->arena, STORE_ADD, acc, zero,
                                            apply(s, OP_cast, TYPE_I32, before, NULL))));
    stmt_append(body, let(s, "rank", expr_load(l->arena, acc, zero), &rank));
    stmt_append(body, put(s, to, first, rank, mine, expr_index(l->arena, TYPE_I32, at)));
    return axes_loops(l, &outer, body);
}

static Stmt *count_runs(Sort *s, const Keys *from, const Keys *to)
{
    Axes blocks = {0};
    int64_t whole = s->length / RUN, rest = s->length % RUN;
    Affine block = axes_add(s->l, &blocks, "b", whole);
    Affine first = affine_scale(s->l->arena, block, RUN);
    Stmt *all = axes_loops(s->l, &blocks, count_run(s, from, to, first, RUN));
    if (rest)
        stmt_append(all, count_run(s, from, to, affine_number(whole * RUN), rest));
    return all;
}

/* ---- by merging ---- */

/* One step from one end: the key and index of two that are to stand at `place`, and in which run
 * they were. `taken` of the run `counted` have been; the other one's pointer moves when it has not.
 */
typedef struct End {
    Affine left, right, place;   /* offsets, when nothing has been taken from the left, or right */
    int64_t left_way, right_way; /* how `taken` moves them */
    bool greatest;
} End;

static Stmt *merge_step(Sort *s, const Keys *from, const Keys *to, const End *end, Buffer *taken)
{
    Arena *arena = s->l->arena;
    Affine zero = affine_number(0);
    Expr *count, *left, *right, *crossed, *other;
    Stmt *all = let(s, "taken", expr_load(arena, taken, zero), &count);
    stmt_append(all, let(s, "left", key_at(s, from, end->left, count, end->left_way), &left));
    stmt_append(all, let(s, "right", key_at(s, from, end->right, count, end->right_way), &right));
    stmt_append(all, let(s, "crossed", is_before(s, right, left), &crossed));
    /* the least is in the left run, and the greatest in the right one, but when they cross */
    Expr *left_index = index_at(s, from, end->left, count, end->left_way);
    Expr *right_index = index_at(s, from, end->right, count, end->right_way);
    bool greatest = end->greatest;
    Expr *keys[] = {crossed, greatest ? left : right, greatest ? right : left};
    Expr *indices[] = {crossed, greatest ? left_index : right_index,
                       greatest ? right_index : left_index};
    stmt_append(all, put(s, to, end->place, NULL, expr_apply(arena, OP_select, s->element, 3, keys),
                         expr_apply(arena, OP_select, TYPE_I32, 3, indices)));
    other = apply(s, OP_not, TYPE_BOOL, crossed, NULL);
    return stmt_append(
        all, stmt_store(arena, STORE_ADD, taken, zero, apply(s, OP_cast, TYPE_I32, other, NULL)));
}

/* A counter in a register, 0 at first. */
static Buffer *counter(Sort *s, const char *name, Stmt **body)
{
    Buffer *buffer = nest_local(s->l->arena, name, TYPE_I32, 1);
    *body = stmt_append(*body, stmt_local(s->l->arena, buffer));
    stmt_append(*body, stmt_store(s->l->arena, STORE_SET, buffer, affine_number(0), number(s, 0)));
    return buffer;
}

/* Two runs of `width` each from `first` on. */
static Stmt *merge_pair(Sort *s, const Keys *from, const Keys *to, Affine first, int64_t width)
{
    Axes steps = {0};
    Affine step = axes_add(s->l, &steps, "s", width);
    Affine back = affine_scale(s->l->arena, step, -1);
    Stmt *body = NULL;
    Buffer *i = counter(s, "i", &body), *j = counter(s, "j", &body);
    End least = {.left = first,
                 .right = plus(s, plus(s, first, step), affine_number(width)),
                 .place = plus(s, first, step),
                 .left_way = 1,
                 .right_way = -1};
    End greatest = {.left = plus(s, plus(s, first, back), affine_number(width - 1)),
                    .right = plus(s, first, affine_number(2 * width - 1)),
                    .place = plus(s, plus(s, first, back), affine_number(2 * width - 1)),
                    .left_way = 1,
                    .right_way = -1,
                    .greatest = true};
    Stmt *both = merge_step(s, from, to, &least, i);
    stmt_append(both, merge_step(s, from, to, &greatest, j));
    return stmt_append(body, axes_loops(s->l, &steps, both));
}

/* A run of `width` and a shorter one of `rest` behind it, one of which ends first. */
static Stmt *merge_rest(Sort *s, const Keys *from, const Keys *to, int64_t first, int64_t width,
                        int64_t rest)
{
    Arena *arena = s->l->arena;
    Axes steps = {0};
    Affine step = axes_add(s->l, &steps, "s", width + rest), zero = affine_number(0);
    Affine left_start = affine_number(first), right_start = affine_number(first + width);
    Stmt *body = NULL;
    Buffer *i = counter(s, "i", &body);
    Expr *left_place, *right_place, *left, *right, *crossed;
    Expr *taken = expr_load(arena, i, zero);
    Expr *others = apply(s, OP_sub, TYPE_I32, expr_index(arena, TYPE_I32, step), taken);
    Stmt *one =
        let(s, "taken", apply(s, OP_min, TYPE_I32, taken, number(s, width - 1)), &left_place);
    stmt_append(one, let(s, "others", apply(s, OP_min, TYPE_I32, others, number(s, rest - 1)),
                         &right_place));
    stmt_append(one, let(s, "left", key_at(s, from, left_start, left_place, 1), &left));
    stmt_append(one, let(s, "right", key_at(s, from, right_start, right_place, 1), &right));
    Expr *more = apply(s, OP_lt, TYPE_BOOL, others, number(s, rest));
    Expr *none = apply(s, OP_ge, TYPE_BOOL, taken, number(s, width));
    Expr *first_right = apply(s, OP_and, TYPE_BOOL, more, is_before(s, right, left));
    stmt_append(one, let(s, "crossed", apply(s, OP_or, TYPE_BOOL, none, first_right), &crossed));
    Expr *keys[] = {crossed, right, left};
    Expr *indices[] = {crossed, index_at(s, from, right_start, right_place, 1),
                       index_at(s, from, left_start, left_place, 1)};
    stmt_append(one, put(s, to, plus(s, left_start, step), NULL,
                         expr_apply(arena, OP_select, s->element, 3, keys),
                         expr_apply(arena, OP_select, TYPE_I32, 3, indices)));
    Expr *from_left = apply(s, OP_cast, TYPE_I32, apply(s, OP_not, TYPE_BOOL, crossed, NULL), NULL);
    stmt_append(one, stmt_store(arena, STORE_ADD, i, zero, from_left));
    return stmt_append(body, axes_loops(s->l, &steps, one));
}

static Stmt *copy_rest(Sort *s, const Keys *from, const Keys *to, int64_t first, int64_t count)
{
    Axes axes = {0};
    Affine at = plus(s, affine_number(first), axes_add(s->l, &axes, "c", count));
    return axes_loops(
        s->l, &axes,
        put(s, to, at, NULL, key_at(s, from, at, NULL, 0), index_at(s, from, at, NULL, 0)));
}

/* All runs of `width`, in pairs. */
static Stmt *merge_runs(Sort *s, const Keys *from, const Keys *to, int64_t width)
{
    int64_t pairs = s->length / (2 * width), done = pairs * 2 * width, rest = s->length - done;
    Stmt *all = NULL;
    if (pairs > 0) {
        Axes blocks = {0};
        Affine block = axes_add(s->l, &blocks, "b", pairs);
        Affine first = affine_scale(s->l->arena, block, 2 * width);
        all = axes_loops(s->l, &blocks, merge_pair(s, from, to, first, width));
    }
    if (rest > width)
        return stmt_append(all, merge_rest(s, from, to, done, width, rest - width));
    return rest ? stmt_append(all, copy_rest(s, from, to, done, rest)) : all;
}

/* ---- both ---- */

static Stmt *sort_long(Sort *s, const Keys *unsorted, const Keys *result)
{
    Arena *arena = s->l->arena;
    Kernel *kernel = s->l->kernel;
    Keys one = {kernel_scratch(arena, kernel, "key", s->element, s->length),
                kernel_scratch(arena, kernel, "index", TYPE_I32, s->length), affine_number(0)};
    Keys other = *unsorted;
    other.indices = kernel_scratch(arena, kernel, "index", TYPE_I32, s->length);
    Stmt *all = count_runs(s, unsorted, &one);
    for (int64_t width = RUN; width < s->length; width *= 2) {
        bool last = 2 * width >= s->length;
        stmt_append(all, merge_runs(s, &one, last ? result : &other, width));
        Keys swap = one;
        one = other;
        other = swap;
    }
    return all;
}

void lower_root_argsort(Lowering *l, Node *root)
{
    const TensorType *type = &root->in[0]->type;
    int last = type->rank - 1;
    int64_t length = type->dims[last];
    Sort s = {l, type->element, attr_integer(root, 0) != 0, length};
    Axes rows = {0}, along = {0};
    Coordinates at = {.rank = type->rank};
    for (int i = 0; i < last; i++)
        at.at[i] = axes_add(l, &rows, "i", type->dims[i]);
    at.at[last] = affine_number(0);
    Keys result = {NULL, lower_argument(l, lower_slot(l, root)), lower_offset(l->arena, type, &at)};
    result.indices->written = true;
    Keys unsorted = {kernel_scratch(l->arena, l->kernel, "unsorted", s.element, length), NULL,
                     affine_number(0)};
    Affine i = axes_add(l, &along, "i", length);
    at.at[last] = i;
    Stmt *copy = axes_loops(
        l, &along,
        stmt_store(l->arena, STORE_SET, unsorted.keys, i, lower_read(l, root->in[0], &at)));
    stmt_append(copy, length <= SHORT ? count_run(&s, &unsorted, &result, affine_number(0), length)
                                      : sort_long(&s, &unsorted, &result));
    l->kernel->ordered =
        type_elements(type) == length; /* its rows are its own, but not its loops */
    l->kernel->element_steps = type_elements(type) * 64;
    kernel_end(l, axes_loops(l, &rows, copy));
}
