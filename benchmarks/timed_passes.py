"""A pass that keeps scores, and the time of a pass without its first batch."""

import tempfile
import time

from visualization.activations import score_pictures


def after_first(run, source):
    """Seconds that run(source) takes from when the second batch is asked for."""
    started = []

    def batches(first):
        for number, batch in enumerate(source(first)):
            if number == 1:
                started.append(time.monotonic())
            yield batch

    run(batches)
    return time.monotonic() - started[0]


def kept(networks, layers, size, folder):
    """A pass that keeps scores: function of a source, in a folder of its own each time."""

    def run(source):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            score_pictures(networks, dict.fromkeys(networks, layers), source, own, size)

    return run
