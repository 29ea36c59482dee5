"""Scores of pictures at a layer's channels, from the one pass, and each channel's best picture."""

import functools
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from models.errors import InputError
from models.graph import cut
from models.network import as_network, warn_of_unit_range
from transfer import inference, pictures
from transfer.progress import Progress

AT_A_TIME = 8  # pictures


@dataclass(frozen=True)
class BestPicture:
    """The picture with a channel's highest score."""

    score: float
    file: str


def channel_scorer(model, layer, size, dtype="float32"):
    """Make the function from pictures to scores: the spatial mean of every channel's map.

    Args:
        model: keras.Model, RGB (N, H, W, 3) in [0, 255], or models.network.Network.
        layer: name, as models.graph.find_layer takes it.
        size: side of the pictures in pixels.
        dtype: precision of the network.

    Returns:
        Function: pictures (N, size, size, 3) uint8 or float, RGB in [0, 255] -> (N, C) float32,
        for transfer.inference.collect.

    Raises:
        InputError: a layer or size that the network does not have or take; from the function
            pictures of another size.
    """
    given = as_network(model)
    network = cut(given.model, [layer], (size, size), dtype)
    maps = ops.cast(network.output[layer], "float32")
    axes = tuple(range(1, len(maps.shape) - 1))
    scorer = keras.Model(network.input, ops.mean(maps, axis=axes) if axes else maps)

    def scores(batch):
        if tuple(batch.shape[1:]) != (size, size, 3):
            raise InputError(f"pictures {tuple(batch.shape)}; accepted: (N, {size}, {size}, 3)")
        warn_of_unit_range(np.asarray(batch), given.spec)
        return np.asarray(scorer.predict_on_batch(np.asarray(batch, "float32")))

    return scores


def best_pictures(model, layer, channels, files, size, dtype="float32", say=print):
    """Find each channel's highest score over pictures, and whose it is.

    Args:
        model, layer, size, dtype: as in channel_scorer.
        channels: list of int.
        files: list of Path.
        say: called with a line on pictures that cannot be read or have no finite score.

    Returns:
        dict channel -> BestPicture, without channels where no picture's score is finite.

    Raises:
        InputError: no pictures, or none that can be read.
    """
    if not files:
        raise InputError(f"no pictures to score at {layer}")

    collected = inference.InMemory()
    read = functools.partial(pictures.read, size=size)
    batches = inference.files(files, read, AT_A_TIME, say)
    progress = Progress(len(files), "pictures scored")
    scorer = channel_scorer(model, layer, size, dtype)
    scores = inference.collect(scorer, batches, collected, progress)
    scores = scores[:, channels]
    finite = np.isfinite(scores)
    beyond = int((~finite.all(axis=1)).sum())
    if beyond:
        say(f"left out at channels where their score is no number: {beyond} of {len(scores)}")
    best = np.where(finite, scores, -np.inf).argmax(axis=0)
    return {
        channel: BestPicture(float(scores[row, column]), str(files[collected.numbers[row]]))
        for column, (channel, row) in enumerate(zip(channels, best, strict=True))
        if finite[row, column]
    }
