"""What every driver of a peer shares: the network, and steps on request.

A driver is a process `python -m benchmarks.peers.NAME SIZE BATCH` in the peer's own environment.
It prints `ready` once a first step has run. For every line `steps N` on standard input it makes N
ascent steps of BATCH images and prints `seconds X`. What the peer itself prints goes to standard
error. Its end of input ends it.
"""

import os
import sys
import time

NETWORK = "InceptionV1"  # with Lucid's widths; random weights of a fixed seed
LAYER = "mixed4d_3x3_pre_relu"


def network(size):
    """The network up to LAYER: plain keras.Model, (N, size, size, 3) in [0, 255] -> maps."""
    import keras

    import models

    model = models.load(NETWORK, size).model
    return keras.Model(model.inputs, model.get_layer(LAYER).output)


def serve(prepare):
    """Answer requests until the input ends.

    Args:
        prepare: function (size, batch) -> run, where run(steps) makes the steps and returns when
            they are done.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run = prepare(*map(int, sys.argv[1:3]))
    run(1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        started = time.monotonic()
        run(int(line.removeprefix("steps ")))
        print("seconds", time.monotonic() - started, file=answers, flush=True)
