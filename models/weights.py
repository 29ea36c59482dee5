"""Weights from a file, or Keras's ImageNet collection, into a network: all of it or an error."""

import re
import warnings
from pathlib import Path

from models.errors import InputError
from models.importers import caffe, keras3, keras_hdf5, tf_graph

# file ending -> importer of another program's files
IMPORTERS = {".caffemodel": caffe, ".pb": tf_graph}
IMAGENET_CLASSES = 1000


def load(model, network, size, source):
    """Fill a network, with its top or without, from a source of weights.

    Args:
        model: keras.Model from models.zoo.trunk or with_top.
        network: models.zoo.Spec.
        size: input side in pixels.
        source: `imagenet`, or a path: `.keras` (a classifier saved by this project: its trunk is
            taken, its head left), `.h5` as Keras 1, 2 or 3 wrote it, with the network's top or
            without, `.caffemodel`, or `.pb` (TensorFlow graph).

    Raises:
        InputError: no such file, not a weights file, or one that does not fit.
    """
    if source == "imagenet":
        _imagenet(model, network, size)
        return
    importer = _importer(source)
    if importer:
        importer.load(source, model)
    elif Path(source).suffix == ".keras":
        _copy(saved(source), model, source)
    else:
        _copy(_from_keras3(network, size, source), model, source)


def classes(network, source):
    """Width of the top that a source of weights holds, or None where it has no top."""
    if source == "imagenet":
        return IMAGENET_CLASSES
    importer = _importer(source)
    if importer:
        return importer.classes(source)
    arrays = keras3.arrays(source)
    return IMAGENET_CLASSES if arrays == len(network.construct(weights=None).weights) else None


def saved(path):
    """Open a `.keras` file in safe mode (nothing in it is executed)."""
    import keras

    # registers the layers of our own that a file may hold
    from models import caffe_layers, inception_v1  # noqa: F401

    keras3.check(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    # whatever Keras, or a layer that it builds, finds wrong in a file made by others
    except Exception as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error


def _imagenet(model, network, size):
    top = len(model.output.shape) == 2  # a trunk of keras.applications ends in a feature map
    shape = {} if top else {"include_top": False, "input_shape": (size, size, 3)}
    try:
        given = network.construct(weights="imagenet", **shape)
    except InputError:
        raise
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise InputError(
            f"ImageNet weights of {network.architecture} could not be had ({error}); "
            "give a file with --weights PATH, or put it into ~/.keras/models"
        ) from error
    model.set_weights(given.get_weights())


def _copy(source, model, path):
    """Copy weights layer by layer in the order of the graph; a head that the model lacks is left.

    Not by name alone: Xception and InceptionV3 have layers numbered per process (`conv2d_94`).
    """
    given = [layer for layer in source.layers if layer.weights]
    wanted = [layer for layer in model.layers if layer.weights]
    pairs = list(zip(given, wanted, strict=False))
    unfit = [ours.name for theirs, ours in pairs if not _alike(theirs, ours)]
    unfit += [layer.name for layer in wanted[len(given) :]]
    if unfit:
        raise InputError(
            f"weights {path} ({source.name}) do not fit: {len(unfit)} of {len(wanted)} layers "
            f"differ or are missing, the first {unfit[0]!r}"
        )
    for theirs, ours in pairs:
        ours.set_weights(theirs.get_weights())


def _alike(theirs, ours):
    shapes = [[tuple(w.shape) for w in layer.weights] for layer in (theirs, ours)]
    stems = [re.sub(r"_\d+$", "", layer.name) for layer in (theirs, ours)]
    return shapes[0] == shapes[1] and stems[0] == stems[1]


def _importer(path):
    """The importer of a file that another program or Keras 1 or 2 wrote, or None for Keras 3."""
    _need_file(path)
    if Path(path).suffix == ".keras":
        return None
    return IMPORTERS.get(Path(path).suffix) or (keras_hdf5 if keras_hdf5.is_old(path) else None)


def _from_keras3(network, size, path):
    """Build the network as a Keras 3 file holds it, with or without its top, and fill it."""
    arrays = keras3.arrays(path)
    bare = network.construct(include_top=False, weights=None, input_shape=(size, size, 3))
    if arrays == len(bare.weights):
        return _filled(bare, path, network)
    # at the size and with the classes of ImageNet: a VGG's top depends on both
    full = network.construct(weights=None)
    if arrays != len(full.weights):
        raise InputError(
            f"weights {path} hold {arrays} arrays; {network.architecture} has "
            f"{len(bare.weights)} without its top and {len(full.weights)} with it"
        )
    return _filled(full, path, network)


def _filled(model, path, network):
    try:
        with warnings.catch_warnings():
            # Keras lists each layer it could not fill before it raises: the error says enough
            warnings.filterwarnings("ignore", "Skipping nested container")
            model.load_weights(path)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise InputError(f"weights {path} do not fit {network.architecture}: {error}") from error
    return model


def _need_file(path):
    if not Path(path).is_file():
        raise InputError(f"no weights file {path}; accepted: imagenet, none, or a file's path")
