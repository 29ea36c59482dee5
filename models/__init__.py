"""Networks, their preprocessing, and where their weights come from.

A network is named by one string, here and in every command:

    GoogLeNet:bvlc_googlenet.caffemodel   a weights file of Caffe, Keras 1 to 3 or TensorFlow
    VGG19:imagenet                        ImageNet's weights, downloaded once
    VGG19                                 random weights, with which training from scratch begins
    MobileNet(alpha=0.25):PATH            arguments of the constructor in keras.applications
    RijksVGG19Net:artist                  a network that Sabatelli et al. 2018 released
    results/.../model.keras               the network of a run, or any Keras 3 file of one's own

What there is, with an example each:

    network = models.load("GoogLeNet:bvlc_googlenet.caffemodel")
    network.predict(pictures)             outputs of pictures (N, 224, 224, 3), RGB from 0 to 255
    network.classes[281]                  'tabby': names in the order of the outputs, or None
    network.layers                        names of layers, as all commands take them
    network.model                         the keras.Model itself

    print(models.describe("VGG19"))       layers, input, preprocessing, parameters, classes
    models.save(network, "net.keras")     one file, with preprocessing and class names
    models.build("VGG19:imagenet", classes=5)   a keras.Model to train: trunk, features, new head
    models.names()                        the networks that can be named, e.g. "VGG19"

A mistake in what is asked for is a models.errors.InputError, one line that says what is accepted.
What stands behind these functions: models.network, models.zoo (the tables of networks and of
preprocessing), models.weights, models.graph (layers found, the graph cut), models.backend.
"""

import importlib

from models.command import shorten_interrupts

__version__ = "0.1.0"  # pyproject.toml reads it here, so that a bare clone has it too

__all__ = ["__version__", "build", "describe", "load", "names", "save"]

shorten_interrupts()


def _import(name):
    """A module of this package, after Keras, which takes seconds: when a network is wanted."""
    from models.command import import_keras

    import_keras()
    return importlib.import_module(f"models.{name}")


def load(text, size=None):
    """Open a network by the one string that names it; see models.network.load.

    Example:
        models.load("VGG19:imagenet").predict(pictures)
    """
    network = _import("network")
    return network.load(text, size)


def describe(text, size=None):
    """What load(text) opens, as text; see models.network.describe.

    Example:
        print(models.describe("MobileNet(alpha=0.25)", size=128))
    """
    network = _import("network")
    return network.describe(network.load(text, size))


def save(network, path):
    """Write a network as one `.keras` file; see models.network.save.

    Example:
        models.save(models.load("GoogLeNet:bvlc_googlenet.caffemodel"), "googlenet.keras")
    """
    _import("network").save(network, path)


def build(text, classes, size=None):
    """Build a classifier to train on a network's features; see models.zoo.build.

    Of a released network (`RijksVGG19Net:artist`) the file is found or downloaded.

    Example:
        model = models.build("VGG19:imagenet", classes=5)
    """
    zoo = _import("zoo")
    return zoo.build(_import("released").as_start(zoo.parse(text)), classes, size)


def names():
    """The networks that can be named, a list of str.

    Example:
        "VGG19" in models.names()
    """
    from models import zoo

    return [*zoo.NETWORKS, *zoo.RIJKS]
