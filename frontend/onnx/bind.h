/* The open ends of a model's inputs: dimensions without a number, and what the user says of them.
 *
 *     input "x": float[batch, 3, height, width]      --dim batch=1,8 --shape x=1x3x320x320
 *
 * A name of --dim stands for one number in all inputs. Several numbers for a name, or for several
 * names, make a function for each combination. The dimension in front of the inputs counts rows of
 * data when it is open and called like a batch, or not at all; --batch is another word for it. With
 * --batch it does so, too, where all inputs are exported for one row. */
#ifndef INGOT_FRONTEND_ONNX_BIND_H
#define INGOT_FRONTEND_ONNX_BIND_H

#include "frontend/onnx/reader.h"

enum { CHOICE_LIMIT = 64 };

typedef struct Choice { /* one value for each name that has been given values */
    int64_t values[BINDING_LIMIT];
    int64_t batch; /* rows of data; 0: no input counts them */
} Choice;

typedef struct Choices {
    Choice list[CHOICE_LIMIT];
    int count;
    const char *batch_name; /* the dimension that counts rows; NULL: one without a name, or none */
    bool has_batch;         /* some input has rows */
    bool from_one;          /* all inputs say 1 there, which stands for any number */
} Choices;

/* All combinations; false and errors that list what is open. */
bool onnx_choices(OnnxReader *reader, Choices *choices);

/* The type of a graph input under a choice. False after an error, which onnx_choices() has found
 * before. */
bool onnx_input_type(OnnxReader *reader, const Choices *choices, const Choice *choice,
                     const Onnx__ValueInfoProto *input, TensorType *type);

/* Its number among the inputs that are no initialisers. */
int onnx_input_number(const OnnxReader *reader, const Onnx__ValueInfoProto *input);

/* The sizes by which functions differ besides their rows; *count of them. */
const Size *onnx_sizes(OnnxReader *reader, const Choices *choices, const Choice *choice,
                       int *count);

/* Every binding has been used; an error that lists what there is, otherwise. */
bool onnx_bindings_used(OnnxReader *reader);

/* The --const of this input; NULL: none. */
ConstBinding *onnx_find_constant(const OnnxReader *reader, const char *name);
/* Is the name an initialiser's? Then the input is only its default. */
bool onnx_is_initializer(const OnnxReader *reader, const char *name);
/* Before it is asked for the first time. */
void onnx_list_initializers(OnnxReader *reader);

#endif
