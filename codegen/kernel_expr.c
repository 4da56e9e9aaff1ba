/* Expressions of a kernel.
 *
 * Inside a vector loop a value is either one for all lanes or a vector; what does not depend on the
 * lane stays one value for as long as it can, so a multiplier is loaded once and broadcast by the
 * instruction that uses it. */
#include "codegen/kernel_parts.h"

#include "ir/element.h"

LLVMValueRef gen_index(const Gen *g, int64_t number)
{
    return LLVMConstInt(g->index_type, (unsigned long long)number, 1);
}

LLVMValueRef gen_splat(Gen *g, Operand operand)
{
    return operand.vector ? operand.value : codegen_splat(g->builder, operand.value, g->lanes);
}

LLVMValueRef gen_lane(Gen *g, Operand operand, int lane)
{
    if (!operand.vector)
        return operand.value;
    LLVMValueRef place =
        LLVMConstInt(LLVMInt32TypeInContext(g->context), (unsigned long long)lane, 0);
    return LLVMBuildExtractElement(g->builder, operand.value, place, "");
}

static Operand gen_number(Gen *g, const Expr *expr)
{
    LLVMTypeRef type = codegen_type(g->context, expr->element, 1);
    if (element_is_storage(expr->element)) {
        uint16_t bits;
        element_set_number(expr->element, &bits, 0, expr->number);
        return (Operand){LLVMConstInt(type, bits, 0), false};
    }
    if (element_is_float(expr->element))
        return (Operand){LLVMConstReal(type, expr->number), false};
    int64_t number = element_saturate(expr->element, expr->number);
    return (Operand){LLVMConstInt(type, (unsigned long long)number, 1), false};
}

/* A number for each lane as a constant vector. */
static LLVMValueRef lane_constants(Gen *g, LLVMTypeRef type, const int64_t *numbers)
{
    LLVMValueRef *lanes = ARENA_ARRAY(g->arena, LLVMValueRef, g->lanes);
    for (int lane = 0; lane < g->lanes; lane++)
        lanes[lane] = LLVMConstInt(type, (unsigned long long)numbers[lane], 1);
    return LLVMConstVector(lanes, (unsigned)g->lanes);
}

/* The value of an affine as an element, in that element's own width. */
static Operand gen_affine(Gen *g, const Expr *expr)
{
    LLVMTypeRef type = codegen_type(g->context, expr->element, 1);
    int64_t constant = expr->offset.constant, lane_factor = 0;
    int64_t *lanes = ARENA_ARRAY(g->arena, int64_t, g->lanes);
    bool apart = false;
    LLVMValueRef sum = NULL;
    for (int i = 0; i < expr->offset.count; i++) {
        const Term *term = &expr->offset.terms[i];
        const Binding *binding = &g->bindings[term->var->id];
        if (binding->kind == BINDING_NUMBER) {
            constant += term->factor * binding->number;
        } else if (binding->kind == BINDING_LANE) {
            lane_factor = term->factor;
        } else if (binding->kind == BINDING_LANES) {
            for (int lane = 0; lane < g->lanes; lane++)
                lanes[lane] += term->factor * binding->lanes[lane];
            apart = true;
        } else {
            LLVMValueRef value = LLVMBuildIntCast2(g->builder, binding->value, type, 1, "");
            value = LLVMBuildMul(g->builder, value,
                                 LLVMConstInt(type, (unsigned long long)term->factor, 1), "");
            sum = sum ? LLVMBuildAdd(g->builder, sum, value, "") : value;
        }
    }
    LLVMValueRef number = LLVMConstInt(type, (unsigned long long)constant, 1);
    Operand result = {sum ? LLVMBuildAdd(g->builder, sum, number, "") : number, false};
    if (lane_factor == 0 && !apart)
        return result;
    for (int lane = 0; lane < g->lanes; lane++)
        lanes[lane] += lane * lane_factor;
    LLVMValueRef steps = lane_constants(g, type, lanes);
    return (Operand){LLVMBuildAdd(g->builder, gen_splat(g, result), steps, ""), true};
}

static Operand gen_temp(Gen *g, const Expr *expr)
{
    for (int i = g->temp_count - 1; i >= 0; i--)
        if (g->temps[i].temp == expr->temp)
            return g->temps[i].value;
    INGOT_BUG("kernel @%s: %s is used outside of its block", g->kernel->name, expr->temp->name);
}

static Operand gen_random(Gen *g, const Expr *expr)
{
    enum { KEYS = 4 };
    LLVMValueRef key[KEYS]; /* and the stream */
    for (int i = 0; i < KEYS; i++) {
        Operand part = gen_expr(g, expr->in[i]);
        if (part.vector)
            INGOT_BUG("kernel @%s: the key of random depends on the lane", g->kernel->name);
        key[i] = part.value;
    }
    LLVMValueRef mixed = codegen_random_key(g->builder, key, key[3], 1);
    Operand index = gen_expr(g, expr->in[KEYS]);
    if (!index.vector)
        return (Operand){codegen_random_uniform(g->builder, mixed, index.value, 1), false};
    mixed = codegen_splat(g->builder, mixed, g->lanes);
    return (Operand){codegen_random_uniform(g->builder, mixed, index.value, g->lanes), true};
}

static Operand gen_apply(Gen *g, const Expr *expr)
{
    if (expr->op == OP_random)
        return gen_random(g, expr);
    Operand in[EXPR_INPUTS];
    ElementType elements[EXPR_INPUTS];
    LLVMValueRef values[EXPR_INPUTS];
    bool vector = false;
    for (int i = 0; i < expr->in_count; i++) {
        in[i] = gen_expr(g, expr->in[i]);
        elements[i] = expr->in[i]->element;
        vector |= in[i].vector;
    }
    for (int i = 0; i < expr->in_count; i++)
        values[i] = vector ? gen_splat(g, in[i]) : in[i].value;
    return (Operand){codegen_apply(g->builder, g->target, expr->op, expr->element, elements, values,
                                   vector ? g->lanes : 1),
                     vector};
}

/* Upper half onto lower half until one lane is left. */
static Operand gen_lanes(Gen *g, const Expr *expr)
{
    Binding *binding = &g->bindings[expr->var->id], outer = *binding;
    int lanes = g->lanes, active = g->active;
    *binding =
        expr->lanes > 1 ? (Binding){.kind = BINDING_LANE} : (Binding){.kind = BINDING_NUMBER};
    g->lanes = g->active = expr->lanes;
    g->epoch++; /* the same expression has another value in here */
    LLVMValueRef value = gen_splat(g, gen_expr(g, expr->in[0]));
    *binding = outer;
    g->lanes = lanes;
    g->active = active;
    g->epoch++;
    ElementType elements[2] = {expr->element, expr->element};
    for (int half = expr->lanes / 2; half >= 1; half /= 2) {
        LLVMValueRef halves[2] = {codegen_part(g->builder, value, 0, half),
                                  codegen_part(g->builder, value, half, half)};
        value =
            codegen_apply(g->builder, g->target, expr->op, expr->element, elements, halves, half);
    }
    return (Operand){value, false};
}

static Operand gen_new_expr(Gen *g, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_NUMBER:
        return gen_number(g, expr);
    case EXPR_INDEX:
        return gen_affine(g, expr);
    case EXPR_LOAD: {
        Place place = gen_place(g, expr->buffer, expr->offset, expr->dynamic, expr->dynamic_factor);
        return gen_load(g, &place);
    }
    case EXPR_TEMP:
        return gen_temp(g, expr);
    case EXPR_APPLY:
        return gen_apply(g, expr);
    case EXPR_LANES:
        return gen_lanes(g, expr);
    }
    INGOT_BUG("kernel @%s: expression of kind %d", g->kernel->name, (int)expr->kind);
}

/* Expressions are shared; within one statement each is emitted once. The table forgets on
 * collision, which costs a repetition and nothing else. */
Operand gen_expr(Gen *g, const Expr *expr)
{
    Memo *memo = &g->memo[((uintptr_t)expr >> 6) % MEMO_SLOTS];
    if (memo->expr == expr && memo->epoch == g->epoch)
        return memo->value;
    Operand value = gen_new_expr(g, expr);
    *memo = (Memo){expr, g->epoch, value};
    return value;
}
