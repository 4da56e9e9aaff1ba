"""OpenVINO on the CPU, told to answer quickly and to compute in single precision."""

import os
import time

import onnx

from export import export


class Engine:
    def __init__(self, case, threads):
        self.case = case
        path = os.path.join(case.folder, f"{case.file_name}.{threads}.ov.onnx")
        onnx.save(export(case.network, case.batch), path)
        self.artefact_bytes = os.path.getsize(path)
        case.settle()
        import openvino
        start = time.perf_counter()
        core = openvino.Core()
        compiled = core.compile_model(path, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
        self.build_seconds = time.perf_counter() - start
        self.request = compiled.create_infer_request()
        self.input = case.inputs_channels_first()
        self.request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))

    def run(self):
        self.request.infer()

    def outputs(self):
        return self.case.channels_last(self.request.get_output_tensor().data)
