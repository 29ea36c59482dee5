"""Max pooling with the output size that Caffe gives it."""

import keras


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
