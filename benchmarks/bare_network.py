"""The limit of optimized images: a network's forward pass and the gradient to the image, alone.

No parameterization, no transforms, no update of anything: the same pixels at every step. Compiled
as one writes it for each backend: tf.function with a GradientTape, or jax.jit.
"""

import keras
import numpy as np

from models.errors import InputError


def bare(network, layer, batch):
    """Make run(steps): gradients of the mean of one channel per image to the pixels.

    What run returns is the last gradient, (N, H, W, 3).

    Args:
        network: keras.Model, (N, H, W, 3) in [0, 255] -> dict with maps of `layer`.
        layer: key of that dict.
        batch: images in a batch, at most the channels of the layer.

    Raises:
        InputError: a backend other than TensorFlow and JAX.
    """
    size = network.input.shape[1:3]
    pixels = np.random.default_rng(0).uniform(0, 255, (batch, *size, 3)).astype("float32")
    channels = np.arange(batch)
    backends = {"tensorflow": _on_tensorflow, "jax": _on_jax}
    if keras.backend.backend() not in backends:
        raise InputError(f"backend {keras.backend.backend()}; accepted: {', '.join(backends)}")
    gradient, pixels = backends[keras.backend.backend()](network, layer, channels, pixels)

    def run(steps):
        for _ in range(steps):
            found = gradient(pixels)
        return np.asarray(found)  # only now is a GPU done

    return run


def _on_tensorflow(network, layer, channels, pixels):
    import tensorflow as tf

    places = np.stack([channels, channels], axis=1)  # channel i of image i

    @tf.function(autograph=False)
    def gradient(pixels):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            maps = tf.cast(network(pixels, training=False)[layer], "float32")
            score = tf.reduce_sum(tf.gather_nd(tf.reduce_mean(maps, [1, 2]), places))
        return tape.gradient(score, pixels)

    return gradient, tf.constant(pixels)


def _on_jax(network, layer, channels, pixels):
    import jax

    weights = [variable.value for variable in network.non_trainable_variables]

    def score(pixels, weights):
        maps, _ = network.stateless_call([], weights, pixels, training=False)
        return maps[layer].astype("float32").mean((1, 2))[channels, channels].sum()

    gradient = jax.jit(jax.grad(score))
    return lambda pixels: gradient(pixels, weights), jax.device_put(pixels)
