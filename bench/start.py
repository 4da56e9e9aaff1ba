"""From the start of a process to its first result: LeNet-5 with its weights inside, one picture, one thread. Ingot's
program against a Python program that does the same with a peer, as its users would.

`start.py ENGINE MODEL PICTURE OUT` is one peer's whole program: it prints the first line of the result, and with OUT
writes the numbers there."""

import os
import statistics
import subprocess
import sys

import numpy

import process

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINES = ("ingot", "onnxruntime", "openvino", "torch")
TOLERANCE = 1e-3


def with_onnxruntime(model, picture):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: picture})[0]


def with_openvino(model, picture):
    import openvino
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    return compiled(picture)[0]


def with_torch(model, picture):
    import torch
    torch.set_num_threads(1)
    with torch.inference_mode():
        return torch.jit.load(model)(torch.from_numpy(picture)).numpy()


# --- measuring ----------------------------------------------------------------------------------


def save_torch(case, path):
    import torch
    from engines.pytorch import make_net
    net = make_net(torch, case.network).eval()
    with torch.inference_mode():
        torch.jit.trace(net, torch.from_numpy(case.inputs_channels_first())).save(path)


def prepare(engine, case, settings):
    """The command, where it leaves the numbers when asked to, and what it starts from."""
    base = os.path.join(settings.folder, "start_" + case.name)
    if engine == "ingot":
        from engines.ingot_library import build
        program = build(case, base, "exe")
        numpy.save(base + ".npy", case.inputs)
        out = base + "_out"
        os.makedirs(out, exist_ok=True)
        return [program, "infer", "--input", base + ".npy", "--threads", "1"], ["--output", out], \
            os.path.join(out, case.network.output + ".npy"), program
    model = f"{base}.{engine}"
    if engine == "torch":
        save_torch(case, model)
    else:
        import onnx
        from export import export
        model += ".onnx"
        onnx.save(export(case.network, 1), model)
    numpy.save(base + "_first.npy", case.inputs_channels_first())
    out = f"{base}.{engine}.out.npy"
    return [sys.executable, os.path.abspath(__file__), engine, model, base + "_first.npy"], [out], out, model


def measure(case, settings, found):
    case.open(settings.folder, settings.ingot)
    rows, outputs = [], {}
    for engine in ENGINES:
        if (engine != "ingot" and not found[engine]) or (settings.engine and engine not in settings.engine):
            continue
        row = {"name": "start " + case.name, "kind": "start", "batch": 1, "threads": 1, "engine": engine,
               "ceiling_fraction": None}
        rows.append(row)
        try:
            command, asking, result, artefact = prepare(engine, case, settings)
            subprocess.run(command + asking, check=True, stdout=subprocess.DEVNULL, stderr=settings.log)
            outputs[engine] = numpy.load(result)
            times = []
            for _ in range(20 if settings.quick else 200) if engine == "ingot" else range(3 if settings.quick else 10):
                done = process.timed(settings, command, 1)
                times.append(done["first"])
                row["peak_bytes"] = max(row.get("peak_bytes", 0), done["peak_bytes"])
        except (RuntimeError, OSError, ImportError, subprocess.CalledProcessError) as error:
            row["error"] = str(error)
            continue
        times.sort()
        row.update(median_ms=1e3 * statistics.median(times), least_ms=1e3 * times[0], calls=len(times),
                   spread=(times[len(times) * 9 // 10] - times[len(times) // 10]) / statistics.median(times),
                   artefact_bytes=os.path.getsize(artefact))
    for row in rows:
        others = [e for e in outputs if e != row["engine"]]
        mine = outputs.get(row["engine"])
        if mine is not None:
            other = outputs[others[-1]] if others else None
            row["agrees"] = other is not None and bool(
                numpy.abs(mine - other).max() <= TOLERANCE * numpy.abs(other).max()) if others else None
    return rows


if __name__ == "__main__":
    run = {"onnxruntime": with_onnxruntime, "openvino": with_openvino, "torch": with_torch}[sys.argv[1]]
    y = run(sys.argv[2], numpy.load(sys.argv[3]))
    print(f"class {y.argmax()} ({y.max():.4f})", flush=True)
    if len(sys.argv) > 4:
        numpy.save(sys.argv[4], y)
