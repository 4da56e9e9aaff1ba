/* Inputs, targets and blocks of a description: what is read before its layers are walked. */
#include <string.h>

#include "base/checked.h"
#include "frontend/network.h"

#define DIMENSION_LIMIT ((int64_t)1 << 31)

bool name_check(const Json *json, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    enum { LONGEST = 100 };
    if (!name[0] || strspn(name, letters) != strlen(name) || (name[0] >= '0' && name[0] <= '9'))
        return json_error(json, "a name has letters, digits and _ only, and no digit first");
    if (strlen(name) > LONGEST)
        return json_error(json, "a name has at most %d letters", LONGEST);
    if (json_word_in(name, "layers optimizer rows"))
        return json_error(json, "the name \"%s\" is reserved", name);
    return true;
}

/* ["batch", 28, 28, 1] */
static bool read_shape(Json *json, TensorType *type)
{
    json->used = true;
    if (!json_expect(json, JSON_LIST))
        return false;
    if (!json->count || json->items[0]->kind != JSON_STRING ||
        strcmp(json->items[0]->text, "batch") != 0)
        return json_error(json, "the first size must be \"batch\", as in [\"batch\", 28, 28, 1]");
    if (json->count > RANK_LIMIT)
        return json_error(json, "expected at most %d sizes, found %d", RANK_LIMIT, json->count);
    type->rank = json->count;
    type->dims[0] = 1;
    json->items[0]->used = true;
    for (int i = 1; i < json->count; i++) {
        if (json->items[i]->kind == JSON_STRING)
            return json_error(json->items[i],
                              "expected a number; only the first size can have a name, \"batch\"");
        if (!json_integer(json->items[i], 1, DIMENSION_LIMIT, &type->dims[i]))
            return false;
    }
    return true;
}

static bool read_spec(Json *json, TensorSpec *spec)
{
    Json *shape = json;
    json->used = true;
    spec->json = json;
    spec->name = json->key;
    spec->type = (TensorType){.element = TYPE_F32, .rank = 1, .dims = {1}};
    if (!name_check(json, spec->name))
        return false;
    if (json->kind == JSON_OBJECT) {
        if (!json_check_keys(json, "shape classes"))
            return false;
        Json *classes = json_get(json, "classes");
        shape = json_get(json, "shape");
        if (classes && !json_integer(classes, 1, INT32_MAX, &spec->classes))
            return false;
        if (!shape && !classes)
            return json_error(json, "needs \"shape\" or \"classes\"");
    } else if (json->kind != JSON_LIST) {
        return json_error(json, "expected a shape like [\"batch\", 64] or an object, found %s",
                          json_describe(json));
    }
    spec->type.element = spec->classes ? TYPE_I32 : TYPE_F32;
    return !shape || read_shape(shape, &spec->type);
}

bool tensor_specs_read(Json *object, const char *what, TensorSpec **specs, int *count)
{
    bool fine = true;
    *count = 0;
    if (!json_expect(object, JSON_OBJECT))
        return false;
    *specs = ARENA_ARRAY(object->file->arena, TensorSpec, object->count);
    for (int i = 0; i < object->count; i++)
        fine &= read_spec(object->items[i], &(*specs)[i]);
    *count = object->count;
    return fine && (object->count || json_error(object, "expected at least one %s", what));
}

Node *network_input(Network *network, const TensorSpec *spec)
{
    Builder *b = &network->builder;
    TensorType type = spec->type;
    int64_t elements = b->batch;
    type.dims[0] = b->batch;
    for (int i = 1; i < type.rank; i++) {
        if (!checked_multiply(elements, type.dims[i], &elements) || elements > ELEMENT_LIMIT) {
            json_error(spec->json, "a batch of %lld has too many elements", (long long)b->batch);
            return NULL;
        }
    }
    b->f->place = json_place(spec->json);
    return graph_input(b->f, spec->name, type);
}

/* Blocks */

static bool check_parameters(Json *json)
{
    bool fine = true;
    if (!json)
        return true;
    if (!json_expect(json, JSON_LIST))
        return false;
    for (int i = 0; i < json->count; i++) {
        const char *name;
        fine &= json_string(json->items[i], &name) && name_check(json->items[i], name);
    }
    return fine;
}

bool network_check_define(Network *network)
{
    Json *define = network->define;
    bool fine = true;
    if (!define)
        return true;
    if (!json_expect(define, JSON_OBJECT))
        return false;
    for (int i = 0; i < define->count; i++) {
        Json *block = define->items[i];
        json_use_all(block);
        if (layer_find_kind(block->key) || json_word_in(block->key, "name in repeat"))
            fine = json_error(block, "a layer or key is called \"%s\" already", block->key);
        if (!name_check(block, block->key) || !json_expect(block, JSON_OBJECT) ||
            !json_check_keys(block, "parameters layers")) {
            fine = false;
            continue;
        }
        Json *layers = json_peek(block, "layers");
        if (!layers)
            fine = json_error(block, "needs \"layers\"");
        else if (!json_expect(layers, JSON_LIST) ||
                 !check_parameters(json_peek(block, "parameters")))
            fine = false;
        else if (!layers->count)
            fine = json_error(layers, "expected at least one layer");
    }
    return fine;
}
