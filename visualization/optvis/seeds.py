"""Seeds: one int, or one for each image, so that an image does not depend on its batch."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from models.errors import InputError


def generators(seed, batch):
    """Yield a NumPy generator for each image of a batch; the seed is that of PixelImage.draw."""
    alone = isinstance(seed, Integral)
    if not alone and not isinstance(seed, (Sequence, np.ndarray)):
        raise InputError(f"seed is {seed!r}; accepted: an int from 0, or one for each image")
    seeds = [(seed, place) for place in range(batch)] if alone else list(seed)
    if len(seeds) != batch:
        raise InputError(f"{len(seeds)} seeds for {batch} images; accepted: one int, or {batch}")
    for one in seeds:
        if one is None:  # NumPy would draw from the clock
            raise InputError("a seed is None; accepted: ints from 0, tuples of them")
        try:
            yield np.random.default_rng(one)
        except (TypeError, ValueError) as error:
            raise InputError(f"seed is {one!r}; accepted: ints from 0, tuples of them") from error


def keys(seed, batch):
    """An int of 31 bits for each image: what its random transforms are drawn from.

    Args:
        seed: as in PixelImage.draw.
        batch: number of images.

    Returns:
        int32 (batch,).
    """
    return np.array([rng.integers(2**31) for rng in generators(seed, batch)], "int32")
