"""VisualBackProp against the released code's way, and every method against its bare passes.

VisualBackProp, in pictures a second:
- the released code's form against its way, written anew: one picture at a time
  through a model that gives every Conv2D layer's output; each map averaged and scaled to [0, 1];
  where sizes differ, a new Keras model of one Conv2DTranspose (3x3, stride 2, all ones) is made
  and run. Both must give the same masks. Bound: at least 10 times as many.
- the default form against the bare forward pass of the network without its classifier, a
  tf.function on the same batch. Bound: at least 0.9.
Gradient methods, in gradients (samples of a picture) a second, against one bare gradient of the
predicted logits to the pixels, tf.function and tf.GradientTape. Bound: at least 0.9.

    python -m benchmarks.saliency [--ANN VGG19] [--gradient_ANN GoogLeNet] [--size 224] [--batch 16]
        [--samples 64] [--rounds 5] [--check | --quick]

On a CPU the forward pass outweighs what the released way adds: the bare forward pass over the
released way, told too, is what any VisualBackProp could reach.
"""

import sys
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from benchmarks import compare
from benchmarks.compare import Compared, option
from models import initializers, zoo
from models.command import exit_code
from models.errors import InputError
from models.graph import classifier
from visualization.saliency.methods import METHODS

OVER_RELEASED, OF_BARE = 10, 0.9


@dataclass(frozen=True)
class Settings:
    """What is measured: two networks and a batch of so many pictures of so many pixels."""

    ANN: str = option("VGG19", "The network for VisualBackProp")
    gradient_ANN: str = option("GoogLeNet", "The network for the gradient methods")  # noqa: N815
    size: int = option(224, "Side of a picture in pixels")
    batch: int = option(16, "Pictures in a batch")
    samples: int = option(64, "Samples of the methods that take some")
    rounds: int = option(5, "Rounds of each side")

    def __post_init__(self):
        if keras.backend.backend() != "tensorflow":
            raise InputError(f"KERAS_BACKEND is {keras.backend.backend()}; accepted: tensorflow")


QUICK = {
    "ANN": "VGG16",
    "gradient_ANN": "MobileNet(alpha=0.25)",
    "size": 32,
    "batch": 2,
    "samples": 4,
    "rounds": 1,
}


def network(ann, size, top):
    """A network with He-uniform weights: to its classes, or without the classifier."""
    parsed = zoo.parse(ann)
    model = zoo.with_top(parsed, size) if top else zoo.trunk(parsed, size)
    initializers.draw_he_uniform(model, 0)
    return model


def released_way(model):
    """The released code's VisualBackProp: pictures -> masks (N, H, W) in [0, 1], one by one."""
    convolutions = [x.output for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    maps_of = keras.Model(model.inputs, convolutions)

    def mask_of(picture):
        maps = [x.mean(axis=-1, keepdims=True) for x in maps_of.predict_on_batch(picture[None])]
        mask = None
        for averaged in map(in_unit_range, reversed(maps)):
            if mask is not None and mask.shape != averaged.shape:
                mask = enlarged(mask)
            mask = averaged if mask is None else mask * averaged
        if mask.shape[1] != picture.shape[0]:
            mask = enlarged(mask)
        return in_unit_range(mask)[0, ..., 0]

    return lambda pictures: np.stack([mask_of(picture) for picture in pictures])


def in_unit_range(x):
    """An array from its least to its greatest value, in [0, 1]."""
    return (x - x.min()) / (x.max() - x.min())


def enlarged(mask):
    """Twice the size by a transposed convolution, in a Keras model made for this one call."""
    one = keras.Input((None, None, 1))
    layer = keras.layers.Conv2DTranspose(
        1, 3, strides=2, padding="same", kernel_initializer="ones", use_bias=False
    )
    return keras.Model(one, layer(one)).predict_on_batch(mask)


def bare_forward(model):
    """Pictures -> output, nothing else."""
    run = tf.function(lambda x: model(x, training=False))
    return lambda pictures: run(tf.convert_to_tensor(pictures)).numpy()


def bare_gradient(model):
    """Pictures -> gradient of the highest logit to them."""
    logits = classifier(model)

    @tf.function
    def run(pictures):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pictures)
            scores = tf.reduce_max(logits(pictures, training=False), axis=-1)
        return tape.gradient(scores, pictures)

    return lambda pictures: run(tf.convert_to_tensor(pictures)).numpy()


def visual_backprop_speeds(model, pictures, rounds):
    """Three Compared: ours over the released way, ours over the forward pass, that over the way."""
    batch = len(pictures)
    method = METHODS["visual_backprop"]
    runs = {
        "released form": method(model, batch_size=batch, form="released"),
        "released way": released_way(model),
        "default form": method(model, batch_size=batch),
        "bare forward": bare_forward(model),
    }
    few = pictures[:2]
    compare.say("comparing the masks of both ways")
    ours, theirs = runs["released form"](few), runs["released way"](few)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    seconds = timed(runs, pictures, rounds)
    setting = f"{model.name} at {pictures.shape[1]}, batch {batch}"
    yield Compared(
        f"pictures/s of visual_backprop over the released code's way, {setting}",
        compare.ratios(seconds["released way"], seconds["released form"]),
        OVER_RELEASED,
    )
    yield Compared(
        f"pictures/s of visual_backprop over the bare forward pass, {setting}",
        compare.ratios(seconds["bare forward"], seconds["default form"]),
        OF_BARE,
    )
    yield Compared(
        f"pictures/s of the bare forward pass over the released code's way, {setting}",
        compare.ratios(seconds["released way"], seconds["bare forward"]),
        None,
    )


def gradient_speeds(model, pictures, samples, rounds):
    """A Compared for each gradient method: gradients a second over those of bare gradients."""
    batch = len(pictures)
    targets = model.predict_on_batch(pictures).argmax(axis=-1)
    runs, gradients = {"bare gradient": bare_gradient(model)}, {"bare gradient": batch}
    for name in sorted(name for name, method in METHODS.items() if method.about_class):
        sampled = METHODS[name].takes("samples")
        own = {"samples": samples} if sampled else {}
        method = METHODS[name](model, batch_size=batch, **own)
        count = 1 if sampled else batch  # its samples fill the batches
        runs[name] = lambda _, run=method, n=count: run(pictures[:n], targets[:n])
        gradients[name] = samples if sampled else batch
    seconds = timed(runs, pictures, rounds)
    for name in list(gradients)[1:]:
        claim = f"gradients/s of {name} over bare gradients, {model.name} at {pictures.shape[1]}"
        ratios = compare.ratios(seconds["bare gradient"], seconds[name])
        each = tuple(ratio * gradients[name] / batch for ratio in ratios)
        yield Compared(claim, each, OF_BARE)


def timed(runs, pictures, rounds):
    """Seconds of every run on the pictures, by turns; prints each median."""
    sides = {name: compare.timed(lambda run=run: run(pictures)) for name, run in runs.items()}
    seconds = compare.by_turns(sides, rounds)
    for name, taken in seconds.items():
        compare.say(f"{name}: {np.median(taken):.3f} s")
    return seconds


def measure(settings):
    """Measure VisualBackProp, then the gradient methods: yields Compared."""
    size = settings.size
    drawn = np.random.default_rng(0).uniform(0, 255, (settings.batch, size, size, 3))
    pictures = drawn.astype(np.float32)
    trunk = network(settings.ANN, size, top=False)
    yield from visual_backprop_speeds(trunk, pictures, settings.rounds)
    model = network(settings.gradient_ANN, size, top=True)
    yield from gradient_speeds(model, pictures, settings.samples, settings.rounds)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
