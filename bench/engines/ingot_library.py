"""Ingot: a shared library of the model, called through its C functions."""

import ctypes
import json
import os
import subprocess
import time

import numpy

from engines import STEPS

FREEZE = False
POINTER = ctypes.c_void_p


class Options(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int32), ("parallel", POINTER), ("pool", POINTER), ("memory", POINTER),
                ("memory_bytes", ctypes.c_size_t)]


def build(case, base, emit):
    """Writes the model as base.json, with its weights, and builds it: "shared" into base.so, "exe" into base."""
    weights = base + ".safetensors"
    case.network.save(weights)
    with open(base + ".json", "w", encoding="utf-8") as file:
        json.dump(dict(case.network.description, weights=weights), file)
    path = base + ".so" if emit == "shared" else base
    command = [case.ingot, "build", base + ".json", "--emit=" + emit, "-o", path]
    if case.kind == "train":
        command += ["--train", f"--train-batch={case.batch}"]
    else:
        command += [f"--batch={case.batch}"] + ["--freeze"] * FREEZE
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("ingot build: " + (done.stderr.strip().splitlines() or ["failed"])[0])
    return path


class Engine:
    def __init__(self, case, threads):
        self.case, network = case, case.network
        base = os.path.join(case.folder, f"{case.file_name}.{threads}" + ".frozen" * FREEZE)
        start = time.perf_counter()
        library = build(case, base, "shared")
        self.build_seconds = time.perf_counter() - start
        self.artefact_bytes = os.path.getsize(library)
        case.settle()  # what was read only to be written counts for nothing
        code = ctypes.c_int32()
        loaded = ctypes.CDLL(library)
        create = getattr(loaded, network.name + "_create")
        create.restype = POINTER
        self.model = POINTER(create(ctypes.byref(Options(threads=threads)), ctypes.byref(code)))
        if not self.model:
            raise RuntimeError(f"{network.name}_create: code {code.value}")
        self.losses = []
        if case.kind == "train":
            self.call = getattr(loaded, network.name + "_train_step")
            self.out = numpy.zeros((), numpy.float32)
            arrays = [case.inputs, case.target, self.out]
            self.losses = [self.step(arrays) for _ in range(STEPS)]
        else:
            self.call = getattr(loaded, network.name + "_infer")
            self.out = numpy.zeros((case.batch, *network.shapes[network.output]), numpy.float32)
            arrays = [case.inputs, self.out]
        self.set_arguments(arrays)

    def set_arguments(self, arrays):
        self.arrays = arrays
        self.arguments = [self.model] + [POINTER(a.ctypes.data) for a in arrays]

    def step(self, arrays):
        self.set_arguments(arrays)
        self.run()
        return float(self.out)

    def run(self):
        code = self.call(*self.arguments)
        if code:
            raise RuntimeError(f"the call returned {code}")

    def outputs(self):
        return numpy.array(self.losses) if self.losses else self.out
