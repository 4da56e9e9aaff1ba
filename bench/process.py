"""Whole processes: how long they take and how much memory, by way of spawn.c."""

import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def build(settings):
    """Compiles spawn.c; before timed()."""
    settings.spawn = os.path.join(settings.folder, "spawn")
    subprocess.run(["cc", "-O2", os.path.join(HERE, "spawn.c"), "-o", settings.spawn], check=True)


def timed(settings, command, threads):
    """What spawn.c says of it, and its "text"; on so many processors."""
    allowed = sorted(os.sched_getaffinity(0))[:threads]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), JAX_PLATFORMS="cpu")
    out = settings.spawn + ".json"
    done = subprocess.run([settings.spawn, out] + command, check=True, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=settings.log, preexec_fn=lambda: os.sched_setaffinity(0, allowed))
    with open(out, encoding="utf-8") as file:
        return json.load(file) | {"text": done.stdout}
