"""Measures Ingot beside other engines; docs/performance.md says what the figures mean.

For every case and number of threads each engine gets a process of its own (worker.py). Their outputs are
compared; then they run in turn, a short while each, several rounds, so that a slow moment of the machine
meets all of them; then the ceiling of the machine is measured again."""

import argparse
import json
import math
import os
import pickle
import statistics
import subprocess
import sys
import time

import numpy

import arm
import growth
import job
import process
import start
from cases import all_cases, start_case
from imported import imported_cases
from network import Network

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINES = [  # module, engine, mode, Python package, kinds
    ("ingot_library", "ingot", None, None, {"infer", "train"}),
    ("ingot_frozen", "ingot", "frozen", None, {"infer"}),
    ("ort", "onnxruntime", None, "onnxruntime", {"infer"}),
    ("ov", "openvino", None, "openvino", {"infer"}),
    ("xla", "jax", None, "jax", {"infer", "train"}),
    ("pytorch", "torch", "eager", "torch", {"infer", "train"}),
    ("pytorch_compiled", "torch", "compiled", "torch", {"infer", "train"}),
    ("ingot_imported", "ingot", None, None, {"onnx"}),
    ("ort_imported", "onnxruntime", None, "onnxruntime", {"onnx"}),
]
COLUMNS = ("name", "kind", "batch", "threads", "engine", "median_ms", "ceiling_fraction", "peak_bytes", "agrees")  # of every row
QUIET = 0.1  # seconds between two turns: threads of ONNX Runtime go on spinning for some fifty milliseconds after a call
TOLERANCE = {"infer": 1e-3, "onnx": 1e-3, "train": 5e-3}  # of the largest magnitude; of the losses of the first steps


class Process:
    def __init__(self, engine, case, threads, settings):
        self.module, self.engine, self.mode = engine[:3]
        allowed = sorted(os.sched_getaffinity(0))[:threads]
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), TF_CPP_MIN_LOG_LEVEL="3", JAX_PLATFORMS="cpu",
                           PYTHONDONTWRITEBYTECODE="1")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "worker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=settings.log, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, allowed))
        self.times, self.peak = [], 0
        self.opened = self.ask("open", self.module, case, threads, settings.folder, settings.ingot)

    def ask(self, *request):
        try:
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            return {"error": f"the process ended with {self.process.wait()}"}

    def run(self, seconds, most=100000):
        answer = self.ask("run", seconds, most)
        if "error" in answer:
            return self.opened.update(answer)
        self.times += answer["times"]
        self.peak = max(self.peak, answer["peak_bytes"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def build_ceiling(folder):
    path = os.path.join(folder, "ceiling")
    source = os.path.join(HERE, "ceiling.c")
    subprocess.run(["cc", "-O2", "-march=native", "-pthread", source, "-o", path], check=True)
    return path


def measure_ceiling(path, threads, seconds):
    allowed = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run([path, str(threads), str(seconds)], check=True, capture_output=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, allowed))
    return json.loads(done.stdout)


def best_ceiling(a, b):
    bandwidth = {k: max(v, b["bytes_per_second"][k]) for k, v in a["bytes_per_second"].items()}
    return {"gflops": max(a["gflops"], b["gflops"]), "bytes_per_second": bandwidth}


def least_seconds(case, network, ceiling):
    """No program can be faster: its multiply-adds at the FMA ceiling, or one reading of its weights, input and
    output at the bandwidth of the cache that could hold them, whichever takes longer."""
    if not network:
        multiply_adds, weights = case.work
        level = next((s for s in sorted(map(int, ceiling["bytes_per_second"])) if 2 * s >= weights), 268435456)
        return max(2 * multiply_adds / (ceiling["gflops"] * 1e9), weights / ceiling["bytes_per_second"][str(level)])
    multiply_adds = network.multiply_adds + network.gradient_multiply_adds * (case.kind == "train")
    weights = sum(v.nbytes for v in network.states().values())
    ends = 4 * case.batch * (math.prod(network.shapes[network.input]) + math.prod(network.shapes[network.output]))
    moved = weights + (ends if case.group in ("gemm", "conv") else 0)
    level = next((s for s in sorted(map(int, ceiling["bytes_per_second"])) if 2 * s >= moved), 268435456)
    return max(2 * multiply_adds * case.batch / (ceiling["gflops"] * 1e9),
               moved / ceiling["bytes_per_second"][str(level)])


def agrees(case, outputs, reference):
    if outputs.shape != reference.shape or not numpy.isfinite(outputs).all():
        return False, float("inf")
    scale = numpy.abs(reference) if case.kind == "train" else numpy.abs(reference).max()
    error = float((numpy.abs(outputs - reference) / (scale + 1e-12)).max())
    return error <= TOLERANCE[case.kind], error


def measure(case, threads, engines, settings):
    network = Network(case.description) if case.group != "onnx" else case.find_work(settings.ingot)
    ceiling = measure_ceiling(settings.ceiling, threads, max(0.5, settings.seconds))
    processes = [Process(e, case, threads, settings) for e in engines if case.kind in e[4]]
    rows = []
    try:
        working = [p for p in processes if "error" not in p.opened]
        for _ in range(settings.rounds):
            for p in working:
                time.sleep(QUIET)
                p.run(settings.seconds / settings.rounds)
        ceiling = best_ceiling(ceiling, measure_ceiling(settings.ceiling, threads, max(0.5, settings.seconds)))
        least = least_seconds(case, network, ceiling)
        # the reference is the first peer: Ingot is never compared with itself
        reference = next((p for p in working if p.engine != "ingot"), None)
        for p in processes:
            row = {"name": case.name, "kind": case.group, "batch": case.batch, "threads": threads, "engine": p.engine}
            if p.mode:
                row["mode"] = p.mode
            if case.group == "growth":
                row["call"] = case.kind
            if "error" in p.opened or not p.times:
                row["error"] = p.opened.get("error", "no time was measured")
                rows.append(row)
                continue
            times, peer = sorted(p.times), reference
            if p is reference:  # judged by another engine, a peer where there is one
                others = sorted((q for q in working if q is not p), key=lambda q: q.engine == "ingot")
                peer = others[0] if others else None
            good, error = agrees(case, p.opened["outputs"], peer.opened["outputs"]) if peer else (None, None)
            median = statistics.median(times)
            row.update(
                median_ms=1e3 * median, least_ms=1e3 * times[0],
                spread=(times[len(times) * 9 // 10] - times[len(times) // 10]) / median, calls=len(times),
                ceiling_fraction=least / median, ceiling_gflops=ceiling["gflops"], peak_bytes=p.peak,
                build_ms=1e3 * p.opened["build_seconds"], artefact_bytes=p.opened["artefact_bytes"],
                agrees=good, error_of_outputs=error)
            rows.append(row)
    finally:
        for p in processes:
            p.close()
    return rows


# --- printing -----------------------------------------------------------------------------------


def size(count):
    if not count:
        return "-"
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


def print_rows(rows):
    """Ratios: how many times longer than Ingot; at Ingot's own row, the best peer."""
    good = [r for r in rows if "median_ms" in r]
    ingot = min((r["median_ms"] for r in good if r["engine"] == "ingot"), default=None)
    peers = [r["median_ms"] for r in good if r["engine"] != "ingot" and r["agrees"] is not False]
    for i, r in enumerate(rows):
        title = f"{r['name']}, batch {r['batch']}" if i == 0 else ""
        engine = r["engine"] + (" " + r["mode"] if "mode" in r else "")
        head = f"{title:42} {r['threads']:>2} {engine:15}"
        if "error" in r:
            print(f"{head} {r['error'][:100]}")
            continue
        ratio = min(peers) / r["median_ms"] if r["engine"] == "ingot" and peers else r["median_ms"] / ingot if ingot else None
        ceiling = f"{100 * r['ceiling_fraction']:6.1f} %" if r.get("ceiling_fraction") else "       -"
        doubt = "" if r["agrees"] else "  not compared" if r["agrees"] is None else "  DISAGREES"
        print(f"{head} {r['median_ms']:11.4f} {100 * r.get('spread', 0):6.1f} % "
              f"{f'{ratio:6.2f}' if ratio else '     -'} {ceiling} {size(r['peak_bytes']):>11} "
              f"{r.get('build_ms', 0):9.0f} {size(r.get('artefact_bytes')):>10}{doubt}", flush=True)


def mean_of_ratios(rows):
    """Geometric mean over cases of best peer / Ingot, for each kind, batch and number of threads."""
    cases, groups = {}, {}
    for r in rows:
        if "median_ms" in r and r["agrees"] is not False:
            key = (r["kind"], r["threads"], r["batch"] if r["kind"] == "infer" else 0, r["name"], r["batch"])
            cases.setdefault(key, {}).setdefault(r["engine"] == "ingot", []).append(r["median_ms"])
    for key, times in cases.items():
        if len(times) == 2:
            groups.setdefault(key[:3], []).append(min(times[False]) / min(times[True]))
    for (kind, threads, batch), ratios in sorted(groups.items()):
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        of = f"{kind}, batch {batch}" if batch else kind
        print(f"{of:20} {threads} thread{'s' if threads > 1 else ' '}  best peer / Ingot: "
              f"geometric mean {mean:.2f}, least {min(ratios):.2f}, of {len(ratios)}")


def versions(packages):
    import importlib.metadata as metadata
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def measure_times(settings, cases, starts, jobs):
    found = versions([e[3] for e in ENGINES if e[3]])
    print(", ".join(f"{k} {v}" if v else f"{k} is not installed" for k, v in found.items()))
    engines = [e for e in ENGINES if (not e[3] or found[e[3]]) and (not settings.engine or e[1] in settings.engine)
               and not (settings.quick and e[2] == "compiled")]
    settings.ceiling = build_ceiling(settings.folder)
    every = len(os.sched_getaffinity(0))
    print(f"{'case':42} {'th':>2} {'engine':15} {'median ms':>11} {'spread':>8} {'ratio':>6} {'of limit':>8} "
          f"{'memory':>11} {'build ms':>9} {'artefact':>10}")
    rows = []

    def show(new):
        print_rows(new)
        rows.extend(new)

    for case in cases:
        for threads in settings.threads or sorted({1, every}):
            new = measure(case, threads, [e for e in engines if case.group != "growth" or e[0] in growth.ENGINES], settings)
            if case.group == "growth":
                growth.count_kernels(settings, case, new)
            show(new)
    process.build(settings)
    if starts:
        show(start.measure(start_case(), settings, found))
    if jobs:
        for threads in settings.threads or sorted({1, every}):
            gflops = measure_ceiling(settings.ceiling, threads, max(0.5, settings.seconds))["gflops"]
            show(job.measure(settings, found, threads, gflops))
    growth.print_table(rows)
    print()
    mean_of_ratios(rows)
    return rows


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("--only", metavar="NAME", help="only cases whose kind is NAME or whose name holds it")
    parser.add_argument("--batch", type=int, metavar="N", help="only cases of that batch")
    parser.add_argument("--quick", action="store_true",
                        help="short rounds, fewer sizes, no batch 32 unless --batch asks for it, no torch.compile: for trying out, not for results")
    parser.add_argument("--engine", action="append", metavar="NAME", help="only these engines; may be repeated")
    parser.add_argument("--threads", type=int, action="append", metavar="N", help="1 and all otherwise")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    settings = parser.parse_args()
    settings.folder = os.environ["BENCH_FOLDER"]
    settings.ingot = os.environ["INGOT"]
    settings.seconds, settings.rounds = (0.1, 2) if settings.quick else (2.0, 8)
    settings.log = open(os.path.join(settings.folder, "engines.log"), "wb")
    cases = [c for c in all_cases(settings.quick, settings.batch == 32) + imported_cases(settings.folder)
             if (not settings.only or settings.only in c.name or settings.only == c.group)
             and settings.batch in (None, c.batch)]
    starts = settings.only in (None, "start") and not settings.batch
    jobs = settings.only in (None, "job", "lenet") and not settings.batch
    arms = settings.only in (None, "arm") and not settings.batch and (not settings.engine or "ingot" in settings.engine)
    if settings.list:
        print("\n".join(f"{c.group:6} {c.name}, batch {c.batch}" for c in cases))
        return 0
    if not cases and not starts and not jobs and not arms:
        parser.error(f"no case is called {settings.only}; --list names them")
    rows = measure_times(settings, cases, starts, jobs) if cases or starts or jobs else []
    if arms:
        rows += arm.measure(settings)
    path = os.path.join(settings.folder, "results.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump([{k: None for k in COLUMNS} | row for row in rows], file, indent=1)
    print(f"written to {path}")
    bad = [r for r in rows if r["engine"] == "ingot" and (r.get("agrees") is False or "error" in r)]
    for r in bad:
        print(f"Ingot {'fails' if 'error' in r else 'disagrees'}: {r['name']}, batch {r['batch']}, {r['threads']} threads")
    return 1 if bad else 0


sys.exit(main())
