"""A network's graph of layers: found by name, run again with other layers, cut, without softmax.

There is one way to run a graph again, `trace`: optimized images (with copied layers, up to a
target), VisualBackProp, Grad-CAM, guided backpropagation and the logits are made with it.
"""

import difflib
import math
import re
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import keras

from models import imagenet
from models.errors import InputError

NEAR = 5  # names listed in an error; more do not fit on a line
PIXELS = "pixels"  # what the input is called that a network is run on again
PRECISIONS = ("float32", "bfloat16", "float16")
# Their statistics and scales stay float32 under half precision, as in Keras's mixed policies.
EXACT = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)
# They scale pixels: [0, 255] in bfloat16 would be rounded to whole numbers before.
PIXELWISE = (keras.layers.Rescaling, keras.layers.Normalization)
# the largest output of each activation that is a ReLU; operations of keras.ops by their class
RELUS = {keras.activations.relu: math.inf, keras.activations.relu6: 6.0}
RELU_OPERATIONS = {"Relu": math.inf, "Relu6": 6.0}
# what ends a classifier and is not part of its logits
PROBABILITIES = ("softmax", "sigmoid")
# other activations that are layers or operations of their own, in small letters
ACTIVATIONS = (*PROBABILITIES, "relu", "relu6", "leakyrelu", "prelu", "elu", "selu", "gelu", "silu")
ACTIVATIONS += ("tanh", "softplus", "hardswish", "hardsilu")


def find_layer(model, name_or_index):
    """Find an inner layer of a network, also in networks inside it.

    A name of the network itself comes before the same name in a network inside it; a path such as
    `trunk/block5_conv4` says which one is meant.

    Args:
        model: keras.Model.
        name_or_index: exact name, path of names joined with `/`, either also with the `:0` of a
            TensorFlow tensor, as Lucid's users write it; or a number in `model.layers`, negative
            from the end.

    Returns:
        keras.layers.Layer.

    Raises:
        InputError: no such layer, or a name that several inner networks have.
    """
    if isinstance(name_or_index, Integral):
        return _layer_by_index(model, name_or_index)
    layers = dict(_walk(model))
    name = name_or_index.removesuffix(":0")
    if name in layers:
        return layers[name]
    paths = [path for path in layers if path.endswith(f"/{name}")]
    if len(paths) == 1:
        return layers[paths[0]]
    if paths:
        raise InputError(
            f"{model.name} has {len(paths)} layers {name!r}: {', '.join(paths[:NEAR])}"
        )
    near = difflib.get_close_matches(name, layers, NEAR)
    hint = f"near it: {', '.join(near)}" if near else f"the last: {list(layers)[-1]}"
    raise InputError(f"{model.name} has no layer {name!r} among its {len(layers)}; {hint}")


def relu_limit(operation):
    """The largest output of a ReLU: infinity, 6 for ReLU6; None for what is no ReLU.

    ReLUs count as layers, as activations of other layers and as operations of keras.ops; leaky and
    thresholded ones do not count.

    Args:
        operation: keras.layers.Layer or an operation of keras.ops.
    """
    if isinstance(operation, keras.layers.ReLU):
        plain = not (operation.negative_slope or operation.threshold)
        limit = math.inf if operation.max_value is None else float(operation.max_value)
        return limit if plain else None
    if not isinstance(operation, keras.layers.Layer):
        return RELU_OPERATIONS.get(type(operation).__name__)
    activation = getattr(operation, "activation", None)
    return next((limit for relu, limit in RELUS.items() if activation is relu), None)


@dataclass(frozen=True)
class Call:
    """One call of a layer (or of an operation of keras.ops): Keras tensors in, a tensor out."""

    operation: Any
    inputs: tuple
    output: Any


@dataclass(frozen=True)
class Graph:
    """A network run once on Keras tensors: its input, every call in order, its output.

    output is None where the run ended at layers before it. networks: the calls of networks inside
    it, whose layers' calls are among the others.
    """

    input: Any
    calls: tuple
    output: Any
    networks: tuple = ()

    def output_of(self, layer):
        """What a layer gave, the last time that it was called; None for one that was not run."""
        if isinstance(layer, keras.layers.InputLayer):
            return self.input
        every = (*self.calls, *self.networks)
        outputs = [call.output for call in every if call.operation is layer]
        return outputs[-1] if outputs else None

    def free_name(self, name):
        """A name that none of its layers has, this one if possible: for a layer put behind them."""
        tensors = keras.tree.flatten([call.output for call in self.calls])
        return _free_name(name, {PIXELS, *(x._keras_history.operation.name for x in tensors)})


def trace(model, size=None, call=None, targets=None, start=None):
    """Run a network's layers once more on a new input and note every call.

    The layers are shared with the network, so nothing is copied and it is not changed; networks
    inside it are entered, so that the graph is flat. Of layers of one name in several of these,
    all but the first run inside a layer of another name.

    Args:
        model: keras.Model with one input, functional or sequential.
        size: (H, W) of the new input; None for the network's own, which may be unknown.
        call: function (operation, *args, **kwargs) -> output, called in place of the operation
            itself, for a graph that differs from the network's. One that still runs the network's
            own layers leaves that to SharedLayers.
        targets: layers to run up to, in the network or in networks inside it; None for all of it.
        start: keras.Input to run on; None for a new one, as the network's own but for `size`.

    Returns:
        Graph.

    Raises:
        InputError: a model that is not a graph of layers, or has several inputs.
    """
    given = input_of(model)
    if start is None:
        batch, *shape = given.shape
        if size is not None:
            shape[:2] = size
        start = keras.Input(batch_shape=(batch, *shape), dtype=given.dtype, name=PIXELS)
    run = _Run(call or SharedLayers().call, targets)
    output = run.through(model, start, whole=targets is None)
    return Graph(start, tuple(run.calls), output, tuple(run.networks))


def input_of(model):
    """The one Keras tensor that a network reads.

    Raises:
        InputError: a model that is not a graph of layers, or has another number of inputs.
    """
    _refuse_what_has_no_graph(model)
    inputs = _inputs(model)
    if len(inputs) != 1:
        raise InputError(f"{model.name} has {len(inputs)} inputs; accepted: 1")
    return inputs[0]


class SharedLayers:
    """Calls a network's own layers, so that what comes of it is a graph that Keras takes.

    Networks inside a network may use a name twice, and Keras refuses a flat network that does: a
    layer whose name another one has is called inside a Renamed.
    """

    def __init__(self):
        self.names = {PIXELS}
        self.first = {}  # name -> the operation that keeps it

    def call(self, operation, *args, **kwargs):
        """Call a layer or an operation of keras.ops, under a name of its own."""
        if operation.name not in self.names:
            self.names.add(operation.name)
            self.first[operation.name] = operation
        if self.first.get(operation.name) is operation:
            return operation(*args, **kwargs)
        name = _free_name(operation.name, self.names)
        self.names.add(name)
        if not isinstance(operation, keras.Layer):  # it has no weights to share
            return _renamed_copy(operation, name)(*args, **kwargs)
        # Keras takes no tensors and other values in one dictionary
        fixed = {key: value for key, value in kwargs.items() if not _has_tensors(value)}
        tensors = {key: value for key, value in kwargs.items() if key not in fixed}
        return Renamed(operation, fixed, name=name)(*args, **tensors)


class Renamed(keras.layers.Layer):
    """A layer with its own weights under another name. Shapes as of that layer.

    arguments: what it is called with beside tensors.
    """

    def __init__(self, layer, arguments, **kwargs):
        super().__init__(dtype=layer.dtype_policy, autocast=False, **kwargs)
        self.layer = layer
        self.arguments = arguments
        self.built = True

    def call(self, *args, **kwargs):
        return self.layer(*args, **kwargs, **self.arguments)

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs, **self.arguments)


class _Run:
    """A run of a network and of those inside it, which notes every call."""

    def __init__(self, call, targets):
        self.call = call
        self.targets = targets or []
        self.calls = []
        self.networks = []

    def through(self, model, inputs, whole):
        """Run a network; whole: to its own output, which is returned, else to the targets only."""
        _refuse_what_has_no_graph(model)
        ends = [layer for layer in model.layers if any(_holds(layer, t) for t in self.targets)]
        if isinstance(model, keras.Sequential):
            return self._sequence(model.layers, inputs, ends, whole)
        part = model
        if not whole:
            # a network's own `output` would be in its own graph, not in the graph it stands in
            tensors = [keras.Operation.output.fget(layer) for layer in ends]
            part = keras.Model(model.inputs[0], tensors)
        # What keras.models.clone_model runs; that one would build and compile one more model for
        # each network inside, on tensors that are not those of the calls.
        output = part._run_through_graph(
            inputs,
            operation_fn=lambda layer: layer,
            call_fn=lambda *args, **kwargs: self._noted(whole, *args, **kwargs),
        )
        if not whole:
            return None
        # a network made with `outputs=[tensor]` gives a list of one, and its callers the tensor
        return output[0] if isinstance(output, (list, tuple)) and len(output) == 1 else output

    def _sequence(self, layers, inputs, ends, whole):
        for layer in layers:
            inputs = self._noted(whole, layer, inputs)
            ends = [end for end in ends if end is not layer]
            if not ends and not whole:
                return None
        return inputs

    def _noted(self, whole, operation, *args, **kwargs):
        if isinstance(operation, Renamed):  # of a network that was traced before
            operation, kwargs = operation.layer, kwargs | operation.arguments
        # on the way to a target, a network without a graph inside is a layer like any other
        if isinstance(operation, keras.Model) and (_has_graph(operation) or not self.targets):
            inside = [t for t in self.targets if t is not operation and _holds(operation, t)]
            # else only layers inside are wanted, and nothing that follows reads its output
            leads_on = whole or len(inside) < len(self.targets)
            output = self.through(operation, args[0], leads_on)
            output = self.calls[-1].output if output is None else output
        else:
            output = self.call(operation, *args, **kwargs)
        noted = self.networks if isinstance(operation, keras.Model) else self.calls
        inputs = [x for x in keras.tree.flatten((args, kwargs)) if keras.utils.is_keras_tensor(x)]
        noted.append(Call(operation, tuple(inputs), output))
        return output


def run_up_to(model, layer_names, size=None, call=None):
    """Run a network of pictures up to some layers, on pictures of one size.

    Args:
        model, call: as in trace; the model's input is (N, H, W, 3).
        layer_names: names as find_layer takes them.
        size: (height, width) in pixels; None for the network's own.

    Returns:
        (Keras tensor of the pictures (N, height, width, 3), dict of layer name -> Keras tensor).

    Raises:
        InputError: unknown layer, a model that is no graph of layers over pictures, or a size that
            it does not take up to these layers.
    """
    height, width = _picture_size(model, size)
    targets = {name: find_layer(model, name) for name in layer_names}
    start = keras.Input((height, width, 3), name=PIXELS)
    traced = _traced(model, call, start, list(targets.values()), ", ".join(map(str, targets)))
    outputs = {name: traced.output_of(layer) for name, layer in targets.items()}
    _check_outputs(model, outputs, height, width)
    return start, outputs


def cut(model, layer_names, size=None, dtype="float32", relu=None):
    """Copy a network up to some layers, frozen, for images of one size.

    The user's network is not changed: layers are copied, and only those that lead to the target.
    Batch normalisation runs on its stored statistics and dropout is off: call the result with
    `training=False`, and it has no trainable weights.

    Args:
        model: keras.Model of one input, (N, H, W, 3) RGB in [0, 255], made of a graph of layers
            (functional or sequential; networks inside it are taken apart).
        layer_names: names as find_layer takes them.
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
    copies = _Copies(dtype, relu)
    start, outputs = run_up_to(model, layer_names, size, copies.call)
    network = keras.Model(start, outputs, name=model.name)
    copies.fill("x".join(map(str, start.shape[1:3])))
    network.trainable = False
    return network


def rebuilt(model, start, last, taken=()):
    """Run copies of a network's layers on a tensor, up to one of them; the network stays as it is.

    Networks inside it are taken apart: the copies are the layers of one flat network, float32,
    with the weights of the originals.

    Args:
        model: keras.Model of one input, made of a graph of layers.
        start: Keras tensor (N, H, W, channels) in place of the network's input.
        last: layer, or operation of keras.ops, in the network or in one inside it.
        taken: names that layers around these copies have; a copy gets another.

    Returns:
        Keras tensor: what `last` gives.

    Raises:
        InputError: a size that the network does not take.
    """
    copies = _Copies("float32", None, taken)
    targets = [last] if isinstance(last, keras.Layer) else None  # an operation is in no list
    traced = _traced(model, copies.call, start, targets, last.name)
    copies.fill("x".join(map(str, start.shape[1:3])))
    return traced.output_of(last)


def _traced(model, call, start, targets, names):
    """Trace a network from a tensor; `names` of the targets are for the error."""
    try:
        return trace(model, call=call, targets=targets, start=start)
    except (ValueError, NotImplementedError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        height, width = start.shape[1:3]
        raise InputError(
            f"{model.name} cannot be run at {height}x{width} pixels up to {names}: {_reason(error)}"
        ) from error


class _Copies:
    """Copies of layers: one for each layer, however often it is used."""

    def __init__(self, dtype, relu, taken=()):
        self.dtype = dtype
        self.relu = relu
        self.names = {PIXELS, *taken}
        self.made = {}  # id of the original -> (original, copy)

    def call(self, operation, *args, **kwargs):
        """Call the copy of a layer in its place."""
        if id(operation) not in self.made:
            self.made[id(operation)] = operation, self._copy(operation)
        return self.made[id(operation)][1](*args, **kwargs)

    def _copy(self, layer):
        limit = None if self.relu is None else relu_limit(layer)
        activation = limit and self.relu(None if limit == math.inf else limit)
        # a network inside may use the names of the network around it
        name = _free_name(layer.name, self.names)
        self.names.add(name)
        if not isinstance(layer, keras.Layer):  # an operation, such as keras.ops.flip
            if activation:
                return keras.layers.Activation(activation, name=name, dtype=self.dtype)
            return _renamed_copy(layer, name)
        half = self.dtype != "float32"
        dtype = f"mixed_{self.dtype}" if half and isinstance(layer, EXACT) else self.dtype
        dtype = "float32" if isinstance(layer, PIXELWISE) else dtype
        if activation and isinstance(layer, keras.layers.ReLU):
            return keras.layers.Activation(activation, name=name, dtype=dtype)
        copy = _construct(layer, {"name": name, "dtype": dtype})
        if activation:
            copy.activation = activation
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
            if hasattr(copy, "finalize_state"):  # Normalization uses what it made of its weights
                copy.finalize_state()


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


def classifier(model, logits=True):
    """The network that scores classes: its logits, or its own output.

    Args:
        model: keras.Model, pictures -> (N, classes).
        logits: leave out a softmax or sigmoid at the end, be it a layer or part of a dense layer;
            a network that ends in neither is taken as it is. False: the output as it is.

    Returns:
        keras.Model that shares the network's layers; the network itself is not changed.

    Raises:
        InputError: a network without (N, classes) as its one output, or one that is no graph of
            layers.
    """
    check_scores(model)
    if not logits:
        return model
    traced = trace(model)
    scores = logits_of(traced)
    if scores is traced.output:
        return model
    return keras.Model(traced.input, scores, name=f"{model.name}_logits")


def check_scores(model):
    """Refuse a network without (N, classes) as its one output.

    Raises:
        InputError: naming what it gives.
    """
    shapes = [tuple(output.shape) for output in model.outputs] if _inputs(model) else []
    if len(shapes) != 1 or len(shapes[0]) != 2:
        given = " and ".join(map(str, shapes)) or "nothing yet"
        raise InputError(
            f"{model.name} gives {given}; a score of a class needs one output (N, classes)"
        )


def logits_of(traced):
    """What a Graph gives before a softmax or sigmoid at its end; its output where it has neither.

    Args:
        traced: Graph with an output (N, classes).

    Returns:
        Keras tensor (N, classes), which the graph's input leads to.
    """
    last = next(call for call in reversed(traced.calls) if call.output is traced.output)
    operation = last.operation
    if isinstance(operation, keras.layers.Dense) and _name(operation.activation) in PROBABILITIES:
        return WithoutActivation(operation, name=traced.free_name("logits"))(last.inputs[0])
    activation = operation
    if isinstance(operation, keras.layers.Activation):
        activation = operation.activation
    return last.inputs[0] if _name(activation) in PROBABILITIES else traced.output


def target_index(target, classes, n_outputs):
    """The number of the output that a user means.

    Args:
        target: class index from 0, or class name in `classes`, in any case; of ImageNet's classes
            any of a class's names (`tabby`, `tabby cat`).
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
    same = exact or [i for i, name in enumerate(classes) if name.casefold() == target.casefold()]
    same = same or _by_other_names(target, classes)
    if len(same) == 1:
        return same[0]
    if same:
        numbers = ", ".join(map(str, same))
        raise InputError(f"several classes are named {target!r}; give one's number: {numbers}")
    near = difflib.get_close_matches(target, classes, NEAR, cutoff=0.5) or classes[:NEAR]
    raise InputError(f"no class {target!r} among {len(classes)}; near it: {', '.join(near)}")


def _by_other_names(target, classes):
    """Numbers of ImageNet's classes that have a name beside the one they are shown by."""
    if list(classes) != imagenet.names():
        return []
    return [
        number
        for number, names in enumerate(imagenet.synonyms())
        if target.casefold() in map(str.casefold, names)
    ]


def layer_names(model):
    """The names of all layers as find_layer takes them, those of networks inside as paths."""
    return [path for path, _ in _walk(model)]


def name_of(model, operation):
    """A layer's name as find_layer takes it; of an operation of keras.ops its own."""
    paths = (path for path, layer in _walk(model) if layer is operation)
    return next(paths, operation.name)


def activation_name(operation):
    """What the activation of a layer or operation is called, e.g. `softmax`; None without one.

    The function, a layer of its own and an operation of keras.ops are called alike.
    """
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return _name(activation)
    return _name(operation) if _name(operation) in ACTIVATIONS else None


def _layer_by_index(model, index):
    count = len(model.layers)
    if not -count <= index < count:
        raise InputError(
            f"{model.name} has no layer {index}; accepted: {-count} to {count - 1}, or a name"
        )
    return model.layers[index]


def _walk(model, prefix=""):
    """Yield (path, layer) for every layer, those inside an inner network after it."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if isinstance(layer, keras.Model):
            yield from _walk(layer, f"{prefix}{layer.name}/")


def _free_name(name, taken):
    """The name, or the first with a number behind it that is not taken."""
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _renamed_copy(operation, name):
    """An operation of keras.ops under another name; it has no weights."""
    return type(operation).from_config(operation.get_config() | {"name": name})


def _has_tensors(value):
    return any(keras.utils.is_keras_tensor(x) for x in keras.tree.flatten(value))


def _has_graph(model):
    return isinstance(model, keras.Sequential) or hasattr(model, "_run_through_graph")


def _refuse_what_has_no_graph(model):
    if not _has_graph(model):
        raise InputError(
            f"{model.name} is a {type(model).__name__} without a graph of layers; accepted: "
            "functional and sequential Keras models"
        )


def _holds(layer, target):
    inner = layer.layers if isinstance(layer, keras.Model) else ()
    return layer is target or any(_holds(each, target) for each in inner)


def _construct(layer, changes):
    if isinstance(layer, keras.layers.Lambda):  # its code would be refused as unsafe to read
        return keras.layers.Lambda(layer.function, arguments=layer.arguments, **changes)
    return type(layer).from_config(layer.get_config() | changes)


def _reason(error):
    """The line of a Keras error that says what was wrong: not where, and not in bold."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")
    lines = [line.strip() for line in lines if line.strip()] or [type(error).__name__]
    return lines[lines[0].startswith("Exception encountered") and len(lines) > 1]


def _inputs(model):
    """The Keras tensors that a network reads; [] where it was never built or has no graph."""
    return getattr(model, "inputs", None) or []  # an unbuilt Sequential raises AttributeError


def _picture_size(model, size):
    """(height, width) to run at; InputError for a model that does not take RGB pictures."""
    inputs = _inputs(model)
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


def _name(activation):
    """`softmax` for the function, the layer Softmax and the Softmax of keras.ops alike."""
    named = activation if hasattr(activation, "__name__") else type(activation)
    return named.__name__.lower()


def count_activations(network, size=None):
    """Numbers that a network's layers give for one image, those of networks inside it too.

    Args:
        network: keras.Model.
        size: (H, W) of the image, for a network that leaves it open.

    A length that no size of the image tells counts as 1: the number is then a least one.
    """
    tensors = list(_given(network))
    if any(None in tensor.shape[1:] for tensor in tensors):
        # a network inside may leave open what the one around it knows
        traced = trace(network, size)
        tensors = keras.tree.flatten([traced.input, [call.output for call in traced.calls]])
    return sum(math.prod(side or 1 for side in tensor.shape[1:]) for tensor in tensors)


def _given(network):
    """Yield the Keras tensors that the layers of a network, and of those inside it, give."""
    for layer in network.layers:
        if isinstance(layer, keras.Model) and _inputs(layer):
            yield from _given(layer)
        else:
            yield from keras.tree.flatten(layer.output)
