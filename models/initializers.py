"""How a network's kernels start: He-uniform from scratch, or undrawn where a file fills them."""

import contextlib
import math

import keras
import numpy as np

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
# how a layer's config names what these start from
KERNEL_STARTS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")


def draw_he_uniform(model, seed):
    """Draw every kernel of a model from He-uniform (He et al. 2015, eq. 10), in place.

    The limit is sqrt(6 / fan-in). A depthwise kernel sees one channel, so its fan-in is its
    window; Keras's own count would take all channels. A seed gives the same on every backend.
    """
    _draw(_inner_layers(model), seed)


def redraw(layers, seed):
    """Give layers the weights of a network that was never trained, in place.

    Kernels are He-uniform as in draw_he_uniform. Everything else starts as the layer itself starts
    it: biases 0, batch normalisation 1, 0 and averages of 0 and 1, ConvNeXt's scales 1e-6. A
    Normalization stays as it is: it scales pixels and was measured, not trained.

    Args:
        layers: Keras layers.
        seed: of the kernels.
    """
    # ConvNeXt keeps some of its convolutions in models of their own
    layers = [
        inner
        for layer in layers
        for inner in (_inner_layers(layer) if hasattr(layer, "layers") else [layer])
    ]
    for layer in layers:
        if layer.weights and not isinstance(layer, keras.layers.Normalization):
            layer.set_weights(_fresh(layer).get_weights())
    _draw(layers, seed)


def _fresh(layer):
    """A layer as this one was before training; its kernels are 0 where _draw draws them."""
    config = layer.get_config()
    if _kernels(layer):  # drawing them twice takes seconds for VGG19
        config |= {key: "zeros" for key in config if key in KERNEL_STARTS}
    fresh = type(layer).from_config(config)
    fresh.build_from_config(layer.get_build_config())
    return fresh


def _draw(layers, seed):
    """Draw the kernels of layers from He-uniform."""
    generator = np.random.default_rng(seed)
    for layer in layers:
        for name, kernel in _kernels(layer).items():
            *window, entering, leaving = kernel.shape
            depthwise = name == "depthwise_kernel" or isinstance(
                layer, keras.layers.DepthwiseConv2D
            )
            limit = math.sqrt(6 / (math.prod(window) * (1 if depthwise else entering)))
            drawn = generator.random((*window, entering, leaving), dtype=np.float32)
            drawn *= 2 * limit  # in place: VGG19's largest kernel is 400 MB
            drawn -= limit
            kernel.assign(drawn)


def _kernels(layer):
    """The kernels of a layer that are drawn from He-uniform: dict name -> variable."""
    if isinstance(layer, keras.layers.EinsumDense):  # its equation says what enters a number
        return {}
    # SeparableConv2D has no `kernel`; DepthwiseConv2D keeps its own under `kernel`
    named = {name: getattr(layer, name, None) for name in KERNELS}
    return {name: kernel for name, kernel in named.items() if kernel is not None}


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
