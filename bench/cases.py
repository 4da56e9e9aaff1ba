"""What is measured: a list of cases, each one network at one batch size."""

import dataclasses
import glob
import os

import numpy

import growth
from network import Network, load

HERE = os.path.dirname(os.path.abspath(__file__))

# rows, terms, columns
PRODUCTS = [(256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (4096, 256, 64), (64, 256, 4096),
            (1024, 16, 1024), (127, 333, 61), (1, 512, 512), (1, 1024, 1024), (1, 4096, 4096), (4, 1024, 1024),
            (16, 1024, 4096)]

# name, height and width, channels in, channels out, kernel, stride, groups
CONVOLUTIONS = [
    ("resnet_stem", 224, 3, 64, 7, 2, 1),
    ("resnet_56_3x3", 56, 64, 64, 3, 1, 1),
    ("resnet_56_1x1", 56, 64, 256, 1, 1, 1),
    ("resnet_28_3x3", 28, 128, 128, 3, 1, 1),
    ("resnet_28_3x3_halving", 56, 128, 128, 3, 2, 1),
    ("resnet_14_3x3", 14, 256, 256, 3, 1, 1),
    ("resnet_14_1x1", 14, 1024, 256, 1, 1, 1),
    ("resnet_7_3x3", 7, 512, 512, 3, 1, 1),
    ("mobilenet_112_depthwise", 112, 32, 32, 3, 1, 32),
    ("mobilenet_56_depthwise_halving", 112, 96, 96, 3, 2, 96),
    ("mobilenet_14_depthwise", 14, 384, 384, 3, 1, 384),
    ("mobilenet_14_1x1", 14, 96, 576, 1, 1, 1),
]

INFER = ["mlp", "lenet5", "squeezenet", "mobilenet_v2", "resnet18", "resnet50", "transformer", "lstm"]
TRAIN = {"mlp": 64, "lenet5": 64, "resnet_small": 64, "transformer": 8, "lstm": 64}  # and the batch
CLASSES = 10


@dataclasses.dataclass
class Case:
    name: str
    group: str  # the row's kind: gemm, conv, infer, train, growth, start
    batch: int
    description: dict
    kind: str = "infer"  # what is called: infer or train

    @property
    def file_name(self):
        return f"{self.name}_{self.kind}_{self.batch}"

    def open(self, folder, ingot):
        """Draws weights and inputs; for the processes that compute."""
        self.folder, self.ingot = folder, ingot
        self.network = Network(self.description)
        random = numpy.random.default_rng(2)
        self.inputs = random.random((self.batch, *self.network.shapes[self.network.input]), numpy.float32) - numpy.float32(0.4)
        self.target = None
        if self.kind == "train" and "mean_squared_error" in self.network.train["loss"]:
            self.target = random.random((self.batch, *self.network.shapes[self.network.output]), numpy.float32)
        elif self.kind == "train":
            self.target = random.integers(0, CLASSES, self.batch).astype(numpy.int32)
        return self

    def inputs_channels_first(self):
        return numpy.ascontiguousarray(numpy.moveaxis(self.inputs, -1, 1)) if self.inputs.ndim == 4 else self.inputs

    def channels_last(self, outputs):
        return numpy.moveaxis(outputs, 1, -1).copy() if outputs.ndim == 4 else outputs.copy()

    def settle(self):
        """Called when only what the engine itself does is left; see worker.py."""


def product(rows, terms, columns):
    name = f"product_{rows}x{terms}x{columns}"
    return Case(name, "gemm", rows, {
        "model": name, "inputs": {"x": ["batch", terms]},
        "layers": [{"dense": columns, "bias": False, "name": "y"}]})


def convolution(name, size, channels, out, kernel, stride, groups, gradient=None):
    """gradient: None, "weight" or "input": a step of training that needs the forward pass and only that gradient."""
    layers = [{"conv2d": out, "kernel": kernel, "stride": stride, "padding": kernel // 2, "groups": groups,
               "bias": False, "name": "y"}]
    description = {"model": name, "inputs": {"x": ["batch", size, size, channels]}, "layers": layers}
    if not gradient:
        return Case(name, "conv", 1, description)
    description["train"] = {"targets": {"target": ["batch", (size - 1) // stride + 1, (size - 1) // stride + 1, out]},
                            "loss": {"mean_squared_error": ["y", "target"]},
                            "optimizer": {"sgd": {"learning_rate": 0.001}}}
    if gradient == "input":
        description["train"]["freeze"] = ["y.*"]
        layers.insert(0, {"batch_norm": {}})
    description["model"] += "_" + gradient
    return Case(f"{name}_{gradient}_gradient", "conv", 8, description, "train")


def start_case():
    return Case("lenet5", "start", 1, load(os.path.join(HERE, "models", "lenet5.json")))


def all_cases(quick, batch32):
    cases = [product(*p) for p in PRODUCTS]
    cases += [convolution(*c) for c in CONVOLUTIONS]
    cases += [convolution(*c, gradient) for c in CONVOLUTIONS for gradient in ("weight", "input")
              if not (c[0] == "resnet_stem" and gradient == "input")]
    models = {os.path.basename(p)[:-5]: load(p) for p in glob.glob(os.path.join(HERE, "models", "*.json"))}
    cases += [Case(n, "infer", b, models[n]) for n in INFER for b in ((1, 32) if batch32 or not quick else (1,))]
    cases += [Case(n, "train", b, models[n], "train") for n, b in TRAIN.items()]
    return cases + growth.cases(lambda name, batch, model, kind: Case(name, "growth", batch, model, kind), models, quick)
