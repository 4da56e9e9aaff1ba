"""How time, memory and compile time grow with the batch, with threads and with depth: cases like the others, and one
table of them at the end."""

import os
import subprocess

BATCHES = (1, 4, 16, 64, 256)
DEPTHS = (10, 20, 50, 100, 200)
QUICK_BATCHES, QUICK_DEPTHS = (1, 16, 256), (10, 200)
ENGINES = ("ingot_library", "ort", "pytorch")  # others take minutes to compile the deepest


def training(description, batch):
    return dict(description, train={
        "targets": {"label": {"classes": 10}}, "loss": {"softmax_cross_entropy": ["logits", "label"]},
        "optimizer": {"sgd": {"learning_rate": 0.001, "momentum": 0.9}}, "batch": batch})


def residual(depth):
    """`depth` convolutions that are all alike, two of them in a block with a sum around it."""
    block = [{"conv2d": 16, "kernel": 3, "padding": 1, "bias": False}, {"batch_norm": {}}, {"relu": {}},
             {"conv2d": 16, "kernel": 3, "padding": 1, "bias": False}, {"batch_norm": {}, "name": "change"},
             {"add": ["input", "change"]}, {"relu": {}}]
    return training({
        "model": f"depth_{depth}", "inputs": {"image": ["batch", 16, 16, 16]},
        "define": {"block": {"parameters": [], "layers": block}},
        "layers": [{"block": {}, "repeat": depth // 2, "name": "block"}, {"global_average_pool": {}},
                   {"dense": 10, "name": "logits"}]}, 16)


def distinct(depth):
    """`depth` dense layers, each of another width, so that no two share a kernel."""
    return training({
        "model": f"distinct_{depth}", "inputs": {"x": ["batch", 64]},
        "layers": [{"dense": 32 + i, "activation": "relu"} for i in range(depth - 1)] + [{"dense": 10, "name": "logits"}]}, 16)


def cases(make, models, quick):
    """make(name, batch, description, kind of call)"""
    found = []
    for name in ("lenet5", "resnet_small"):
        for kind in ("infer", "train"):
            found += [make(f"growth_{name}", b, models[name], kind) for b in (QUICK_BATCHES if quick else BATCHES)]
    for description in (residual, distinct):
        for depth in QUICK_DEPTHS if quick else DEPTHS:
            model = description(depth)
            found += [make("growth_" + model["model"], 1, model, "infer"), make("growth_" + model["model"], 16, model, "train")]
    return found


def kernels(ingot, model, kind, batch):
    """How many different ones `ingot build` makes of the model; None when it fails."""
    command = [ingot, "build", model, "--emit=nest", "-o", "-"]
    command += ["--train", f"--train-batch={batch}"] if kind == "train" else [f"--batch={batch}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode else sum(line.startswith("kernel @") for line in done.stdout.splitlines())


def count_kernels(settings, case, rows):
    for row in rows:
        if row["engine"] == "ingot" and "error" not in row:
            model = os.path.join(settings.folder, f"{case.file_name}.{row['threads']}.json")
            row["kernels"] = kernels(settings.ingot, model, case.kind, case.batch)


def print_table(rows):
    """For Ingot and the best peer at each size: time of one row of data, memory; and what building takes."""
    rows = [r for r in rows if r["kind"] == "growth" and "median_ms" in r and r["agrees"] is not False]
    if not rows:
        return
    print(f"\n{'growth':32} {'batch':>5} {'th':>2} {'us each':>10} {'peer':>10} {'memory':>10} {'peer':>10} {'build ms':>9} {'kernels':>7}")
    seen = set()
    for row in rows:
        key = (row["name"], row["call"], row["batch"], row["threads"])
        if key in seen:
            continue
        seen.add(key)
        same = [r for r in rows if (r["name"], r["call"], r["batch"], r["threads"]) == key]
        mine = next((r for r in same if r["engine"] == "ingot"), None)
        peer = min((r for r in same if r["engine"] != "ingot"), key=lambda r: r["median_ms"], default=None)
        each = lambda r: f"{1e3 * r['median_ms'] / r['batch']:10.2f}" if r else f"{'-':>10}"
        memory = lambda r: f"{r['peak_bytes'] / 2**20:6.1f} MiB" if r else f"{'-':>10}"
        print(f"{row['name'][7:] + ', ' + row['call']:32} {row['batch']:5} {row['threads']:2} {each(mine)} {each(peer)} "
              f"{memory(mine)} {memory(peer)} {mine['build_ms'] if mine else 0:9.0f} {mine.get('kernels') or 0 if mine else 0:7}")
