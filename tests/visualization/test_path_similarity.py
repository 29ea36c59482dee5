"""Path similarity against hand values and against every correlation by itself; distances."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from models.errors import InputError
from visualization.path_similarity import (
    Correlations,
    image_distance,
    on_scale,
    one_by_one,
    path_correlations,
    pooled,
)

# Ranks of three correlate by 1, 0.5, -0.5 and -1. Of the first three pictures all pairs by 0.5, 0.5
# and -0.5, 1/6 in the mean; of the last two, -1.
PICTURES = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [3, 2, 1]]
TOPS = [[0, 1, 2]]
# all six pairs: 0.5, 0.5, -0.5 and, with the last one, -1, -0.5, -0.5
OTHERS = (1 / 2 - 2) / 6


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ([1, 2, 3], 2 / 3),  # 1, 0.5, 0.5
        ([10, 20, 2000], 2 / 3),  # the same ranks
        ([3, 2, 1], -2 / 3),  # -1, -0.5, -0.5
        ([3, 1, 2], -1 / 3),  # -0.5, -1, 0.5
        ([0, 0, 5], 1 / np.sqrt(3)),  # ranks 1.5, 1.5, 3: sqrt(3) / 2, 0, sqrt(3) / 2
    ],
)
def test_hand_values(image, expected):
    found = path_correlations([image], np.array(TOPS), PICTURES)
    assert_allclose(found.image, expected)
    assert_allclose(found.tops, 1 / 6)
    assert_allclose(found.others, OTHERS)
    assert_allclose(found.held_out, [[1 / 2, 0, 0]], atol=1e-7)
    expected = (expected - OTHERS) / (1 / 6 - OTHERS)
    assert_allclose(one_by_one([found]).values, expected)
    assert_allclose(pooled([found]).value, expected)


def rho(a, b):
    return spearmanr(a, b).statistic


def mean(values):
    known = [value for value in values if not np.isnan(value)]
    return np.mean(known) if known else np.nan


counts = st.integers(2, 6)


@pytest.mark.filterwarnings("ignore:An input array is constant")
@hypothesis.settings(max_examples=40)
@hypothesis.given(st.data(), st.integers(1, 6), st.integers(1, 3), counts, counts)
def test_equals_every_correlation_by_itself(data, channels, n, m, k):
    values = st.integers(0, 4)  # many ties, and rows of one value
    images, pictures = (
        data.draw(hnp.arrays("int64", (rows, channels), elements=values)) for rows in (n, m)
    )
    tops = np.full((n, k), -1)
    for row in tops:
        some = data.draw(st.lists(st.integers(0, m - 1), unique=True, max_size=k))
        row[: len(some)] = some
    found = path_correlations(images, tops, pictures)
    every = [rho(a, b) for i, a in enumerate(pictures) for b in pictures[:i]]
    assert_allclose(found.others, mean(every), atol=1e-9)
    for number, (image, top) in enumerate(zip(images, tops, strict=True)):
        # a picture of one value in all channels has no ranks, and is left out
        ranked = [row for row in top if row >= 0 and np.ptp(pictures[row]) > 0]
        alike = np.mean([rho(image, pictures[row]) for row in ranked]) if ranked[1:] else np.nan
        assert_allclose(found.image[number], alike, atol=1e-9)
        held_out = [
            mean([rho(pictures[row], pictures[other]) for other in ranked if other != row])
            if row in ranked
            else np.nan
            for row in top
        ]
        assert_allclose(found.held_out[number], held_out, atol=1e-6)
        assert_allclose(found.tops[number], mean(held_out), atol=1e-6)


def test_the_scale():
    assert on_scale(0.3, tops=0.3, others=0.1) == 1
    assert on_scale(0.1, tops=0.3, others=0.1) == 0
    assert_allclose(on_scale(0.5, tops=0.3, others=0.1), 2)
    assert np.isnan(on_scale(0.5, tops=0.1, others=0.1 - 1e-12))
    assert np.isnan(on_scale(0.5, tops=0.1, others=0.3))
    assert np.isnan(on_scale(0.5, tops=np.nan, others=0.3))
    assert np.isnan(on_scale(np.nan, tops=0.3, others=0.1))
    found = on_scale(np.array([[0.1, 0.5]]), np.array([[0.3], [0.1]]), 0.1)
    assert_allclose(found, [[0, 2], [np.nan, np.nan]])


def known(image, tops, held_out, others=0.0):
    image, tops, held_out = (np.array(each, float) for each in (image, tops, held_out))
    return Correlations(image, tops, others, held_out)


LAYERS = [  # two images, three layers; the second image is of the third layer
    known([0.2, 0.1], [0.4, 0.1], [[0.2, 0.6], [0.1, 0.1]]),
    known([0.3, 0.4], [0.4, 0.2], [[0.4, 0.4], [0.3, 0.1]]),
    known([0.0, np.nan], [0.4, np.nan], [[0.8, 0.0], [np.nan, np.nan]]),
]


def test_of_each_image_it_is_the_median_over_layers():
    found = one_by_one(LAYERS)
    assert_allclose(found.values, [0.5, 1.5])  # of 0.5, 0.75, 0; of 1, 2
    # in the image's place the first's top pictures have 0.5, 1, 2 and 1.5, 1, 0; the second's 1,
    # 1.5 and 1, 0.5: medians 1 and 1, 1.25 and 0.75, of which 10 and 90 % are
    assert_allclose(found.low, [1, 0.8])
    assert_allclose(found.high, [1, 1.2])
    alone = [one.of([1]) for one in LAYERS]
    assert_allclose(one_by_one(alone).values, [1.5])


def test_together_means_come_before_the_scale():
    found = pooled(LAYERS)
    assert_allclose(found.layers, [0.15 / 0.25, 0.35 / 0.3, 0])
    assert_allclose(found.value, 0.6)
    assert_allclose(found.image, [0.15, 0.35, 0])
    assert_allclose(found.tops, [0.25, 0.3, 0.4])
    assert_array_equal(found.images, [2, 2, 1])
    # at the third layer half of the draws give the first image 2, half 0
    assert_allclose([found.layers_low[2], found.layers_high[2]], [0, 2])
    # of one draw at all layers: 0.6, 7 / 6, 2 and 0.6, 5 / 6, 2; 1.4, 7 / 6, 0 and 1.4, 5 / 6, 0
    assert_allclose([found.low, found.high], [5 / 6, 7 / 6])
    again = pooled(LAYERS)
    assert (found.low, found.high) == (again.low, again.high)


def test_without_a_scale():
    nothing = known([0.5, np.nan], [0.0, np.nan], [[0.1, -0.1], [np.nan, np.nan]])
    for found in (one_by_one([nothing]), one_by_one([nothing, nothing])):
        assert np.isnan([found.values, found.low, found.high]).all()
    found = pooled([nothing])
    assert np.isnan([found.value, found.low, found.high, *found.layers]).all()
    assert_array_equal(found.images, [1])
    assert np.isnan(pooled([nothing.of([1])]).value)


def random_layer(seed=0, channels=20):
    """Pictures of which the first 60 are alike to one another and to 100 images."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=channels)
    pictures = draw.normal(size=(300, channels))
    pictures[:60] += shared
    return shared + draw.normal(size=(100, channels)), pictures


def test_a_top_picture_is_1_and_a_random_one_0():
    """In the mean over pictures of either kind that were not among those compared with."""
    images, pictures = random_layer()
    tops = np.tile(np.arange(60), (100, 1))
    value = pooled([path_correlations(images, tops, pictures)])
    assert abs(value.value - 1) < 0.1 and value.low < 1 < value.high
    unlike = np.random.default_rng(2).permutation(pictures[60:])[:100]
    found = path_correlations(unlike, tops, pictures)
    # the 60 are among all pictures, so that a picture of the others is a little below 0
    assert abs(pooled([found]).value) < 0.15
    assert pooled([found]).high < 1.5


def test_ranks_alone_count():
    images, pictures = random_layer()
    tops = np.tile(np.arange(60), (100, 1))
    order = np.random.default_rng(1).permutation(20)
    found = path_correlations(images, tops, pictures)
    # a growing function of the means, and another order of channels, change no rank correlation
    changed = path_correlations(np.exp(images)[:, order], tops, np.exp(pictures)[:, order])
    assert_allclose(changed.image, found.image)
    assert_allclose(changed.others, found.others)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, t, p: (i[0], t, p), r"\(20,\), .*accepted: \(images, channels\)"),
        (lambda i, t, p: (i, t[:5], p), r"\(100, 20\), \(5, 60\)"),
        (lambda i, t, p: (i, t, p[:, 1:]), "20 channels and pictures of 19"),
        (lambda i, t, p: (i, t, p[:1]), "1 pictures; accepted: at least 2"),
        (lambda i, t, p: (i * np.nan, t, p), "spatial means hold NaN or infinity"),
        (lambda i, t, p: (i, t, p * np.inf), "spatial means hold NaN or infinity"),
    ],
)
def test_refused(change, message):
    images, pictures = random_layer()
    with pytest.raises(InputError, match=message):
        path_correlations(*change(images, np.tile(np.arange(60), (100, 1)), pictures))


def test_image_distance(colour_network):
    def painted(*colour):
        return np.full((8, 8, 3), colour, "uint8")

    red, green, dark, grey = (
        painted(200, 0, 0),
        painted(0, 90, 0),
        painted(50, 0, 0),
        painted(*[80] * 3),
    )
    black = painted(0, 0, 0)
    a = np.stack([red, red, red, red, grey, grey, black] * 2)
    b = np.stack([red, green, dark, grey, red, grey, red] * 2)
    root = 1 - 1 / np.sqrt(3)
    expected = [0, 1, 0, root, root, 0, np.nan] * 2
    found = image_distance(colour_network(8), "conv", a, b)
    assert found.dtype == np.float64
    assert_allclose(found, expected, atol=1e-6)
    assert_array_equal(found[[0, 5]], 0)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 8, 8, 3), (3, 8, 8, 3)),
        ((8, 8, 3), (8, 8, 3)),
        ((0, 8, 8, 3),) * 2,
        ((1, 8, 9, 3),) * 2,
    ],
)
def test_images_that_are_refused(a, b, colour_network):
    with pytest.raises(InputError, match="accepted: two of one shape"):
        image_distance(colour_network(8), "conv", np.zeros(a), np.zeros(b))
