"""load: one string names a network with its weights, everywhere; describe: what is inside."""

import re
from dataclasses import dataclass
from typing import Any

from models import he_uniform, released, saved, weights, zoo
from models.errors import InputError

FORMS = (
    "NAME (random weights), NAME:imagenet, NAME:PATH of a weights file, RijksVGG19Net:artist, or "
    "the path of a .keras file"
)


@dataclass(frozen=True)
class Loaded:
    """A network ready to use, and what is known of it.

    model: keras.Model, RGB pixels (N, H, W, 3) in [0, 255] -> its output; for a `.keras` file of
    another origin the input is whatever that file takes. classes: class names in the order of
    the output, or None. network: the string that names it. preprocessing: a name in zoo.PIXELS,
    or None where it is not known.
    """

    model: Any
    classes: list | None
    network: str
    preprocessing: str | None


def load(spec, size=None):
    """Open a network by its one string; a missing weight is an error, never a random one.

    Args:
        spec: one of FORMS, e.g. `VGG19`, `VGG19:imagenet`, `GoogLeNet:bvlc_googlenet.caffemodel`,
            `MobileNet(alpha=0.25):PATH`, `RijksVGG19Net:artist`, `results/.../model.keras`.
        size: side of the square input in pixels; None for the size of the ImageNet weights.

    Returns:
        Loaded. A weights file without the classifier gives a network that ends at its features.

    Raises:
        InputError: no such network or file, or weights that do not fit.
    """
    found = re.fullmatch(r"(\w+(?:\([^()]*\))?)(?::(.+))?", spec, flags=re.DOTALL)
    name, source = found.groups() if found else (None, None)
    if name in released.NETWORKS:
        return _released(name, source)
    if name and name.partition("(")[0] in zoo.NETWORKS:
        return _named(zoo.parse(name), source, size)
    if spec.endswith(".keras"):
        model, about = saved.load(spec)
        pixels = about.get("pixels")
        if pixels == "own":
            pixels = zoo.parse(about["network"]).pixels
        return Loaded(model, about.get("classes"), spec, pixels)
    raise InputError(f"no network {spec!r}; accepted: {FORMS}; NAME is {', '.join(zoo.NETWORKS)}")


def _released(name, challenge):
    if challenge is None:
        raise InputError(f"{name} needs a challenge: {name}:artist, {name}:material or {name}:type")
    model = released.NETWORKS[name](challenge)
    pixels = zoo.NETWORKS[name.removeprefix("Rijks").removesuffix("Net")][1]
    return Loaded(model, None, f"{name}:{challenge}", pixels)


def _named(network, source, size):
    source = weights.check_source(source)
    if source is None:
        model = zoo.with_top(network, size, None)
        he_uniform.draw(model, seed=0)
    else:
        classes = weights.classes(network, source)
        model = zoo.with_top(network, size, classes) if classes else zoo.trunk(network, size)
        model = weights.as_built(model, source)
        weights.load(model, network, size or network.size, source)
    return Loaded(model, None, network.spec, network.pixels)


def describe(spec, size=None):
    """What load(spec) opens, as text: a line per layer with output shape and parameters.

    Ends with the input, the preprocessing, the number of parameters and the classes.
    """
    loaded = load(spec, size)
    model = loaded.model
    rows = [("layer", "kind", "output", "parameters")]
    for layer in model.layers:
        rows.append((layer.name, type(layer).__name__, _shape(layer.output), layer.count_params()))
    widths = [max(len(str(row[i])) for row in rows) for i in range(3)]
    lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:{widths[2]}}  {d}" for a, b, c, d in rows]
    classes = loaded.classes
    known = "no names known" if classes is None else ", ".join(classes)
    return "\n".join(
        [
            *lines,
            f"network: {loaded.network}",
            f"input: {_shape(model.inputs[0])}, RGB in [0, 255]",
            f"preprocessing: {loaded.preprocessing or 'not known'}",
            f"parameters: {model.count_params()}",
            f"outputs: {', '.join(_shape(output) for output in model.outputs)}",
            f"classes: {known}",
        ]
    )


def _shape(tensor):
    if isinstance(tensor, (list, tuple)):
        return " + ".join(map(_shape, tensor))
    return "×".join("N" if side is None else str(side) for side in tensor.shape)
