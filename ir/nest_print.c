/* The loop level as text; nest.h shows a whole kernel. ir/nest_parse.c reads it back.
 *
 *     kernel @scale(%x: f32[40], out %y: f32[40]) may_alias steps=40 {
 *       parallel i = 0..40 step 8 {
 *         vector v = 0..8 { %y[i + v] = mul(%x[i + v], 0.5) }
 *       }
 *     }
 *
 * Numbers of type f32 stand bare, all others carry their type: `1.5:f64`, `0:i32`, `1:bool`. Each
 * has as many digits as it takes to read back to the same bits. What an expression's type is
 * follows from its operands, so only `index:i64(4*i)`, `cast:f32(x)` and lets say it.
 *
 * Names: when two things in scope have one name, the inner one is printed with a number behind it.
 * Terms of an offset stand in the order of their loops, outermost first, then the constant, then
 * the dynamic part `16*(EXPR)`. Loops around a single store share a line where that fits 100
 * columns. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/element.h"
#include "ir/nest_text.h"

enum { LINE_LIMIT = 100, INDENT = 2 };

typedef struct Name {
    const void *what; /* Var, Buffer, Temp or Slot */
    const char *text;
    bool var; /* of a loop: printed without % */
} Name;

typedef struct Printer {
    Text *text;
    Arena *arena;
    Name *names; /* in scope, outermost first */
    int name_count, name_capacity;
} Printer;

static bool name_taken(const Printer *printer, const char *text, bool var)
{
    for (int i = 0; i < printer->name_count; i++)
        if (printer->names[i].var == var && strcmp(printer->names[i].text, text) == 0)
            return true;
    return false;
}

static bool name_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static const char *name_clean(Arena *arena, const char *name, bool var)
{
    bool plain = name && name[0] && (!var || name_letter(name[0]));
    char *clean = arena_print(arena, "%s%s", plain ? "" : var ? "v" : "t", name ? name : "");
    for (char *c = clean; *c; c++)
        if (!name_letter(*c) && !(*c >= '0' && *c <= '9') && (var || *c != '.'))
            *c = '_';
    return clean;
}

static const char *name_bind(Printer *printer, const void *what, const char *name, bool var)
{
    const char *base = name_clean(printer->arena, name, var);
    const char *text = base;
    for (int number = 1; name_taken(printer, text, var); number++)
        text = arena_print(printer->arena, "%s%d", base, number);
    printer->names = arena_grow(printer->arena, printer->names, printer->name_count,
                                &printer->name_capacity, sizeof *printer->names);
    printer->names[printer->name_count++] = (Name){.what = what, .text = text, .var = var};
    return text;
}

/* `?name` when it is not in scope: only a broken kernel has that, and it must still print. */
static const char *name_of(const Printer *printer, const void *what, const char *name)
{
    for (int i = printer->name_count; i-- > 0;)
        if (printer->names[i].what == what)
            return printer->names[i].text;
    return arena_print(printer->arena, "?%s", name ? name : "");
}

static void print_number(Printer *printer, ElementType element, double number)
{
    if (!element_is_float(element)) {
        text_print(printer->text, "%.0f:%s", number + 0.0, element_name(element));
        return;
    }
    char digits[40] = "nan";
    int longest = element == TYPE_F64 ? 17 : 9;
    for (int precision = 6; precision <= longest && !isnan(number); precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        double back = element == TYPE_F32 ? (double)strtof(digits, NULL)
                                          : element_round(element, strtod(digits, NULL));
        if (back == number)
            break;
    }
    text_add(printer->text, digits);
    if (element != TYPE_F32)
        text_print(printer->text, ":%s", element_name(element));
}

static void print_expr(Printer *printer, const Expr *expr);

/* One summand `factor*what`; `first` says whether it opens the sum. */
static void print_term(Printer *printer, bool first, int64_t factor, const char *what)
{
    const char *sign = factor < 0 ? (first ? "-" : " - ") : (first ? "" : " + ");
    unsigned long long size =
        factor < 0 ? 0 - (unsigned long long)factor : (unsigned long long)factor;
    if (!what)
        text_print(printer->text, "%s%llu", sign, size);
    else if (size == 1)
        text_print(printer->text, "%s%s", sign, what);
    else
        text_print(printer->text, "%s%llu*%s", sign, size, what);
}

static bool var_in_scope(const Printer *printer, const Var *var)
{
    for (int i = 0; i < printer->name_count; i++)
        if (printer->names[i].what == var)
            return true;
    return false;
}

static void print_offset(Printer *printer, Affine offset, const Expr *dynamic,
                         int64_t dynamic_factor)
{
    bool first = true;
    for (int i = 0; i < printer->name_count; i++) {
        const Name *name = &printer->names[i];
        int64_t factor = name->var ? affine_factor(offset, name->what) : 0;
        if (factor == 0)
            continue;
        print_term(printer, first, factor, name->text);
        first = false;
    }
    for (int i = 0; i < offset.count; i++) {
        const Var *var = offset.terms[i].var;
        if (var_in_scope(printer, var))
            continue;
        print_term(printer, first, offset.terms[i].factor, name_of(printer, var, var->name));
        first = false;
    }
    if (offset.constant != 0 || (first && !dynamic)) {
        print_term(printer, first, offset.constant, NULL);
        first = false;
    }
    if (dynamic) {
        print_term(printer, first, dynamic_factor, "(");
        print_expr(printer, dynamic);
        text_add(printer->text, ")");
    }
}

static void print_place(Printer *printer, const Buffer *buffer, Affine offset, const Expr *dynamic,
                        int64_t dynamic_factor)
{
    text_print(printer->text, "%%%s[", name_of(printer, buffer, buffer->name));
    print_offset(printer, offset, dynamic, dynamic_factor);
    text_add(printer->text, "]");
}

static void print_lanes(Printer *printer, const Expr *expr)
{
    int scope = printer->name_count;
    const char *name = name_bind(printer, expr->var, expr->var->name, true);
    text_print(printer->text, "lanes %s %s of %d (", op_name(expr->op), name, expr->lanes);
    print_expr(printer, expr->in[0]);
    text_add(printer->text, ")");
    printer->name_count = scope;
}

static void print_apply(Printer *printer, const Expr *expr)
{
    text_add(printer->text, op_name(expr->op));
    if (expr->op == OP_cast || expr->op == OP_bitcast)
        text_print(printer->text, ":%s", element_name(expr->element));
    for (int i = 0; i < expr->in_count; i++) {
        text_add(printer->text, i ? ", " : "(");
        print_expr(printer, expr->in[i]);
    }
    text_add(printer->text, ")");
}

static void print_expr(Printer *printer, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_NUMBER:
        print_number(printer, expr->element, expr->number);
        break;
    case EXPR_INDEX:
        text_print(printer->text, "index:%s(", element_name(expr->element));
        print_offset(printer, expr->offset, NULL, 0);
        text_add(printer->text, ")");
        break;
    case EXPR_LOAD:
        print_place(printer, expr->buffer, expr->offset, expr->dynamic, expr->dynamic_factor);
        break;
    case EXPR_TEMP:
        text_print(printer->text, "%%%s", name_of(printer, expr->temp, expr->temp->name));
        break;
    case EXPR_APPLY:
        print_apply(printer, expr);
        break;
    case EXPR_LANES:
        print_lanes(printer, expr);
        break;
    }
}

static void print_buffer(Printer *printer, const Buffer *buffer, const char *before)
{
    const char *name = name_bind(printer, buffer, buffer->name, false);
    text_print(printer->text, "%s%%%s: %s[%lld]", before, name, element_name(buffer->element),
               (long long)buffer->count);
}

static void print_loop_head(Printer *printer, const Stmt *loop)
{
    static const char *const words[] = {"for", "unroll", "vector", "parallel"};
    const char *name = name_bind(printer, loop->var, loop->var->name, true);
    text_print(printer->text, "%s %s = %lld..%lld", words[loop->loop], name, (long long)loop->begin,
               (long long)loop->end);
    if (loop->step != 1)
        text_print(printer->text, " step %lld", (long long)loop->step);
    if (loop->loop == LOOP_VECTOR && loop->lanes != loop->end - loop->begin)
        text_print(printer->text, " of %d", loop->lanes);
    text_add(printer->text, " {");
}

/* The offset before its names are in scope. */
static void print_unravel(Printer *printer, const Stmt *stmt)
{
    size_t start = printer->text->length;
    print_offset(printer, stmt->offset, NULL, 0);
    const char *offset = arena_copy_text(printer->arena, printer->text->data + start);
    printer->text->length = start;
    const char *quotient = name_bind(printer, stmt->var, stmt->var->name, true);
    const char *remainder = name_bind(printer, stmt->inner, stmt->inner->name, true);
    text_print(printer->text, "unravel %s, %s = %s by %lld", quotient, remainder, offset,
               (long long)stmt->step);
}

static void print_simple(Printer *printer, const Stmt *stmt)
{
    static const char *const modes[] = {"=", "+=", "max=", "min=", "*="};
    switch (stmt->kind) {
    case STMT_STORE:
        print_place(printer, stmt->buffer, stmt->offset, stmt->dynamic, stmt->dynamic_factor);
        text_print(printer->text, " %s ", modes[stmt->mode]);
        print_expr(printer, stmt->value);
        break;
    case STMT_LET: {
        size_t start = printer->text->length;
        print_expr(printer, stmt->value); /* before the name is in scope */
        const char *value = arena_copy_text(printer->arena, printer->text->data + start);
        printer->text->length = start;
        text_print(printer->text, "let %%%s: %s = %s",
                   name_bind(printer, stmt->temp, stmt->temp->name, false),
                   element_name(stmt->temp->element), value);
        break;
    }
    case STMT_LOCAL:
        print_buffer(printer, stmt->buffer, "local ");
        break;
    case STMT_FETCH:
        text_add(printer->text, stmt->fetch == FETCH_FAR ? "fetch far " : "fetch ");
        print_place(printer, stmt->buffer, stmt->offset, NULL, 0);
        break;
    case STMT_TRANSPOSE:
        text_print(printer->text, "transpose %%%s by %lld",
                   name_of(printer, stmt->buffer, stmt->buffer->name), (long long)stmt->step);
        break;
    case STMT_UNRAVEL:
        print_unravel(printer, stmt);
        break;
    case STMT_LOOP:
        INGOT_BUG("a loop is no simple statement");
    }
}

/* Nested loops around one store or fetch, on the rest of the line that began at `line_start`:
 *
 *     unroll r = 0..6 { vector v = 0..8 { %y[8*r + v] = 0 } }
 *
 * or, when `broken`, with the statement on a line of its own. False when that does not fit, or a
 * block holds something else; the text is as it was then. */
static bool print_chain(Printer *printer, const Stmt *stmt, size_t line_start, int indent,
                        bool broken)
{
    size_t start = printer->text->length;
    int scope = printer->name_count;
    int depth = 0;
    bool fits = true;
    for (; stmt && stmt->kind == STMT_LOOP && fits; stmt = stmt->body) {
        text_add(printer->text, depth++ ? " " : "");
        print_loop_head(printer, stmt);
        fits = stmt->body && !stmt->body->next && printer->text->length - line_start <= LINE_LIMIT;
    }
    bool simple = stmt && (stmt->kind == STMT_STORE || stmt->kind == STMT_FETCH);
    fits = fits && simple && (!broken || depth > 1);
    if (fits) {
        if (broken)
            text_print(printer->text, "\n%*s", indent + INDENT, "");
        else
            text_add(printer->text, " ");
        print_simple(printer, stmt);
        for (; depth > 0; depth--)
            text_add(printer->text, " }");
        fits = broken || printer->text->length - line_start <= LINE_LIMIT;
    }
    printer->name_count = scope;
    if (!fits) {
        printer->text->length = start;
        printer->text->data[start] = '\0';
    }
    return fits;
}

static void print_block(Printer *printer, const Stmt *body, int indent)
{
    int scope = printer->name_count;
    for (const Stmt *stmt = body; stmt; stmt = stmt->next) {
        size_t line_start = printer->text->length;
        text_print(printer->text, "%*s", indent, "");
        if (stmt->kind != STMT_LOOP) {
            print_simple(printer, stmt);
        } else if (!print_chain(printer, stmt, line_start, indent, false) &&
                   !print_chain(printer, stmt, line_start, indent, true)) {
            int inner = printer->name_count;
            print_loop_head(printer, stmt);
            text_add(printer->text, "\n");
            print_block(printer, stmt->body, indent + INDENT);
            text_print(printer->text, "%*s}", indent, "");
            printer->name_count = inner;
        }
        text_add(printer->text, "\n");
    }
    printer->name_count = scope;
}

static const char *argument_way(const Buffer *buffer)
{
    if (!buffer->written)
        return buffer->shared ? "shared " : buffer->fixed ? "fixed " : "";
    return buffer->read ? "inout " : "out ";
}

static void print_arguments(Printer *printer, const Kernel *kernel)
{
    for (int i = 0; i < kernel->argument_count; i++) {
        const Buffer *buffer = kernel->arguments[i];
        if (i > 0)
            text_add(printer->text, ", ");
        print_buffer(printer, buffer, argument_way(buffer));
    }
}

void kernel_print(const Kernel *kernel, Text *text)
{
    Printer printer = {.text = text, .arena = text->arena};
    text_print(text, "kernel @%s(", name_clean(text->arena, kernel->name, false));
    print_arguments(&printer, kernel);
    text_add(text, ")");
    if (kernel->may_alias)
        text_add(text, " may_alias");
    if (kernel->ordered)
        text_add(text, " ordered");
    if (kernel->multiply_adds)
        text_print(text, " multiply_adds=%lld", (long long)kernel->multiply_adds);
    if (kernel->element_steps)
        text_print(text, " steps=%lld", (long long)kernel->element_steps);
    text_add(text, " {\n");
    for (int i = 0; i < kernel->scratch_count; i++) {
        print_buffer(&printer, kernel->scratch[i], "  scratch ");
        text_add(text, "\n");
    }
    print_block(&printer, kernel->body, INDENT);
    text_add(text, "}\n");
}

const char *kernel_text(Arena *arena, Kernel *kernel)
{
    const char *name = kernel->name;
    Text text = text_create(arena);
    kernel->name = "kernel";
    kernel_print(kernel, &text);
    kernel->name = name;
    return text.data;
}

static void print_slot(Printer *printer, const Slot *slot)
{
    static const char *const kinds[] = {"input",     "result",   "state", "constant",
                                        "temporary", "prepared", "part"};
    char type[TYPE_TEXT_BYTES];
    const char *name = name_bind(printer, slot, slot->name, false);
    bool temporary = slot->kind == SLOT_TEMPORARY;
    text_print(printer->text, "  %s ", kinds[slot->kind]);
    if (!temporary)
        text_print(printer->text, "%d ", slot->index);
    text_print(printer->text, "%%%s: %s", name, type_print(&slot->type, type));
    if (temporary || slot->kind == SLOT_STATE || slot->kind == SLOT_CONSTANT ||
        slot->kind == SLOT_PREPARED)
        text_print(printer->text, " at %lld", (long long)slot->offset);
    text_print(printer->text, ", %lld bytes", (long long)slot->bytes);
    if (temporary)
        text_print(printer->text, ", calls %d to %d", slot->first_call, slot->last_call);
    text_add(printer->text, "\n");
}

/* %x, or %x[256*t] for the part of it that begins there: in bytes, from step to step of `t` */
static void print_slot_name(Printer *printer, Slot *slot)
{
    const Slot *whole = slot_whole(slot);
    text_print(printer->text, "%%%s", name_of(printer, whole, whole->name));
    if (slot == whole)
        return;
    text_add(printer->text, "[");
    print_offset(printer, slot->at, NULL, 0);
    text_add(printer->text, "]");
}

static void print_call(Printer *printer, int number, const Call *call, int indent)
{
    if (call->barrier)
        text_print(printer->text, "%*sbarrier\n", indent, "");
    text_print(printer->text, "%*s%d: @%s(", indent, "", number,
               name_clean(printer->arena, call->kernel->name, false));
    for (int i = 0; i < call->kernel->argument_count; i++) {
        const Buffer *buffer = call->kernel->arguments[i];
        const char *way = !buffer->written ? "" : buffer->read ? "inout " : "out ";
        text_print(printer->text, "%s%s", i ? ", " : "", way);
        print_slot_name(printer, call->arguments[i]);
    }
    text_print(printer->text, ")%s\n", call->kernel->parallel ? " parallel" : "");
}

/* Calls first … end - 1, which lie in `outer`:
 *
 *     repeat t = 0..100, side s { … } */
static void print_calls(Printer *printer, const Schedule *schedule, int first, int end,
                        const Repeat *outer)
{
    int indent = INDENT * (outer ? outer->depth + 1 : 1);
    for (int i = first; i < end;) {
        const Repeat *repeat = schedule_repeat_at(schedule, i, outer);
        if (!repeat) {
            print_call(printer, i, &schedule->calls[i], indent);
            i++;
            continue;
        }
        int names = printer->name_count;
        const char *step = name_bind(printer, repeat->step, repeat->step->name, true);
        const char *side = name_bind(printer, repeat->side, repeat->side->name, true);
        text_print(printer->text, "%*srepeat %s = 0..%lld, side %s", indent, "", step,
                   (long long)repeat->count, side);
        if (repeat->alive) {
            text_add(printer->text, " while ");
            print_slot_name(printer, repeat->alive);
        }
        text_add(printer->text, " {\n");
        print_calls(printer, schedule, repeat->first, repeat->end, repeat);
        text_print(printer->text, "%*s}\n", indent, "");
        printer->name_count = names;
        i = repeat->end;
    }
}

void schedule_print(const Schedule *schedule, Text *text)
{
    Printer printer = {.text = text, .arena = text->arena};
    const char *name = schedule->function ? schedule->function->name : "prepare";
    text_print(text, "schedule @%s%s arena=%lld scratch=%lld", name,
               schedule->parallel ? " parallel" : "", (long long)schedule->arena_bytes,
               (long long)schedule->scratch_bytes);
    if (schedule->multiply_adds)
        text_print(text, " multiply_adds=%lld", (long long)schedule->multiply_adds);
    text_add(text, " {\n");
    for (int i = 0; i < schedule->slot_count; i++)
        print_slot(&printer, schedule->slots[i]);
    print_calls(&printer, schedule, 0, schedule->call_count, NULL);
    text_add(text, "}\n");
}

static void print_memory(const Module *module, Text *text)
{
    char type[TYPE_TEXT_BYTES];
    text_print(text, "# states %lld bytes, constants %lld bytes\n", (long long)module->state_bytes,
               (long long)module->constant_bytes);
    for (int i = 0; module->state_offsets && i < module->program->state_count; i++) {
        const State *state = module->program->states[i];
        text_print(text, "# state %d %%%s: %s at %lld\n", i, state->name,
                   type_print(&state->type, type), (long long)module->state_offsets[i]);
    }
    for (int i = 0; i < module->constant_count; i++) {
        const Slot *slot = module->constants[i];
        text_print(text, "# constant %d %%%s: %s at %lld\n", i, slot->name ? slot->name : "",
                   type_print(&slot->type, type), (long long)slot->offset);
    }
}

void module_print(const Module *module, Text *text)
{
    if (module->program)
        text_print(text, "# module @%s\n", module->program->name);
    print_memory(module, text);
    for (int i = 0; i < module->kernel_count; i++) {
        text_add(text, "\n");
        kernel_print(module->kernels[i], text);
    }
    for (int i = 0; i < module->schedule_count; i++) {
        text_add(text, "\n");
        schedule_print(module->schedules[i], text);
    }
    if (module->prepare) {
        text_add(text, "\n");
        schedule_print(module->prepare, text);
    }
}
