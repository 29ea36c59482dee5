"""Whether a network treats an optimized image as it treats pictures; how far two images differ.

An optimized image and the pictures that excite a channel the most may come to their scores in
different ways. Path similarity compares the ways layer by layer: in what order an image's spatial
means put the channels of a layer, and in what order a picture's do.

    found = [path_correlations(images[layer], tops, pictures[layer]) for layer in path]
    one_by_one(found).values  # of each image; pooled(found).value of all

One channel's value is rough, since its top pictures are hardly more alike than any two pictures.
Seen with ImageNet's GoogLeNet and 2,250 paintings of 10 styles (128 pixels, 60 channels of each of
three layers at five layers, 100 top pictures, all others): two top pictures correlate by 0.02 to
0.13 more than two random ones (medians), in 2 to 20 % of channels less, so that there is no scale.
A top picture kept out of the 100 and put in the image's place, 1 by definition, has 0.4 to 1.6 in
half of the cases at the layer and for the channels of mixed4c, and -0.1 to 2.7 in eight of ten; at
mixed5b -3.7 to 4.0. So `one_by_one` has beside each value the range of real top pictures, which
alone tells whether it is low; and `pooled`, over many channels, takes means of correlations first
and puts them on the scale last: 0.99 for the pictures kept out at mixed4c, where the mean of their
values was -0.8. The random pictures are all there are: 100 drawn ones would add a standard
deviation of 0.03 to 0.17.

Source: Geirhos et al. 2024, "Don't trust your eyes: on the (un)reliability of feature
visualizations" (natural pictures and visualizations compared by Spearman's rank correlation, layer
by layer, on a scale between two anchors of natural pictures).
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from models.errors import InputError
from transfer import inference
from visualization.activations import AT_A_TIME, channel_scorer

OUTSIDE = 0.1  # of the top pictures, on either side of a range: eight of ten lie inside
DRAWS = 400  # of top pictures in the place of images
ROUNDING = 1e-9  # anchors nearer to each other than this coincide: means of correlations in float64


@dataclass(frozen=True, eq=False)
class Correlations:
    """Means of Spearman's rank correlation over the channels of a layer, from -1 to 1.

    image: float64 (n,), of each optimized image with its top pictures. tops: (n,), of all pairs of
    two of these. others: of all pairs of two pictures. held_out: float32 (n, k), of each top
    picture with the image's other top pictures: what `image` would be if the image were that
    picture; NaN where there is none.
    """

    image: Any
    tops: Any
    others: float
    held_out: Any

    def of(self, rows):
        """The same of some of the images, by their numbers."""
        return replace(
            self, image=self.image[rows], tops=self.tops[rows], held_out=self.held_out[rows]
        )


@dataclass(frozen=True, eq=False)
class Values:
    """Path similarity of each of n images: values (n,), and low and high (n,).

    Between the last two lies what eight of ten of its top pictures have in its place.
    """

    values: Any
    low: Any
    high: Any


@dataclass(frozen=True, eq=False)
class Pooled:
    """Path similarity of many images together: one value, and at each layer of the path.

    value, low, high: of the path. layers, layers_low, layers_high: (layers,). Between low and high
    lie eight of ten draws of a top picture in the place of every image. image, tops, others:
    (layers,), the mean correlations that were put on the scale. images: int (layers,), of how many.
    """

    value: float
    low: float
    high: float
    layers: Any
    layers_low: Any
    layers_high: Any
    image: Any
    tops: Any
    others: Any
    images: Any


def path_correlations(images, tops, pictures):
    """Correlate the channels of optimized images, their top pictures and all pictures by rank.

    Values of equal size share the mean of their ranks. Pictures that have the same value in all
    channels are left out: nothing in them can be ranked. The time goes into ranking: 1.8 s for
    3,600 pictures at GoogLeNet's 57 convolutions, 7,280 channels in all (2 cores).

    Args:
        images: (n, channels), spatial means of optimized images at a layer.
        tops: int (n, k), the rows of each image's top pictures in `pictures`; negative: none.
        pictures: (m, channels) at the same layer, m > 1.

    Returns:
        Correlations; NaN for an image that has the same value in all channels, or fewer than two
        top pictures.

    Raises:
        InputError: other shapes, fewer than two pictures, values that are not finite.
    """
    images, pictures = np.asarray(images, "float64"), np.asarray(pictures, "float64")
    _check(images, tops, pictures)
    ranks, own = _standard_ranks(pictures), _standard_ranks(images)
    ranked = ~np.isnan(ranks).any(axis=1)
    alike, held_out = np.full(len(images), np.nan), np.full(tops.shape, np.nan)
    for number, top in enumerate(tops):
        places = np.flatnonzero((top >= 0) & ranked[top])
        if len(places) > 1:
            rows = ranks[top[places]]
            alike[number] = (rows @ own[number]).mean()
            held_out[number, places] = _means_with_the_rest(rows)
    others = _mean(_means_with_the_rest(ranks[ranked]), 0)
    return Correlations(alike, _mean(held_out, 1), float(others), held_out.astype("float32"))


def _check(images, tops, pictures):
    shapes = [np.shape(each) for each in (images, tops, pictures)]
    if [len(shape) for shape in shapes] != [2, 2, 2] or len(images) != len(tops):
        raise InputError(
            f"images, tops and pictures of {shapes}; accepted: (images, channels), (images, k) and "
            "(pictures, channels)"
        )
    if images.shape[1] != pictures.shape[1]:
        raise InputError(
            f"images of {images.shape[1]} channels and pictures of {pictures.shape[1]}; accepted: "
            "the same channels"
        )
    if len(pictures) < 2:
        raise InputError(f"{len(pictures)} pictures; accepted: at least 2")
    if not (np.isfinite(images).all() and np.isfinite(pictures).all()):
        raise InputError("spatial means hold NaN or infinity")


def on_scale(correlation, tops, others):
    """Put mean correlations on the scale where two top pictures have 1 and two others 0.

    Above 1 an image is more alike to the top pictures than they are to one another; below 0 less
    alike than two pictures at random.

    Args:
        correlation, tops, others: as in Correlations, or their means over channels; arrays that
            NumPy can bring to one shape.

    Returns:
        float64 of that shape; NaN where top pictures are not more alike than others: the anchors
        coincide, or lie the other way round.
    """
    gap = np.subtract(tops, others)
    gap = np.where(gap > ROUNDING, gap, np.nan)
    return (correlation - others) / gap


def one_by_one(found):
    """Tell the path similarity of each image: the median over the layers of its path.

    Beside it stands what a real picture has: each of its top pictures in its place, by the same
    median.

    Args:
        found: Correlations of the same n images, for each layer of the path; NaN for images whose
            path does not have that layer.

    Returns:
        Values; NaN where no layer has a scale.

    Source:
        Geirhos et al. 2024, who compare layer by layer and with many images.
    """
    values = [on_scale(one.image, one.tops, one.others) for one in found]
    held_out = [on_scale(one.held_out, one.tops[:, None], one.others) for one in found]
    return Values(_middle(values), *_ends(_middle(held_out)))


def pooled(found, draws=DRAWS, seed=0):
    """Tell the path similarity of many images together.

    At each layer means over the images are put on the scale; over layers it is the median. Beside
    it stands what real pictures have: one of its top pictures, drawn, in the place of every image.

    Args:
        found: as for one_by_one.
        draws: of top pictures.
        seed: of the draws.

    Returns:
        Pooled; NaN where no layer has a scale.

    Source:
        Geirhos et al. 2024.
    """
    random = np.random.default_rng(seed)
    there = sum(np.isfinite(one.held_out) for one in found) > 0
    sizes = there.sum(axis=1)  # of the images' top sets
    # a picture takes its own way: the same draw at all layers
    drawn = (random.random((draws, len(sizes))) * sizes).astype(int)
    image, tops, chosen, counts = [], [], [], []
    for one in found:
        known = np.isfinite(one.image) & np.isfinite(one.tops)
        image.append(_mean(one.image[known], 0))
        tops.append(_mean(one.tops[known], 0))
        pictures = one.held_out[np.arange(len(sizes)), drawn]
        chosen.append(_mean(pictures[:, known].astype("float64"), 1))
        counts.append(int(known.sum()))
    image, tops, others = np.array(image), np.array(tops), np.array([one.others for one in found])
    values = on_scale(image, tops, others)
    of_pictures = on_scale(np.array(chosen), tops[:, None], others[:, None])
    ends = _ends(_middle(of_pictures)[None])[:, 0]
    of_layers = values, *_ends(of_pictures)
    return Pooled(
        float(_middle(values)), *map(float, ends), *of_layers, image, tops, others, np.array(counts)
    )


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
    if len(rows) < 2:
        return np.full(len(rows), np.nan)
    own = np.square(rows).sum(axis=1)
    return (rows @ rows.sum(axis=0) - own) / (len(rows) - 1)


def _mean(values, axis):
    """The mean of those that are numbers, NaN where none is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=axis) / known.sum(axis=axis)


def _middle(layers):
    """The median over layers of what is a number, NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a slice of NaN
        return np.nanmedian(layers, axis=0)


def _ends(rows):
    """(Low, high) of each row, between which eight of ten of its numbers lie; NaN without any."""
    ends = np.full((2, len(rows)), np.nan)
    for number, row in enumerate(rows):
        known = row[np.isfinite(row)]
        if len(known):
            ends[:, number] = np.percentile(known, [100 * OUTSIDE, 100 * (1 - OUTSIDE)])
    return ends
