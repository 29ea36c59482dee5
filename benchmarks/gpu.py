"""Training, passes and optimized images against the bare network on the GPU that is there.

Pictures are made up in memory, so that nothing of it needs TensorFlow: on JAX it runs where that is
not installed. What reads and decodes picture files has benchmarks of its own (fine_tuning with
--steps 100, off_the_shelf, pipeline). Random weights: they do not change the speed. Sides run by
turns; goals:

* training: steps of Keras's fit as transfer.train compiles it, fed from memory, over a bare
  compiled step on a batch that is on the device (benchmarks/bare_steps.py): at least 0.9, in
  float32 and in bfloat16;
* the pass that keeps features, and the one that keeps the scores of all channels: pictures a second
  over the bare forward pass: at least 0.9;
* optimized images: image-steps a second over the bare network's forward pass and gradient: at least
  0.85 in float32 and 0.75 in bfloat16; hours for the channels of all of GoogLeNet's convolutions at
  224 pixels and 2048 steps, at the speed of its last module, which is the slowest: less than 1.

    python -m benchmarks.gpu [--rounds 3] [--check | --quick] [--cpu]

Without a GPU it says so and ends; with --cpu it runs there, to be tried.
"""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

import models
from benchmarks import compare
from benchmarks.ascents import FULL_SIZE, FULL_STEPS, all_channels, has_bfloat16, ours, speed
from benchmarks.bare_network import bare
from benchmarks.bare_steps import bare_forward, bare_step
from benchmarks.compare import Compared, option
from benchmarks.step_clock import epoch_seconds
from benchmarks.timed_passes import after_first, kept
from models import backend, zoo
from models.command import exit_code
from models.errors import InputError
from models.graph import cut
from transfer import features, inference, optimizers
from transfer.recipes import RECIPES
from transfer.train import computing_in
from visualization.activations import convolutions
from visualization.optvis import render

CLASSES = 25  # as many as RASTA has styles
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # of layers, of a training
GOAL = 0.9
ASCENT_GOALS = {"float32": 0.85, "bfloat16": 0.75}  # as in activation_maximization


@dataclass(frozen=True)
class Settings:
    """What is measured: a network that is trained, one that is looked into, sizes and counts."""

    ANN: str = option("ResNet50", "The network that is trained, and gives features")
    network: str = option("GoogLeNet", "The network that is scored and gives optimized images")
    layer: str = option("mixed4d_3x3_pre_relu", "Its layer of the optimized images")
    last: str = option("mixed5b", "Its last layer, for the hours of all its channels")
    size: int = option(FULL_SIZE, "Side of a picture and an image in pixels")
    batch: int = option(32, "Pictures in a step of training")
    steps: int = option(50, "Steps of training a round, at least 2")
    pass_batch: int = option(128, "Pictures in a forward pass")
    passes: int = option(30, "Forward passes a round, at least 2")
    images: int = option(64, "Optimized images at a time, at most what the free memory holds")
    ascent_steps: int = option(64, "Steps of ascent a round, 16 of them with redirected ReLUs")
    rounds: int = option(3, "Rounds of each side")
    cpu: bool = option(False, "Run without a GPU too, to try it")

    def __post_init__(self):
        for name in ("steps", "passes"):
            if getattr(self, name) < 2:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 2")


QUICK = {
    "ANN": "MobileNet(alpha=0.25)",
    "network": "MobileNet(alpha=0.25)",
    "layer": "conv_pw_1",
    "last": "conv_pw_2",
    "size": 32,
    "batch": 2,
    "steps": 2,
    "pass_batch": 2,
    "passes": 2,
    "images": 2,
    "ascent_steps": 2,
    "rounds": 1,
}


def on_gpu():
    """Whether Keras computes on a GPU."""
    return backend.device_name().startswith("GPU")


def made_up(count, size):
    """Pictures as a store gives them, uint8 RGB (count, size, size, 3), and labels int32."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, size, size, 3), np.uint8)
    return pictures, random.integers(0, CLASSES, count, np.int32)


def training(settings):
    """Yield a Compared for each precision: steps of fit over those of the bare network."""
    pictures, labels = made_up(settings.batch, settings.size)
    recipe = replace(RECIPES["fine_tuning"], batch_size=settings.batch)

    def endless():
        while True:
            yield pictures, labels

    count = settings.steps - 1  # fit's first step compiles, and is not timed
    for name, policy in PRECISIONS.items():
        if name == "bfloat16" and not has_bfloat16():
            compare.say("training in bfloat16: not measured, the processor has no instructions")
            continue
        with computing_in(policy):
            model, peer = (
                zoo.build(zoo.parse(settings.ANN), CLASSES, settings.size, say=None)
                for _ in range(2)
            )
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizers.optimizer(recipe), loss, metrics=["accuracy"])
        run = bare_step(peer, pictures, labels, on_gpu())
        sides = {
            f"fit, {name}": lambda m=model: count / epoch_seconds(m, settings.steps, endless()),
            f"bare step, {name}": speed(run, 1, count),
        }
        ratio = compare.ratios(*compare.by_turns(sides, settings.rounds).values())
        yield Compared(f"steps/s of fit over the bare step, {settings.ANN}, {name}", ratio, GOAL)


def repeated(pictures, count):
    """A source of `count` batches, all of these pictures."""

    def batches(first):
        for number in range(first // len(pictures), count):
            yield np.arange(len(pictures)) + number * len(pictures), pictures

    return batches


def passes(settings, folder):
    """Yield two Compared: the passes for features and for scores over the bare forward pass."""
    size, count = settings.size, settings.passes - 1  # the first compiles, and is not timed
    pictures, _ = made_up(settings.pass_batch, size)
    source = repeated(pictures, settings.passes)
    extractor = features.extractor(zoo.build(zoo.parse(settings.ANN), CLASSES, size, say=None))
    forward = backend.forward(extractor)
    network = models.load(settings.network, size)
    layers = convolutions(network)
    whole = cut(network.model, [layers[-1]], (size, size))
    runs = {
        f"features of {settings.ANN}": (
            lambda source: inference.collect(forward, source),
            extractor,
        ),
        f"scores at {len(layers)} layers of {settings.network}": (
            kept({"a": network}, layers, size, folder),
            keras.Model(whole.input, whole.output[layers[-1]]),
        ),
    }
    for name, (run, model) in runs.items():
        sides = {
            name: lambda run=run: count * len(pictures) / after_first(run, source),
            f"bare pass for {name}": speed(
                bare_forward(model, pictures, on_gpu()), len(pictures), count
            ),
        }
        ratio = compare.ratios(*compare.by_turns(sides, settings.rounds).values())
        yield Compared(f"pictures/s of {name} over the bare forward pass", ratio, GOAL)


def ascents(settings):
    """Yield a Compared for each precision over the bare network, and one of hours."""
    model, size = models.load(settings.network, settings.size).model, settings.size
    for dtype, bound in ASCENT_GOALS.items():
        if dtype == "bfloat16" and not has_bfloat16():
            compare.say("images in bfloat16: not measured, the processor has no instructions")
            continue
        part = cut(model, [settings.layer], (size, size), dtype)
        batch = min(settings.images, render.images_at_a_time(part, dtype))
        compare.say(f"{batch} images at a time, {dtype}")
        steps = settings.ascent_steps
        own = ours(model, settings.layer, size, batch, steps, dtype)
        deepest = ours(model, settings.last, size, batch, steps, dtype)
        sides = {
            f"ours, {dtype}": speed(own, batch, steps),
            f"bare network, {dtype}": speed(bare(part, settings.layer, batch), batch, steps),
            f"ours to {settings.last}, {dtype}": speed(deepest, batch, steps),
        }
        rates, peers, slowest = compare.by_turns(sides, settings.rounds).values()
        claim = f"image-steps/s of ours over the bare network, {settings.layer}, {dtype}"
        yield Compared(claim, compare.ratios(rates, peers), bound if on_gpu() else None)
        yield hours(model, settings, dtype, slowest)


def hours(model, settings, dtype, rates):
    """One Compared: hours of all channels of a network's convolutions at `rates` a second."""
    channels = all_channels(model)
    each = channels * FULL_STEPS / 3600
    what = f"{settings.size} pixels, {FULL_STEPS} steps, {dtype}"
    claim = f"hours of all {channels} channels of {settings.network} at {what}, at most"
    found = tuple(each / rate for rate in rates)
    asked = on_gpu() and settings.size == FULL_SIZE
    return Compared(claim, found, 1 if asked else None, at_least=False, unit=" h")


def measure(settings):
    """Measure training, passes and ascents: yields Compared."""
    if not on_gpu() and not settings.cpu:
        raise InputError(
            f"no GPU here: Keras computes on {backend.device_name()}; nothing is measured"
        )
    yield from training(settings)
    with tempfile.TemporaryDirectory() as folder:
        yield from passes(settings, Path(folder))
    yield from ascents(settings)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
