"""A `.keras` file of one's own as a network to train: named, measured, its classifier cut off.

Any functional or sequential network of RGB pictures will do. What it does to pixels in layers of
its own it goes on doing; of a classifier that was trained here that is all of its preprocessing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import weights
from models.errors import InputError

DIGITS = 8  # of the digest in a name: 4 thousand million contents
FEATURES = "features"  # the layer that ends the trunk of a classifier that was trained here
# names that the classifier around the trunk uses
TAKEN = ("pixels", "preprocessing", FEATURES, "head")
SHOWN = 4  # layers that a note names


def name(path):
    """What a file is called in result folders and tables: its stem and a digest of its content.

    A `model.keras` is called by the network that it says it is, as every run's file has that name.
    Read without Keras.
    """
    stem = Path(path).name.removesuffix(".keras")
    digest = weights.identify(path)[:DIGITS]
    if stem == "model":
        stem = weights.read_about(path).get("network", "").partition(":")[0] or stem
    return f"{stem}-{digest}"


def side(path):
    """The side of its square pictures in pixels; None where the file leaves it open.

    Read without Keras.

    Raises:
        InputError: no readable file, several inputs, or pictures that are not RGB or not square.
    """
    shapes = _inputs(path)
    if len(shapes) != 1:
        raise InputError(f"{path} has {len(shapes)} inputs; accepted: one, a batch of RGB pictures")
    (shape,) = shapes
    if len(shape) != 4 or shape[3] != 3:
        raise InputError(f"{path} takes {_text(shape)}; accepted: (N, height, width, 3), RGB")
    if shape[1] != shape[2]:
        raise InputError(
            f"{path} takes pictures of {shape[1]} x {shape[2]} pixels; accepted: square"
        )
    return shape[1]


def drawn_anew(model):
    """The same layers as they were before training, but for what scales pixels.

    Kernels are for models.initializers.draw_he_uniform to draw.
    """
    import keras

    fresh = type(model).from_config(model.get_config())
    for old, new in zip(model._flatten_layers(), fresh._flatten_layers(), strict=True):
        if isinstance(old, keras.layers.Normalization):
            new.set_weights(old.get_weights())
            new.finalize_state()
    return fresh


@dataclass(frozen=True)
class Trunk:
    """A network without its classifier.

    output: Keras tensor, (N, features), a map (N, H, W, channels) or tokens (N, T, channels). last:
    name of the layer that gives it. cut: names of the layers after it. prepares: names of the
    layers before the first with weights, which scale pixels or change pictures.
    """

    output: Any
    last: str
    cut: tuple
    prepares: tuple

    @property
    def note(self):
        """What was found, as text."""
        cut = f"{_listed(self.cut)} cut off" if self.cut else "nothing cut off"
        shape = " x ".join("any" if size is None else str(size) for size in self.output.shape[1:])
        return f"features from {self.last} ({shape}), {cut}"


def trunk(path, scaled, redrawn=False):
    """Open a file and run its layers, up to its features, on a tensor of pixels.

    The classifier at its end is left out: softmax or sigmoid, the dense layer (or convolution)
    that gives the classes, and dropout before it. Networks inside are taken apart.

    Args:
        path: of a `.keras` file.
        scaled: Keras tensor (N, size, size, 3), scaled as the file expects it.
        redrawn: begin from the layers as they were before training.

    Returns:
        Trunk.

    Raises:
        InputError: no network of RGB pictures with one output, no layer with weights before its
            classifier, a layer that cannot be opened safely, or a size that does not fit.
    """
    from models import graph

    model = weights.saved(path)
    if len(model.outputs) != 1:
        raise InputError(f"{path} has {len(model.outputs)} outputs; accepted: one")
    model = drawn_anew(model) if redrawn else model
    traced = graph.trace(model)
    calls = {id(call.output): call for call in traced.calls}
    end, cut = _end(path, traced.output, calls)
    if not any(_has_weights(call.operation) for call in _leading_to(end, calls)):
        raise InputError(
            f"{path} has no layer with weights before its classifier; nothing to train"
        )
    last = calls[id(end)].operation
    output = graph.rebuilt(model, scaled, last, TAKEN)
    if len(output.shape) not in (2, 3, 4) or output.shape[-1] is None or 0 in output.shape:
        raise InputError(
            f"{path} ends in {_text(output.shape)} at {last.name}; accepted: (N, features), "
            "(N, T, channels) or (N, height, width, channels)"
        )
    return Trunk(output, last.name, cut, _preparing(traced.calls))


def _end(path, tensor, calls):
    """(the tensor that holds a network's features, names of the operations after it)."""
    import keras

    from models import graph

    end, outputs, passed, scored = tensor, tensor.shape[-1], [], False
    while call := calls.get(id(tensor)):
        operation, activation = call.operation, graph.activation_name(call.operation)
        scored = scored or activation in graph.PROBABILITIES
        dense = isinstance(operation, keras.layers.Dense) and (scored or activation == "linear")
        if dense or (scored and getattr(operation, "filters", None) == outputs):
            return _before_dropout(call.inputs[0], calls, [*passed, operation])
        inner = activation not in (None, "linear", *graph.PROBABILITIES)
        if _has_weights(operation) or len(call.inputs) != 1 or (inner and not scored):
            break
        passed.append(operation)
        tensor = call.inputs[0]
    if scored:
        raise InputError(
            f"{path} ends in probabilities, but no dense layer or convolution that gives them was "
            f"found; its end is {_listed([operation.name for operation in reversed(passed)])}"
        )
    return _before_dropout(end, calls, [])


def _before_dropout(tensor, calls, passed):
    """The tensor before dropout, and before the features layer of a classifier trained here.

    That layer is put there again: it pools a map, and hands on a vector.
    """
    import keras

    pools = (keras.layers.GlobalAveragePooling2D, keras.layers.Identity)
    while call := calls.get(id(tensor)):
        operation = call.operation
        ours = operation.name == FEATURES and isinstance(operation, pools)
        if not ours and not type(operation).__name__.endswith("Dropout"):
            break
        passed = passed if ours else [*passed, operation]
        tensor = call.inputs[0]
    return tensor, tuple(operation.name for operation in reversed(passed))


def _leading_to(tensor, calls):
    """The calls that a tensor was computed by."""
    waiting, found = [tensor], {}
    while waiting:
        call = calls.get(id(waiting.pop()))
        if call is not None and id(call) not in found:
            found[id(call)] = call
            waiting += call.inputs
    return found.values()


def _has_weights(operation):
    import keras

    scales = isinstance(operation, keras.layers.Normalization)
    return bool(getattr(operation, "weights", ())) and not scales


def _preparing(calls):
    """Names of the operations before the first layer with weights."""
    names = []
    for call in calls:
        if _has_weights(call.operation):
            break
        if "Padding" not in type(call.operation).__name__:
            names.append(call.operation.name)
    return tuple(names)


def _inputs(path):
    """Shapes of a network's inputs, as its file describes them; None for what it leaves open."""
    weights.check_source(path)
    weights.check_version(path)
    described = weights.read_description(path)
    try:
        config = described["config"]
        shapes = [
            layer["config"]["batch_shape"]
            for layer in config["layers"]
            if layer["class_name"] == "InputLayer"
        ]
        if not shapes and described["class_name"] == "Sequential":
            built = described.get("build_config") or {}
            shapes = [built.get("input_shape") or config["build_input_shape"]]
        if not all(isinstance(side, int | None) for shape in shapes for side in shape):
            raise TypeError("a shape that holds no numbers")
        return [tuple(shape) for shape in shapes]
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} describes no inputs; accepted: a functional or sequential Keras model"
        ) from error


def _text(shape):
    return f"({', '.join('N' if size is None else str(size) for size in shape)})"


def _listed(names):
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
