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
            node(layer, "Gemm" if len(inputs) == 3 else "MatMul", inputs)
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
