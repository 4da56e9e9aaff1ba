"""The same graph as ONNX: channels first, weights transposed, batch fixed. `export.py MODEL.json OUT.onnx [BATCH]`."""

import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from network import Network, load

OPSET, IR_VERSION = 17, 8


def channels_first(shape):
    return (shape[-1], *shape[:-1]) if len(shape) == 3 else shape


def dense_weight(network, layer):
    """Behind a flatten, rows come in the order of channels first."""
    weight = layer.weights["weight"]
    for before in network.layers:
        if before.name == layer.inputs[0] and before.kind == "flatten" and len(network.shapes[before.inputs[0]]) == 3:
            h, w, c = network.shapes[before.inputs[0]]
            return weight.reshape(h, w, c, -1).transpose(2, 0, 1, 3).reshape(h * w * c, -1)
    return weight


def attention(layer, x, tokens, width, constant):
    """Nodes of the operators that frameworks export; the last one's output is layer.name."""
    nodes, heads = [], layer.given["heads"]

    def node(operator, inputs, part, **attributes):
        name = layer.name + part
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def project(value, part, end):
        product = node("MatMul", [value, constant(layer, part + ".weight", layer.weights[part + ".weight"])], "/" + part)
        return node("Add", [product, constant(layer, part + ".bias", layer.weights[part + ".bias"])], end)

    def split(part, order):
        shape = constant(layer, part + ".shape", numpy.array([0, tokens, heads, width // heads], numpy.int64))
        apart = node("Reshape", [project(x, part, f"/{part}/sum"), shape], f"/{part}/heads")
        return node("Transpose", [apart], f"/{part}/heads first", perm=order)

    q, k, v = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
    scale = constant(layer, "scale", numpy.float32(numpy.sqrt(width / heads)))
    scores = node("Div", [node("MatMul", [q, k], "/scores"), scale], "/scaled")
    seen = node("MatMul", [node("Softmax", [scores], "/probabilities", axis=-1), v], "/seen")
    shape = constant(layer, "shape", numpy.array([0, tokens, width], numpy.int64))
    joined = node("Reshape", [node("Transpose", [seen], "/tokens first", perm=[0, 2, 1, 3]), shape], "/joined")
    project(joined, "output", "")
    return nodes


def lstm(layer, x, constant):
    """Steps first, as the operator wants them; the gates i, f, g, o become its i, o, f, g, columns rows."""
    units, weights = layer.given["units"], layer.weights

    def rows(key):
        i, f, g, o = numpy.split(weights[key].T, 4)
        return numpy.concatenate([i, o, f, g])[None]

    inputs = [layer.name + "/steps first"]
    inputs += [constant(layer, key, rows(key)) for key in ("weight_input", "weight_hidden")]
    biases = numpy.concatenate([rows("bias_input"), rows("bias_hidden")], 1)
    inputs.append(constant(layer, "bias", biases))
    axis = constant(layer, "axis", numpy.array([1 if layer.given["whole"] else 0], numpy.int64))
    outputs = [layer.name + "/all", layer.name + "/last"]
    nodes = [helper.make_node("Transpose", [x], inputs[:1], perm=[1, 0, 2]),
             helper.make_node("LSTM", inputs, outputs, name=layer.name, hidden_size=units)]
    if not layer.given["whole"]:
        return nodes + [helper.make_node("Squeeze", [outputs[1], axis], [layer.name])]
    joined = layer.name + "/joined"
    return nodes + [helper.make_node("Squeeze", [outputs[0], axis], [joined]),
                    helper.make_node("Transpose", [joined], [layer.name], perm=[1, 0, 2])]


def pads(layer):
    (top, bottom), (left, right) = layer.given["padding"]
    return [top, left, bottom, right]


def export(network, batch):
    nodes, constants = [], []

    def constant(layer, key, array):
        constants.append(numpy_helper.from_array(numpy.ascontiguousarray(array), f"{layer.name}.{key}"))
        return f"{layer.name}.{key}"

    def node(layer, operator, inputs, **attributes):
        nodes.append(helper.make_node(operator, inputs, [layer.name], name=layer.name, **attributes))

    for layer in network.layers:
        inputs, given = list(layer.inputs), layer.given
        if layer.kind == "dense":
            inputs.append(constant(layer, "weight", dense_weight(network, layer)))
            if "bias" in layer.weights:
                inputs.append(constant(layer, "bias", layer.weights["bias"]))
            if len(inputs) == 3 and len(layer.shape) > 1:
                nodes.append(helper.make_node("MatMul", inputs[:2], [layer.name + "/product"]))
                node(layer, "Add", [layer.name + "/product", inputs[2]])
            else:
                node(layer, "Gemm" if len(inputs) == 3 else "MatMul", inputs)
        elif layer.kind == "attention":
            nodes += attention(layer, inputs[0], *layer.shape, constant)
        elif layer.kind == "lstm":
            nodes += lstm(layer, inputs[0], constant)
        elif layer.kind == "layer_norm":
            inputs += [constant(layer, k, layer.weights[k]) for k in ("weight", "bias")]
            node(layer, "LayerNormalization", inputs, axis=-1, epsilon=given["epsilon"])
        elif layer.kind == "gelu":  # x / √2, erf, + 1, · x, · ½
            parts = [layer.name + part for part in ("/scaled", "/erf", "/raised", "/product")]
            numbers = [constant(layer, k, numpy.float32(v)) for k, v in (("root", 2**0.5), ("one", 1), ("half", 0.5))]
            nodes.append(helper.make_node("Div", [inputs[0], numbers[0]], [parts[0]]))
            nodes.append(helper.make_node("Erf", [parts[0]], [parts[1]]))
            nodes.append(helper.make_node("Add", [parts[1], numbers[1]], [parts[2]]))
            nodes.append(helper.make_node("Mul", [inputs[0], parts[2]], [parts[3]]))
            node(layer, "Mul", [parts[3], numbers[2]])
        elif layer.kind == "conv2d":
            inputs.append(constant(layer, "weight", layer.weights["weight"].transpose(3, 2, 0, 1)))
            if "bias" in layer.weights:
                inputs.append(constant(layer, "bias", layer.weights["bias"]))
            node(layer, "Conv", inputs, kernel_shape=given["kernel"], strides=given["stride"], pads=pads(layer),
                 group=given["groups"])
        elif layer.kind == "batch_norm":
            inputs += [constant(layer, k, layer.weights[k]) for k in ("weight", "bias", "running_mean", "running_variance")]
            node(layer, "BatchNormalization", inputs, epsilon=given["epsilon"])
        elif layer.kind == "relu6":
            low, high = numpy.float32(0), numpy.float32(6)
            node(layer, "Clip", inputs + [constant(layer, "low", low), constant(layer, "high", high)])
        elif layer.kind == "max_pool":
            node(layer, "MaxPool", inputs, kernel_shape=given["kernel"], strides=given["stride"], pads=pads(layer))
        elif layer.kind == "global_average_pool" and len(network.shapes[inputs[0]]) == 2:
            node(layer, "ReduceMean", inputs, axes=[1], keepdims=0)
        elif layer.kind == "global_average_pool":
            nodes.append(helper.make_node("GlobalAveragePool", inputs, [layer.name + "/4"]))
            node(layer, "Flatten", [layer.name + "/4"])
        elif layer.kind == "concat":
            node(layer, "Concat", inputs, axis=1)
        else:
            operator = {"relu": "Relu", "add": "Add", "flatten": "Flatten", "softmax": "Softmax"}[layer.kind]
            node(layer, operator, inputs)

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *channels_first(network.shapes[name])])

    graph = helper.make_graph(nodes, network.name, [value(network.input)], [value(network.output)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    onnx.save(export(Network(load(sys.argv[1])), int(sys.argv[3]) if len(sys.argv) > 3 else 1), sys.argv[2])
