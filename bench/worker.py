"""One engine with one network in a process of its own. Reads pickled requests from standard input, writes answers.

    ("open", engine module, case, threads, folder, ingot)  -> {"build_seconds", "artefact_bytes", "outputs"}
    ("run", seconds, most calls)                           -> {"times": seconds of each call, "peak_bytes"}

peak_bytes is the most memory of the process while it ran, less what it had before the engine was loaded:
the engine's code, its copy of the weights, its temporaries."""

import ctypes
import gc
import importlib
import os
import pickle
import sys
import time


def status(key):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def forget_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


WARM = 4  # calls before the first that is timed: Ingot makes the third one with one thread, to compare


class Worker:
    base = 0

    def settle(self):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        self.base = status("VmRSS")

    def open(self, module, case, threads, folder, ingot):
        case.open(folder, ingot)
        case.settle = self.settle
        self.engine = importlib.import_module("engines." + module).Engine(case, threads)
        for _ in range(WARM):
            self.engine.run()
        forget_peak()
        # before any more steps of training change it
        return {"build_seconds": self.engine.build_seconds, "artefact_bytes": self.engine.artefact_bytes,
                "outputs": self.engine.outputs()}

    def run(self, seconds, most):
        times, call, clock = [], self.engine.run, time.perf_counter
        end = clock() + seconds
        while len(times) < most:
            start = clock()
            call()
            stop = clock()
            times.append(stop - start)
            if stop >= end:
                break
        return {"times": times, "peak_bytes": max(0, status("VmHWM") - self.base)}


def main():
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print does not get between the answers
    worker = Worker()
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = getattr(worker, request[0])(*request[1:])
        except Exception as error:  # an engine's failure is a result
            answer = {"error": f"{type(error).__name__}: {error}"}
        pickle.dump(answer, answers)
        answers.flush()


main()
