"""Scores of real pictures, to compare those of optimized images with."""

import keras
import numpy as np
from keras import ops

from models.errors import InputError
from models.graph import cut
from visualization.optvis.render import opened


def channel_scores(model, layer, pictures, size, dtype="float32"):
    """Scores of real pictures: the spatial mean of every channel's map.

    Args:
        model: keras.Model, RGB (N, H, W, 3) in [0, 255], or models.network.Network.
        layer: name, as models.graph.find_layer takes it.
        pictures: iterable of batches (N, size, size, 3) uint8 or float, RGB in [0, 255].
        size: side of the pictures in pixels.
        dtype: precision of the network.

    Returns:
        (number of pictures, C) float32.

    Raises:
        InputError: a layer or size that the network does not have or take; no pictures.
    """
    model, _ = opened(model)
    network = cut(model, [layer], (size, size), dtype)
    maps = ops.cast(network.output[layer], "float32")
    axes = tuple(range(1, len(maps.shape) - 1))
    scorer = keras.Model(network.input, ops.mean(maps, axis=axes) if axes else maps)
    scores = []
    for batch in pictures:
        if tuple(batch.shape[1:]) != (size, size, 3):
            raise InputError(f"pictures {tuple(batch.shape)}; accepted: (N, {size}, {size}, 3)")
        scores.append(np.asarray(scorer.predict_on_batch(np.asarray(batch, "float32"))))
    if not scores:
        raise InputError(f"no pictures to score at {layer}")
    return np.concatenate(scores)
