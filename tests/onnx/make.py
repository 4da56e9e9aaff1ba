#!/usr/bin/env python3
"""Makes the small models in this folder, with what ONNX Runtime computes from them.

    python3 tests/onnx/make.py        needs the packages onnx, onnxruntime and numpy; tests need none of them

NAME/model.onnx, and beside it in_*.npy and out_*.npy. Weights are random numbers of a fixed seed: nothing here is
anybody's data.
"""
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(7)


def weight(name, *shape, scale=None):
    scale = scale or 1 / np.sqrt(np.prod(shape[1:]) or 1)
    return numpy_helper.from_array((random.standard_normal(shape) * scale).astype(np.float32), name)


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def node(operator, inputs, outputs, name=None, **attributes):
    return helper.make_node(operator, inputs, outputs, name=name, **attributes)


def save(name, nodes, inputs, outputs, weights, feeds, opset=17, functions=(), imports=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *imports], functions=functions,
                              producer_name="tests")
    model.ir_version = 8
    onnx.checker.check_model(model)
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for key, value in feeds.items():
        np.save(os.path.join(folder, f"in_{key}.npy"), value)
    for output, value in zip(outputs, session.run(None, feeds)):
        np.save(os.path.join(folder, f"out_{output.name}.npy"), value)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


# Two layers as PyTorch exports them: weights [out, in], and an open first dimension.
save("classifier",
     [node("Gemm", ["numbers", "fc1.weight", "fc1.bias"], ["hidden"], "/fc1/Gemm", transB=1),
      node("Tanh", ["hidden"], ["active"], "/Tanh"),
      node("Gemm", ["active", "fc2.weight", "fc2.bias"], ["logits"], "/fc2/Gemm", transB=1)],
     [floats("numbers", "batch", 4)], [floats("logits", "batch", 2)],
     [weight("fc1.weight", 8, 4), weight("fc1.bias", 8), weight("fc2.weight", 2, 8), weight("fc2.bias", 2)],
     {"numbers": normal(5, 4)})

# Convolution, inference-form normalisation, dropout, a residual, a shape that the graph computes itself.
shape = [node("Shape", ["pooled"], ["shape"]),
         node("Gather", ["shape", "zero"], ["rows"], axis=0),
         node("Unsqueeze", ["rows", "axes"], ["rows1"]),
         node("Concat", ["rows1", "minus"], ["target"], axis=0),
         node("Reshape", ["pooled", "target"], ["flat"])]
save("residual",
     [node("Conv", ["image", "stem.weight"], ["c1"], "stem", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
      node("BatchNormalization", ["c1", "bn.weight", "bn.bias", "bn.mean", "bn.variance"], ["n1"], "bn"),
      node("Relu", ["n1"], ["r1"]),
      node("Conv", ["r1", "body.weight", "body.bias"], ["c2"], "body", kernel_shape=[3, 3], auto_pad="SAME_UPPER",
           group=2),
      node("Add", ["c2", "r1"], ["sum"]),
      node("MaxPool", ["sum"], ["pooled"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
      *shape,
      node("Dropout", ["flat", "ratio"], ["kept"], "drop"),
      node("MatMul", ["kept", "head.weight"], ["scores"], "head"),
      node("Softmax", ["scores"], ["probabilities"], axis=-1)],
     [floats("image", "N", 3, 8, 8)], [floats("scores", "N", 5), floats("probabilities", "N", 5)],
     [weight("stem.weight", 8, 3, 3, 3), weight("bn.weight", 8, scale=1), weight("bn.bias", 8, scale=1),
      weight("bn.mean", 8, scale=1),
      numpy_helper.from_array(random.uniform(0.5, 2, 8).astype(np.float32), "bn.variance"),
      weight("body.weight", 8, 4, 3, 3), weight("body.bias", 8, scale=1), weight("head.weight", 128, 5, scale=0.1),
      numpy_helper.from_array(np.array(0, np.int64), "zero"), numpy_helper.from_array(np.array([0], np.int64), "axes"),
      numpy_helper.from_array(np.array([-1], np.int64), "minus"),
      numpy_helper.from_array(np.array(0.5, np.float32), "ratio")],
     {"image": normal(3, 3, 8, 8)})
