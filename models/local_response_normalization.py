"""Local response normalisation (Krizhevsky et al. 2012, section 3.3) as a Keras layer."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("art_transfer")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide every value by the size of its neighbours in the channel direction.

    y[c] = x[c] / (bias + alpha * sum of x[d] ** 2 over |c - d| <= depth_radius) ** beta

    The meaning of the arguments is TensorFlow's (tf.nn.local_response_normalization). Caffe's
    `local_size` n is 2 * depth_radius + 1, and its alpha is divided by n first: give alpha / n.

    The four are plain attributes: an importer may set them on a built network, before the network
    is first run (a traced network keeps the values that it was traced with).

    Input and output: (..., channels), channels last, any float type. Half precision inputs are
    squared, summed and divided in float32.
    """

    def __init__(self, depth_radius=5, bias=1.0, alpha=1.0, beta=0.5, **kwargs):
        super().__init__(**kwargs)
        self.depth_radius = depth_radius
        self.bias = bias
        self.alpha = alpha
        self.beta = beta

    def call(self, inputs):
        exact = ops.cast(inputs, "float32") if _is_half(inputs) else inputs
        # A product with a matrix of ones along the diagonal: as fast on a CPU as TensorFlow's own
        # operation, with or without XLA, where sums of shifted slices are slow in one of them.
        channel = np.arange(inputs.shape[-1])
        near = np.abs(channel[:, None] - channel) <= self.depth_radius
        squares = ops.matmul(ops.square(exact), ops.cast(near, exact.dtype))
        divided = exact * _power(self.bias + self.alpha * squares, self.beta)
        return ops.cast(divided, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = ("depth_radius", "bias", "alpha", "beta")
        return super().get_config() | {name: getattr(self, name) for name in own}


def _is_half(tensor):
    return keras.backend.standardize_dtype(tensor.dtype) in ("bfloat16", "float16")


def _power(scale, beta):
    """scale ** -beta, by square roots for the exponents in use: a power costs much more."""
    if beta == 0.5:
        return ops.rsqrt(scale)
    if beta == 0.75:
        root = ops.rsqrt(scale)
        return root * ops.sqrt(root)
    return ops.power(scale, -beta)
