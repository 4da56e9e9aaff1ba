/* A model as every frontend gives it: a program, and what is known of it besides. */
#ifndef INGOT_FRONTEND_MODEL_H
#define INGOT_FRONTEND_MODEL_H

#include "ir/graph.h"
#include "ir/recipe.h"
#include "ir/template.h"

typedef struct LabelClasses { /* legal values of a label input: 0 … classes-1 */
    const char *tensor;
    int64_t classes;
} LabelClasses;

typedef struct LayerSummary { /* for `ingot inspect`, in the order of the model */
    const char *name, *kind;
    TensorType output; /* at batch 1 */
    int64_t parameters, multiply_adds;
} LayerSummary;

/* What the user says of an ONNX model's open ends. */
enum { BINDING_LIMIT = 64, BINDING_CHOICES = 16 };

typedef struct ShapeBinding { /* --shape NAME=1x3x320x320 */
    const char *name;
    int rank;
    int64_t dims[RANK_LIMIT];
    bool used;
} ShapeBinding;

typedef struct DimBinding { /* --dim NAME=1,8,32 */
    const char *name;
    int count;
    int64_t values[BINDING_CHOICES]; /* ascending, each once */
    bool used;
} DimBinding;

typedef struct ConstBinding { /* --const NAME=FILE */
    const char *name, *path;  /* path NULL: as the samples have it */
    bool used;
} ConstBinding;

typedef struct Bindings {
    ShapeBinding shapes[BINDING_LIMIT];
    DimBinding dims[BINDING_LIMIT];
    ConstBinding constants[BINDING_LIMIT];
    int shape_count, dim_count, constant_count;
    const char *samples; /* a folder with tensors for the inputs, whose shapes count where the model
                            leaves them open; NULL: none */
} Bindings;

typedef struct ModelOptions {
    const int64_t *batches; /* of infer; at least one, ascending */
    int batch_count;
    bool batches_given; /* by the user */
    bool train;
    const char *recipe;  /* of an ONNX model: the file with "train" and "data"; NULL: none */
    int64_t train_batch; /* 0: the recipe's */
    Bindings *bindings;  /* NULL: none */
} ModelOptions;

/* A result of `infer` that is only so long as another result says, along one axis; the rest of it
 * is nought. */
typedef struct ResultLength {
    const char *result, *length;
    int axis;
} ResultLength;

typedef struct Model {
    Program *program;
    Recipe *recipe; /* NULL when the description has no "train" */
    LabelClasses *labels;
    int label_count;
    LayerSummary *layers;
    int layer_count;
    const char **input_names; /* all inputs of an ONNX model, those bound to a constant too */
    int input_count;
    const char **output_names;
    int output_count;
    ResultLength *lengths;
    int length_count;
    Template *file; /* what the trained model can be written back as; NULL: weights alone */
} Model;

/* Reads a model of any format that there is: what ends in ".onnx" as that, the rest as a
 * description in JSON. Errors in `diag` otherwise, and NULL or what could be read, for people to
 * look at. */
Model *model_read(Arena *arena, Diag *diag, const char *path, const ModelOptions *options);

/* The file in `folder` that holds the tensor for an input ("in", "input") or what comes out ("out",
 * "output"), by name or by number: in_NAME.npy or input_3.pb. NULL when there is none. */
const char *sample_file(Arena *arena, const char *folder, bool output, int number,
                        const char *name);

#endif
