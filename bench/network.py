"""A model description, flattened: what bench/ needs of docs/model.md.

read(path) or Network(description) gives the layers in order, blocks and repetitions written out, each with
its shape and with the arrays of its weights under their names in checkpoints. Weights are drawn here, from
a seed, and written as safetensors for Ingot, so every engine works with the same numbers. Layers that no
description in bench/models uses are not known."""

import dataclasses
import json
import math
import re

import numpy

BLOCK_KEYS = {"name", "in", "repeat"}


@dataclasses.dataclass
class Layer:
    kind: str
    name: str
    inputs: list  # names of values
    shape: tuple  # of the result, without the batch
    given: dict  # parameters, filled in
    weights: dict = dataclasses.field(default_factory=dict)  # "weight" -> array
    frozen: bool = False


def strip_comments(text):
    keep = r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/'
    return re.sub(keep, lambda m: m.group(1) or " ", text, flags=re.S)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.loads(strip_comments(file.read()))


def substitute(value, arguments):
    """"$channels * 4" and the like, anywhere inside `value`."""
    if isinstance(value, dict):
        return {k: substitute(v, arguments) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(v, arguments) for v in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    words = value.split()

    def number(word):
        return arguments[word[1:]] if word.startswith("$") else int(word)

    if len(words) == 1:
        return number(words[0])
    a, b = number(words[0]), number(words[2])
    return {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[words[1]]


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def padding(given, size, kernel, stride):
    """[top, bottom, left, right] -> ((top, bottom), (left, right))"""
    if given == "valid":
        return ((0, 0), (0, 0))
    if given == "same":
        both = []
        for s, k, t in zip(size, kernel, stride):
            total = max(0, (math.ceil(s / t) - 1) * t + k - s)
            both.append((total // 2, total - total // 2))
        return tuple(both)
    if isinstance(given, int):
        return ((given, given), (given, given))
    return ((given[0], given[1]), (given[2], given[3]))


class Network:
    def __init__(self, description, seed=1):
        self.description = description
        self.name = description["model"]
        self.layers, self.shapes = [], {}
        self.random = numpy.random.default_rng(seed)
        self.multiply_adds = 0  # of one row
        self.gradient_multiply_adds = 0  # of one row, backward pass
        self.input = next(iter(description["inputs"]))
        self.shapes[self.input] = tuple(description["inputs"][self.input][1:])
        self.train = description.get("train")
        self.frozen = (self.train or {}).get("freeze", [])
        self.reached = set()  # values that depend on something trained
        scope = {self.input: self.input}
        self.output = self.add_all(description["layers"], "layers.", scope, self.input)
        if "outputs" in description:
            self.output = scope[description["outputs"][0]]

    # --- reading ---

    def add_all(self, layers, prefix, scope, last, nested=False):
        for i, layer in enumerate(layers):
            name = layer.get("name")
            if nested:
                path = prefix + (name or str(i))
            else:
                path = name or f"{prefix}{i}"
            last = self.add(layer, path, scope, last)
            if name:
                scope[name] = last
        return last

    def add(self, layer, path, scope, last):
        blocks = self.description.get("define", {})
        kind = next(k for k in layer if k in blocks or k not in BLOCK_KEYS and hasattr(self, "make_" + k))
        given = {k: v for k, v in layer.items() if k not in BLOCK_KEYS and k != kind}
        if isinstance(layer[kind], dict):
            given.update(layer[kind])
        else:
            given["main"] = layer[kind]
        if "in" in layer:
            last = [scope[n] for n in layer["in"]] if isinstance(layer["in"], list) else scope[layer["in"]]
        repeat = layer.get("repeat")
        for i in range(repeat or 1):
            name = path if repeat is None else f"{path}.{i}"
            if kind in blocks:
                inner = dict(scope, input=last)
                block = blocks[kind]
                last = self.add_all(substitute(block["layers"], given), name + ".", inner, last, True)
            else:
                last = getattr(self, "make_" + kind)(kind, name, given, last, scope)
        return last

    def put(self, kind, name, inputs, shape, given=None, weights=None):
        inputs = inputs if isinstance(inputs, list) else [inputs]
        frozen = any(re.fullmatch(p.replace(".", r"\.").replace("*", ".*"), f"{name}.weight") for p in self.frozen)
        layer = Layer(kind, name, inputs, tuple(shape), given or {}, weights or {}, frozen)
        self.layers.append(layer)
        self.shapes[name] = layer.shape
        if (layer.weights and not frozen) or any(n in self.reached for n in inputs):
            self.reached.add(name)
        return name

    def count(self, layer_input, multiply_adds, frozen):
        self.multiply_adds += multiply_adds
        self.gradient_multiply_adds += multiply_adds * (not frozen) + multiply_adds * (layer_input in self.reached)

    def draw(self, shape, inputs):
        return (self.random.standard_normal(shape) * math.sqrt(2 / inputs)).astype(numpy.float32)

    def activated(self, name, given):
        activation = given.get("activation")
        if activation is None:
            return name
        return self.put(activation, name + "/" + activation, name, self.shapes[name])

    # --- kinds ---

    def make_dense(self, kind, name, given, last, scope):
        units, shape = given.get("main", given.get("units")), self.shapes[last]
        weights = {"weight": self.draw((shape[-1], units), shape[-1])}
        if given.get("bias", True):
            weights["bias"] = self.draw(units, 50)
        before = last
        name = self.put(kind, name, last, shape[:-1] + (units,), {}, weights)
        self.count(before, math.prod(shape) * units, self.layers[-1].frozen)
        return self.activated(name, given)

    def make_conv2d(self, kind, name, given, last, scope):
        channels, (h, w, c) = given.get("main", given.get("channels")), self.shapes[last]
        kernel, stride = pair(given["kernel"]), pair(given.get("stride", 1))
        groups = given.get("groups", 1)
        pad = padding(given.get("padding", "valid"), (h, w), kernel, stride)
        taps = kernel[0] * kernel[1] * (c // groups)
        out = [(s + sum(p) - k) // t + 1 for s, p, k, t in zip((h, w), pad, kernel, stride)]
        weights = {"weight": self.draw((*kernel, c // groups, channels), taps)}
        if given.get("bias", True):
            weights["bias"] = self.draw(channels, 50)
        facts = {"kernel": kernel, "stride": stride, "padding": pad, "groups": groups}
        before = last
        name = self.put(kind, name, last, (*out, channels), facts, weights)
        self.count(before, math.prod(out) * channels * taps, self.layers[-1].frozen)
        return self.activated(name, given)

    def make_batch_norm(self, kind, name, given, last, scope):
        channels = self.shapes[last][-1]
        spread = lambda low, high: self.random.uniform(low, high, channels).astype(numpy.float32)
        weights = {"weight": spread(0.3, 0.7), "bias": spread(-0.1, 0.1),
                   "running_mean": spread(-0.1, 0.1), "running_variance": spread(0.8, 1.2)}
        facts = {"epsilon": given.get("epsilon", 1e-5), "momentum": given.get("momentum", 0.1)}
        return self.put(kind, name, last, self.shapes[last], facts, weights)

    def make_layer_norm(self, kind, name, given, last, scope):
        width = self.shapes[last][-1]
        weights = {"weight": self.random.uniform(0.7, 1.3, width).astype(numpy.float32), "bias": self.draw(width, 50)}
        return self.put(kind, name, last, self.shapes[last], {"epsilon": given.get("epsilon", 1e-5)}, weights)

    def make_attention(self, kind, name, given, last, scope):
        tokens, width = self.shapes[last]
        weights = {}
        for part in ("query", "key", "value", "output"):
            weights[part + ".weight"] = self.draw((width, width), 2 * width)
            weights[part + ".bias"] = self.draw(width, 50)
        before = last
        name = self.put(kind, name, last, (tokens, width), {"heads": given.get("main", given.get("heads"))}, weights)
        self.count(before, 3 * tokens * width * width, self.layers[-1].frozen)
        self.count(name, tokens * width * width, self.layers[-1].frozen)
        self.multiply_adds += 2 * tokens * tokens * width
        self.gradient_multiply_adds += 4 * tokens * tokens * width
        return name

    def make_lstm(self, kind, name, given, last, scope):
        units, (steps, features) = given.get("main", given.get("units")), self.shapes[last]
        spread = lambda *shape: self.random.uniform(-units**-0.5, units**-0.5, shape).astype(numpy.float32)
        weights = {"weight_input": spread(features, 4 * units), "weight_hidden": spread(units, 4 * units),
                   "bias_input": spread(4 * units), "bias_hidden": spread(4 * units)}
        whole = given.get("return", "sequence") == "sequence"
        before = last
        name = self.put(kind, name, last, (steps, units) if whole else (units,), {"units": units, "whole": whole}, weights)
        self.count(before, steps * features * 4 * units, self.layers[-1].frozen)
        self.count(name, steps * units * 4 * units, self.layers[-1].frozen)
        return name

    def make_max_pool(self, kind, name, given, last, scope):
        h, w, c = self.shapes[last]
        size = pair(given.get("main", given.get("size")))
        stride = pair(given.get("stride", size))
        pad = padding(given.get("padding", "valid"), (h, w), size, stride)
        out = [(s + sum(p) - k) // t + 1 for s, p, k, t in zip((h, w), pad, size, stride)]
        return self.put(kind, name, last, (*out, c), {"kernel": size, "stride": stride, "padding": pad})

    def make_global_average_pool(self, kind, name, given, last, scope):
        return self.put(kind, name, last, self.shapes[last][-1:])

    def make_flatten(self, kind, name, given, last, scope):
        return self.put(kind, name, last, (math.prod(self.shapes[last]),))

    def make_relu(self, kind, name, given, last, scope):
        return self.put(kind, name, last, self.shapes[last])

    make_relu6 = make_softmax = make_gelu = make_relu

    def make_add(self, kind, name, given, last, scope):
        inputs = [scope[n] for n in given["main"]]
        return self.put(kind, name, inputs, self.shapes[inputs[0]])

    def make_concat(self, kind, name, given, last, scope):
        inputs = [scope[n] for n in given["main"]]
        channels = sum(self.shapes[n][-1] for n in inputs)
        return self.put(kind, name, inputs, self.shapes[inputs[0]][:-1] + (channels,))

    # --- weights ---

    def states(self):
        return {f"{l.name}.{k}": v for l in self.layers for k, v in l.weights.items()}

    def save(self, path):
        """Safetensors: the length of the header, the header, the data."""
        header, offset, arrays = {}, 0, self.states()
        for name, array in arrays.items():
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
            offset += array.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in arrays.values():
                file.write(array.tobytes())
