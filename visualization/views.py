"""What networks look at in pictures: masks of several methods, with the class predicted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import InputError
from transfer.pictures import read_batches
from visualization.integrated_gradients import attributions
from visualization.methods import METHODS
from visualization.networks import output_of

WITHOUT_CLASS = ("visual_backprop",)
AT_A_TIME = 64  # pictures in memory: 40 MB at 224 pixels


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

    number: of the file among those given, from 1. picture: uint8 (size, size, 3), RGB. masks:
    float32 (size, size) for each method. predicted: index of the class with the highest output,
    value: that output; both None without classes.
    shown: index of the class that the masks are about.
    """

    file: Path
    number: int
    picture: np.ndarray
    masks: tuple
    predicted: int | None
    value: float | None
    shown: int | None


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
        network.class_index(settings.target)
        for method in settings.methods:
            builder(method, settings)(network.model)


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


def views(network, files, settings, say=print, left_out=print):
    """Yield a View of each picture that can be read.

    Args:
        network: Network.
        files: list of Path.
        settings: Settings.
        say: called with a line for what a method has to tell.
        left_out: called with a line for each unreadable picture.

    Raises:
        InputError: none of the pictures can be read.
    """
    methods = [builder(name, settings, say)(network.model) for name in settings.methods]
    target = network.class_index(settings.target)
    outputs = output_of(network, settings.batch_size)
    numbers = {file: number for number, file in enumerate(files, 1)}
    for names, pictures in read_batches(files, network.size, AT_A_TIME, left_out):
        scores = outputs(pictures)
        predicted = [None] * len(names) if scores is None else scores.argmax(axis=-1)
        shown = predicted if target is None else [target] * len(names)
        targets = None if scores is None else np.array(shown, np.int32)
        masks = zip(*(method(pictures, targets) for method in methods), strict=True)
        for i, of_picture in enumerate(masks):
            value = None if scores is None else float(scores[i, predicted[i]])
            picture = np.round(pictures[i]).astype(np.uint8)
            classes = [None if c is None else int(c) for c in (predicted[i], shown[i])]
            yield View(
                names[i], numbers[names[i]], picture, of_picture, classes[0], value, classes[1]
            )


def caption(network, view):
    """The predicted class, its output, and the class shown where it is another; "" without any."""
    if view.predicted is None:
        return ""
    value = f"{view.value:.2f}" if network.output == "probability" else f"score {view.value:.3g}"
    text = f"{network.class_name(view.predicted)}, {value}"
    if view.shown != view.predicted:
        text += f" (shown: {network.class_name(view.shown)})"
    return text


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
