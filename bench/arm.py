"""ARM, where there is none to time: what can be told from the code alone.

Loops: single layers are compiled for several cores. Of the kernel in question the innermost loop with the most
multiply-adds is cut out of the assembly and given to llvm-mca, which knows how many cycles the core needs for it
when everything lies in the first-level cache.

Instructions: whole networks run under qemu, with a plugin (arm_count.c) that counts. What three calls execute more
than one does, halved, is a call's."""

import json
import math
import os
import re
import shutil
import subprocess

import cases
from network import Network, load

HERE = os.path.dirname(os.path.abspath(__file__))
GOAL = 0.85  # of the multiply-adds a core can begin

# --cpu; triple; whose pipelines llvm-mca knows; multiply-adds of four floats that core begins in a cycle; does the
# goal hold? cortex-a76 and neoverse-n1 have the same pipelines, and LLVM describes the latter. It describes no core
# that runs ARMv7 with fused multiply-adds: there only instructions are counted.
CORES = [
    ("cortex-a72", "aarch64-linux-gnu", "cortex-a72", 1, True),
    ("cortex-a76", "aarch64-linux-gnu", "neoverse-n1", 2, True),
    ("neoverse-v1", "aarch64-linux-gnu", "neoverse-v1", 4, True),
    ("cortex-a53", "aarch64-linux-gnu", "cortex-a53", 1, False),
    ("cortex-a7", "arm-linux-gnueabihf", None, None, False),
]
PRODUCTS = [(256, 256, 256), (127, 333, 61), (4, 1024, 1024), (1, 1024, 1024)]
CONVOLUTIONS = ["resnet_stem", "resnet_56_3x3", "resnet_28_3x3_halving", "resnet_14_1x1", "mobilenet_112_depthwise",
                "mobilenet_56_depthwise_halving", "mobilenet_14_depthwise"]
GRADIENTS = ["resnet_28_3x3", "resnet_56_1x1", "mobilenet_14_depthwise"]
KERNELS = {"weight_gradient": "conv_filter", "input_gradient": "conv_transpose"}  # how the names of gradients begin

MODELS = ["mlp", "lenet5", "resnet_small", "mobilenet_v2"]
MODEL_CORES = [("aarch64-linux-gnu", "qemu-aarch64", "cortex-a72"), ("aarch64-linux-gnu", "qemu-aarch64", "neoverse-v1"),
               ("arm-linux-gnueabihf", "qemu-arm", "cortex-a7")]


def loop_cases():
    convolutions = {c[0]: c for c in cases.CONVOLUTIONS}
    return ([cases.product(*p) for p in PRODUCTS] + [cases.convolution(*convolutions[n]) for n in CONVOLUTIONS] +
            [cases.convolution(*convolutions[n], gradient) for n in GRADIENTS for gradient in ("weight", "input")])


def run(*command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode:
        lines = [l for l in done.stderr.strip().splitlines() if "error" in l] or done.stderr.strip().splitlines() or ["failed"]
        raise RuntimeError(f"{os.path.basename(command[0])}: {lines[0]}")
    return done


def describe(settings, name, description):
    path = os.path.join(settings.folder, "work", name + ".arm.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(description, file)
    return path


# --- loops --------------------------------------------------------------------------------------


def functions(assembly):
    """Name and lines of every function; directives and comments are left out."""
    name, lines = None, []
    for line in assembly.splitlines():
        line = re.split(r"//|@", line)[0].rstrip()
        if line.startswith(".Lfunc_end"):
            yield name, lines
            name = None
        elif not name and (found := re.match(r"([A-Za-z_][\w.]*):$", line)):
            name, lines = found[1], []
        elif name and line and not line.startswith("\t."):
            lines.append(line)


def innermost_loops(lines):
    """What lies between a label and a branch back to it, where no other such pair lies inside."""
    labels = {line[:-1]: i for i, line in enumerate(lines) if line.startswith(".L")}
    loops = []
    for end, line in enumerate(lines):
        branch = re.match(r"\t(?:b|cbn?z|tbn?z)\S*\s.*?(\.L\w+)$", line)
        if branch and labels[branch[1]] < end:
            loops.append((labels[branch[1]], end))
    return [[l for l in lines[a:b + 1] if not l.startswith(".L")] for a, b in loops
            if not any((c, d) != (a, b) and a <= c and d <= b for c, d in loops)]


def multiply_adds(lines):
    """Of four floats each."""
    kinds = [(1, r"\tfml[as]\tv\d+\.4s|\tv(fm|ml)[as]\.f32\tq"), (0.5, r"\tfml[as]\tv\d+\.2s|\tv(fm|ml)[as]\.f32\td"),
             (0.25, r"\tfn?m(add|sub)\ts|\tv(fm|ml)[as]\.f32\ts")]
    return sum(worth for line in lines for worth, pattern in kinds if re.match(pattern, line))


def cycles(mca, lines, triple, pipelines, rounds=100):
    """Of one iteration."""
    text = "start:\n" + "\n".join(re.sub(r"\.L\w+$", "start", l) for l in lines) + "\n"
    done = run(mca, f"-mtriple={triple}", f"-mcpu={pipelines}", f"-iterations={rounds}", input=text)
    return int(re.search(r"Total Cycles:\s+(\d+)", done.stdout)[1]) / rounds


def hot_loops(settings, path, case, triple, cpu):
    """Kernel and loop, of each kernel that does the multiply-adds the case is about."""
    options = [f"--target={triple}", f"--cpu={cpu}", "-o", "-"]
    options += ["--train", f"--train-batch={case.batch}"] if case.kind == "train" else [f"--batch={case.batch}"]
    begins = next((k for name, k in KERNELS.items() if case.name.endswith(name)), "")
    nest = run(settings.ingot, "build", path, "--emit=nest", *options).stdout
    wanted = {k for k in re.findall(r"^kernel @(\S+?)\(.* multiply_adds=", nest, re.M) if k.startswith(begins)}
    assembly = run(settings.ingot, "build", path, "--emit=asm", *options).stdout
    for name, lines in functions(assembly):
        kernel = name.partition(".")[2]
        if kernel in wanted:
            yield kernel, max(innermost_loops(lines), key=multiply_adds, default=[])


def newest_mca():
    places = [f"llvm-mca-{v}" for v in range(40, 18, -1)] + [f"/usr/lib/llvm-{v}/bin/llvm-mca" for v in range(40, 18, -1)]
    return next(filter(None, map(shutil.which, places + ["llvm-mca"])), None)


def measure_loops(settings):
    mca, rows = newest_mca(), []
    if not mca:
        print("arm: there is no llvm-mca (Debian: llvm-22); loops are counted, but not timed")
    print(f"{'innermost loop':60} {'core':12} {'FMA':>5} {'instructions':>12} {'cycles':>8} {'FMA/cycle':>9} {'of peak':>8}")
    for case in loop_cases():
        path = describe(settings, case.name, case.description)
        for cpu, triple, pipelines, peak, goal in CORES:
            for kernel, lines in hot_loops(settings, path, case, triple, cpu):
                adds = multiply_adds(lines)
                row = {"name": case.name, "kind": "arm", "batch": case.batch, "threads": 1, "engine": "ingot", "cpu": cpu,
                       "kernel": kernel, "fma": adds, "instructions": len(lines)}
                rows.append(row)
                if not adds:
                    row["error"] = "no loop with multiply-adds was found"
                    continue
                timed = f"{'-':>8} {'-':>9} {'-':>8}"
                if mca and pipelines:
                    row["cycles"] = cycles(mca, lines, triple, pipelines)
                    row["fma_per_cycle"] = adds / row["cycles"]
                    row["peak_fraction"] = row["fma_per_cycle"] / peak
                    timed = f"{row['cycles']:8.2f} {row['fma_per_cycle']:9.2f} {100 * row['peak_fraction']:6.1f} %"
                    timed += " *" * (goal and row["peak_fraction"] < GOAL)
                print(f"{case.name + ', ' + kernel:60} {cpu:12} {adds:5g} {len(lines):12} {timed}", flush=True)
    print(f"* below the goal of {100 * GOAL:.0f} %")
    return rows


# --- instructions -------------------------------------------------------------------------------

CALLER = """
#include <stdlib.h>
#include "NAME.h"
static float in[INPUTS], out[OUTPUTS];
int main(int count, char **words)
{
    NAME *model = NAME_create(NULL, NULL);
    for (int calls = atoi(words[count - 1]); calls > 0; calls--)
        NAME_infer(model, in, out);
}
"""


def build_caller(settings, description, triple, cpu):
    """A program that calls infer as often as its argument says, on one thread."""
    network = Network(description)
    base = os.path.join(settings.folder, "work", network.name)  # the header's name is the library's
    run(settings.ingot, "build", describe(settings, network.name, description), "--emit=static", "--threads=none",
        f"--target={triple}", f"--cpu={cpu}", "-o", base)
    size = lambda value: str(math.prod(network.shapes[value]))
    with open(base + ".arm.c", "w", encoding="utf-8") as file:
        file.write(CALLER.replace("NAME", network.name).replace("INPUTS", size(network.input)).replace("OUTPUTS", size(network.output)))
    run(f"{triple}-gcc", "-O1", "-static", base + ".arm.c", base + ".a", "-lm", "-o", base + ".arm")
    return base + ".arm", network.multiply_adds


def plugins(folder):
    """For each version of the interface that a qemu may ask for; a plugin says which one it means."""
    for version in range(1, 8):
        path = os.path.join(folder, "work", f"arm_count.{version}.so")
        run("cc", "-O2", "-shared", "-fPIC", f"-DVERSION={version}", os.path.join(HERE, "arm_count.c"), "-o", path)
        yield path


def count(settings, qemu, program, calls):
    error = None
    for path in plugins(settings.folder):
        try:
            return int(re.search(r"^(\d+) instructions", run(qemu, "-plugin", path, program, str(calls)).stderr, re.M)[1])
        except RuntimeError as refused:
            error = refused
    raise error


def measure_instructions(settings):
    rows = []
    print(f"\n{'instructions under qemu':42} {'core':12} {'multiply-adds':>13} {'instructions':>13} {'each':>6}")
    for triple, qemu, cpu in MODEL_CORES:
        missing = [f"{tool} (Debian: {package})" for tool, package in ((qemu, "qemu-user"), (f"{triple}-gcc", f"gcc-{triple}"))
                   if not shutil.which(tool)]
        if missing:
            print(f"arm: there is no {' and no '.join(missing)}; nothing is counted for {cpu}")
            continue
        for name in MODELS:
            program, adds = build_caller(settings, load(os.path.join(HERE, "models", name + ".json")), triple, cpu)
            instructions = (count(settings, qemu, program, 3) - count(settings, qemu, program, 1)) // 2
            print(f"{name + ', batch 1':42} {cpu:12} {adds:13} {instructions:13} {instructions / adds:6.3f}", flush=True)
            rows.append({"name": name, "kind": "arm", "batch": 1, "threads": 1, "engine": "ingot", "cpu": cpu,
                         "multiply_adds": adds, "instructions": instructions})
    return rows


def measure(settings):
    return measure_loops(settings) + measure_instructions(settings)
