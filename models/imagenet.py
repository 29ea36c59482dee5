"""ImageNet's 1000 classes by name, and which networks give them (ILSVRC 2012).

The names are WordNet's, in the order of keras.applications, of Caffe's model zoo and of the
challenge's synset_words.txt. Lucid's InceptionV1 has 1008 outputs in an order of its own.
"""

import functools
from pathlib import Path

from models import weights

FILE = Path(__file__).with_name("imagenet_classes.txt")  # a class a line: its names, `a, b, c`
# last layer of a network's file in Caffe's model zoo; who trains on other classes renames it
CAFFE_TOPS = {"GoogLeNet": "loss3/classifier", "CaffeNet": "fc8"}
# and in the files of keras.applications, of all versions; a classifier trained here has `head`
KERAS_TOPS = {"predictions", "fc1000", "conv_preds", "logits", "Logits"}


@functools.cache
def synonyms():
    """All names of every class, the first the one it is shown by: tuple of 1000 tuples."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split(", ")) for line in lines)


def names():
    """The first name of every class, a list of 1000; `crane` and `maillot` are in it twice."""
    return [known[0] for known in synonyms()]


def source_of_names(spec, outputs):
    """Say why a network's outputs are ImageNet's classes.

    A file is told by the name of the layer that gives its classes, not by 1000 outputs alone.

    Args:
        spec: models.zoo.Spec, of a network with its top.
        outputs: how many it has.

    Returns:
        Text for models.network.describe, or None where nothing tells.
    """
    if outputs != weights.IMAGENET_CLASSES or spec.file or spec.is_released or not spec.weights:
        return None
    if spec.weights == weights.IMAGENET:
        return "ImageNet's, as its weights are"
    top = weights.top_layer(spec.weights, KERAS_TOPS)
    known = top == CAFFE_TOPS[spec.name] if spec.name in CAFFE_TOPS else top in KERAS_TOPS
    return f"ImageNet's, as the file's last layer is {top}" if known else None
