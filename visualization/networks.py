"""Networks as deep_viz takes them: opened, with what their outputs are and their classes' names."""

import re
from dataclasses import replace
from pathlib import Path

import models
from models import backend
from models.errors import InputError
from visualization import batches

WORDNET = re.compile(r"n\d{8}\s+([^,]+)")  # a line of ImageNet's synset_words.txt


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


def output_of(network, batch_size):
    """Compile pictures (N, H, W, 3) -> outputs (N, classes), or None without classes."""
    if network.output is None:
        return lambda pictures: None
    run = backend.forward(network.model)
    return lambda pictures: batches.joined(lambda i: run(pictures[i]), len(pictures), batch_size)


def _network(spec, size, class_names):
    network = models.load(spec, size)
    shape = tuple(network.model.inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise InputError(f"{spec} takes {shape}; accepted: networks of square RGB pictures")
    if network.size is None:
        raise InputError(f"{spec} takes pictures of any size; say which (--input_size)")
    nameless = class_names and network.classes is None and network.output
    if nameless and len(class_names) == network.model.output_shape[-1]:
        return replace(network, classes=class_names)
    return network


def _outputs(network):
    return f"has {network.model.output_shape[-1]}" if network.output else "has no classes"
