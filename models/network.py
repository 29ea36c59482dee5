"""A network ready to use: opened by the one string that names it, saved as one file, described."""

import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models import backend, graph, imagenet, initializers, own, released, weights, zoo
from models.errors import InputError
from models.importers.fill import Report

BRIGHTEST = 255  # the value of white
MANY = 20  # classes; of more, describe() lists the first and the last


@dataclass(frozen=True, eq=False)
class Network:
    """A network ready to use, and what is known of it.

    spec: the string that names it. model: keras.Model, RGB pixels (N, H, W, 3) in [0, 255] -> its
    output; for a `.keras` file of another origin the input is whatever that file takes. classes:
    class names in the order of the output, or None. pixels: how it scales them, a name in
    zoo.PIXELS, or None where it is not known. size: side of its square input in pixels, or None
    where it takes any. report: what became of every array of the weights file, or None.
    classes_from: where the names of classes are from, where that is not the file itself.
    trained_on: text that lists the pictures its layers below the head were trained on here
    (transfer.seen_pictures); "" for none, None where that is not known. augmentation: how training
    changed pictures, which says what part of one a test sees (transfer.variants), or None. several:
    whether a picture has any number of its classes, each with a probability of its own.
    """

    spec: str
    model: Any
    classes: list | None = None
    pixels: str | None = None
    size: int | None = None
    report: Report | None = None
    classes_from: str | None = None
    trained_on: str | None = None
    augmentation: str | None = None
    several: bool = False

    def __repr__(self):
        sides = f"of {self.size}x{self.size} pixels" if self.size else "of any size"
        count = self.model.output_shape[-1] if len(self.model.outputs) == 1 else None
        named = f"{count} classes by name" if self.classes else f"{count} outputs"
        return (
            f"Network({self.spec!r}: RGB pictures {sides}, {named}, "
            f"{len(self.layers)} layers; .predict .model .classes .layers)"
        )

    @cached_property
    def layers(self):
        """Names of its layers, as every function and command takes them: a list of str."""
        return graph.layer_names(self.model)

    @cached_property
    def _forward(self):
        return backend.forward(self.model)

    def predict(self, pictures, batch_size=32):
        """Compute the outputs of pictures, dropout off.

        Args:
            pictures: (N, H, W, 3) RGB from 0 to 255, float or uint8, H and W the network's own
                size where it has one. A network that does not say how it scales pixels (`pixels`
                is None) takes what its file takes.
            batch_size: pictures computed at once.

        Returns:
            NumPy float32 (N, classes), or what else the network gives; a list of arrays where it
            has several outputs.

        Raises:
            InputError: another shape, no numbers, or numbers outside 0 to 255.

        A float array in which nothing exceeds 1 brings a warning: it is nearly black.
        """
        pictures = self._checked(pictures)
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; it must be above 0")
        parts = [
            self._forward(pictures[start : start + batch_size].astype("float32"))
            for start in range(0, len(pictures), batch_size)
        ]
        return keras.tree.map_structure(lambda *outputs: np.concatenate(outputs), *parts)

    def _checked(self, pictures):
        pictures = np.asarray(pictures)
        side = self.size or "any"
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
            wanted = f"(N, {side}, {side}, 3), RGB; one picture is pictures[None]"
            raise InputError(f"pictures have the shape {pictures.shape}; accepted: {wanted}")
        if self.size and pictures.shape[1:3] != (self.size, self.size):
            raise InputError(
                f"pictures have the shape {pictures.shape}; {self.spec} takes "
                f"(N, {side}, {side}, 3)"
            )
        if pictures.dtype.kind not in "fiu":
            raise InputError(f"pictures are of {pictures.dtype}; accepted: float or uint8")
        low, high = pictures.min(), pictures.max()
        if not np.isfinite([low, high]).all():
            raise InputError("pictures hold NaN or infinity")
        if self.pixels and (low < 0 or high > BRIGHTEST):
            raise InputError(f"pictures hold {low} to {high}; accepted: 0 to {BRIGHTEST}")
        if self.pixels:
            warn_of_unit_range(pictures, self.spec)
        return pictures

    @cached_property
    def output(self):
        """What an output is: `probability`, `score`, or None where the outputs are no classes."""
        try:
            scored = graph.classifier(self.model)
        except InputError:
            return None
        if scored is not self.model:
            return "probability"
        last = [call.operation for call in graph.trace(self.model).calls][-1]
        linear = getattr(last, "activation", None) is keras.activations.linear
        ends = isinstance(last, (keras.layers.Activation, keras.layers.Dense)) and linear
        return "score" if self.classes or ends else None

    @property
    def title(self):
        """What names it in a figure: NAME and its file, or a file with the two folders above it."""
        name, _, source = self.spec.rpartition(":")
        if name and re.fullmatch(r"\w+(\([^()]*\))?", name):
            return f"{name}\n{Path(source).name}"
        *folders, file = Path(self.spec).parts[-3:]
        return "\n".join(filter(None, ["/".join(folders), file]))

    def class_name(self, index):
        """A class as it is shown: its name, or its number where names are not known."""
        return self.classes[index] if self.classes else f"class {index}"

    def class_index(self, target):
        """The output that a class name or number, also as text, means; None for None.

        Raises:
            InputError: as graph.target_index.
        """
        if target is None:
            return None
        if isinstance(target, str) and target.isdecimal() and target not in (self.classes or ()):
            target = int(target)
        return graph.target_index(target, self.classes, self.model.output_shape[-1])


def warn_of_unit_range(pictures, name):
    """Warn of pictures that seem to be in [0, 1] where the network `name` takes [0, 255]."""
    high = pictures.max(initial=0) if pictures.dtype.kind == "f" else 0
    if 0 < high <= 1:
        warnings.warn(
            f"pictures of {pictures.min():g} to {high:g} are nearly black: {name} takes 0 to 255; "
            "multiply pictures in [0, 1] by 255",
            stacklevel=4,
        )


def check_takes_pictures(network):
    """Refuse a network that does not take square RGB pictures of a known size.

    Raises:
        InputError: naming what it takes.
    """
    inputs = network.model.inputs
    shape = tuple(inputs[0].shape)
    if len(inputs) > 1 or len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise InputError(f"{network.spec} takes {shape}; accepted: networks of square RGB pictures")
    if network.size is None:
        raise InputError(f"{network.spec} takes pictures of any size; give input_size")


def as_network(model):
    """A Network of what public functions take: a Network as it is, or a keras.Model.

    Raises:
        InputError: anything else.
    """
    if isinstance(model, Network):
        return model
    if not isinstance(model, keras.Model):
        raise InputError(f"model {model!r}; accepted: a keras.Model, or what models.load gives")
    return Network(model.name, model, size=_side(model))


def load(text, size=None):
    """Open a network by its one string; a missing weight is an error, never a random one.

    Args:
        text: as zoo.parse takes it, e.g. `VGG19:imagenet` or `results/.../model.keras`.
        size: side of the square input in pixels; None for the size of the ImageNet weights. A
            released network, and a `.keras` file that does not leave it open, keep their own.

    Returns:
        Network. A weights file without the classifier, or with a head that is not the network's
        own top, gives a network that ends at its features, and so does `NAME:FILE.keras`, whose
        trunk alone is taken. Pixels are scaled as they were when that file was trained, where it
        tells.

    Raises:
        InputError: no such network or file, or weights that do not fit.
    """
    spec = zoo.parse(text)
    if spec.file:
        return _opened(spec, size)
    report, scaling = None, zoo.scaling_as_trained(spec)
    if spec.is_released:
        model = released.load(spec.name, spec.weights)
    elif spec.weights is None:
        model = zoo.with_top(spec, size)
        initializers.draw_he_uniform(model, seed=0)
    else:
        model = _held_by_file(spec, size, scaling)
        report = weights.load(model, spec, _side(model), spec.weights)
    source = imagenet.source_of_names(spec, model.output_shape[-1])
    classes = imagenet.names() if source else None
    seen, changed = (
        None if spec.is_released else of(spec.weights)
        for of in (weights.trained_on, weights.augmentation_of)
    )
    side = _side(model) or size
    return Network(spec.text, model, classes, scaling, side, report, source, seen, changed)


def _held_by_file(spec, size, scaling):
    """The network that a source of weights fills, not filled yet: with its own top, or without."""
    outputs = weights.classes(spec, spec.weights)
    if outputs:
        whole = weights.as_built(zoo.with_top(spec, size, outputs), spec.weights)
        if weights.has_top(whole, spec.weights):
            return whole
    return weights.as_built(zoo.trunk(spec, size, scaling), spec.weights)


def _opened(spec, size):
    """The Network in a `.keras` file."""
    model = weights.saved(spec.file)
    if spec.weights is None:
        model = own.drawn_anew(model)
        initializers.draw_he_uniform(model, seed=0)
    about, scaling = weights.read_about(spec.file), zoo.scaling_of(spec.file)
    several = about.get("several_labels") is True
    side, seen = _side(model) or size, weights.trained_on(spec.weights)
    changed = weights.augmentation_of(spec.weights)
    names = about.get("classes")
    return Network(spec.text, model, names, scaling, side, None, None, seen, changed, several)


def save(network, path):
    """Write a network and what is known of it as one `.keras` file, whole or absent.

    The file opens with keras.models.load_model too.

    Args:
        network: Network; its `spec`, `pixels` (a name in zoo.PIXELS, or `own`), `trained_on` and
            `augmentation` are kept.
        path: ends in `.keras`.

    Raises:
        InputError: it ends otherwise, or its folder is not there.
    """
    about = {"classes": network.classes, "network": network.spec, "pixels": network.pixels}
    if network.several:
        about["several_labels"] = True
    if network.trained_on is not None:
        about[weights.TRAINED_ON] = network.trained_on
    if network.augmentation is not None:
        about[weights.AUGMENTATION] = network.augmentation
    weights.save(network.model, path, about)


def describe(network):
    """What a network is, as text: a line per layer with output shape and parameters.

    Ends with the input, the preprocessing, the number of parameters, the classes, and what became
    of every array of its weights file.
    """
    model, pixels = network.model, network.pixels
    rows = [("layer", "kind", "output", "parameters")]
    for layer in model.layers:
        rows.append((layer.name, type(layer).__name__, _shape(layer.output), layer.count_params()))
    widths = [max(len(str(row[i])) for row in rows) for i in range(3)]
    lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:{widths[2]}}  {d}" for a, b, c, d in rows]
    known = "no names known" if network.classes is None else ", ".join(_shortened(network.classes))
    known += f" ({network.classes_from})" if network.classes_from else ""
    lines += [
        f"network: {network.spec}",
        f"input: {', '.join(map(_shape, model.inputs))}{', RGB in [0, 255]' * bool(pixels)}",
        f"preprocessing: {pixels or 'not known'}",
        f"parameters: {model.count_params()}",
        f"outputs: {', '.join(_shape(output) for output in model.outputs)}",
        f"classes: {known}",
    ]
    return "\n".join(lines + ([network.report.text()] if network.report else []))


def _shortened(names):
    return names if len(names) <= MANY else [*names[: MANY - 2], "...", names[-1]]


def _side(model):
    """The side of a model's square pictures in pixels; None where it has none, or no inputs yet."""
    inputs = getattr(model, "inputs", None)  # of a Sequential that was never built, it raises
    shape = tuple(inputs[0].shape) if inputs else ()
    return shape[1] if len(shape) == 4 and shape[1] == shape[2] else None


def _shape(tensor):
    if isinstance(tensor, (list, tuple)):
        return " + ".join(map(_shape, tensor))
    return "×".join("N" if side is None else str(side) for side in tensor.shape)
