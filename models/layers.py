"""A network's inner layers by name or number."""

import difflib
from numbers import Integral

import keras

from models.errors import InputError

NEAR = 5  # names listed in an error; more do not fit on a line


def find_layer(model, name_or_index):
    """Find an inner layer of a network, also in networks inside it.

    A name of the network itself comes before the same name in a network inside it; a path such as
    `trunk/block5_conv4` says which one is meant.

    Args:
        model: keras.Model.
        name_or_index: exact name, path of names joined with `/`, either also with the `:0` of a
            TensorFlow tensor, as Lucid's users write it; or a number in `model.layers`, negative
            from the end.

    Returns:
        keras.layers.Layer.

    Raises:
        InputError: no such layer, or a name that several inner networks have.
    """
    if isinstance(name_or_index, Integral):
        return _by_index(model, name_or_index)
    layers = dict(_walk(model))
    name = name_or_index.removesuffix(":0")
    if name in layers:
        return layers[name]
    paths = [path for path in layers if path.endswith(f"/{name}")]
    if len(paths) == 1:
        return layers[paths[0]]
    if paths:
        raise InputError(
            f"{model.name} has {len(paths)} layers {name!r}: {', '.join(paths[:NEAR])}"
        )
    near = difflib.get_close_matches(name, layers, NEAR)
    hint = f"near it: {', '.join(near)}" if near else f"the last: {list(layers)[-1]}"
    raise InputError(f"{model.name} has no layer {name!r} among its {len(layers)}; {hint}")


def _by_index(model, index):
    count = len(model.layers)
    if not -count <= index < count:
        raise InputError(
            f"{model.name} has no layer {index}; accepted: {-count} to {count - 1}, or a name"
        )
    return model.layers[index]


def _walk(model, prefix=""):
    """Yield (path, layer) for every layer, those inside an inner network after it."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if isinstance(layer, keras.Model):
            yield from _walk(layer, f"{prefix}{layer.name}/")
