"""Weights from a file or from Keras's own ImageNet collection into a network's trunk."""

import warnings
import zipfile
from pathlib import Path

import h5py

from models.errors import InputError


def load(trunk, network, size, source):
    """Fill a trunk (a network without its top) with weights, all of it or an error.

    Args:
        trunk: keras.Model made by the network's constructor with include_top=False.
        network: models.zoo.Network.
        size: input side in pixels.
        source: `imagenet`, or a path: `.keras` (a classifier saved by this project: its trunk is
            taken, its head left), or `.h5` weights of the network with or without its top.

    Raises:
        InputError: no such file, not a weights file, or one that does not fit.
    """
    if source == "imagenet":
        trunk.set_weights(_imagenet(network, size).get_weights())
    elif Path(source).suffix == ".keras":
        _copy_by_name(saved(source), trunk, source)
    else:
        trunk.set_weights(_from_hdf5(network, size, source).get_weights())


def saved(path):
    """Open a `.keras` file in safe mode (nothing in it is executed)."""
    import keras

    _need_file(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a readable .keras model: {error}") from error


def _imagenet(network, size):
    try:
        return network.construct(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    except InputError:
        raise
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise InputError(
            f"ImageNet weights of {network.spec} could not be had ({error}); "
            "give a file with --weights PATH, or put it into ~/.keras/models"
        ) from error


def _copy_by_name(source, trunk, path):
    given = {layer.name: layer.get_weights() for layer in source.layers}
    wanted = {layer.name: [w.shape for w in layer.weights] for layer in trunk.layers}
    unfit = [
        name
        for name, shapes in wanted.items()
        if [w.shape for w in given.get(name, [])] != [tuple(s) for s in shapes]
    ]
    if unfit:
        raise InputError(
            f"weights {path} ({source.name}) do not fit: {len(unfit)} of {len(wanted)} layers "
            f"differ or are missing, the first {unfit[0]!r}"
        )
    for layer in trunk.layers:
        layer.set_weights(given[layer.name])


def _from_hdf5(network, size, path):
    """Build the network as the file holds it, with or without its top, and load the file."""
    arrays = _count_arrays(path)
    bare = network.construct(include_top=False, weights=None, input_shape=(size, size, 3))
    if arrays == len(bare.weights):
        _load_checked(bare, path, network)
        return bare
    # at the size and with the 1000 classes of ImageNet: a VGG's top depends on both
    full = network.construct(weights=None)
    if arrays != len(full.weights):
        raise InputError(
            f"weights {path} hold {arrays} arrays; {network.spec} has "
            f"{len(bare.weights)} without its top and {len(full.weights)} with it"
        )
    _load_checked(full, path, network)
    for layer in bare.layers:
        if layer.weights:
            layer.set_weights(full.get_layer(layer.name).get_weights())
    return bare


def _load_checked(model, path, network):
    try:
        with warnings.catch_warnings():
            # Keras lists each layer it could not fill before it raises: the error says enough
            warnings.filterwarnings("ignore", "Skipping nested container")
            model.load_weights(path)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise InputError(f"weights {path} do not fit {network.spec}: {error}") from error


def _count_arrays(path):
    """Count the weight arrays in a Keras 1, 2 or 3 HDF5 file."""
    _need_file(path)
    names = []

    def visit(name, item):
        # an optimizer's slots and a dropout's random state are no weights
        state = name.startswith("optimizer") or "seed_generator" in name
        if isinstance(item, h5py.Dataset) and not state:
            names.append(name)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        raise InputError(f"weights {path} are not a readable HDF5 file: {error}") from error
    return len(names)


def _need_file(path):
    if not Path(path).is_file():
        raise InputError(f"no weights file {path}; accepted: imagenet, none, or a file's path")
