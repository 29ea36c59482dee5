"""Whether a network treats an optimized image as it treats pictures; how far two images differ.

An optimized image and the pictures that excite a channel the most may come to their scores in
different ways. Path similarity compares the ways layer by layer: in what order an image's spatial
means put the channels of a layer, and in what order a picture's do.

    similarity = path_similarity(image, tops, others)["mixed4d"]

One channel's value is rough, since its top pictures are hardly more alike than any two pictures.
Seen with ImageNet's GoogLeNet and 2,250 paintings of 10 styles (128 pixels, 60 channels of each of
three layers at five layers, 100 top pictures, all others): two top pictures correlate by 0.02 to
0.13 more than two random ones (medians), in 2 to 20 % of channels less, so that there is no scale.
A top picture kept out of the 100 and put in the image's place, 1 by definition, has 0.4 to 1.6 in
half of the cases at the layer and for the channels of mixed4c, and -0.1 to 2.7 in eight of ten; at
mixed5b -3.7 to 4.0. Drawing 100 random pictures instead of taking all adds a standard deviation
of 0.03 to 0.17 in the median. So give some hundreds of `others`, show one channel's value beside
Correlations.held_out, and over channels take means of correlations first and put them on the scale
last: 0.99 for the pictures kept out at mixed4c, where the mean of their values was -0.8.

Source: Geirhos et al. 2024, "Don't trust your eyes: on the (un)reliability of feature
visualizations" (natural pictures and visualizations compared by Spearman's rank correlation, layer
by layer, on a scale between two anchors of natural pictures).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from models.errors import InputError
from transfer import inference
from visualization.activations import AT_A_TIME, channel_scorer

ROUNDING = 1e-9  # anchors nearer to each other than this coincide: means of correlations in float64


@dataclass(frozen=True, eq=False)
class Correlations:
    """Means of Spearman's rank correlation over the channels of a layer, from -1 to 1.

    image: of the optimized image with each top picture. tops: of all pairs of two top pictures.
    others: of all pairs of two other pictures. held_out: float64 (n,), of each top picture with
    the other top pictures, what `image` would be if the image were that picture.
    """

    image: float
    tops: float
    others: float
    held_out: Any


def path_similarity(image, tops, others):
    """Compare the way of an optimized image through a network with that of its top pictures.

    The image's mean rank correlation with the top pictures, on the scale of on_scale.

    Args:
        image, tops, others: as in path_correlations.

    Returns:
        dict of layer -> float; NaN where on_scale has no scale, or where the image or a picture
        has the same value in all channels, so that nothing can be ranked.

    Raises:
        InputError: as path_correlations.
    """
    found = path_correlations(image, tops, others)
    return {layer: on_scale(each.image, each.tops, each.others) for layer, each in found.items()}


def path_correlations(image, tops, others):
    """Correlate the channels of an optimized image, its top pictures and other pictures by rank.

    Values of equal size share the mean of their ranks. The time goes into ranking: 0.1 s for 201
    rows of GoogLeNet's 57 convolutions, 7,280 channels in all (2 cores).

    Args:
        image: dict of layer -> (channels,), spatial means of the optimized image.
        tops: dict of the same layers -> (n, channels), of the channel's top pictures, n > 1.
        others: dict of the same layers -> (m, channels), of random pictures, m > 1.

    Returns:
        dict of layer -> Correlations; NaN where a row that they are of has the same value in all
        channels.

    Raises:
        InputError: layers or channels that differ, fewer than two pictures, values that are not
            finite.
    """
    for name, given in (("tops", tops), ("others", others)):
        if given.keys() != image.keys():
            raise InputError(
                f"{name} has the layers {', '.join(given)}; accepted: the image's, "
                f"{', '.join(image)}"
            )
    return {layer: _at_layer(layer, image[layer], tops[layer], others[layer]) for layer in image}


def on_scale(correlation, tops, others):
    """Put a mean correlation on the scale where two top pictures have 1 and two others 0.

    Above 1 an image is more alike to the top pictures than they are to one another; below 0 less
    alike than two pictures at random.

    Args:
        correlation, tops, others: as in Correlations, or their means over channels.

    Returns:
        float; NaN where top pictures are not more alike than others: the anchors coincide, or lie
        the other way round.
    """
    gap = tops - others
    return float((correlation - others) / gap) if gap > ROUNDING else np.nan


def image_distance(network, layer, images_a, images_b):
    """Measure how far optimized images differ, as a network sees them.

    Args:
        network: keras.Model or models.network.Network that looks at both.
        layer: name of its layer, as models.graph.find_layer takes it.
        images_a, images_b: (n, size, size, 3) RGB in [0, 255], compared in pairs.

    Returns:
        float64 (n,): the cosine distance of the spatial means of the layer's channels, from 0 (one
        direction) to 2 (opposite); NaN where all means of an image are 0.

    Raises:
        InputError: images of other shapes, or a layer or size that the network does not have or
            take.
    """
    images_a, images_b = np.asarray(images_a), np.asarray(images_b)
    shape = images_a.shape
    if shape != images_b.shape or len(shape) != 4 or not shape[0] or shape[1] != shape[2]:
        raise InputError(
            f"images {shape} and {images_b.shape}; accepted: two of one shape (n, size, size, 3)"
        )
    scorer = channel_scorer(network, layer, shape[1])

    def directions(images):
        batches = inference.in_memory(len(images), AT_A_TIME)
        means = inference.collect(lambda numbers: scorer(images[numbers]), batches)
        return _unit_rows(means.astype("float64"))

    # half of the squared distance of unit vectors is 1 - cosine, and exactly 0 for equal ones
    return np.square(directions(images_a) - directions(images_b)).sum(axis=1) / 2


def _at_layer(layer, image, tops, others):
    image, tops, others = (np.asarray(each, "float64") for each in (image, tops, others))
    for name, given in (("tops", tops), ("others", others)):
        if image.ndim != 1 or given.shape[1:] != image.shape or len(given) < 2:
            raise InputError(
                f"{layer}: an image of {image.shape} and {name} of {given.shape}; accepted: "
                "(channels,) and (pictures, channels), at least 2 pictures"
            )
    if not all(np.isfinite(each).all() for each in (image, tops, others)):
        raise InputError(f"{layer}: spatial means hold NaN or infinity")
    ranks = _standard_ranks(tops)
    alike = ranks @ _standard_ranks(image[None])[0]
    held_out = _means_with_the_rest(ranks)
    zero = _means_with_the_rest(_standard_ranks(others)).mean()
    return Correlations(float(alike.mean()), float(held_out.mean()), float(zero), held_out)


def _standard_ranks(values):
    """Ranks within each row, centred and of length 1: products of rows are their correlations."""
    ranks = rankdata(values, axis=1)
    return _unit_rows(ranks - ranks.mean(axis=1, keepdims=True))


def _unit_rows(rows):
    """Rows scaled to length 1; NaN where a row is 0."""
    with np.errstate(invalid="ignore"):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _means_with_the_rest(rows):
    """The mean product of each row with all others, from their sum, not from every pair."""
    own = np.square(rows).sum(axis=1)
    return (rows @ rows.sum(axis=0) - own) / (len(rows) - 1)
