"""Weights files as Keras 1 and 2 wrote them, for the tests."""

import h5py
import numpy as np


def write(path, layers, backend=b"tensorflow", version=b"2.2.0", group=None, parts=1):
    """Write layers, a list of (name, [(weight name, array)]), as `save_weights` of Keras 2.2 did.

    group: `model_weights` for the layout of `save`. parts: into how many attributes layer_names
    is split, as Keras 2.2 does above 64 KB. backend None: none, as Keras 1.
    """
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        names = np.array([name.encode() for name, _ in layers])
        if parts == 1:
            root.attrs["layer_names"] = names
        else:
            for number, some in enumerate(np.array_split(names, parts)):
                root.attrs[f"layer_names{number}"] = some
        if backend:
            root.attrs["backend"] = backend
            root.attrs["keras_version"] = version
        for name, weights in layers:
            folder = root.create_group(name)
            # of an empty list NumPy makes float64, as in the real files
            folder.attrs["weight_names"] = np.array([weight.encode() for weight, _ in weights])
            for weight, value in weights:
                folder.create_dataset(weight, data=value)
    return path
