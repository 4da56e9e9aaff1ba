"""Models that come as ONNX: real ones with weights and sample data, and networks of PyTorch exported here."""

import dataclasses
import glob
import json
import os
import re
import subprocess

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.environ.get("INGOT_SHARED", os.path.join(HERE, "..", "..", "shared"))
CONSTANTS = {"silero_vad": ("sr",)}  # half of the model is for another sampling rate


@dataclasses.dataclass
class Imported:
    name: str
    path: str
    samples: str  # a folder with in_NAME.npy, and out_NAME.npy where they are known
    group: str = "onnx"
    kind: str = "onnx"
    batch: int = 1

    def open(self, folder, ingot):
        import onnx
        self.folder, self.ingot = folder, ingot
        self.file_name = "imported_" + re.sub(r"\W", "_", self.name)
        graph = onnx.load(self.path, load_external_data=False).graph
        weights = {i.name for i in graph.initializer}
        self.input_names = [i.name for i in graph.input if i.name not in weights]
        self.output_names = [o.name for o in graph.output]
        self.inputs = [numpy.array(numpy.load(self.sample("in", n)), order="C") for n in self.input_names]
        return self

    def sample(self, what, name):
        return os.path.join(self.samples, f"{what}_{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.npy")

    def bindings(self):
        """Options that bind what the model leaves open, and inputs that decide which part of it is run."""
        fixed = CONSTANTS.get(self.name, ())
        return [f"--const={n}={self.sample('in', n)}" if n in fixed else
                f"--shape={n}=" + ("x".join(map(str, a.shape)) or "[]") for n, a in zip(self.input_names, self.inputs)]

    def variable_inputs(self):
        """Of the compiled function: all but those."""
        return [a for n, a in zip(self.input_names, self.inputs) if n not in CONSTANTS.get(self.name, ())]

    def scaled(self, outputs):
        """All outputs in one row, each as parts of its largest magnitude as other programs have computed it."""
        flat = []
        for name, output in zip(self.output_names, outputs):
            scale = 1.0
            if os.path.exists(self.sample("out", name)):
                scale = float(numpy.abs(numpy.load(self.sample("out", name))).max()) or 1.0
            flat.append(numpy.asarray(output, numpy.float64).ravel() / scale)
        return numpy.concatenate(flat)

    def find_work(self, ingot):
        """Multiply-adds and bytes of weights, as `ingot inspect` counts them."""
        case = dataclasses.replace(self).open(None, ingot)
        done = subprocess.run([ingot, "inspect", self.path, *case.bindings()], capture_output=True, text=True)
        found = re.search(r"^all +([\d,]+) +([\d,]+)$", done.stdout, re.MULTILINE)
        weights, multiply_adds = (int(g.replace(",", "")) for g in found.groups()) if found else (0, 0)
        self.work = (multiply_adds, 4 * weights)

    def settle(self):
        """See Case.settle()."""


def exported_cases(folder):
    """Classics of torchvision and an encoder like BERT, made by bench/exported.py where PyTorch is installed."""
    return [Imported(os.path.basename(os.path.dirname(p)), p, os.path.dirname(p))
            for p in sorted(glob.glob(os.path.join(folder, "exported", "*", "model.onnx")))]


def imported_cases(folder):
    models = os.path.join(SHARED, "models")
    cases = []
    if os.path.exists(os.path.join(models, "models.json")):
        with open(os.path.join(models, "models.json"), encoding="utf-8") as file:
            for entry in json.load(file):
                cases.append(Imported(entry["name"], os.path.join(models, entry["path"]),
                                      os.path.join(models, "expected", entry["name"])))
    return cases + exported_cases(folder)
