"""ONNX Runtime, all optimisations, inputs and outputs bound once."""

import os
import time

import numpy
import onnx

from export import export


class Engine:
    def __init__(self, case, threads):
        self.case = case
        path = os.path.join(case.folder, f"{case.file_name}.{threads}.ort.onnx")
        onnx.save(export(case.network, case.batch), path)
        self.artefact_bytes = os.path.getsize(path)
        case.settle()
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        start = time.perf_counter()
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.build_seconds = time.perf_counter() - start
        self.binding = self.session.io_binding()
        self.input = ort.OrtValue.ortvalue_from_numpy(case.inputs_channels_first())
        self.binding.bind_ortvalue_input(case.network.input, self.input)
        shape = self.session.get_outputs()[0].shape
        self.output = ort.OrtValue.ortvalue_from_numpy(numpy.zeros(shape, numpy.float32))
        self.binding.bind_ortvalue_output(case.network.output, self.output)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return self.case.channels_last(self.output.numpy())
