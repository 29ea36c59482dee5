"""Neighbours and rankings against scikit-learn, values worked out by hand, and simulated chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_distances
from sklearn.neighbors import NearestNeighbors

from models.errors import InputError
from transfer import retrieval
from transfer.retrieval import (
    chance_average_precision,
    hubs,
    nearest,
    network_distance,
    normalize,
)
from transfer.uncertainty import bootstrap


def points(pictures=40, size=7, seed=0):
    """Features without ties."""
    return np.random.default_rng(seed).normal(size=(pictures, size))


def circle(*degrees):
    """Points of these angles, of various lengths: their cosines are known."""
    angles = np.radians(degrees)
    return (
        np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, 1 + len(degrees))[:, None]
    )


def test_normalized_rows_have_length_1_whatever_their_scale():
    rows = normalize([[3, 4], [0, 0], [3e300, 4e300], [3e-300, 4e-300]])
    assert np.allclose(rows, [[0.6, 0.8], [0, 0], [0.6, 0.8], [0.6, 0.8]])
    assert normalize(np.ones((2, 3, 4), np.float16)).shape == (2, 12)


def test_what_is_given_is_not_changed():
    features = points()
    before = features.copy()
    normalize(features)
    assert np.array_equal(features, before)


@pytest.mark.parametrize("block", [1, 100, 2**23])
def test_neighbours_are_those_of_scikit_learn(monkeypatch, block):
    monkeypatch.setattr(retrieval, "BLOCK", block)
    features, queries = points(), points(9, seed=1)
    peer = NearestNeighbors(n_neighbors=5, metric="cosine", algorithm="brute").fit(features)
    distances, neighbours = peer.kneighbors(queries)
    ours, how_far = nearest(normalize(features), normalize(queries), 5)
    assert np.array_equal(ours, neighbours)
    assert np.allclose(how_far, distances)


def test_a_picture_is_not_its_own_neighbour():
    rows = normalize(points())
    first, zero = nearest(rows, rows, 1)
    assert np.array_equal(first[:, 0], np.arange(40)) and np.allclose(zero, 0)
    others, _ = nearest(rows, rows, 39, np.arange(40))
    assert all(sorted(line) == sorted(set(range(40)) - {n}) for n, line in enumerate(others))


def test_of_equal_pictures_the_earlier_is_first():
    rows = normalize(np.tile(points(3), (20, 1)))  # 20 copies of each of three
    found, _ = nearest(rows, rows[:3], 4)
    assert found.tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_neighbours_that_there_are_not_are_told():
    rows = normalize(circle(0, 10, 90))
    found, distances = nearest(rows, rows[:1], 5, [0], list("aba"), ["a"])
    assert found.tolist() == [[1, -1, -1, -1, -1]]
    assert np.isclose(distances[0, 0], 1 - np.cos(np.radians(10)))
    assert np.isnan(distances[0, 1:]).all()


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 10))
@settings(deadline=None)
def test_neighbours_are_the_first_of_a_stable_sort(pictures, k, seed):
    random = np.random.default_rng(seed)
    rows = normalize(random.integers(-1, 2, size=(pictures, 2)))  # many ties
    found, distances = nearest(rows, rows, k)
    for n in range(pictures):
        expected = np.argsort(-np.round(rows @ rows[n], 12), kind="stable")[:k]
        assert found[n, : len(expected)].tolist() == expected.tolist()
        assert (found[n, len(expected) :] == -1).all()
        assert (np.diff(distances[n, : len(expected)]) >= 0).all()


def test_precision_and_average_precision_by_hand():
    # by angle from the query at 0: a at 10, b at 20, a at 30, b at 40
    measured = retrieval.retrieval_by_label(
        circle(0, 10, 20, 30, 40), list("aabab"), 2, [0], repeats=10
    )
    assert measured.precision == 1 / 2
    assert np.isclose(measured.average_precision, (1 / 1 + 2 / 3) / 2)
    assert measured.precision_chance == 2 / 4
    # the six orders of two hits in four: 1, 5/6, 3/4, 7/12, 1/2, 5/12
    expected = np.mean([1, 5 / 6, 3 / 4, 7 / 12, 1 / 2, 5 / 12])
    assert np.isclose(measured.average_precision_chance, expected)
    assert (measured.queries, measured.share_of_queries) == (1, 1)


def test_the_querys_group_is_left_out():
    features, labels, artists = circle(0, 10, 20, 30), list("aaba"), list("xxyz")
    plain = retrieval.retrieval_by_label(features, labels, 1, [0], repeats=10)
    apart = retrieval.retrieval_by_label(features, labels, 1, [0], artists, repeats=10)
    assert (plain.precision, apart.precision) == (1, 0)
    assert apart.average_precision == 1 / 2 and apart.precision_chance == 1 / 2


def test_queries_without_anything_to_find_do_not_count():
    measured = retrieval.retrieval_by_label(circle(0, 10, 20), list("aab"), 5, repeats=10)
    assert (measured.queries, measured.share_of_queries) == (2, 2 / 3)
    # fewer than 5 neighbours: all there are
    assert measured.precision == 1 / 2 == measured.precision_chance


@pytest.mark.parametrize("block", [1, 2**23])
def test_average_precision_is_that_of_scikit_learn(monkeypatch, block):
    monkeypatch.setattr(retrieval, "BLOCK", block)
    features, labels = points(), np.random.default_rng(1).integers(3, size=40)
    similar = 1 - cosine_distances(features)
    expected = []
    for n in range(40):
        others = np.arange(40) != n
        expected.append(average_precision_score(labels[others] == labels[n], similar[n, others]))
    measured = retrieval.retrieval_by_label(features, labels, 5, repeats=100)
    assert np.isclose(measured.average_precision, np.mean(expected))
    low, high = measured.average_precision_low, measured.average_precision_high
    assert low < measured.average_precision < high
    assert measured == retrieval.retrieval_by_label(features, labels, 5, repeats=100)


def test_intervals_over_groups_are_wider():
    # all pictures of an artist are equally easy, so that 8 artists tell no more than 8 pictures
    random = np.random.default_rng(0)
    artists, labels = np.repeat(np.arange(8), 10), np.tile([0, 1], 40)
    features = points(80) + 5 * random.normal(size=(8, 7))[artists] * (labels * 2 - 1)[:, None]
    measured = retrieval.retrieval_by_label(features, labels, 5, groups=artists, repeats=200)
    found = [
        retrieval.retrieval_by_label(features, labels, 5, [n], artists, repeats=1).precision
        for n in range(80)
    ]
    low, high = bootstrap(lambda weights: weights @ found / 80, 80, repeats=200)
    assert np.isclose(np.mean(found), measured.precision)
    assert measured.precision_high - measured.precision_low > high - low


@pytest.mark.parametrize(("hits", "pictures"), [(1, 1), (1, 9), (4, 9), (9, 9), (2, 100)])
def test_chance_is_what_random_orders_give(hits, pictures):
    random = np.random.default_rng(0)
    hit = np.arange(pictures) < hits
    drawn = []
    for _ in range(4000):
        places = np.flatnonzero(random.permutation(hit)) + 1
        drawn.append(np.mean(np.arange(1, hits + 1) / places))
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - chance_average_precision(hits, pictures)) <= 4 * error + 1e-12


def test_features_that_know_nothing_give_chance():
    labels = np.random.default_rng(1).integers(3, size=200)
    measured = retrieval.retrieval_by_label(points(200), labels, 10, repeats=200)
    assert measured.precision_low < measured.precision_chance < measured.precision_high
    assert abs(measured.average_precision - measured.average_precision_chance) < 0.02


def test_hubs_by_hand():
    # picture 0 three times, 1 once, 2 and 3 never: mean 1, deviations 2 0 -1 -1
    found = hubs([[0, 1], [0, -1], [0, -1]], 4)
    assert (found.most, found.picture, found.share_never) == (3, 0, 0.5)
    assert np.isclose(found.skewness, ((8 + 0 - 1 - 1) / 4) / (6 / 4) ** 1.5)
    assert hubs([[0], [1]], 2).skewness == 0


def test_hubs_by_chance_are_those_of_neighbours_drawn_at_random():
    random, pictures, k = np.random.default_rng(0), 60, 5
    found = []
    for _ in range(400):
        drawn = [
            random.choice(np.delete(np.arange(pictures), n), k, False) for n in range(pictures)
        ]
        found.append(hubs(drawn, pictures))
    expected = retrieval.chance_hubs(pictures, k)
    for name, within in (("most", 0.15), ("share_never", 0.001), ("skewness", 0.05)):
        measured = np.mean([getattr(one, name) for one in found])
        assert measured == pytest.approx(getattr(expected, name), abs=within)


def test_queries_of_one_artist_are_drawn_together():
    random = np.random.default_rng(0)
    artists = np.repeat(np.arange(12), 10)
    features = random.normal(size=(12, 8))[artists] + 0.1 * random.normal(size=(120, 8))
    labels = random.integers(3, size=12)[artists]
    alone = retrieval.retrieval_by_label(features, labels, 20)
    together = retrieval.retrieval_by_label(features, labels, 20, units=artists)
    assert alone.precision == together.precision
    widths = [one.precision_high - one.precision_low for one in (alone, together)]
    assert widths[1] > 2 * widths[0]


def test_more_dimensions_make_hubs():
    skewness = []
    for size in (3, 300):
        rows = normalize(points(300, size) + 0.5)
        skewness.append(hubs(nearest(rows, rows, 5, np.arange(300))[0], 300).skewness)
    assert skewness[0] < 1 < skewness[1]


def test_distance_of_networks():
    first, second = circle(0, 90), circle(60, 90)
    found = network_distance(first, second)
    assert np.isclose(found.same_picture, (0.5 + 0) / 2)
    assert (found.same_low, found.same_high) == (0, pytest.approx(0.5))  # of two pictures
    assert np.isclose(found.any_pictures, cosine_distances(first, second).mean())
    assert np.isclose(network_distance(first, 3 * first).same_picture, 0)


def test_the_interval_of_a_distance_is_the_bootstrap_of_its_pictures():
    first, second = points(30), points(30, seed=1)
    found = network_distance(first, second)
    distances = np.diag(cosine_distances(first, second))
    expected = bootstrap(lambda weights: (weights @ distances) / weights.sum(axis=1), 30)
    assert np.allclose((found.same_low, found.same_high), expected)


ROWS = normalize(circle(0, 10, 20))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: normalize([1.0, 2.0]), r"features of shape \(2,\); accepted"),
        (lambda: normalize(np.empty((0, 4))), r"features of shape \(0, 4\)"),
        (lambda: normalize([[1.0], [np.nan]]), "1 of 2 pictures .* the first is number 1"),
        (lambda: nearest(ROWS, ROWS, 0), "k is 0; accepted: a whole number from 1"),
        (lambda: nearest(ROWS, ROWS, True), "k is True"),
        (lambda: nearest(ROWS, ROWS[:, :1], 1), "accepted: of one layer"),
        (lambda: nearest(ROWS, ROWS, 1, [0]), r"exclude_self has shape \(1,\); accepted: \(3,\)"),
        (lambda: nearest(ROWS, ROWS, 1, [0, 1, 3]), "accepted: whole, 0 to 2"),
        (lambda: nearest(ROWS, ROWS, 1, groups=[1, 2, 3]), "accepted: both"),
        (lambda: retrieval.retrieval_by_label(ROWS, list("ab"), 1), r"labels of shape \(2,\)"),
        (
            lambda: retrieval.retrieval_by_label(ROWS, list("aab"), 1, [-1]),
            "accepted: whole, 0 to 2",
        ),
        (lambda: retrieval.retrieval_by_label(ROWS, list("aab"), 1.0), "k is 1.0"),
        (
            lambda: retrieval.retrieval_by_label(ROWS, list("abc"), 1),
            "none of 3 queries has another",
        ),
        (
            lambda: retrieval.retrieval_by_label(ROWS, list("aab"), 1, groups=[1]),
            r"groups of shape \(1,\)",
        ),
        (lambda: hubs([[-1]], 3), "0 neighbours of 3 pictures"),
        (lambda: hubs([[3]], 3), "1 neighbours of 3 pictures"),
        (lambda: network_distance(ROWS, ROWS[:2]), r"shapes \(3, 2\) and \(2, 2\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
