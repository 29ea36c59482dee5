"""A network's calls in order: what VisualBackProp, Grad-CAM and the logits read off it."""

from dataclasses import dataclass
from typing import Any

import keras

from models.errors import InputError


@dataclass(frozen=True)
class Call:
    """One call of a layer (or of a function of keras.ops): Keras tensors in, a Keras tensor out."""

    operation: Any
    inputs: tuple
    output: Any


@dataclass(frozen=True)
class Graph:
    """A network run once on Keras tensors: its input, every call in order, its output."""

    input: Any
    calls: tuple
    output: Any


def trace(model, size=None, call=None):
    """Run a network's layers once more on a new input and note every call.

    The layers are shared with the network, so nothing is copied and it is not changed; networks
    inside it are entered, so that the graph is flat.

    Args:
        model: keras.Model with one input, functional or sequential.
        size: (H, W) of the new input; None for the network's own, which may be unknown.
        call: function (operation, *args, **kwargs) -> output, called in place of the operation
            itself, for a graph that differs from the network's.

    Returns:
        Graph.

    Raises:
        InputError: a model that is not a graph of layers, or has several inputs.
    """
    _refuse_what_has_no_graph(model)
    if len(model.inputs) != 1:
        raise InputError(f"{model.name} has {len(model.inputs)} inputs; accepted: 1")
    given = model.inputs[0]
    batch, *shape = given.shape
    if size is not None:
        shape[:2] = size
    start = keras.Input(batch_shape=(batch, *shape), dtype=given.dtype, name="pixels")
    calls = []

    def noted(operation, *args, **kwargs):
        if isinstance(operation, keras.Model):
            return _run(operation, args[0], noted)
        output = (call or _plain)(operation, *args, **kwargs)
        inputs = [x for x in keras.tree.flatten((args, kwargs)) if keras.utils.is_keras_tensor(x)]
        calls.append(Call(operation, tuple(inputs), output))
        return output

    output = _run(model, start, noted)
    return Graph(start, tuple(calls), output)


def _plain(operation, *args, **kwargs):
    return operation(*args, **kwargs)


def _run(model, inputs, call):
    _refuse_what_has_no_graph(model)
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            inputs = call(layer, inputs)
        return inputs
    # What keras.models.clone_model runs; that one would build and compile one more model for each
    # network inside, on tensors that are not those of the calls.
    output = model._run_through_graph(inputs, operation_fn=lambda layer: layer, call_fn=call)
    # a network made with `outputs=[tensor]` gives a list of one, and its callers see the tensor
    return output[0] if isinstance(output, (list, tuple)) and len(output) == 1 else output


def _refuse_what_has_no_graph(model):
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_run_through_graph"):
        raise InputError(
            f"{model.name} is a {type(model).__name__} without a graph of layers; accepted: "
            "functional and sequential Keras models"
        )
