"""Measures of similarity: other people's values, direct formulas, brute force, laws of chance."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from models.errors import InputError
from visualization import similarity
from visualization.similarity import Chance, CkaSums, Rank

CLOSE = 1e-9  # what the project asks of CKA
GOOGLENET = [("mixed3a", "mixed4c"), ("mixed4c", "mixed5b")]


def gaussian(pictures, features, seed=0):
    return np.random.default_rng(seed).standard_normal((pictures, features))


def related(pictures, p, q, seed=0):
    """Features of two sides that have something in common."""
    x, y = gaussian(pictures, p, seed), gaussian(pictures, q, seed + 1)
    y[:, : min(p, q)] += x[:, : min(p, q)]
    return x, y


def exact(value):
    return pytest.approx(value, abs=CLOSE, rel=0)


# ---- top sets

# few values, so that many are equal
SCORES = st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, 1.5, 2.0, math.inf, -math.inf, math.nan])
TABLES = arrays.arrays("float32", st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=SCORES)


def brute_top(column, k):
    """The k best of a list of scores: one after another, by looking at all of them."""
    left, found = {i: s for i, s in enumerate(column) if s > 0}, []
    while left and len(found) < k:
        best = min(left, key=lambda i: (-left[i], i))
        found.append(best)
        del left[best]
    return found + [-1] * (k - len(found))


def brute_entropy(labels, classes):
    """Entropy of a list of labels over that of the uniform law, as the paper writes it."""
    shares = [count / len(labels) for count in Counter(labels).values()]
    return sum(-p * math.log2(p) for p in shares) / math.log2(classes)


@given(TABLES, st.integers(1, 12))
def test_top_pictures_are_those_of_brute_force(scores, k):
    top = similarity.top_pictures(scores, k)
    assert top.dtype == np.int32 and top.shape == (k, scores.shape[1])
    for channel, column in enumerate(scores.T):
        assert top[:, channel].tolist() == brute_top(column.tolist(), k)


@given(
    TABLES.flatmap(
        lambda a: st.tuples(st.just(a), arrays.arrays("float32", a.shape, elements=SCORES))
    ),
    st.integers(1, 12),
)
def test_overlap_is_that_of_brute_force(scores, k):
    found = similarity.overlap(*(similarity.top_pictures(one, k) for one in scores))
    assert found.dtype == np.float64
    for channel, share in enumerate(found):
        sets = [set(brute_top(one[:, channel].tolist(), k)) - {-1} for one in scores]
        assert share == len(sets[0] & sets[1]) / k


@given(TABLES, st.integers(1, 12), st.integers(2, 5), st.randoms(use_true_random=False))
def test_classes_and_entropy_are_those_of_brute_force(scores, k, classes, random):
    labels = [random.randrange(classes) for _ in scores]
    top = similarity.top_pictures(scores, k)
    shares = similarity.class_shares(top, np.array(labels), classes)
    found = similarity.entropy(shares)
    assert shares.shape == (scores.shape[1], classes)
    for channel, column in enumerate(scores.T):
        there = [labels[i] for i in brute_top(column.tolist(), k) if i >= 0]
        if there:
            wanted = [there.count(c) / len(there) for c in range(classes)]
            assert shares[channel] == pytest.approx(wanted)
            assert found[channel] == pytest.approx(brute_entropy(there, classes), abs=1e-12)
            assert 0 <= found[channel] <= 1
        else:
            assert np.isnan(shares[channel]).all() and np.isnan(found[channel])


def test_the_same_set_overlaps_wholly_and_others_not_at_all():
    top = similarity.top_pictures(gaussian(50, 3) + 9, 10)
    assert similarity.overlap(top, top).tolist() == [1, 1, 1]
    assert similarity.overlap(top, (top + 50).astype("int32")).tolist() == [0, 0, 0]


def test_sets_that_are_not_full_share_no_empty_places():
    a, b = np.array([[3], [1], [-1], [-1]]), np.array([[1], [-1], [-1], [-1]])
    assert similarity.overlap(a, b).tolist() == [0.25]


def test_whole_numbers_without_sign_are_scores_too():
    assert similarity.top_pictures(np.array([[0], [9], [7]], "uint8"), 2).tolist() == [[1], [2]]


def test_entropy_by_hand():
    shares = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4, [0.5, 0.25, 0.125, 0.125]])
    assert similarity.entropy(shares) == pytest.approx([0, 0.5, 1, 0.875])
    assert not np.signbit(similarity.entropy(shares)).any()


def test_firing_dead_and_few():
    scores = np.array([[1, 0, -1, np.nan], [2, 3, -2, 0], [3, 0, 0, np.nan]])
    firing = similarity.firing(scores)
    assert firing.tolist() == [3, 1, 0, 0]
    dead, few = similarity.dead_and_few(firing, 3)
    assert dead.tolist() == [False, False, True, True]
    assert few.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: similarity.top_pictures(np.zeros(3), 2), r"scores \(3,\).*\(rows, columns\)"),
        (lambda: similarity.top_pictures(np.zeros((3, 0)), 2), r"scores \(3, 0\)"),
        (lambda: similarity.top_pictures(np.array([["a"]]), 2), "scores .* of <U1"),
        (lambda: similarity.top_pictures(np.zeros((3, 1)), 0), "k is 0"),
        (lambda: similarity.overlap(np.zeros((3, 1)), np.zeros((2, 1))), "the same"),
        (lambda: similarity.overlap(np.zeros((0, 1)), np.zeros((0, 1))), "the same"),
        (
            lambda: similarity.class_shares(np.zeros((1, 1), int), np.array([2]), 2),
            "2 to 2.*0 to 1",
        ),
        (lambda: similarity.class_shares(np.zeros((1, 1), int), np.array([-1]), 2), "-1 to -1"),
        (lambda: similarity.class_shares(np.zeros((1, 1), int), np.array([np.nan]), 2), "float64"),
        (lambda: similarity.class_shares(np.ones((1, 1), int), np.array([1]), 2), "picture 1"),
        (lambda: similarity.entropy(np.ones((3, 1))), "1 classes; accepted: from 2"),
        (lambda: similarity.dead_and_few(np.ones(3), 0), "k is 0"),
    ],
)
def test_top_sets_refuse(call, told):
    with pytest.raises(InputError, match=told):
        call()


# ---- chance


@pytest.mark.parametrize(("pictures", "k"), [(4, 2), (10, 4), (9, 9), (3600, 100)])
def test_overlap_by_chance_is_k_of_n(pictures, k):
    found = similarity.chance_overlap(pictures, k)
    assert found.mean == pytest.approx(k / pictures) and found.draws is None
    assert found.low <= found.mean <= found.high


def test_overlap_by_chance_by_hand():
    """Of 4 pictures two sets of 2: both with probability 1/6, one 4/6, none 1/6."""
    assert similarity.chance_overlap(4, 2) == Chance(0.5, 0, 1)
    # of 40 pictures two sets of 2: both 1/780 of the time, one 76/780 (in the upper 2.5 %: 0.099)
    assert similarity.chance_overlap(40, 2) == Chance(0.05, 0, 0.5)
    assert similarity.chance_overlap(8, 4, first=1, second=2) == Chance(1 * 2 / 8 / 4, 0, 0.25)
    assert similarity.chance_overlap(8, 4, second=0) == Chance(0, 0, 0)


@pytest.mark.parametrize("sizes", [(300, 40, None, None), (300, 40, 12, 33), (60, 50, 50, 20)])
def test_overlap_by_chance_is_that_of_random_sets(sizes):
    pictures, k, first, second = sizes
    random, draws = np.random.default_rng(0), 4000
    tops = []
    for size in (first, second):
        places = random.permuted(np.tile(np.arange(pictures), (draws, 1)), axis=1).T
        scores = random.random((pictures, draws)) * (places < (k if size is None else size))
        tops.append(similarity.top_pictures(scores, k))
    drawn, found = similarity.overlap(*tops), similarity.chance_overlap(*sizes)
    assert abs(drawn.mean() - found.mean) < 4 * drawn.std() / math.sqrt(draws)
    # a law of whole numbers: at most 2.5 % are beyond an end, at least 2.5 % beyond it or on it
    error = 4 * math.sqrt(0.025 / draws)
    assert np.mean(drawn < found.low - 1e-9) <= 0.025 + error
    assert np.mean(drawn > found.high + 1e-9) <= 0.025 + error
    assert np.mean(drawn < found.low + 1e-9) >= 0.025 - error
    assert np.mean(drawn > found.high - 1e-9) >= 0.025 - error


@pytest.mark.parametrize(
    ("counts", "k"), [((3, 2, 1), 3), ((4, 4), 5), ((5, 0, 2, 1), 2), ((3, 3), 6)]
)
def test_entropy_by_chance_is_that_of_all_sets(counts, k):
    labels = np.repeat(np.arange(len(counts)), counts)
    sets = itertools.combinations(labels.tolist(), k)
    every = [brute_entropy(chosen, len(counts)) for chosen in sets]
    found = similarity.chance_entropy(np.array(counts), k)
    assert found.mean == pytest.approx(np.mean(every), abs=1e-12)
    assert found.draws == 10_000
    low, high = np.quantile(every, [0.025, 0.975])  # jumps of a few sets: ends by their shares
    assert np.mean(np.array(every) < found.low - 1e-9) <= 0.035
    assert np.mean(np.array(every) > found.high + 1e-9) <= 0.035
    assert found.low <= np.median(every) + 1e-9 and found.high >= np.median(every) - 1e-9
    assert low - 1e-9 <= found.high and high + 1e-9 >= found.low


def test_entropy_by_chance_of_a_collection():
    """Ten classes of 360, top 100: the mean is within the error of a simulation of another kind."""
    labels, random = np.repeat(np.arange(10), 360), np.random.default_rng(1)
    drawn = [
        brute_entropy(random.choice(labels, 100, replace=False).tolist(), 10) for _ in range(2000)
    ]
    found = similarity.chance_entropy(np.full(10, 360), 100)
    assert abs(np.mean(drawn) - found.mean) < 4 * np.std(drawn) / math.sqrt(2000)
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([found.low, found.high], abs=3e-3)
    assert similarity.chance_entropy(np.full(10, 360), 100) == found
    assert similarity.chance_entropy(np.full(10, 360), 100, draws=50, seed=1).mean == found.mean


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: similarity.chance_overlap(10, 0), "k is 0"),
        (lambda: similarity.chance_overlap(10, 11), "pictures are 10"),
        (lambda: similarity.chance_overlap(10, 4, first=5), "size is 5; accepted: 0 to k = 4"),
        (lambda: similarity.chance_overlap(10, 4, second=-1), "size is -1"),
        (lambda: similarity.chance_entropy(np.array([5]), 3), "1 classes"),
        (lambda: similarity.chance_entropy(np.array([5, -1]), 3), "counts"),
        (lambda: similarity.chance_entropy(np.array([5.0, 1.0]), 3), "counts"),
        (lambda: similarity.chance_entropy(np.array([5, 1]), 7), "k is 7; there are 6"),
        (lambda: similarity.chance_entropy(np.array([5, 1]), 2, draws=0), "draws are 0"),
    ],
)
def test_chance_refuses(call, told):
    with pytest.raises(InputError, match=told):
        call()


# ---- CKA: other people's values, and the formulas with n times n numbers


def direct(x, y):
    """(The paper's form, the debiased form) from Gram matrices, in long doubles."""
    grams = [side @ side.T for side in (np.asarray(s, np.longdouble) for s in (x, y))]
    n = len(x)
    centring = np.eye(n, dtype=np.longdouble) - np.longdouble(1) / n
    found = []
    for change in (lambda k: centring @ k @ centring, u_centred):
        k, m = (change(gram) for gram in grams)
        found.append(float((k * m).sum() / np.sqrt((k * k).sum()) / np.sqrt((m * m).sum())))
    return found


def u_centred(gram):
    """Szekely and Rizzo 2014, by the steps that shared/FACTS.md writes down."""
    gram, n = gram.copy(), len(gram)
    np.fill_diagonal(gram, 0)
    means = gram.sum(axis=1) / (n - 2)
    means -= means.sum() / (2 * (n - 1))
    gram -= means[:, None] + means[None]
    np.fill_diagonal(gram, 0)
    return gram


@pytest.mark.parametrize("name", ["independent", "related"])
def test_cka_is_that_of_thingsvision(shared, name):
    with np.load(shared / "oracle" / "cka.npz") as oracle:
        found = similarity.cka(oracle[f"{name}_x"], oracle[f"{name}_y"])
        assert found.paper == exact(oracle[f"{name}_biased"])
        assert found.debiased == exact(oracle[f"{name}_debiased"])


@pytest.fixture(scope="module")
def googlenet(shared):
    """Spatial means of 450 paintings at three layers of GoogLeNet, float32."""
    with np.load(shared / "oracle" / "googlenet_wikiart224_val.npz") as file:
        return {layer: file[f"{layer}_mean"] for layer in ("mixed3a", "mixed4c", "mixed5b")}


@pytest.mark.parametrize("pair", GOOGLENET, ids="-".join)
def test_cka_of_a_real_networks_layers_is_that_of_thingsvision(shared, googlenet, pair):
    name = "googlenet_" + "_".join(layer.removeprefix("mixed") for layer in pair)
    found = similarity.cka(*(googlenet[layer] for layer in pair))
    with np.load(shared / "oracle" / "cka.npz") as oracle:
        assert found.paper == exact(oracle[f"{name}_biased"])
        assert found.debiased == exact(oracle[f"{name}_debiased"])
    assert found.low < found.debiased < found.high and found.floor < 0.1
    assert found.paper_low < found.paper < found.paper_high and found.pictures == 450


@given(
    st.integers(5, 14),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([0, 1, 1e4]),
    st.sampled_from([1e-6, 1, 1e6]),
    st.integers(0, 99),
)
def test_cka_is_the_direct_formula(pictures, p, q, offset, scale, seed):
    x, y = related(pictures, p, q, seed)
    x, y = scale * (x + offset * gaussian(1, p, seed + 2)), y + offset
    found, wanted = similarity.cka(x, y), direct(x, y)
    assert [found.paper, found.debiased] == exact(wanted)
    matrix = similarity.cka_matrix([x], [y])
    assert [float(form[0, 0]) for form in matrix] == exact(wanted)


def test_cka_of_fewer_pictures_than_features_is_the_direct_formula():
    x, y = related(40, 700, 300)
    found = similarity.cka(x, y)
    assert [found.paper, found.debiased] == exact(direct(x, y))


@given(st.integers(5, 30), st.integers(2, 8), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_turning_scaling_and_moving_change_nothing(pictures, p, scale, seed):
    x, y = related(pictures, p, 4, seed)
    turn, _ = np.linalg.qr(gaussian(p, p, seed + 3))
    moved = scale * x @ turn + gaussian(1, p, seed + 4)
    same, before, after = similarity.cka(x, moved), similarity.cka(x, y), similarity.cka(moved, y)
    assert same.paper == exact(1) and same.debiased == exact(1)
    for name in ("paper", "debiased", "floor"):
        assert getattr(after, name) == exact(getattr(before, name))
    assert [after.low, after.high] == pytest.approx([before.low, before.high], abs=1e-6)


def test_a_layer_is_like_itself_without_doubt():
    x, _ = related(60, 20, 1)
    found = similarity.cka(x, x)
    assert found.paper == found.debiased == found.high == found.paper_high == 1
    assert found.low == found.paper_low == exact(1)
    wide = gaussian(3000, 4).astype("float32")
    assert similarity.cka(wide, 3 * wide + 1e3).low > 0.999


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.sampled_from([0, 1e4]),
    st.integers(0, 99),
)
def test_blocks_of_any_sizes_give_the_same(sizes, offset, seed):
    """Also where the first two pictures lie far from the others."""
    x, y = related(sum(sizes) + 4, 6, 5, seed)
    x[:2] += offset
    whole, sums, first = similarity.cka(x, y), CkaSums(), 0
    for size in [*sizes, 4]:
        sums.add(x[first : first + size], y[first : first + size])
        first += size
    assert sums.pictures == len(x)
    for name in ("paper", "debiased", "floor"):
        assert getattr(sums, name) == exact(getattr(whole, name))
    assert [sums.paper, sums.debiased] == exact(direct(x, y))


def test_cka_itself_goes_by_blocks(monkeypatch):
    x, y = related(50, 6, 5)
    whole = similarity.cka(x, y)
    monkeypatch.setattr(similarity, "BLOCK", 7)
    parts = similarity.cka(x, y)
    for name in ("paper", "debiased", "floor", "low", "high", "paper_low", "paper_high"):
        assert getattr(parts, name) == exact(getattr(whole, name))


def test_an_empty_block_adds_nothing():
    x, y = related(9, 3, 2)
    sums = CkaSums()
    for rows in (slice(0, 0), slice(None), slice(9, 9)):
        sums.add(x[rows], y[rows])
    assert sums.pictures == 9 and sums.paper == similarity.cka(x, y).paper


@given(st.integers(5, 12), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_what_it_is_without_a_picture_is_exact(pictures, p, q, seed):
    x, y = related(pictures, p, q, seed)
    sums = CkaSums()
    sums.add(x, y)
    wanted = []
    for row in range(pictures):
        others = CkaSums()
        others.add(np.delete(x, row, axis=0), np.delete(y, row, axis=0))
        wanted.append([others.paper, others.debiased])
    assert np.allclose(sums.without_each(x, y).T, wanted, rtol=0, atol=CLOSE, equal_nan=True)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_numbers_of_any_type_become_float64(dtype):
    x, y = (np.round(20 * side + 99).astype(dtype) for side in related(30, 5, 4))
    assert similarity.cka(x, y) == similarity.cka(x.astype("float64"), y.astype("float64"))


# ---- CKA: what has no similarity


@pytest.mark.parametrize("value", [0, 0.1, 1e4, -3e-7, 1 / 3])
def test_features_that_never_change_have_no_similarity(value):
    """0/0, not the similarity of rounding errors; also block by block."""
    x, same = gaussian(30, 4), np.full((30, 3), value)
    for pair in ((x, same), (same, x), (same, same)):
        found = similarity.cka(*pair)
        for name in ("paper", "debiased", "floor", "low", "high", "paper_low", "paper_high"):
            assert math.isnan(getattr(found, name))
        sums = CkaSums()
        for rows in (slice(0, 7), slice(7, 30)):
            sums.add(*(side[rows] for side in pair))
        assert math.isnan(sums.paper) and math.isnan(sums.debiased) and math.isnan(sums.floor)
        assert np.isnan(similarity.cka_matrix(*([side] for side in pair))).all()


def test_a_feature_that_never_changes_adds_nothing():
    x, y = related(30, 4, 3)
    more = np.concatenate([x, np.full((30, 2), 0.1)], axis=1)
    assert similarity.cka(more, y).debiased == exact(similarity.cka(x, y).debiased)


def test_pictures_that_are_all_as_far_apart_have_no_debiased_form():
    """Their U-centred Gram matrix is 0; the paper's form is not."""
    found = similarity.cka(np.eye(8), gaussian(8, 3))
    assert 0 < found.paper < 1 and math.isnan(found.debiased) and math.isnan(found.low)


def test_one_picture_that_is_all_the_difference_leaves_no_interval():
    x, y = np.zeros((9, 2)), gaussian(9, 3)
    x[4] = 1
    found = similarity.cka(x, y)
    assert math.isfinite(found.paper)
    assert math.isnan(found.paper_low) and math.isnan(found.low)


def test_four_pictures_have_no_interval_and_three_nothing():
    x, y = related(4, 3, 2)
    found = similarity.cka(x, y)
    assert [found.paper, found.debiased] == exact(direct(x, y))
    assert math.isnan(found.low) and math.isnan(found.paper_high)
    with pytest.raises(InputError, match="3 pictures; accepted: from 4"):
        similarity.cka(x[:3], y[:3])
    with pytest.raises(InputError, match="0 pictures"):
        CkaSums().paper  # noqa: B018


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (np.zeros((9, 2)), np.zeros((8, 2)), "9 and of 8 pictures"),
        (np.zeros(9), np.zeros(9), r"features \(9,\)"),
        (np.zeros((9, 0)), np.zeros((9, 1)), r"features \(9, 0\)"),
        (np.full((9, 1), np.nan), np.zeros((9, 1)), "NaN or infinite"),
        (np.zeros((9, 1)), np.full((9, 1), np.inf), "NaN or infinite"),
    ],
)
def test_cka_refuses(x, y, told):
    with pytest.raises(InputError, match=told):
        similarity.cka(x, y)
    if "8 pictures" not in told:
        with pytest.raises(InputError, match=told):
            similarity.cka_matrix([x], [y])


def test_later_blocks_have_the_same_features():
    sums = CkaSums()
    sums.add(gaussian(5, 3), gaussian(5, 2))
    with pytest.raises(InputError, match="4 features after blocks of 2"):
        sums.add(gaussian(5, 3), gaussian(5, 4))


# ---- CKA: laws of chance


@pytest.mark.parametrize(("pictures", "p", "q"), [(20, 50, 30), (60, 8, 8), (12, 100, 100)])
def test_the_debiased_form_of_unrelated_features_is_0_on_average(pictures, p, q):
    draws, found = 600, []
    for seed in range(draws):
        sums = CkaSums()
        sums.add(gaussian(pictures, p, 2 * seed), gaussian(pictures, q, 2 * seed + 1))
        found.append(sums.debiased)
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(draws)


@pytest.mark.parametrize(
    ("pictures", "features", "near"), [(100, 1024, 0.910), (748, 1024, 0.579), (748, 64, 0.078)]
)
def test_the_papers_form_of_unrelated_features_is_its_floor(pictures, features, near):
    """As simulated before, and near sqrt(p/(p+n) * q/(q+n)) (shared/FACTS.md)."""
    found = similarity.cka(gaussian(pictures, features), gaussian(pictures, features, 1))
    assert found.paper == pytest.approx(near, abs=4e-3)
    assert found.floor == pytest.approx(near, abs=4e-3)
    assert found.floor == pytest.approx(features / (features + pictures), abs=5e-3)
    # its standard deviation is near sqrt(2)/n where there are more features than pictures
    assert abs(found.debiased) < 3 * math.sqrt(2) / pictures
    assert found.low < 0 < found.high


@pytest.mark.parametrize(("pictures", "p", "q"), [(15, 4, 3), (40, 60, 5)])
def test_the_floor_is_the_mean_of_shuffles(pictures, p, q):
    x, y = related(pictures, p, q)
    random, draws, found = np.random.default_rng(0), 2000, []
    for _ in range(draws):
        sums = CkaSums()
        sums.add(x, random.permutation(y))
        found.append(sums.paper)
    error = np.std(found) / math.sqrt(draws)
    assert abs(np.mean(found) - similarity.cka(x, y).floor) < 3 * error


def test_the_floor_is_the_mean_of_all_shuffles():
    x, y = related(6, 3, 2)
    every = [direct(x, y[list(order)])[0] for order in itertools.permutations(range(6))]
    assert similarity.cka(x, y).floor == exact(np.mean(every))


@pytest.mark.parametrize(("rho", "low", "high"), [(0.3, 0.92, 0.98), (0.9, 0.92, 0.98)])
def test_intervals_hold_the_populations_similarity(rho, low, high):
    """Of pairs of Gaussian features with correlation rho the similarity is rho squared."""
    inside, pictures, draws = 0, 200, 400
    for seed in range(draws):
        x, noise = gaussian(pictures, 3, 2 * seed), gaussian(pictures, 3, 2 * seed + 1)
        found = similarity.cka(x, rho * x + math.sqrt(1 - rho**2) * noise)
        inside += found.low <= rho**2 <= found.high
    assert low <= inside / draws <= high


# ---- CKA: layers by layers


def test_layers_by_layers_are_the_pairs():
    a = [gaussian(20, size, size) for size in (3, 30, 1)]
    b = [gaussian(20, size, 7 * size) + a[0][:, :1] for size in (40, 2)]
    paper, debiased = similarity.cka_matrix(a, b)
    assert paper.shape == debiased.shape == (3, 2)
    for row, column in itertools.product(range(3), range(2)):
        found = similarity.cka(a[row], b[column])
        assert paper[row, column] == exact(found.paper)
        assert debiased[row, column] == exact(found.debiased)


def test_layers_by_the_same_layers_are_1_on_the_diagonal(googlenet):
    layers = list(googlenet.values())
    for form in similarity.cka_matrix(layers, layers):
        assert np.diag(form) == exact(1) and form == exact(form.T)


@pytest.mark.parametrize(
    ("a", "b"), [([], [5]), ([5], []), ([5, 6], [5]), ([5], [6]), ([3], [3])], ids=str
)
def test_layers_by_layers_refuse(a, b):
    with pytest.raises(InputError, match="accepted: the same pictures"):
        similarity.cka_matrix([gaussian(n, 2) for n in a], [gaussian(n, 2) for n in b])


# ---- kernels


def test_kernel_distances_by_hand():
    a = np.zeros((3, 3, 2, 2))
    a[0, 0, 0, 0], a[1, 1, 1, 1] = 3, 4
    b = a.copy()
    b[0, 0, 0, 0], b[2, 2, 0, 0] = 0, 4
    assert similarity.kernel_distance(a, b) == (5, 1)
    assert similarity.kernel_distance(2 * a, a) == (5, 0.5)
    assert similarity.kernel_distance(a, a) == (0, 0)
    distance, relative = similarity.kernel_distance(0 * a, a)
    assert distance == 5 and math.isnan(relative)


def test_the_distance_of_shuffled_weights_is_the_mean_over_all_shuffles():
    a, b = np.array([1.0, -2.0, 0.5, 4.0]), np.array([0.5, 3.0, -1.0, 2.0])
    squares = [np.sum((a - b[list(order)]) ** 2) for order in itertools.permutations(range(4))]
    expected = pytest.approx(np.sqrt(np.mean(squares)))
    assert similarity.shuffled_distance(a.reshape(2, 2), b.reshape(2, 2)) == expected
    assert similarity.shuffled_distance(np.full(9, 0.1), np.full(9, 0.1)) == pytest.approx(
        0, abs=1e-7
    )


def test_kernels_of_halves_are_compared_in_float64():
    a = np.full((1, 1, 64, 64), 60000, "float16")
    assert similarity.kernel_distance(a, -a) == (64 * 120000, 2)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: similarity.kernel_distance(np.zeros(3), np.zeros(4)), r"\(3,\) and \(4,\)"),
        (lambda: similarity.kernel_distance(np.zeros(3), np.full(3, np.nan)), "NaN"),
        (lambda: similarity.shuffled_distance(np.zeros(3), np.zeros(4)), r"\(3,\) and \(4,\)"),
    ],
)
def test_kernels_refuse(call, told):
    with pytest.raises(InputError, match=told):
        call()


# ---- trends and changes


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=20))
def test_rank_correlation_is_scipys_with_ties(pairs):
    x, y = np.array(pairs, float).T
    found = similarity.rank_correlation(x, y, draws=20)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found.rho) and math.isnan(found.low)
    else:
        assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert found.n == len(pairs) and found.left_out == 0


def test_pairs_without_number_are_left_out_and_counted():
    x = np.array([1, 2, np.nan, 3, 4, 5, 6, 7, 8, np.nan, 9])
    y = np.array([1, 2, 3, np.nan, 4, 5, 6, 7, 8, np.nan, 9])
    found = similarity.rank_correlation(x, -y)
    assert found == Rank(-1, -1, -1, 8, 3) and similarity.trend(found) == "falls"
    change = similarity.median_change(x, y + 0.5)
    assert (change.median, change.low, change.high) == (0.5, 0.5, 0.5)
    assert (change.n, change.left_out) == (8, 3)


def test_few_pairs_tell_no_trend():
    x = np.arange(7.0)
    found = similarity.rank_correlation(x, x)
    assert found.rho == 1 and math.isnan(found.low)
    assert similarity.trend(found) == "cannot be told"
    assert math.isnan(similarity.median_change(x, x + 1).low)
    empty = similarity.rank_correlation(x[:0], x[:0])
    assert math.isnan(empty.rho) and empty.n == 0
    assert math.isnan(similarity.median_change(x * np.nan, x).median)


def test_trends_in_words():
    assert similarity.trend(Rank(0.5, 0.1, 0.8, 20)) == "rises"
    assert similarity.trend(Rank(-0.5, -0.8, -0.1, 20)) == "falls"
    assert similarity.trend(Rank(0.2, -0.1, 0.5, 20)) == "cannot be told"
    assert similarity.trend(Rank(0.2, 0, 0.5, 20)) == "cannot be told"


def test_intervals_of_ranks_hold_the_truth():
    """Spearman's correlation of Gaussian pairs is 6/pi times arcsin of half Pearson's."""
    truth, inside, found = 6 / math.pi * math.asin(0.3), 0, 0
    for seed in range(200):
        x, noise = gaussian(57, 1, 2 * seed)[:, 0], gaussian(57, 1, 2 * seed + 1)[:, 0]
        rank = similarity.rank_correlation(x, 0.6 * x + 0.8 * noise, draws=200, seed=seed)
        inside += rank.low <= truth <= rank.high
        found += similarity.trend(similarity.rank_correlation(x, noise, 200)) != "cannot be told"
    assert 0.9 <= inside / 200 <= 0.985
    assert 0.02 <= found / 200 <= 0.1


def test_the_median_change_is_paired():
    """A shift of every channel is seen, however different the channels are."""
    before = 10 * gaussian(100, 1)[:, 0]
    after = before + 0.1 + 0.05 * gaussian(100, 1, 1)[:, 0]
    found = similarity.median_change(before, after)
    assert found.median == np.median(after - before)
    assert 0.08 < found.low < found.median < found.high < 0.12
    assert similarity.median_change(before, after) == found
    assert similarity.median_change(before, after, seed=1) != found


def test_many_channels_are_resampled_in_parts(monkeypatch):
    x, y = gaussian(40, 1)[:, 0], gaussian(40, 1, 1)[:, 0]
    whole = similarity.rank_correlation(x, y)
    monkeypatch.setattr(similarity, "MOST_NUMBERS", 100)
    assert similarity.rank_correlation(x, y) == whole


@pytest.mark.parametrize("function", [similarity.rank_correlation, similarity.median_change])
def test_trends_and_changes_refuse(function):
    with pytest.raises(InputError, match=r"numbers \(3,\) and \(4,\)"):
        function(np.zeros(3), np.zeros(4))
    with pytest.raises(InputError, match=r"numbers \(3, 1\)"):
        function(np.zeros((3, 1)), np.zeros((3, 1)))
    with pytest.raises(InputError, match="draws are 0"):
        function(np.arange(9.0), np.arange(9.0), draws=0)
