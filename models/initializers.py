"""How a network's kernels start: He-uniform from scratch, or undrawn where a file fills them."""

import contextlib
import math

import keras
import numpy as np


def draw_he_uniform(model, seed):
    """Draw every kernel of a model from He-uniform (He et al. 2015, eq. 10), in place.

    The limit is sqrt(6 / fan-in). A depthwise kernel sees one channel, so its fan-in is its
    window; Keras's own count would take all channels. A seed gives the same on every backend.
    """
    _draw(_inner_layers(model), seed)


def redraw(layers, seed):
    """Give layers the weights of a network that was never trained, in place.

    Args:
        layers: Keras layers. Kernels are He-uniform as in draw_he_uniform, biases 0, batch
            normalisation 1, 0 and averages of 0 and 1.
        seed: of the kernels.
    """
    # ConvNeXt keeps some of its convolutions in models of their own
    layers = [
        inner
        for layer in layers
        for inner in (_inner_layers(layer) if hasattr(layer, "layers") else [layer])
    ]
    ones = ("gamma", "moving_variance")
    for layer in layers:
        for variable in layer.variables:
            if "seed" not in variable.path.rpartition("/")[2]:
                variable.assign(np.full(variable.shape, variable.name in ones, variable.dtype))
    _draw(layers, seed)


def _draw(layers, seed):
    """Draw the kernels of layers from He-uniform."""
    generator = np.random.default_rng(seed)
    for layer in layers:
        if isinstance(layer, keras.layers.EinsumDense):  # its equation says what enters a number
            continue
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            # SeparableConv2D has no `kernel`; DepthwiseConv2D keeps its own under `kernel`
            kernel = getattr(layer, name, None)
            if kernel is None:
                continue
            *window, entering, leaving = kernel.shape
            depthwise = name == "depthwise_kernel" or isinstance(
                layer, keras.layers.DepthwiseConv2D
            )
            limit = math.sqrt(6 / (math.prod(window) * (1 if depthwise else entering)))
            drawn = generator.random((*window, entering, leaving), dtype=np.float32)
            drawn *= 2 * limit  # in place: VGG19's largest kernel is 400 MB
            drawn -= limit
            kernel.assign(drawn)


@contextlib.contextmanager
def undrawn_kernels():
    """While open, kernels that Keras would draw are infinite: what is not filled is seen.

    Not NaN, which JAX refuses to lay on several machines, since it does not equal itself.

    Drawing 143 million numbers (VGG19) takes seconds, and JAX compiles a program for every shape:
    15 s for GoogLeNet. Initializers are Keras's own VarianceScaling and what derives from it
    (Glorot, He, LeCun), as in keras.applications and here.
    """
    scaling = keras.initializers.VarianceScaling
    drawn = scaling.__call__
    scaling.__call__ = lambda self, shape, dtype=None: np.full(shape, np.inf, "float32")
    try:
        yield
    finally:
        scaling.__call__ = drawn


def _inner_layers(model):
    for layer in model.layers:
        yield from _inner_layers(layer) if hasattr(layer, "layers") else [layer]
