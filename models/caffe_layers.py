"""What InceptionV1, GoogLeNet and CaffeNet are made of and keras.layers lacks.

Caffe's max pooling, local response normalisation, and both ends of a network: the part that ours
share of keras.applications' signature.
"""

import keras
import numpy as np
from keras import ops

from models.errors import InputError

# LocalResponseNormalization's arguments in BVLC's GoogLeNet and CaffeNet: Caffe's local_size 5,
# alpha 1e-4, beta 0.75, k 1 (its alpha is for the mean, ours for the sum)
CAFFE_LRN = {"depth_radius": 2, "bias": 1.0, "alpha": 1e-4 / 5, "beta": 0.75}


def max_pool(inputs, name):
    """Max pooling 3x3, stride 2, without padding, output size rounded up (Caffe's ceil mode).

    A side of n pixels gives ceil((n - 3) / 2) + 1 windows from the first pixel on. For an even n
    that is Keras's "same", for an odd one its "valid". Where the two sides differ in this, or are
    not known yet, a row and a column of zeros below and right make "valid", which rounds down,
    right for both; no maximum feels them, since the inputs are not negative.

    Args:
        inputs: Keras tensor (N, H, W, channels) of values >= 0 (after a ReLU); H, W may be None.
        name: of the pooling layer; the zeros, where needed, come from a layer `<name>_pad`.
    """
    odd = {None if side is None else side % 2 for side in inputs.shape[1:3]}
    padding = "same" if odd == {0} else "valid"
    if odd not in ({0}, {1}):
        inputs = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(inputs)
    return keras.layers.MaxPooling2D(3, strides=2, padding=padding, name=name)(inputs)


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


def image_input(input_tensor, input_shape, default):
    """Where a network begins.

    Args:
        input_tensor: Keras tensor (N, H, W, channels) to begin from, or None for a new input.
        input_shape: (H, W, channels) of the new input, H and W None where any size will do.
        default: input_shape where none is given.

    Returns:
        (input of the model, tensor that the first layer reads); two of one where it is new.
    """
    if input_tensor is None:
        new = keras.Input(input_shape or default, name="input")
        return new, new
    (source,) = keras.utils.get_source_inputs(input_tensor)
    return source, input_tensor


def classifier(features, classes, activation, dense, output):
    """Dense layer named `dense`, then its activation in a layer of its own named `output`.

    Args:
        features: Keras tensor (N, features).
        classes: number of outputs, at least 1.
        activation: Keras activation; `linear` for regression.

    Returns:
        Keras tensor (N, classes).

    Raises:
        InputError: softmax over one output, which is 1 whatever the weights are.
    """
    if classes == 1 and activation == "softmax":
        raise InputError(
            "classifier_activation is 'softmax' with classes=1; one output takes 'linear' or "
            "'sigmoid'"
        )
    scores = keras.layers.Dense(classes, name=dense)(features)
    return keras.layers.Activation(activation, dtype="float32", name=output)(scores)


def finished(inputs, outputs, name, weights):
    """The finished network, with random weights.

    Raises:
        InputError: weights other than None, which only keras.applications' networks have.
    """
    if weights is not None:
        raise InputError(
            f"{name} was given weights {str(weights)!r}; accepted: None. A file is opened by "
            f"models.load('{name}:FILE')"
        )
    return keras.Model(inputs, outputs, name=name)


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
