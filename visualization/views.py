"""What networks look at in pictures: networks as deep_viz takes them, masks with what was predicted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models import gradients, graph, loading
from models.errors import InputError
from models.logits import classifier, target_index
from visualization import batches, sources
from visualization.integrated_gradients import attributions
from visualization.methods import METHODS

WITHOUT_CLASS = ("visual_backprop",)
AT_A_TIME = 64  # pictures in memory: 40 MB at 224 pixels
WORDNET = re.compile(r"n\d{8}\s+([^,]+)")  # a line of ImageNet's synset_words.txt


@dataclass(frozen=True)
class Network:
    """A network with what is needed to look through it.

    spec: as models.load takes it. size: side of its square input in pixels. classes: names in the
    order of the outputs, or None. output: what an output is, `probability`, `score`, or None where
    the outputs are no classes.
    """

    spec: str
    model: Any
    size: int
    classes: list | None
    output: str | None

    def class_name(self, index):
        """A class as it is shown: its name, or its number where names are not known."""
        return self.classes[index] if self.classes else f"class {index}"


@dataclass(frozen=True)
class Settings:
    """How masks are made: names in METHODS and what they take; None is a method's own default.

    target: class name or index, None for the predicted class. samples: noisy copies for
    SmoothGrad, points for integrated gradients. form: of VisualBackProp.
    """

    methods: tuple = ("visual_backprop",)
    target: str | int | None = None
    logits: bool = True
    form: str | None = None
    samples: int | None = None
    batch_size: int = 16


@dataclass(frozen=True)
class View:
    """A picture as one network sees it.

    picture: uint8 (size, size, 3), RGB. masks: float32 (size, size) for each method. predicted:
    index of the class with the highest output, value: that output; both None without classes.
    shown: index of the class that the masks are about.
    """

    file: Path
    picture: np.ndarray
    masks: tuple
    predicted: int | None
    value: float | None
    shown: int | None


def networks(specs, size=None, class_names=None):
    """Open networks.

    Args:
        specs: strings as models.load takes them.
        size: side of the input in pixels for networks that leave it open; None for the size of
            their ImageNet weights.
        class_names: names for networks that hold none and have as many outputs.

    Returns:
        list of Network.

    Raises:
        InputError: what models.load refuses, a network that does not take square RGB pictures, or
            names that fit none of the networks.
    """
    found = [_network(spec, size, class_names) for spec in specs]
    if class_names and not any(network.classes is class_names for network in found):
        outputs = ", ".join(f"{x.spec} {_outputs(x)}" for x in found)
        raise InputError(
            f"{len(class_names)} class names fit no network without names of its own: {outputs}"
        )
    return found


def read_names(path):
    """Read class names, one a line; of a WordNet line (`n01440764 tench, Tinca tinca`) the first.

    Raises:
        InputError: no such file, no text in UTF-8, or no name in it.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"class names {path} cannot be read: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"class names {path}: the file is empty")
    return [found[1].strip() if (found := WORDNET.match(name)) else name for name in names]


def check(networks, settings):
    """Refuse settings that the methods do not take, or networks that do not have what they need.

    Raises:
        InputError: naming it.
    """
    methods = set(settings.methods)
    about_class = methods - set(WITHOUT_CLASS)
    if settings.form and "visual_backprop" not in methods:
        raise InputError(f"form {settings.form} is for the method visual_backprop")
    if settings.samples and not methods & {"smooth_grad", "integrated_gradients"}:
        raise InputError("samples are for the methods smooth_grad and integrated_gradients")
    if not about_class and (settings.target is not None or not settings.logits):
        raise InputError("visual_backprop is about no class: it takes no target and no softmax")
    for network in networks:
        if about_class and network.output is None:
            raise InputError(
                f"{network.spec} has no classes, which {', '.join(sorted(about_class))} need; "
                f"accepted for it: {', '.join(WITHOUT_CLASS)}"
            )
        class_index(network, settings.target)
        for method in settings.methods:
            builder(method, settings)(network.model)


def class_index(network, target):
    """The output that a target, a class name or a number as text, means; None for None."""
    if target is None:
        return None
    if isinstance(target, str) and target.isdecimal() and target not in (network.classes or ()):
        target = int(target)
    return target_index(target, network.classes, network.model.output_shape[-1])


def builder(method, settings, say=None):
    """A method with its settings: function network -> callable (pictures, targets) -> masks.

    Args:
        say: called with a line on the completeness gap of integrated gradients; None: not told.
    """
    given = {"logits": settings.logits, "batch_size": settings.batch_size}
    if method == "visual_backprop" and settings.form:
        given["form"] = settings.form
    if method == "smooth_grad" and settings.samples:
        given["samples"] = settings.samples
    if method == "integrated_gradients" and settings.samples:
        given["steps"] = settings.samples
    if method == "integrated_gradients" and say:
        return lambda network: _telling_gap(attributions(network, **given), say)
    return lambda network: METHODS[method](network, **given)


def views(network, files, settings, say=print):
    """Yield a View of each picture that can be read.

    Args:
        network: Network.
        files: list of Path.
        settings: Settings.
        say: called with a line for each unreadable picture and for what a method has to tell.

    Raises:
        InputError: none of the pictures can be read.
    """
    methods = [builder(name, settings, say)(network.model) for name in settings.methods]
    target = class_index(network, settings.target)
    outputs = output_of(network, settings.batch_size)
    for names, pictures in sources.batches(files, network.size, AT_A_TIME, say):
        scores = outputs(pictures)
        predicted = [None] * len(names) if scores is None else scores.argmax(axis=-1)
        shown = predicted if target is None else [target] * len(names)
        targets = None if scores is None else np.array(shown, np.int32)
        masks = zip(*(method(pictures, targets) for method in methods), strict=True)
        for i, of_picture in enumerate(masks):
            value = None if scores is None else float(scores[i, predicted[i]])
            picture = np.round(pictures[i]).astype(np.uint8)
            yield View(names[i], picture, of_picture, predicted[i], value, shown[i])


def output_of(network, batch_size) -> Callable:
    """Compile pictures (N, H, W, 3) -> outputs (N, classes), or None without classes."""
    if network.output is None:
        return lambda pictures: None
    run = gradients.forward(network.model)
    return lambda pictures: batches.joined(lambda i: run(pictures[i]), len(pictures), batch_size)


def _telling_gap(found, say):
    def masks(pictures, targets=None):
        attributed = found(pictures, targets)
        gap = 100 * attributed.gap
        say(
            f"integrated_gradients: completeness gap {np.mean(gap):.2g} % in the mean, "
            f"{np.max(gap):.2g} % at most, over {len(pictures)} pictures"
        )
        return attributed.values.sum(axis=-1)

    return masks


def _network(spec, size, class_names):
    loaded = loading.load(spec, size)
    shape = tuple(loaded.model.inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise InputError(f"{spec} takes {shape}; accepted: networks of square RGB pictures")
    if shape[1] is None and size is None:
        raise InputError(f"{spec} takes pictures of any size; say which (--input_size)")
    output, classes = _kind_of_output(loaded), loaded.classes
    if classes is None and class_names and output:
        fits = len(class_names) == loaded.model.output_shape[-1]
        classes = class_names if fits else None
    return Network(spec, loaded.model, shape[1] or size, classes, output)


def _kind_of_output(loaded):
    """`probability` after softmax or sigmoid, `score` after another dense layer, else None."""
    try:
        scored = classifier(loaded)
    except InputError:
        return None
    if scored is not loaded.model:
        return "probability"
    last = [call.operation for call in graph.trace(loaded.model).calls][-1]
    if isinstance(last, keras.layers.Activation) and last.activation is keras.activations.linear:
        return "score"
    linear = getattr(last, "activation", None) is keras.activations.linear
    return "score" if loaded.classes or isinstance(last, keras.layers.Dense) and linear else None


def _outputs(network):
    return f"has {network.model.output_shape[-1]}" if network.output else "has no classes"
