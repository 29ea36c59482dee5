"""Weights files as Keras 1 and 2 wrote them, for the tests."""

import h5py
import keras
import numpy as np
from keras.src.applications.convnext import ConvNeXt

from models import initializers


def write(
    path,
    layers,
    backend=b"tensorflow",
    version=b"2.2.0",
    group=None,
    parts=1,
    variable=False,
    **how,
):
    """Write layers, a list of (name, [(weight name, array)]), as `save_weights` of Keras 2.2 did.

    group: `model_weights` for the layout of `save`. parts: into how many attributes layer_names
    is split, as Keras 2.2 does above 64 KB. backend None: none, as Keras 1. variable: names as
    strings of variable length, as Keras 2.4 to 2.15 with h5py 3. how: of h5py.File.
    """

    def listed(names):
        # of an empty list NumPy makes float64, as in the real files
        return names if variable and names else np.array([name.encode() for name in names])

    with h5py.File(path, "w", **how) as file:
        root = file.create_group(group) if group else file
        names = [name for name, _ in layers]
        if parts == 1:
            root.attrs["layer_names"] = listed(names)
        else:
            for number, some in enumerate(np.array_split(names, parts)):
                root.attrs[f"layer_names{number}"] = listed(some.tolist())
        if backend:
            root.attrs["backend"] = backend
            root.attrs["keras_version"] = version
        for name, weights in layers:
            folder = root.create_group(name)
            folder.attrs["weight_names"] = listed([weight for weight, _ in weights])
            for weight, value in weights:
                folder.create_dataset(weight, data=value)
    return path


def small_layers():
    """Layers for write(), random, that fit small_network()."""
    draw = np.random.default_rng(0).normal
    shapes = {
        "input_1": {},
        "conv1": {"kernel:0": (3, 3, 2, 4), "bias:0": (4,)},
        "batch_normalization_1": {
            name: (4,) for name in ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0")
        },
        "global_average_pooling2d_1": {},
        "dense_1": {"kernel:0": (4, 3), "bias:0": (3,)},
    }
    return [
        (layer, [(f"{layer}/{name}", draw(size=s).astype("f4")) for name, s in weights.items()])
        for layer, weights in shapes.items()
    ]


def small_network():
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, name="conv1")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(x))


def small_convnext(top):
    """The smallest there is, 5 classes: dense layers in its blocks, scales, networks inside."""
    shape = {"include_top": top, "input_shape": (32, 32, 3), "classes": 5}
    with initializers.undrawn_kernels():
        return ConvNeXt((1, 1, 1, 1), (4, 4, 8, 8), name="convnext_tiny", **shape)
