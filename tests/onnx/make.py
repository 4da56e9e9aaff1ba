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


def constant(name, values, kind=np.float32):
    return numpy_helper.from_array(np.array(values, kind), name)


# Places that are data: read, written to in all ways, sorted, chosen; results as long as the data says.
modes = ["add", "mul", "max", "min"]
save("places",
     [node("GatherElements", ["x", "at"], ["picked"], axis=1),
      node("GatherND", ["cube", "pairs"], ["found"], batch_dims=1),
      *[node("ScatterElements", ["x", "at", "x2"], [mode], axis=1, reduction=mode) for mode in modes],
      *[node("ScatterND", ["cube", "triples", "marks"], [f"nd.{mode}"], reduction=mode) for mode in modes],
      node("ReverseSequence", ["cube", "lengths"], ["turned"], batch_axis=0, time_axis=1),
      node("TopK", ["row", "three"], ["top", "top.at"], axis=0),
      node("TopK", ["row", "three"], ["low", "low.at"], axis=0, largest=0),
      node("Unique", ["whole"], ["once", "once.at", "once.to", "once.times"], sorted=0),
      node("Unique", ["whole"], ["ones", "ones.at", "", "ones.times"], axis=1),
      node("Compress", ["x", "chosen"], ["kept"], axis=1),
      node("NonZero", ["whole"], ["where"]),
      node("CumSum", ["x", "one"], ["sums"], exclusive=1, reverse=1),
      node("OneHot", ["whole", "three", "marks2"], ["hot"], axis=1),
      node("Trilu", ["x", "one"], ["corner"], upper=0)],
     [floats("x", 4, 6), tensor(INT, "at", [4, 3]), floats("cube", 2, 3, 4), tensor(INT, "pairs", [2, 5, 2]),
      floats("row", 90), tensor(INT, "whole", [3, 5]), tensor(BOOL, "chosen", [6])],
     [floats("picked", 4, 3), floats("found", 2, 5), *[floats(mode, 4, 6) for mode in modes],
      *[floats(f"nd.{mode}", 2, 3, 4) for mode in modes], floats("turned", 2, 3, 4),
      floats("top", 3), tensor(INT, "top.at", [3]), floats("low", 3), tensor(INT, "low.at", [3]),
      *[tensor(INT, f"once{part}", [None]) for part in ["", ".at", ".to", ".times"]],
      tensor(INT, "ones", [3, None]), tensor(INT, "ones.at", [None]), tensor(INT, "ones.times", [None]),
      floats("kept", 4, None), tensor(INT, "where", [2, None]), floats("sums", 4, 6), floats("hot", 3, 3, 5),
      floats("corner", 4, 6)],
     [constant("x2", random.standard_normal((4, 3))), constant("marks", [1, -2, 3, 4]),
      constant("triples", [[0, 0, 1], [1, -1, 2], [0, 0, 1], [1, 2, 3]], np.int64), constant("lengths", [3, 2], np.int64),
      constant("three", [3], np.int64), constant("one", 1, np.int64), constant("marks2", [-1, 2])],
     {"x": normal(4, 6), "at": random.integers(-6, 6, (4, 3)), "cube": normal(2, 3, 4),
      "pairs": np.stack([random.integers(-3, 3, (2, 5)), random.integers(-4, 4, (2, 5))], -1),
      "row": np.round(normal(90), 1), "whole": random.integers(0, 3, (3, 5)),
      "chosen": np.array([1, 0, 0, 1, 1, 0], bool)}, opset=18)

# Letters: diagonals, batches, nothing to sum, three operands, axes that stretch.
equations = {"ii->i": "s", "ij,jk,kl->il": "acd", "bij,bkj->bik": "tt", "...i,i->...": "tv", "i,j->ji": "vv",
             "abi,bi->a": "tw"}
save("letters",
     [node("Einsum", list(letters), [f"y{i}"], equation=equation)
      for i, (equation, letters) in enumerate(equations.items())],
     [floats("s", 5, 5), floats("a", 2, 3), floats("c", 3, 4), floats("d", 4, 2), floats("t", 2, 3, 4), floats("v", 4),
      floats("w", 1, 4)],
     [floats(f"y{i}", *[None] * len(equation.split("->")[1].replace("...", "xx")))
      for i, equation in enumerate(equations)], [],
     {"s": normal(5, 5), "a": normal(2, 3), "c": normal(3, 4), "d": normal(4, 2), "t": normal(2, 3, 4), "v": normal(4),
      "w": normal(1, 4)})

# Signals: lengths with small factors, with a large prime, there and back; frames that overlap by no round number.
save("signals",
     [node("DFT", ["x"], ["full"], axis=1), node("DFT", ["full"], ["back"], axis=1, inverse=1),
      node("DFT", ["prime"], ["odd"], axis=1),
      node("STFT", ["x", "step", "window"], ["frames"]),
      node("HammingWindow", ["ten"], ["bell"], periodic=0)],
     [floats("x", 2, 60, 1), floats("prime", 1, 37, 2)],
     [floats("full", 2, 60, 2), floats("back", 2, 60, 2), floats("odd", 1, 37, 2), floats("frames", 2, 8, 9, 2),
      floats("bell", 10)],
     [constant("step", 6, np.int64), constant("window", np.hanning(16)), constant("ten", 10, np.int64)],
     {"x": normal(2, 60, 1), "prime": normal(1, 37, 2)})


# Integers that stand for numbers: one scale, one for each channel, products, a convolution.
def whole(name, kind, *shape):
    return constant(name, random.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape), kind)


U8, I8 = TensorProto.UINT8, TensorProto.INT8
save("quantised",
     [node("QuantizeLinear", ["image", "s1", "z1"], ["q"]),
      node("QLinearConv", ["q", "s1", "z1", "filter", "fs", "fz", "s2", "z2", "fb"], ["conv"], pads=[1, 1, 1, 1],
           strides=[2, 2]),
      node("DequantizeLinear", ["conv", "s2", "z2"], ["numbers"]),
      node("QuantizeLinear", ["image", "cs", "cz"], ["channels"], axis=1),
      node("DynamicQuantizeLinear", ["rows"], ["d", "ds", "dz"]),
      node("MatMulInteger", ["d", "m", "dz"], ["sums"]),
      node("QLinearMatMul", ["d", "s1", "z1", "m", "ms", "mz", "s2", "z2"], ["product"])],
     [floats("image", 1, 3, 6, 6), floats("rows", 4, 8)],
     [tensor(U8, "q", [1, 3, 6, 6]), tensor(U8, "conv", [1, 4, 3, 3]), floats("numbers", 1, 4, 3, 3),
      tensor(I8, "channels", [1, 3, 6, 6]), tensor(TensorProto.INT32, "sums", [4, 5]), tensor(U8, "product", [4, 5])],
     [constant("s1", 0.03), constant("z1", 120, np.uint8), whole("filter", np.int8, 4, 3, 3, 3),
      constant("fs", [0.01, 0.02, 0.03, 0.04]), constant("fz", [0, 0, 0, 0], np.int8), constant("s2", 0.4),
      constant("z2", 7, np.uint8), constant("fb", [5, -300, 1000, 0], np.int32), constant("cs", [0.01, 0.1, 0.05]),
      constant("cz", [3, -4, 0], np.int8), whole("m", np.int8, 8, 5), constant("ms", 0.02), constant("mz", 0, np.int8)],
     {"image": normal(1, 3, 6, 6), "rows": normal(4, 8)})

# Labels, features, sequences of words by number, trees.
ml = [helper.make_opsetid("ai.onnx.ml", 3)]
keys = random.permutation(60)[:40]
save("classic",
     [node("LabelEncoder", ["words"], ["few"], domain="ai.onnx.ml", keys_int64s=[3, 5, 8], values_floats=[1.5, 2.5, 3.5],
           default_float=-1.0),
      node("LabelEncoder", ["words"], ["many"], domain="ai.onnx.ml", keys_int64s=keys.tolist(),
           values_int64s=(keys * 7).tolist(), default_int64=-5),
      node("Scaler", ["features"], ["scaled"], domain="ai.onnx.ml", offset=[1.0, 2.0, 3.0], scale=[0.5, 1.0, 2.0]),
      node("Normalizer", ["features"], ["unit"], domain="ai.onnx.ml", norm="L2"),
      node("TfIdfVectorizer", ["words"], ["counts"], mode="TFIDF", min_gram_length=1, max_gram_length=2, max_skip_count=2,
           ngram_counts=[0, 3], ngram_indexes=[2, 0, 1, 4, 3], pool_int64s=[3, 5, 8, 3, 5, 8, 2],
           weights=[1.0, 0.5, 2.0, 3.0, 0.25]),
      node("TreeEnsembleRegressor", ["features"], ["trees"], domain="ai.onnx.ml", n_targets=2,
           nodes_treeids=[0, 0, 0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2, 3, 4, 0, 1, 2],
           nodes_featureids=[0, 1, 0, 0, 0, 2, 0, 0], nodes_values=[0.1, -0.3, 0, 0, 0, 0.5, 0, 0],
           nodes_modes=["BRANCH_LEQ", "BRANCH_GT", "LEAF", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"],
           nodes_truenodeids=[1, 3, 0, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 4, 0, 0, 0, 2, 0, 0],
           target_treeids=[0, 0, 0, 1, 1], target_nodeids=[2, 3, 4, 1, 2], target_ids=[0, 0, 0, 1, 1],
           target_weights=[1.0, 2.0, 3.0, 4.0, 5.0], base_values=[0.5, -0.5])],
     [tensor(INT, "words", [3, 12]), floats("features", 6, 3)],
     [floats("few", 3, 12), tensor(INT, "many", [3, 12]), floats("scaled", 6, 3), floats("unit", 6, 3),
      floats("counts", 3, 5), floats("trees", 6, 2)], [],
     {"words": random.integers(0, 12, (3, 12)), "features": normal(6, 3)}, imports=ml)
