"""Scores of all channels of GoogLeNet: one pass against a bare forward pass, and what it takes.

Pictures in files of the size of ../shared/data/rasta_small, read and decoded as the product does,
batches of 32 at 224 pixels; every convolution's channels: mean after ReLU, maximum and its place,
kept and joined on disk. The first batch, in which networks are compiled, is not counted on any
side. Peers and bounds, sides by turns:

* a bare forward pass to the last layer over the same pipeline, nothing kept: ours makes at least
  0.8 of its pictures a second;
* two networks in one pass, reading and decoding included, over the two one after the other from
  memory, without reading and decoding: at least 0.95 of their speed;
* a pass per layer instead of one for all, from memory: ours is at least 5 times as fast;
* peak memory of a pass over 20,000 pictures: at most 100 MB above that over 2,000, each in a fresh
  process. At 64 pixels, to be quicker: what could grow, the scores, does not depend on the size.

    python -m benchmarks.activations [--rounds 3] [--check | --quick]
"""

import functools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import models
from benchmarks import compare, photographs
from benchmarks.compare import Compared, option
from benchmarks.peak_memory import peak_memory
from benchmarks.timed_passes import after_first, kept
from models import backend
from models.command import exit_code
from transfer import inference, pictures
from visualization.activations import convolutions

NETWORK = "GoogLeNet"  # its initial weights, which cost what any cost
LAST = "mixed5b"
SIDES = (340, (256, 340))  # pixels: width and range of heights of the pictures in files
ONE_PASS = """
import functools, sys
from pathlib import Path
import models
from transfer import inference, pictures
from visualization.activations import convolutions, score_pictures

files, folder = sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2])
count, size, batch = map(int, sys.argv[3:])
network = models.load("GoogLeNet")
paths = [files[number % len(files)] for number in range(count)]
batches = inference.files(paths, functools.partial(pictures.read, size=size), batch)
score_pictures({"a": network}, {"a": convolutions(network)}, batches, folder, size)
"""


@dataclass(frozen=True)
class Settings:
    """What is measured: `pictures` a pass for speed, two numbers of them for memory."""

    pictures: int = option(748, "in a pass, more than a batch")
    layer_pictures: int = option(64, "in a pass per layer, more than a batch")
    layer_step: int = option(1, "of the layers that a pass each is made for; 1 for all")
    distinct: int = option(128, "files they are copies of")
    size: int = option(224, "pixels")
    batch: int = option(32, "pictures in a batch")
    memory_pictures: tuple = option((2000, 20000), "few and many, for memory")
    memory_size: int = option(64, "pixels, for memory")
    rounds: int = option(3, "of each side, but for memory")


QUICK = {
    "pictures": 6,
    "layer_pictures": 3,
    "layer_step": 19,
    "distinct": 2,
    "size": 32,
    "batch": 2,
    "memory_pictures": (4, 8),
    "memory_size": 32,
    "rounds": 1,
}


def filled(things, read, batch):
    """A source of pictures read from things, every batch filled up to one size."""
    source = inference.files(things, read, batch)

    def batches(first):
        for numbers, found in source(first):
            yield numbers, found[np.minimum(np.arange(batch), len(found) - 1)]

    return batches


def bare(model, last, size):
    """The forward pass to a layer, of which nothing is kept: function of a source."""

    def run(source):
        shaped = models.graph.cut(model, [last], (size, size))
        forward = backend.forward(keras.Model(shaped.input, shaped.output[last]))
        inference.collect(lambda batch: forward(batch)[:, 0, 0, 0], source)

    return run


def speeds(networks, last, files, held, size, rounds, folder):
    """Two Compared: one pass over the bare one, and two networks in one over two passes.

    Args:
        networks: dict `a`, `b` -> models.network.Network of one architecture.
        last: layer at which the bare pass ends.
        files, held: sources of the same pictures, from files and from memory.
        size: of the pictures in pixels.
        rounds: how often each side runs.
        folder: to write into.
    """
    layers = convolutions(networks["a"])
    alone = {n: kept({n: network}, layers, size, folder) for n, network in networks.items()}
    runs = {
        "bare forward pass": (bare(networks["a"].model, last, size), files),
        "one network": (alone["a"], files),
        "two networks": (kept(networks, layers, size, folder), files),
        "the first from memory": (alone["a"], held),
        "the second from memory": (alone["b"], held),
    }
    sides = {name: functools.partial(after_first, *run) for name, run in runs.items()}
    seconds = compare.by_turns(sides, rounds, warm_up=False)
    over_bare = compare.ratios(seconds["bare forward pass"], seconds["one network"])
    apart = zip(seconds["the first from memory"], seconds["the second from memory"], strict=True)
    over_two = compare.ratios(map(sum, apart), seconds["two networks"])
    claim = f"pictures/s of a pass with {len(layers)} layers kept over a bare forward pass"
    return [
        Compared(claim, over_bare, 0.8),
        Compared("two networks in one pass over the two apart without decoding", over_two, 0.95),
    ]


def against_passes(network, held, size, rounds, folder, step=1):
    """One Compared: the speed of one pass over that of a pass for each step-th layer."""
    layers = convolutions(network)[::step]

    def each():
        runs = [kept({"a": network}, [layer], size, folder) for layer in layers]
        return sum(after_first(run, held) for run in runs)

    together = kept({"a": network}, layers, size, folder)
    sides = {"one pass": lambda: after_first(together, held), "a pass per layer": each}
    seconds = compare.by_turns(sides, rounds, warm_up=False)
    faster = compare.ratios(seconds["a pass per layer"], seconds["one pass"])
    return Compared(f"one pass over one for each of {len(layers)} layers", faster, 5)


def memory(files, counts, size, batch, folder):
    """One Compared: MB that a pass over many pictures takes above one over few."""
    peaks = []
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            peaks.append(peak_memory(ONE_PASS, files, own, count, size, batch))
        compare.say(f"{count} pictures: {peaks[-1]:.0f} MB")
    claim = f"memory of {counts[1]} pictures above {counts[0]}"
    return Compared(claim, (peaks[1] - peaks[0],), 100, at_least=False, unit=" MB")


def measure(settings):
    """Measure speeds, then memory: yields Compared."""
    size, batch, rounds = settings.size, settings.batch, settings.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = photographs.write_files(folder / "files", settings.distinct, *SIDES)
        compare.say(f"{SIDES[0]} pixels: {photographs.kilobytes(folder / 'files')}")
        paths = [folder / "files" / names[i % len(names)] for i in range(settings.pictures)]
        read = functools.partial(pictures.read, size=size)
        decoded = [read(path) for path in paths[: len(names)]]
        held = [decoded[i % len(decoded)] for i in range(settings.pictures)]
        files, in_memory = (
            filled(paths, read, batch),
            filled(range(len(held)), held.__getitem__, batch),
        )
        networks = {name: models.load(NETWORK) for name in ("a", "b")}
        yield from speeds(networks, LAST, files, in_memory, size, rounds, folder)
        few = filled(range(settings.layer_pictures), held.__getitem__, batch)
        yield against_passes(networks["a"], few, size, rounds, folder, settings.layer_step)
        counts, small = settings.memory_pictures, settings.memory_size
        yield memory(folder / "files", counts, small, batch, folder)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
