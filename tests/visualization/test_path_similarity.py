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
    image_distance,
    on_scale,
    path_correlations,
    path_similarity,
)

OPPOSITE = [[1, 2, 3], [3, 2, 1]]  # correlation -1


def at_one_layer(image, tops, others):
    return path_similarity(*({"a": np.array(each)} for each in (image, tops, others)))["a"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        # correlations of three ranks are 1, 0.5, -0.5 and -1. The three tops': 0.5, 0.5 and -0.5,
        # 1/6 in the mean; the image's with them:
        ([1, 2, 3], (2 / 3 + 1) / (1 / 6 + 1)),  # 1, 0.5, 0.5
        ([10, 20, 2000], (2 / 3 + 1) / (1 / 6 + 1)),  # the same ranks
        ([3, 2, 1], (-2 / 3 + 1) / (1 / 6 + 1)),  # -1, -0.5, -0.5
        ([3, 1, 2], (-1 / 3 + 1) / (1 / 6 + 1)),  # -0.5, -1, 0.5
        ([0, 0, 5], (np.sqrt(3) * (1 / 2 + 0 + 1 / 2) / 3 + 1) / (1 / 6 + 1)),  # ranks 1.5, 1.5, 3
    ],
)
def test_hand_values(image, expected):
    assert_allclose(at_one_layer(image, [[1, 2, 3], [1, 3, 2], [2, 1, 3]], OPPOSITE), expected)


def rho(a, b):
    return spearmanr(a, b).statistic


def pairs(rows):
    return np.mean([rho(a, b) for i, a in enumerate(rows) for b in rows[:i]])


counts = st.integers(2, 6)


@pytest.mark.filterwarnings("ignore:An input array is constant")
@hypothesis.settings(max_examples=50)
@hypothesis.given(st.data(), st.integers(1, 7), counts, counts)
def test_equals_every_correlation_by_itself(data, channels, n, m):
    values = st.integers(0, 4)  # many ties
    image, tops, others = (
        data.draw(hnp.arrays("int64", shape, elements=values))
        for shape in (channels, (n, channels), (m, channels))
    )
    found = path_correlations({"a": image}, {"a": tops}, {"a": others})["a"]
    assert_allclose(found.image, np.mean([rho(image, top) for top in tops]), atol=1e-12)
    assert_allclose(found.tops, pairs(tops), atol=1e-12)
    assert_allclose(found.others, pairs(others), atol=1e-12)
    held_out = [np.mean([rho(tops[i], tops[j]) for j in range(n) if j != i]) for i in range(n)]
    assert_allclose(found.held_out, held_out, atol=1e-12)
    assert_allclose(
        at_one_layer(image, tops, others), on_scale(found.image, found.tops, found.others)
    )


def test_the_scale():
    assert on_scale(0.3, tops=0.3, others=0.1) == 1
    assert on_scale(0.1, tops=0.3, others=0.1) == 0
    assert_allclose(on_scale(0.5, tops=0.3, others=0.1), 2)
    assert np.isnan(on_scale(0.5, tops=0.1, others=0.1 - 1e-12))
    assert np.isnan(on_scale(0.5, tops=0.1, others=0.3))
    assert np.isnan(on_scale(0.5, tops=np.nan, others=0.3))
    assert np.isnan(on_scale(np.nan, tops=0.3, others=0.1))


def test_a_picture_kept_out_of_the_top_ones_is_their_image():
    _, tops, others = random_layers(layers=("a",))
    whole = path_correlations({"a": tops["a"][0]}, tops, others)["a"]
    kept_out = path_correlations({"a": tops["a"][3]}, {"a": np.delete(tops["a"], 3, 0)}, others)
    assert_allclose(kept_out["a"].image, whole.held_out[3])


def random_layers(seed=0, layers=("a", "b"), channels=20):
    draw = np.random.default_rng(seed)
    shared = {layer: draw.normal(size=channels) for layer in layers}
    tops = {layer: shared[layer] + draw.normal(size=(30, channels)) for layer in layers}
    others = {layer: draw.normal(size=(40, channels)) for layer in layers}
    return shared, tops, others


def test_layers_are_apart_and_ranks_alone_count():
    image, tops, others = random_layers()
    found = path_similarity(image, tops, others)
    assert list(found) == ["a", "b"]
    assert found["b"] == path_similarity(*({"b": each["b"]} for each in (image, tops, others)))["b"]
    # a growing function of the means, and another order of channels, change no rank correlation
    order = np.random.default_rng(1).permutation(20)
    changed = (
        {k: np.exp(v)[..., order] for k, v in each.items()} for each in (image, tops, others)
    )
    assert_allclose(list(path_similarity(*changed).values()), list(found.values()), rtol=1e-9)


def test_a_top_picture_is_1_and_a_random_one_0():
    """In the mean over pictures of either kind that were not among those compared with."""
    image, tops, others = random_layers(layers=("a",))
    draw = np.random.default_rng(2)
    alike = image["a"] + draw.normal(size=(300, 20))
    scores = [at_one_layer(each, tops["a"], others["a"]) for each in alike]
    assert abs(np.mean(scores) - 1) < 4 * np.std(scores) / np.sqrt(300) + 0.05
    unlike = [at_one_layer(each, tops["a"], others["a"]) for each in draw.normal(size=(300, 20))]
    assert abs(np.mean(unlike)) < 4 * np.std(unlike) / np.sqrt(300) + 0.05


@pytest.mark.parametrize(
    ("image", "tops", "others"),
    [
        ([1, 2, 3], [[1, 2, 3], [1, 3, 2]], [[2, 1, 3], [3, 1, 2]]),  # 0.5 and 0.5
        ([1, 2, 3], OPPOSITE, [[1, 2, 3], [1, 2, 3]]),  # the wrong way round
        ([2, 2, 2], [[1, 2, 3], [1, 3, 2]], OPPOSITE),
        ([1, 2, 3], [[1, 2, 3], [0, 0, 0]], OPPOSITE),
        ([1, 2, 3], [[1, 2, 3], [1, 3, 2]], [[1, 2, 3], [4, 4, 4]]),
        ([1], [[1], [2]], [[2], [3]]),  # one channel has no order
    ],
)
def test_without_a_scale(image, tops, others):
    assert np.isnan(at_one_layer(image, tops, others))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda i, t, o: (i, {"a": t["a"]}, o),
            "tops has the layers a; accepted: the image's, a, b",
        ),
        (lambda i, t, o: (i, t, {**o, "c": o["a"]}), "others has the layers a, b, c; accepted"),
        (lambda i, t, o: (i, {**t, "b": t["b"][:1]}, o), r"b: an image of \(20,\) and tops of \(1"),
        (
            lambda i, t, o: (i, t, {**o, "a": o["a"][:, 1:]}),
            r"a: an .* others of \(40, 19\); accepted",
        ),
        (lambda i, t, o: ({**i, "a": i["a"][None]}, t, o), r"a: an image of \(1, 20\)"),
        (
            lambda i, t, o: ({**i, "a": i["a"] * np.nan}, t, o),
            "a: spatial means hold NaN or infinity",
        ),
        (lambda i, t, o: (i, {**t, "b": t["b"] / 0}, o), "b: spatial means hold NaN or infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_refused(change, message):
    with pytest.raises(InputError, match=message):
        path_similarity(*change(*random_layers()))


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
