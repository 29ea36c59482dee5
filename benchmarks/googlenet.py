"""Forward pass of models.inception_v1.GoogLeNet against bare Keras layers: pictures a second.

The peer is the same network with the same weights as one would write it for itself: activations
inside the convolutions, "same" pooling, TensorFlow's own tf.nn.local_response_normalization. Both
must give the same probabilities. They run by turns, as a tf.function and through predict_on_batch
(which compiles with XLA where Keras thinks it can). Bound: ours makes at least 0.95 of the peer's
pictures a second.

    python -m benchmarks.googlenet [--size 224] [--batch 32] [--rounds 7]
        [--check | --quick]
"""

import sys
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from benchmarks import compare
from benchmarks.compare import Compared, option
from models.command import exit_code
from models.errors import InputError
from models.inception_v1 import BVLC_LRN, BVLC_WIDTHS, POOLED_BEFORE, GoogLeNet


@dataclass(frozen=True)
class Settings:
    """What is measured: a batch of so many pictures of so many pixels."""

    size: int = option(224, "Side of a picture in pixels, a multiple of 32")
    batch: int = option(32, "Pictures in a batch")
    rounds: int = option(7, "Rounds of each side")

    def __post_init__(self):
        if keras.backend.backend() != "tensorflow" or self.size % 32:
            raise InputError(
                f"size {self.size} on {keras.backend.backend()}; accepted: a multiple of 32, "
                "KERAS_BACKEND=tensorflow"
            )


QUICK = {"size": 32, "batch": 2, "rounds": 1}


class TensorFlowNormalization(keras.layers.Layer):
    """tf.nn.local_response_normalization with Caffe's values."""

    def call(self, inputs):
        return tf.nn.local_response_normalization(inputs, **BVLC_LRN)


def bare(size):
    """The peer: (N, size, size, 3) -> (N, 1000); `size` such that "same" pooling is Caffe's."""
    layers = keras.layers

    def convolved(x, filters, kernel, **how):
        return layers.Conv2D(filters, kernel, activation="relu", **{"padding": "same"} | how)(x)

    inputs = keras.Input((size, size, 3))
    x = layers.ZeroPadding2D(3)(inputs)
    x = convolved(x, 64, 7, strides=2, padding="valid")
    x = TensorFlowNormalization()(layers.MaxPooling2D(3, 2, "same")(x))
    x = convolved(convolved(x, 64, 1), 192, 3)
    x = layers.MaxPooling2D(3, 2, "same")(TensorFlowNormalization()(x))
    for module, (one, bottleneck3, three, bottleneck5, five, reduce) in BVLC_WIDTHS.items():
        if module in POOLED_BEFORE:
            x = layers.MaxPooling2D(3, 2, "same")(x)
        branches = [
            convolved(x, one, 1),
            convolved(convolved(x, bottleneck3, 1), three, 3),
            convolved(convolved(x, bottleneck5, 1), five, 5),
            convolved(layers.MaxPooling2D(3, 1, "same")(x), reduce, 1),
        ]
        x = layers.Concatenate()(branches)
    x = layers.Dropout(0.4)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(1000, activation="softmax")(x))


def speeds(ours, peer, pictures, rounds):
    """Two Compared: pictures a second of ours over the peer's, as a tf.function and predicted."""
    for way in ("tf.function", "predict_on_batch"):
        sides = {}
        for name, model in (("ours", ours), ("peer", peer)):
            run = model.predict_on_batch
            if way == "tf.function":
                traced = tf.function(lambda x, model=model: model(x, training=False))
                run = lambda x, traced=traced: traced(x).numpy()  # noqa: E731
            sides[name] = compare.timed(lambda run=run: run(pictures))
        seconds = compare.by_turns(sides, rounds)
        for name, taken in seconds.items():
            compare.say(f"{way}, {name}: {len(pictures) / np.median(taken):.1f} pictures/s")
        claim = f"pictures/s of ours over bare Keras layers, {way}, {pictures.shape[1]} pixels"
        yield Compared(claim, compare.ratios(seconds["peer"], seconds["ours"]), 0.95)


def measure(settings):
    """Measure both ways: yields a Compared for each."""
    keras.utils.set_random_seed(0)
    size = settings.size
    ours, peer = GoogLeNet(input_shape=(size, size, 3)), bare(size)
    peer.set_weights(ours.get_weights())  # both are built in one order
    drawn = np.random.default_rng(0).normal(scale=60, size=(settings.batch, size, size, 3))
    pictures = drawn.astype(np.float32)
    few = pictures[:2]
    compare.say("comparing the probabilities of both networks")
    np.testing.assert_allclose(ours.predict_on_batch(few), peer.predict_on_batch(few), rtol=1e-3)
    yield from speeds(ours, peer, pictures, settings.rounds)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
