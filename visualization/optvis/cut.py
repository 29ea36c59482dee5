"""cut: a frozen copy of the part of a network that leads to some layers, at any size and precision.

The user's network is not changed: layers are copied, and only those that lead to the target.
"""

import re

import keras

from models.errors import InputError
from models.layers import find_layer

PRECISIONS = ("float32", "bfloat16", "float16")
# Their statistics and scales stay float32 under half precision, as in Keras's mixed policies.
EXACT = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)
# They scale pixels: [0, 255] in bfloat16 would be rounded to whole numbers before.
PIXELWISE = (keras.layers.Rescaling, keras.layers.Normalization)


def cut(model, layer_names, size=None, dtype="float32", relu=None):
    """Copy a network up to some layers, frozen, for images of one size.

    Batch normalisation runs on its stored statistics and dropout is off: call the result with
    `training=False`, and it has no trainable weights.

    Args:
        model: keras.Model of one input, (N, H, W, 3) RGB in [0, 255], made of a graph of layers
            (functional or sequential; networks inside it are taken apart).
        layer_names: names as models.layers.find_layer takes them.
        size: (height, width) in pixels; None for the network's own.
        dtype: `float32`, `bfloat16` or `float16`, in which everything is computed, but what
            batch normalisation and the scaling of pixels need is kept in float32.
        relu: function of max_value (None or a number) that gives the activation to put in place
            of every ReLU; None to keep them.

    Returns:
        keras.Model: (N, height, width, 3) float32 -> dict of layer name -> activations.

    Raises:
        InputError: unknown layer or dtype, a model that cannot be cut, or a size that it does not
            take up to these layers.
    """
    if dtype not in PRECISIONS:
        raise InputError(f"dtype {dtype!r}; accepted: {', '.join(PRECISIONS)}")
    height, width = _size(model, size)
    targets = {name: find_layer(model, name) for name in layer_names}
    copies = _Copies(dtype, relu)
    inputs = keras.Input((height, width, 3), name="pixels")
    try:
        part = _part(model, inputs, list(targets.values()), copies)
    except (ValueError, NotImplementedError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{model.name} cannot be run at {height}x{width} pixels up to "
            f"{', '.join(targets)}: {_reason(error)}"
        ) from error
    outputs = dict(zip(targets, part.outputs, strict=False))
    _check_outputs(model, outputs, height, width)
    network = keras.Model(inputs, outputs, name=model.name)
    copies.fill(f"{height}x{width}")
    network.trainable = False
    return network


class _Copies:
    """Copies of layers: one for each layer, however often it is used."""

    def __init__(self, dtype, relu):
        self.dtype = dtype
        self.relu = relu
        self.made = {}  # id of the original -> (original, copy)

    def of(self, layer):
        if id(layer) not in self.made:
            self.made[id(layer)] = layer, self._copy(layer)
        return self.made[id(layer)][1]

    def _copy(self, layer):
        if not isinstance(layer, keras.Layer):  # an operation, such as keras.ops.flip
            max_value = {"Relu": None, "Relu6": 6}.get(type(layer).__name__, "none")
            if self.relu is not None and max_value != "none":
                return keras.layers.Activation(self.relu(max_value), dtype=self.dtype)
            return type(layer).from_config(layer.get_config())
        half = self.dtype != "float32"
        dtype = f"mixed_{self.dtype}" if half and isinstance(layer, EXACT) else self.dtype
        dtype = "float32" if isinstance(layer, PIXELWISE) else dtype
        if self.relu is not None and _is_plain_relu(layer):
            activation = self.relu(layer.max_value)
            return keras.layers.Activation(activation, name=layer.name, dtype=dtype)
        copy = _construct(layer, {"name": layer.name, "dtype": dtype})
        fused = getattr(copy, "activation", None)
        if self.relu is not None and fused in (keras.activations.relu, keras.activations.relu6):
            copy.activation = self.relu(6 if fused is keras.activations.relu6 else None)
        return copy

    def fill(self, size):
        """Give every copy the weights of its original; `size` is for the error."""
        for layer, copy in self.made.values():
            if not isinstance(layer, keras.Layer):
                continue
            for old, new in zip(layer.weights, copy.weights, strict=True):
                if old.shape != new.shape:
                    raise InputError(
                        f"layer {layer.name!r} has weights of shape {tuple(old.shape)}, which fit "
                        f"the network's own input size; at {size} they would be "
                        f"{tuple(new.shape)}"
                    )
            if layer.weights:
                copy.set_weights(layer.get_weights())


def _construct(layer, changes):
    if isinstance(layer, keras.layers.Lambda):  # its code would be refused as unsafe to read
        return keras.layers.Lambda(layer.function, arguments=layer.arguments, **changes)
    return type(layer).from_config(layer.get_config() | changes)


def _is_plain_relu(layer):
    return isinstance(layer, keras.layers.ReLU) and not (layer.negative_slope or layer.threshold)


def _part(model, inputs, targets, copies, whole=False):
    """Run a network's graph again with copied layers, as far as needed.

    Args:
        model: functional or sequential keras.Model of one input.
        inputs: keras.Input to run it on.
        targets: layers in it or in networks inside it.
        copies: _Copies.
        whole: to give the network's own output as well.

    Returns:
        keras.Model with an output for every target, in this order, and last, if whole, its own.
    """
    ends = [layer for layer in model.layers if any(_holds(layer, t) for t in targets)]
    # a network's own `output` would be in its own graph, not in the graph that it stands in
    tensors = [keras.Operation.output.fget(layer) for layer in ends]
    tensors += model.outputs if whole else []
    found = {id(layer): inputs for layer in ends if isinstance(layer, keras.layers.InputLayer)}

    def call(operation, *args, **kwargs):
        if _is_graph(operation):
            inside = [t for t in targets if t is not operation and _holds(operation, t)]
            leads_on = whole or len(inside) < len(targets)
            entry = keras.Input(batch_shape=args[0].shape, dtype=args[0].dtype)
            results = _part(operation, entry, inside, copies, leads_on)(args[0])
            results = results if isinstance(results, (list, tuple)) else [results]
            found.update((id(t), r) for t, r in zip(inside, results, strict=False))
            found[id(operation)] = results[-1]
            return results[len(inside) :] or results[:1]
        result = copies.of(operation)(*args, **kwargs)
        found[id(operation)] = result
        return result

    built = keras.models.clone_model(
        keras.Model(model.inputs[0], tensors),
        input_tensors=inputs,
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return keras.Model(inputs, [found[id(t)] for t in targets] + built.outputs[len(ends) :])


def _is_graph(layer):
    return isinstance(layer, keras.Model) and getattr(layer, "inputs", None)


def _holds(layer, target):
    inner = layer.layers if _is_graph(layer) else ()
    return layer is target or any(_holds(each, target) for each in inner)


def _reason(error):
    """The line of a Keras error that says what was wrong: not where, and not in bold."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")
    lines = [line.strip() for line in lines if line.strip()] or [type(error).__name__]
    return lines[lines[0].startswith("Exception encountered") and len(lines) > 1]


def _size(model, size):
    """(height, width) to run at; InputError for a model that does not take RGB pictures."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1:
        raise InputError(
            f"{model.name} has {len(inputs)} inputs; accepted: a functional or sequential model "
            "of one input, a batch of RGB pictures"
        )
    shape = tuple(inputs[0].shape)
    if len(shape) != 4 or shape[-1] != 3:
        raise InputError(f"{model.name} takes {shape}; accepted: (N, height, width, 3)")
    height, width = shape[1:3] if size is None else size
    if height is None or width is None:
        raise InputError(f"{model.name} takes pictures of any size; give one")
    return height, width


def _check_outputs(model, outputs, height, width):
    for name, tensor in outputs.items():
        if isinstance(tensor, (list, tuple)):
            raise InputError(f"layer {name!r} of {model.name} has {len(tensor)} outputs, not one")
        if 0 in tensor.shape[1:]:
            raise InputError(
                f"{height}x{width} pixels are too few for {model.name}: nothing is left of them "
                f"at {name}, which is {tuple(tensor.shape)}"
            )
