"""The whole job: from the start of the process to saved weights of a trained examples/lenet.json. MNIST where
INGOT_SHARED or ../shared has it, else Fashion-MNIST. Each engine reads the same four files, does the same
number of epochs with the same network, and evaluates once at the end, as Ingot does after every epoch.

`job.py torch|jax FOLDER EPOCHS OUT` is one peer's whole program."""

import gzip
import os
import re
import subprocess
import sys
import time

import numpy

import process
from network import Network, load

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
GOAL = {"mnist": 98.9, "fashion-mnist": 90.0}  # percent of the test pictures
FILES = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def data_folder():
    shared = os.environ.get("INGOT_SHARED", os.path.join(ROOT, "..", "shared"))
    for folder in (os.path.join(shared, "data", "mnist"), "/usr/share/datasets/fashion-mnist"):
        if all(os.path.exists(os.path.join(folder, f)) for f in FILES):
            return os.path.abspath(folder)
    return None


def read(folder):
    pictures = lambda f: (numpy.frombuffer(gzip.open(f).read(), numpy.uint8, offset=16).reshape(-1, 28, 28, 1).astype(numpy.float32) - 33.3) / 78.6
    labels = lambda f: numpy.frombuffer(gzip.open(f).read(), numpy.uint8, offset=8).astype(numpy.int32)
    paths = [os.path.join(folder, f) for f in FILES]
    return pictures(paths[0]).astype(numpy.float32), labels(paths[1]), pictures(paths[2]).astype(numpy.float32), labels(paths[3])


def rate(step, steps):
    """cosine with final_factor 0.05"""
    part = min(step / steps, 1)
    return 0.001 * (0.05 + 0.95 * (1 + numpy.cos(numpy.pi * part)) / 2)


def with_torch(folder, epochs, out):
    import torch
    from torch import nn
    x, y, test_x, test_y = (torch.from_numpy(a) for a in read(folder))
    x, test_x, y, test_y = x.reshape(-1, 1, 28, 28), test_x.reshape(-1, 1, 28, 28), y.long(), test_y.long()
    net = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(800, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.001, fused=True)
    steps, step = 5 * 938, 0
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(len(x)).split(64):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, steps)
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            step += 1
    net.eval()
    with torch.inference_mode():
        right = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(test_x.split(64), test_y.split(64)))
    torch.save(net.state_dict(), out)
    return 100 * right / len(test_y)


def plain_network():
    """Without what only the whole job has."""
    description = load(os.path.join(ROOT, "examples", "lenet.json"))
    layers = [l for l in description["layers"] if "dropout" not in l and "softmax" not in l]
    return Network(dict(description, outputs=["logits"], layers=layers))


def with_jax(folder, epochs, out):
    import jax
    from engines.xla import forward
    x, y, test_x, test_y = read(folder)
    jnp, network = jax.numpy, plain_network()
    drop = next(l.name for l in network.layers if l.kind == "flatten")
    weights = {k: jnp.array(v if k.endswith("weight") else 0 * v) for k, v in network.states().items()}

    def logits(w, x):
        return forward(jax, network, w, x, False)[0]

    def dropped(w, x, key):
        """The same with dropout behind the flatten: as a factor of the rows of the next weights' input."""
        head = Network.__new__(Network)
        cut = next(i for i, l in enumerate(network.layers) if l.name == drop) + 1
        head.__dict__.update(network.__dict__, layers=network.layers[:cut], output=drop)
        h = forward(jax, head, w, x, False)[0]
        h = h * jax.random.bernoulli(key, 0.75, h.shape) / 0.75
        tail = Network.__new__(Network)
        tail.__dict__.update(network.__dict__, layers=network.layers[cut:], input=drop)
        return forward(jax, tail, w, h, False)[0]

    @jax.jit
    def step(w, m, v, count, lr, x, y, key):
        key, mine = jax.random.split(key)
        loss = lambda w: -jnp.take_along_axis(jax.nn.log_softmax(dropped(w, x, mine)), y[:, None], 1).mean()
        g, count = jax.grad(loss)(w), count + 1
        m = {k: 0.9 * m[k] + 0.1 * g[k] for k in g}
        v = {k: 0.999 * v[k] + 0.001 * g[k] ** 2 for k in g}
        w = {k: w[k] - lr * (m[k] / (1 - 0.9**count)) / (jnp.sqrt(v[k] / (1 - 0.999**count)) + 1e-8) for k in g}
        return w, m, v, count, key

    zeros = {k: jnp.zeros_like(a) for k, a in weights.items()}
    state, random, done = (weights, zeros, zeros, jnp.zeros(()), jax.random.key(1)), numpy.random.default_rng(1), 0
    for _ in range(epochs):
        order = random.permutation(len(x))
        for at in range(0, len(x) - 63, 64):
            rows = order[at:at + 64]
            w, m, v, count, key = state
            state = step(w, m, v, count, rate(done, 5 * 938), x[rows], y[rows], key)
            done += 1
    infer = jax.jit(logits)
    right = sum(int((infer(state[0], test_x[i:i + 500]).argmax(1) == test_y[i:i + 500]).sum()) for i in range(0, len(test_x), 500))
    numpy.savez(out, **state[0])
    return 100 * right / len(test_y)


# --- measuring ----------------------------------------------------------------------------------


def accuracy_of(text):
    found = re.findall(r"accuracy[^0-9]*([0-9.]+) ?%", text)
    return float(found[-1]) if found else None


def least_seconds(epochs, gflops):
    """All multiply-adds, of training and of one evaluation, at the ceiling of the machine."""
    network = plain_network()
    trained = network.multiply_adds + network.gradient_multiply_adds
    return 2 * (epochs * 60000 * trained + 10000 * network.multiply_adds) / (gflops * 1e9)


def build(settings):
    """The program, how long that took, and its error."""
    program = os.path.join(settings.folder, "work", "lenet")
    start = time.perf_counter()
    done = subprocess.run([settings.ingot, "build", os.path.join(ROOT, "examples", "lenet.json"), "--train", "-o", program],
                          capture_output=True, text=True)
    seconds = time.perf_counter() - start
    return program, seconds, "ingot build: " + (done.stderr.strip().splitlines() or ["failed"])[0] if done.returncode else None


def measure(settings, found, threads, gflops):
    folder, rows = data_folder(), []
    if not folder:
        print("job: neither MNIST nor Fashion-MNIST is here; not measured")
        return rows
    epochs = 1 if settings.quick else 5
    goal = GOAL[os.path.basename(folder)] if not settings.quick else 80
    program, built, failure = build(settings)
    for engine in ("ingot", "torch", "jax"):
        if (engine != "ingot" and not found[engine]) or (settings.engine and engine not in settings.engine):
            continue
        row = {"name": f"lenet on {os.path.basename(folder)}, {epochs} epochs", "kind": "job", "batch": 64,
               "threads": threads, "engine": engine}
        rows.append(row)
        out = os.path.join(settings.folder, "work", "trained." + engine)
        if engine == "ingot" and failure:
            row["error"] = failure
            continue
        command = [sys.executable, os.path.abspath(__file__), engine, folder, str(epochs), out]
        if engine == "ingot":
            command = [program, "train", "--data", folder, "--epochs", str(epochs), "--threads", str(threads), "--save", out]
        done = process.timed(settings, command, threads)
        accuracy = accuracy_of(done["text"])
        if done["code"] or accuracy is None:
            row["error"] = (done["text"].strip().splitlines() or ["no output"])[-1]
            continue
        row.update(median_ms=1e3 * done["whole"], peak_bytes=done["peak_bytes"], accuracy=accuracy, agrees=accuracy >= goal,
                   ceiling_fraction=least_seconds(epochs, gflops) / done["whole"])
        if engine == "ingot":
            row.update(build_ms=1e3 * built, artefact_bytes=os.path.getsize(program))
    return rows


if __name__ == "__main__":
    run = {"torch": with_torch, "jax": with_jax}[sys.argv[1]]
    print(f"accuracy {run(sys.argv[2], int(sys.argv[3]), sys.argv[4]):.2f} %")
