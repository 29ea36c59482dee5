"""He-uniform weights (He et al. 2015): how a network starts from scratch."""

import keras


def draw(model, seed):
    """Draw every kernel of a model from He-uniform (He et al. 2015, eq. 10), in place.

    The limit is sqrt(6 / fan-in). A depthwise kernel sees one channel, so its fan-in is its
    window; Keras's own count would take all channels.
    """
    number = 0
    # ConvNeXt keeps some of its convolutions in models of their own
    for layer in _inner_layers(model):
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            # SeparableConv2D has no `kernel`; DepthwiseConv2D keeps its own under `kernel`
            kernel = getattr(layer, name, None)
            if kernel is None:
                continue
            rows, columns, *_ = shape = tuple(kernel.shape)
            depthwise = name == "depthwise_kernel" or isinstance(
                layer, keras.layers.DepthwiseConv2D
            )
            drawn = (rows, columns, 1, shape[2] * shape[3]) if depthwise else shape
            value = keras.initializers.HeUniform(seed + number)(drawn)
            kernel.assign(keras.ops.reshape(value, shape))
            number += 1


def _inner_layers(model):
    for layer in model.layers:
        yield from _inner_layers(layer) if hasattr(layer, "layers") else [layer]
