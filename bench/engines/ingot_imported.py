"""Ingot: a shared library of a model that came as ONNX."""

import ctypes
import os
import re
import subprocess
import time

import numpy

from engines.ingot_library import POINTER, Options


class Engine:
    def __init__(self, case, threads):
        self.case = case
        library = os.path.join(case.folder, f"{case.file_name}.{threads}.so")
        command = [case.ingot, "build", case.path, "--emit=shared", "-o", library, *case.bindings()]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("ingot build: " + (done.stderr.strip().splitlines() or ["failed"])[0])
        self.build_seconds = time.perf_counter() - start
        self.artefact_bytes = os.path.getsize(library)
        with open(library[:-3] + ".h", encoding="utf-8") as file:
            prefix = re.search(r"(\w+)_create\(", file.read()).group(1)
        case.settle()
        loaded, code = ctypes.CDLL(library), ctypes.c_int32()
        create = getattr(loaded, prefix + "_create")
        create.restype = POINTER
        self.model = POINTER(create(ctypes.byref(Options(threads=threads)), ctypes.byref(code)))
        if not self.model:
            raise RuntimeError(f"{prefix}_create: code {code.value}")
        self.call = getattr(loaded, prefix + "_infer")
        self.results = [numpy.zeros_like(numpy.load(case.sample("out", n))) for n in case.output_names]
        self.arguments = [self.model] + [POINTER(a.ctypes.data) for a in case.variable_inputs() + self.results]

    def run(self):
        code = self.call(*self.arguments)
        if code:
            raise RuntimeError(f"the call returned {code}")

    def outputs(self):
        return self.case.scaled(self.results)
