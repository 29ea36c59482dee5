"""Many channels by render_channels: their time and memory against a few, and compilations."""

import itertools
import time

import psutil

from benchmarks.compare import Compared, say
from visualization.optvis import transform
from visualization.optvis.render import render_channels

MANY, FEW = 200, 8  # channels
SAID = 5  # batches between two lines that say how far it is


def after_first(model, layer, channels, steps, size, batch):
    """Render `batch` channels, which compiles the step, then so many more, measured.

    Args:
        model, layer, steps, size, batch: as render_channels takes them; all transforms are on.
        channels: number of channels to measure, a multiple of `batch`.

    Returns:
        (seconds, megabytes that memory grew by, number of traces of the step).
    """
    traces = []

    def traced(images):  # runs when the step is traced, and never in the compiled step
        traces.append(len(images.shape))
        return images

    transforms = [*transform.standard_transforms, traced]
    count = model.get_layer(layer).output.shape[-1]
    numbers = [i % count for i in range(batch + channels)]
    rendered = render_channels(model, layer, numbers, steps, size, batch, transforms)
    for _ in itertools.islice(rendered, batch):
        pass
    process, before = psutil.Process(), len(traces)
    start = peak = process.memory_info().rss
    started = time.monotonic()
    for number, _ in enumerate(rendered, 1):
        peak = max(peak, process.memory_info().rss)
        if number % (SAID * batch) == 0:
            say(f"{number} of {channels} channels, {time.monotonic() - started:.1f} s")
    return time.monotonic() - started, (peak - start) / 1e6, len(traces) - before


def claims(model, layer, steps, size, rounds, many=MANY):
    """Three Compared: time and memory of many channels against FEW, traces after the first batch.

    In batches of FEW, each by a compiled step of its own. Few are measured before and after many,
    and their mean is taken: a machine that slows down or speeds up meanwhile is not the claim.
    """
    apart, grown, traces = [], [], []
    times = many // FEW
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}: {FEW} channels, {many}, {FEW} again; each compiles first")
        before, _, _ = after_first(model, layer, FEW, steps, size, FEW)
        taken, more, again = after_first(model, layer, many, steps, size, FEW)
        after, _, _ = after_first(model, layer, FEW, steps, size, FEW)
        few = (before + after) / 2
        say(f"{FEW} channels: {few:.2f} s, {many}: {taken:.2f} s, {taken / few:.2f} times")
        apart.append(100 * abs(taken / few / times - 1))
        grown.append(more)
        traces.append(again)
    return [
        Compared(f"{many} channels, apart from {times} times {FEW}", tuple(apart), 10, False, " %"),
        Compared(f"memory grown over {many} channels", tuple(grown), 200, False, " MB"),
        Compared("traces of the step after a layer's first batch", tuple(traces), 0, False),
    ]
