"""Scores of pictures at a layer's channels, and the picture that scores highest at each."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from models.errors import InputError
from models.graph import cut
from models.network import as_network
from visualization import sources

AT_A_TIME = 8  # pictures


@dataclass(frozen=True)
class BestPicture:
    """The picture with a channel's highest score."""

    score: float
    file: str


def channel_scores(model, layer, pictures, size, dtype="float32"):
    """Scores of pictures: the spatial mean of every channel's map.

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
    network = cut(as_network(model).model, [layer], (size, size), dtype)
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


def best_pictures(model, layer, channels, files, size, dtype="float32", say=print):
    """Find each channel's highest score over pictures, and whose it is.

    Args:
        model, layer, size, dtype: as in channel_scores.
        channels: list of int.
        files: list of Path.
        say: called with a line on pictures that cannot be read or have no finite score.

    Returns:
        dict channel -> BestPicture, without channels where no picture's score is finite.

    Raises:
        InputError: none of the pictures can be read.
    """
    names = []

    def pictures():
        for read, batch in sources.batches(files, size, AT_A_TIME, say):
            names.extend(read)
            yield batch

    scores = channel_scores(model, layer, pictures(), size, dtype)[:, channels]
    finite = np.isfinite(scores)
    beyond = int((~finite.all(axis=1)).sum())
    if beyond:
        say(f"left out at channels where their score is no number: {beyond} of {len(names)}")
    best = np.where(finite, scores, -np.inf).argmax(axis=0)
    return {
        channel: BestPicture(float(scores[picture, column]), str(names[picture]))
        for column, (channel, picture) in enumerate(zip(channels, best, strict=True))
        if finite[picture, column]
    }
