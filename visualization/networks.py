"""Networks as deep_viz takes them: opened, with what their outputs are and their classes' names."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from models import gradients, graph, loading
from models.errors import InputError
from models.logits import classifier, target_index
from visualization import batches

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

    @property
    def title(self):
        """What names it in a figure: NAME and its file, or a file with the two folders above it."""
        name, _, source = self.spec.rpartition(":")
        if name and re.fullmatch(r"\w+(\([^()]*\))?", name):
            return f"{name}\n{Path(source).name}"
        *folders, file = Path(self.spec).parts[-3:]
        return "/".join(folders) + f"\n{file}"

    def class_name(self, index):
        """A class as it is shown: its name, or its number where names are not known."""
        return self.classes[index] if self.classes else f"class {index}"


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


def class_index(network, target):
    """The output that a target, a class name or a number as text, means; None for None."""
    if target is None:
        return None
    if isinstance(target, str) and target.isdecimal() and target not in (network.classes or ()):
        target = int(target)
    return target_index(target, network.classes, network.model.output_shape[-1])


def output_of(network, batch_size):
    """Compile pictures (N, H, W, 3) -> outputs (N, classes), or None without classes."""
    if network.output is None:
        return lambda pictures: None
    run = gradients.forward(network.model)
    return lambda pictures: batches.joined(lambda i: run(pictures[i]), len(pictures), batch_size)


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
