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


def integers(name, *values):
    return numpy_helper.from_array(np.array(values if len(values) > 1 else values[0], np.int64), name)


def tensor(kind, name, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def part(nodes, inputs, outputs, weights=()):
    """A graph in an attribute."""
    return helper.make_graph(nodes, "part", inputs, outputs, list(weights))


INT, BOOL, FLOAT = TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT

# All three recurrent operators, one behind the other: both directions, sequences of different lengths, peepholes,
# initial states, activations with numbers, a clip.
save("recurrent",
     [node("LSTM", ["x", "l.w", "l.r", "l.b", "lengths", "h", "c", "l.p"], ["l.y", "l.h", "l.c"], hidden_size=4,
           direction="bidirectional", activations=["HardSigmoid", "Tanh", "Softsign"] * 2,
           activation_alpha=[0.25, 0.3], activation_beta=[0.5, 0.4], clip=1.5),
      node("Transpose", ["l.y"], ["l.t"], perm=[0, 2, 1, 3]),
      node("Reshape", ["l.t", "joined"], ["l.j"]),
      node("GRU", ["l.j", "g.w", "g.r", "g.b"], ["g.y", ""], hidden_size=3, linear_before_reset=1,
           direction="reverse"),
      node("Squeeze", ["g.y", "one"], ["g.s"]),
      node("GRU", ["g.s", "k.w", "k.r"], ["k.y", "k.h"], hidden_size=3),
      node("Squeeze", ["k.y", "one"], ["k.s"]),
      node("RNN", ["k.s", "r.w", "r.r", "", "lengths"], ["", "r.h"], hidden_size=2, activations=["LeakyRelu"])],
     [floats("x", 5, 3, 2), tensor(TensorProto.INT32, "lengths", [3]), floats("h", 2, 3, 4), floats("c", 2, 3, 4)],
     [floats(name, *[None] * rank) for name, rank in [("l.y", 4), ("l.c", 3), ("k.h", 3), ("r.h", 3)]],
     [weight("l.w", 2, 16, 2), weight("l.r", 2, 16, 4), weight("l.b", 2, 32), weight("l.p", 2, 12),
      weight("g.w", 1, 9, 8), weight("g.r", 1, 9, 3), weight("g.b", 1, 18), weight("k.w", 1, 9, 3),
      weight("k.r", 1, 9, 3), weight("r.w", 1, 2, 3), weight("r.r", 1, 2, 2),
      integers("joined", 5, 3, 8), numpy_helper.from_array(np.array([1]), "one")],
     {"x": normal(5, 3, 2), "lengths": np.array([5, 2, 0], np.int32), "h": normal(2, 3, 4), "c": normal(2, 3, 4)})

# A loop in a loop that reads what is outside of both, with an If whose condition changes from turn to turn; a loop
# whose condition depends on data; one whose shapes grow; a scan that goes backwards.
inner = part([node("Mul", ["u", "w"], ["u2"]), node("Add", ["u2", "v"], ["q"]), node("Identity", ["ic"], ["id"])],
             [tensor(INT, "j", []), tensor(BOOL, "ic", []), floats("u", 2, 3)],
             [tensor(BOOL, "id", []), floats("u2", 2, 3), floats("q", 2, 3)])
plus = part([node("Add", ["u3", "w"], ["a"])], [], [floats("a", 2, 3)])
minus = part([node("Sub", ["u3", "w"], ["a"])], [], [floats("a", 2, 3)])
outer = part([node("Loop", ["three", "", "v"], ["u3", "qs"], body=inner),
              node("Equal", ["i", "one"], ["odd"]),
              node("If", ["odd"], ["v2"], then_branch=plus, else_branch=minus),
              node("ReduceSum", ["qs", "front"], ["r"], keepdims=0),
              node("Identity", ["oc"], ["od"])],
             [tensor(INT, "i", []), tensor(BOOL, "oc", []), floats("v", 2, 3)],
             [tensor(BOOL, "od", []), floats("v2", 2, 3), floats("r", 2, 3)], [integers("one", 1)])
doubling = part([node("Add", ["d", "d"], ["d2"]), node("ReduceMax", ["d2"], ["top"], keepdims=0),
                 node("Less", ["top", "limit"], ["more"])],
                [tensor(INT, "n", []), tensor(BOOL, "m", []), floats("d", 2, 3)],
                [tensor(BOOL, "more", []), floats("d2", 2, 3), floats("top")])
growing = part([node("Concat", ["g", "x"], ["g2"], axis=0), node("ReduceSum", ["g2", "front"], ["gs"], keepdims=0),
                node("Add", ["k", "one"], ["k2"]), node("Less", ["k2", "three"], ["gm"])],
               [tensor(INT, "gn", []), tensor(BOOL, "gc", []), floats("g", None, 3), tensor(INT, "k", [])],
               [tensor(BOOL, "gm", []), floats("g2", None, 3), tensor(INT, "k2", []), floats("gs", 3)],
               [integers("one", 1)])
backwards = part([node("Add", ["s", "row"], ["s2"]), node("Mul", ["s2", "w"], ["so"])],
                 [floats("s", 3), floats("row", 3)], [floats("s2", 3), floats("so", 3)])
save("control",
     [node("Loop", ["four", "", "x"], ["v", "rs"], body=outer),
      node("Loop", ["eight", "", "x"], ["d", "tops"], body=doubling),
      node("Loop", ["", "yes", "x", "zero"], ["g", "k", "gs"], body=growing),
      node("Scan", ["w", "x"], ["s", "so"], body=backwards, num_scan_inputs=1, scan_input_directions=[1],
           scan_output_axes=[1])],
     [floats("x", 2, 3), floats("w", 3), floats("limit")],
     [floats("v", 2, 3), floats("rs", 4, 2, 3), floats("d", 2, 3), floats("tops", None), floats("g", None, 3),
      floats("gs", None, 3), floats("s", 3), floats("so", 3, 2)],
     [integers("three", 3), integers("four", 4), integers("eight", 8), integers("zero", 0),
      numpy_helper.from_array(np.array([0]), "front"), numpy_helper.from_array(np.array(True), "yes")],
     {"x": np.abs(normal(2, 3)), "w": normal(3) / 2, "limit": np.array(9, np.float32)}, opset=13)

# Sequences and optionals that only live inside; functions of the model's own, one in the other, with attributes that a
# call gives, or leaves to their defaults.
scaled = helper.make_function("local", "Scaled", ["a"], ["b"], [node("LeakyRelu", ["a"], ["b"])],
                              [helper.make_opsetid("", 17)], [], [helper.make_attribute("slope", 0.5)])
reference = scaled.node[0].attribute.add()
reference.name, reference.ref_attr_name, reference.type = "alpha", "slope", onnx.AttributeProto.FLOAT
twice = helper.make_function("local", "Twice", ["a", "k"], ["b"],
                             [node("Scaled", ["a"], ["t"], domain="local"), node("Scaled", ["t"], ["u"], domain="local"),
                              node("Mul", ["u", "k"], ["b"])],
                             [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)], ["first"])
reference = twice.node[0].attribute.add()
reference.name, reference.ref_attr_name, reference.type = "slope", "first", onnx.AttributeProto.FLOAT
each = part([node("Mul", ["e", "by"], ["f"]), node("Shape", ["e"], ["sh"])], [floats("e", 2, None), floats("by", 1)],
            [floats("f", 2, None), tensor(INT, "sh", [2])])
save("inlined",
     [node("Twice", ["x", "k"], ["y"], domain="local", first=0.25), node("Twice", ["x", "k"], ["z"], domain="local"),
      node("SplitToSequence", ["y", "parts"], ["split"], axis=1),
      node("SequenceMap", ["split", "two"], ["mapped", "shapes"], body=each),
      node("SequenceInsert", ["mapped", "z", "front"], ["more"]),
      node("SequenceErase", ["more", "last"], ["fewer"]),
      node("Optional", ["fewer"], ["perhaps"]),
      node("OptionalHasElement", ["perhaps"], ["has"]),
      node("OptionalGetElement", ["perhaps"], ["got"]),
      node("ConcatFromSequence", ["got"], ["joined"], axis=1),
      node("SequenceAt", ["shapes", "last"], ["shape"]),
      node("SequenceLength", ["more"], ["length"])],
     [floats("x", 2, 3), floats("k", 3)],
     [floats("y", 2, 3), floats("z", 2, 3), floats("joined", 2, None), tensor(INT, "shape", [None]),
      tensor(INT, "length", []), tensor(BOOL, "has", [])],
     [integers("parts", 1, 2), integers("front", 0), integers("last", -1),
      numpy_helper.from_array(np.array([2], np.float32), "two")],
     {"x": normal(2, 3), "k": normal(3)}, functions=[scaled, twice], imports=[helper.make_opsetid("local", 1)])

# Rows of tokens, of which both numbers are open.
save("tokens",
     [node("MatMul", ["words", "in.weight"], ["t1"]), node("Relu", ["t1"], ["t2"]),
      node("ReduceMax", ["t2"], ["t3"], axes=[1], keepdims=0), node("MatMul", ["t3", "out.weight"], ["score"])],
     [floats("words", "batch", "length", 4)], [floats("score", "batch", 2)],
     [weight("in.weight", 4, 6), weight("out.weight", 6, 2)], {"words": normal(5, 3, 4)})


# Half precision: computed with, moved, in two formats; and unsigned integers, beyond what signed ones hold.
def half(name, *shape):
    return numpy_helper.from_array((random.standard_normal(shape) / 2).astype(np.float16), name)


F16, BF16, U16, U32, U64 = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.UINT16, TensorProto.UINT32,
                            TensorProto.UINT64)
save("half",
     [node("Gemm", ["x", "w", "b"], ["g"], "dense"), node("Relu", ["g"], ["r"]),
      node("Slice", ["x", "from", "to", "columns"], ["part"]),
      node("Concat", ["r", "part"], ["y"], axis=1),
      node("Cast", ["x"], ["brain"], to=BF16), node("Cast", ["brain"], ["rounded"], to=FLOAT),
      node("Cast", ["counts"], ["wide"], to=U32), node("Mul", ["wide", "wide"], ["squares"]),
      node("Div", ["squares", "seven"], ["parts"]), node("Max", ["parts", "seven"], ["most"]),
      node("Cast", ["most"], ["long"], to=U64), node("Mul", ["long", "huge"], ["large"]),
      node("Greater", ["large", "half"], ["above"])],
     [tensor(F16, "x", ["batch", 8]), tensor(U16, "counts", ["batch", 3])],
     [tensor(F16, "y", ["batch", 8]), floats("rounded", "batch", 8), tensor(U32, "most", ["batch", 3]),
      tensor(U64, "large", ["batch", 3]), tensor(BOOL, "above", ["batch", 3])],
     [half("w", 8, 6), half("b", 6), *[numpy_helper.from_array(np.array([v]), n) for n, v in [("from", 2), ("to", 4), ("columns", 1)]],
      numpy_helper.from_array(np.array(7, np.uint32), "seven"),
      numpy_helper.from_array(np.array(2**40 + 1, np.uint64), "huge"),
      numpy_helper.from_array(np.array(2**63, np.uint64), "half")],
     {"x": normal(5, 8).astype(np.float16),
      "counts": random.integers(0, 2**16, (5, 3)).astype(np.uint16)})
