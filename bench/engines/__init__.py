"""One module an engine. Each has a class Engine(case, threads) that is made inside a process of its own with

    build_seconds   compiling or loading, until it can run
    artefact_bytes  of the file it made or was given, or None
    run()           one call, finished when it returns
    outputs()       what the last calls computed: an array, or the losses of the first steps for training

and reads from the case: network, kind ("infer" or "train"), batch, inputs (channels last), target, folder."""

STEPS = 3  # of training, before the clock starts: their losses are compared
