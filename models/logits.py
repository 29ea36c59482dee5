"""A classifier without its last softmax or sigmoid, and which of its outputs is meant."""

import difflib
from numbers import Integral

import keras

from models import graph
from models.errors import InputError
from models.layers import NEAR
from models.loading import Loaded

ACTIVATIONS = ("softmax", "sigmoid")


class WithoutActivation(keras.layers.Layer):
    """A dense layer's product and bias, with that layer's own weights but not its activation.

    Input (N, features), output (N, classes).
    """

    def __init__(self, dense, **kwargs):
        super().__init__(dtype=dense.dtype_policy, **kwargs)
        self.dense = dense

    def call(self, inputs):
        product = keras.ops.matmul(inputs, self.dense.kernel)
        return product if self.dense.bias is None else product + self.dense.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.dense.units)


def classifier(network, logits=True):
    """The network that scores classes: its logits, or its own output.

    Args:
        network: keras.Model or models.loading.Loaded, pictures -> (N, classes).
        logits: leave out a softmax or sigmoid at the end, be it a layer or part of a dense layer;
            a network that ends in neither is taken as it is. False: the output as it is.

    Returns:
        keras.Model that shares the network's layers; the network itself is not changed.

    Raises:
        InputError: a network without (N, classes) as its one output, or one that is no graph of
            layers.
    """
    model = network.model if isinstance(network, Loaded) else network
    shapes = [tuple(output.shape) for output in model.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise InputError(
            f"{model.name} gives {' and '.join(map(str, shapes))}; a score of a class needs one "
            "output (N, classes)"
        )
    return _without_activation(model) if logits else model


def target_index(target, classes, n_outputs):
    """The number of the output that a user means.

    Args:
        target: class index from 0, or class name in `classes`, in any case.
        classes: list of class names in the order of the outputs, or None where they are not known.
        n_outputs: number of outputs.

    Returns:
        int in [0, n_outputs).

    Raises:
        InputError: no such index or name, the names are not known, or several classes have it.
    """
    if isinstance(target, Integral) and not isinstance(target, bool):
        if 0 <= target < n_outputs:
            return int(target)
        raise InputError(f"no class {target}; accepted: 0 to {n_outputs - 1}")
    if not isinstance(target, str):
        raise InputError(f"class {target!r}; accepted: a name, or a number from 0")
    if classes is None:
        raise InputError(
            f"class {target!r}: the names of this network's classes are not known; accepted: 0 to "
            f"{n_outputs - 1}"
        )
    exact = [i for i, name in enumerate(classes) if name == target]
    found = exact or [i for i, name in enumerate(classes) if name.casefold() == target.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(map(str, found))
        raise InputError(f"several classes are named {target!r}; give one's number: {numbers}")
    near = difflib.get_close_matches(target, classes, NEAR, cutoff=0.5) or classes[:NEAR]
    raise InputError(f"no class {target!r} among {len(classes)}; near it: {', '.join(near)}")


def _without_activation(model):
    traced = graph.trace(model)
    last = next(call for call in reversed(traced.calls) if call.output is traced.output)
    operation = last.operation
    if isinstance(operation, keras.layers.Dense) and _name(operation.activation) in ACTIVATIONS:
        output = WithoutActivation(operation, name="logits")(last.inputs[0])
    elif _name(operation) in ACTIVATIONS or (
        isinstance(operation, keras.layers.Activation)
        and _name(operation.activation) in ACTIVATIONS
    ):
        output = last.inputs[0]
    else:
        return model
    return keras.Model(traced.input, output, name=f"{model.name}_logits")


def _name(activation):
    """`softmax` for the function, the layer Softmax and the Softmax of keras.ops alike."""
    named = activation if hasattr(activation, "__name__") else type(activation)
    return named.__name__.lower()
