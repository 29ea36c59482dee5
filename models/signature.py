"""The part that our own networks share of keras.applications' signature: both their ends."""

import keras

from models.errors import InputError


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


def model(inputs, outputs, name, weights):
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
