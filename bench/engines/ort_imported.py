"""ONNX Runtime with the ONNX file as it is; all optimisations, inputs and outputs bound once."""

import os
import time

import numpy


class Engine:
    def __init__(self, case, threads):
        self.case = case
        self.artefact_bytes = os.path.getsize(case.path)
        case.settle()
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        start = time.perf_counter()
        self.session = ort.InferenceSession(case.path, options, providers=["CPUExecutionProvider"])
        self.build_seconds = time.perf_counter() - start
        self.binding = self.session.io_binding()
        self.held = []
        for name, value in zip(case.input_names, case.inputs):
            self.held.append(ort.OrtValue.ortvalue_from_numpy(value))
            self.binding.bind_ortvalue_input(name, self.held[-1])
        self.results = []
        for name in case.output_names:
            value = ort.OrtValue.ortvalue_from_numpy(numpy.zeros_like(numpy.load(case.sample("out", name))))
            self.results.append(value)
            self.binding.bind_ortvalue_output(name, value)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return self.case.scaled([v.numpy() for v in self.results])
