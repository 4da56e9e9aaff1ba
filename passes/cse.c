/* Common subexpressions: of equal nodes the first is kept.
 *
 *     %1: f32[4] = add %a, %b                 %1: f32[4] = add %a, %b
 *     %2: f32[4] = add %b, %a                 %3: f32[4] = mul %1, %1
 *     %3: f32[4] = mul %1, %2
 *
 * Equal is: the same operation, type and attributes, constants to the last bit (-0 is not 0), and
 * the same operands, in any order where the operation commutes. Random nodes differ by their
 * stream, a key that is printed like any other. One walk in order with a hash table; a node's
 * operands are already the kept ones when it is looked up. */
#include <string.h>

#include "passes/passes.h"

typedef struct Table {
    Node **slots; /* open addressing; a power of two of them, at most half full */
    uint64_t mask;
} Table;

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static uint64_t mix_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = mix(hash, word);
    }
    uint64_t rest = size;
    for (size_t i = 0; i < size; i++)
        rest = rest << 8 | bytes[i];
    return mix(hash, rest);
}

static size_t constant_bytes(const Node *node)
{
    return (size_t)type_bytes(&node->type);
}

/* Numbers are compared as bits, so that NaN equals itself and the two noughts differ. */
static uint64_t number_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static uint64_t hash_attribute(uint64_t hash, const Node *node, const AttrKey *key)
{
    const Attr *attr = &node->attr;
    switch (key->form) {
    case FORM_LIST:
    case FORM_INTEGER:
    case FORM_OPTION:
    case FORM_MODE:
        for (int i = 0; i < attr->lists[key->slot].count; i++)
            hash = mix(hash, (uint64_t)attr->lists[key->slot].values[i]);
        return hash;
    case FORM_NUMBER:
        return mix(hash, number_bits(attr->number));
    case FORM_ELEMENT:
        return mix(hash, (uint64_t)attr->element);
    case FORM_DATA:
        return mix_bytes(hash, attr->data, constant_bytes(node));
    case FORM_STATE:
        return mix(hash, (uint64_t)(uintptr_t)attr->state);
    case FORM_TEXT:
        return mix_bytes(hash, attr->text, strlen(attr->text));
    case FORM_BODY:
        return mix(hash, (uint64_t)attr->body->node_count);
    }
    return hash;
}

static bool body_equal(const Function *a, const Function *b);

static bool attribute_equal(const Node *a, const Node *b, const AttrKey *key)
{
    switch (key->form) {
    case FORM_LIST:
    case FORM_INTEGER:
    case FORM_OPTION:
    case FORM_MODE:
        return int_list_equal(a->attr.lists[key->slot], b->attr.lists[key->slot]);
    case FORM_NUMBER:
        return number_bits(a->attr.number) == number_bits(b->attr.number);
    case FORM_ELEMENT:
        return a->attr.element == b->attr.element;
    case FORM_DATA:
        return a->attr.data == b->attr.data || constant_bytes(a) == 0 ||
               memcmp(a->attr.data, b->attr.data, constant_bytes(a)) == 0;
    case FORM_STATE:
        return a->attr.state == b->attr.state;
    case FORM_TEXT:
        return strcmp(a->attr.text, b->attr.text) == 0;
    case FORM_BODY:
        return body_equal(a->attr.body, b->attr.body);
    }
    return false;
}

static bool swaps(const Node *node)
{
    return op_is(node->op, COMMUTES) && node->in_count == 2;
}

static uint64_t hash_node(const Node *node)
{
    uint64_t hash = mix((uint64_t)node->op + 1, (uint64_t)node->type.element);
    for (int i = 0; i < node->type.rank; i++)
        hash = mix(hash, (uint64_t)node->type.dims[i]);
    int count;
    const AttrKey *keys = op_attributes(node->op, &count);
    for (int i = 0; i < count; i++)
        hash = hash_attribute(hash, node, &keys[i]);
    if (swaps(node)) /* the same in either order */
        return mix(hash, (uint64_t)(uintptr_t)node->in[0] + (uint64_t)(uintptr_t)node->in[1]);
    for (int i = 0; i < node->in_count; i++)
        hash = mix(hash, (uint64_t)(uintptr_t)node->in[i]);
    return hash;
}

static bool operands_equal(const Node *a, const Node *b)
{
    if (a->in_count != b->in_count)
        return false;
    if (swaps(a) && a->in[0] == b->in[1] && a->in[1] == b->in[0])
        return true;
    for (int i = 0; i < a->in_count; i++)
        if (a->in[i] != b->in[i])
            return false;
    return true;
}

/* Apart from their operands */
static bool node_alike(const Node *a, const Node *b)
{
    if (a->op != b->op || !type_equal(&a->type, &b->type))
        return false;
    int count;
    const AttrKey *keys = op_attributes(a->op, &count);
    for (int i = 0; i < count; i++)
        if (!attribute_equal(a, b, &keys[i]))
            return false;
    return true;
}

static bool node_equal(const Node *a, const Node *b)
{
    return operands_equal(a, b) && node_alike(a, b);
}

/* Node by node, in the same order. */
static bool body_equal(const Function *a, const Function *b)
{
    if (a->node_count != b->node_count || a->result_count != b->result_count)
        return false;
    for (int i = 0; i < a->node_count; i++) {
        const Node *x = a->nodes[i], *y = b->nodes[i];
        if (x->in_count != y->in_count || x->op != y->op ||
            (x->op == OP_input ? !type_equal(&x->type, &y->type) : !node_alike(x, y)))
            return false;
        for (int j = 0; j < x->in_count; j++)
            if (x->in[j]->id != y->in[j]->id)
                return false;
    }
    for (int i = 0; i < a->input_count; i++)
        if (a->inputs[i]->id != b->inputs[i]->id)
            return false;
    for (int i = 0; i < a->result_count; i++)
        if (a->results[i].node->id != b->results[i].node->id)
            return false;
    return true;
}

/* The node of the table that equals `node`, which is put in when there is none. Which one is found
 * does not depend on the hash, so that addresses in it do no harm to determinism: equal nodes never
 * stand in the table twice. */
static Node *find_or_add(Table *table, Node *node)
{
    for (uint64_t i = hash_node(node) & table->mask;; i = (i + 1) & table->mask) {
        if (!table->slots[i])
            return table->slots[i] = node;
        if (node_equal(table->slots[i], node))
            return table->slots[i];
    }
}

static Table table_create(Arena *arena, int nodes)
{
    uint64_t size = 16;
    while (size < 2 * (uint64_t)nodes)
        size *= 2;
    return (Table){.slots = ARENA_ARRAY(arena, Node *, size), .mask = size - 1};
}

bool pass_cse(Function *f)
{
    Arena *scratch = arena_create();
    Table table = table_create(scratch, f->node_count);
    bool changed = false;
    for (int i = 0; i < f->node_count; i++) {
        Node *node = f->nodes[i];
        for (int j = 0; j < node->in_count; j++)
            node->in[j] = node_resolve(node->in[j]);
        if (node->op == OP_input) /* the function's parameters are what they are */
            continue;
        Node *kept = find_or_add(&table, node);
        if (kept == node)
            continue;
        node->replacement = kept;
        kept->name = kept->name ? kept->name : node->name;
        changed = true;
    }
    arena_destroy(scratch);
    if (changed)
        function_clean(f);
    return changed;
}
