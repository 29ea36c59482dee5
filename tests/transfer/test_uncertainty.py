"""Intervals and tests against other formulas, published figures, and how often they cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binom, false_discovery_control, ttest_1samp
from sklearn.metrics import average_precision_score, f1_score, recall_score

from models.errors import InputError
from transfer import evaluate, uncertainty

RNG = np.random.default_rng


def resample(labels, row):
    """Places of the pictures that a row of weights draws."""
    return np.repeat(np.arange(len(labels)), row)


@given(st.data(), st.integers(2, 5), st.integers(1, 25))
def test_statistics_of_a_resample_are_those_of_the_drawn_pictures(data, classes, pictures):
    numbers = hnp.arrays(np.int64, pictures, elements=st.integers(0, classes - 1))
    labels, predicted = data.draw(numbers), data.draw(numbers)
    weights = RNG(0).multinomial(pictures, np.full(pictures, 1 / pictures), size=4)
    found = {
        name: getattr(uncertainty, name)(labels, predicted)(weights)
        for name in ("top1", "macro_f1", "balanced_accuracy")
    }
    for number, row in enumerate(weights):
        places = resample(labels, row)
        true, said = labels[places], predicted[places]
        assert found["top1"][number] == pytest.approx(np.mean(true == said))
        f1 = f1_score(true, said, average="macro", zero_division=0)
        assert found["macro_f1"][number] == pytest.approx(f1)
        recall = recall_score(true, said, average="macro", labels=np.unique(true), zero_division=0)
        assert found["balanced_accuracy"][number] == pytest.approx(recall)


@given(st.data(), st.integers(1, 4), st.integers(1, 20))
def test_average_precision_of_a_resample_is_scikit_learns(data, classes, pictures):
    shape = (pictures, classes)
    labels = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))
    few = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # ties
    scores = data.draw(hnp.arrays(np.float64, shape, elements=few))
    weights = RNG(0).multinomial(pictures, np.full(pictures, 1 / pictures), size=3)
    for found, row in zip(
        uncertainty.mean_average_precision(labels, scores)(weights), weights, strict=True
    ):
        places = resample(labels, row)
        counted = [n for n in range(classes) if labels[places, n].any()]
        theirs = [average_precision_score(labels[places, n], scores[places, n]) for n in counted]
        assert found == pytest.approx(np.mean(theirs) if theirs else np.nan, nan_ok=True)


def test_bootstrap_is_the_percentiles_of_its_draws_and_seeded(monkeypatch):
    right = RNG(1).random(40) < 0.7
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights @ right / 40

    interval = uncertainty.bootstrap(statistic, 40, repeats=300)
    weights = np.concatenate(seen)
    assert weights.shape == (300, 40) and (weights.sum(axis=1) == 40).all()
    assert interval == tuple(np.percentile(weights @ right / 40, (2.5, 97.5)))
    monkeypatch.setattr(uncertainty, "BLOCK", 7 * 40)  # in pieces of 7
    assert uncertainty.bootstrap(statistic, 40, repeats=300) == interval
    assert uncertainty.bootstrap(statistic, 40, repeats=300, seed=5) != interval
    # about the exact percentiles of a binomial
    low, high = binom.ppf((0.025, 0.975), 40, right.mean()) / 40
    assert abs(interval[0] - low) <= 0.05 and abs(interval[1] - high) <= 0.05


def test_groups_are_drawn_whole_and_widen_the_interval():
    units = np.repeat([f"artist {n}" for n in range(12)], 10)
    right = np.repeat(RNG(0).random(12) < 0.5, 10)  # all or nothing of an artist
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights @ right / weights.sum(axis=1)

    low, high = uncertainty.bootstrap(statistic, 120, units, repeats=200)
    weights = np.concatenate(seen).reshape(-1, 12, 10)
    assert (weights == weights[:, :, :1]).all() and (weights[:, :, 0].sum(axis=1) == 12).all()
    alone = uncertainty.bootstrap(statistic, 120, repeats=200)
    assert high - low > 2 * (alone[1] - alone[0])


def test_a_number_that_no_resample_has_has_no_interval():
    found = uncertainty.bootstrap(lambda weights: np.full(len(weights), np.nan), 5, repeats=10)
    assert np.isnan(found).all()


def of_classes(*sizes):
    """Labels of classes of these sizes, and scores that are right for three of four."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    said = np.where(np.arange(len(labels)) % 4 < 3, labels, 0)
    return np.eye(len(sizes))[said], labels


def test_intervals_as_a_run_keeps_them():
    scores, labels = of_classes(20, 30)
    found = uncertainty.intervals(scores, labels)
    assert list(found["intervals"]) == ["macro_f1", "balanced_accuracy"]
    measured = evaluate.metrics(scores, labels)
    for name, (low, high) in found["intervals"].items():
        assert 0.5 < low < measured[name] < high <= 1
    assert found["intervals_over"] == "50 pictures" and found["intervals_left_out"] is None


def test_intervals_are_left_out_where_classes_are_small():
    found = uncertainty.intervals(*of_classes(20, 9, 30))
    assert found["intervals"] == {"macro_f1": None, "balanced_accuracy": None}
    assert found["intervals_left_out"] == (
        "1 of 3 classes have fewer than 10 test pictures, where the bootstrap gives too narrow an "
        "interval"
    )


def test_intervals_over_groups_have_the_accuracys_too():
    scores, labels = of_classes(40, 40)
    units = [str(place // 2) for place in range(80)]
    found = uncertainty.intervals(scores, labels, units)
    assert found["intervals_over"] == "40 groups of 80 pictures"
    assert None not in found["intervals"].values() and len(found["intervals"]) == 3
    few = uncertainty.intervals(scores, labels, [str(place // 10) for place in range(80)])
    assert set(few["intervals"].values()) == {None}
    assert "2 of 2 classes have fewer than 10 test groups" in few["intervals_left_out"]


def test_interval_of_several_labels():
    random = RNG(3)
    labels = (random.random((150, 3)) < 0.5).astype(int)
    scores = np.clip(0.5 * labels + 0.7 * random.random((150, 3)), 0, 1)
    found = uncertainty.label_intervals(scores, labels)
    low, high = found["intervals"]["mean_average_precision"]
    value = evaluate.label_metrics(scores, labels, list("abc"))["mean_average_precision"]
    assert low < value < high
    labels[:, 1] = np.arange(150) < 49
    found = uncertainty.label_intervals(scores, labels)
    assert found["intervals"] == {"mean_average_precision": None}
    assert found["intervals_left_out"].startswith("1 of 3 labels have fewer than 50 test")


def answers(both, first, second, neither):
    """Two networks' right answers, of so many pictures each."""
    counts = (both, first, second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False] * 2, counts)


@given(st.integers(0, 9), st.integers(0, 30), st.integers(0, 30), st.integers(0, 9))
def test_mcnemar_is_the_exact_binomial(both, first, second, neither):
    p = uncertainty.mcnemar(*answers(both, first, second, neither))
    apart = first + second
    # all outcomes that are no likelier than the one seen
    likely = binom.pmf(np.arange(apart + 1), apart, 0.5)
    assert p == pytest.approx(likely[likely <= likely[first] * (1 + 1e-7)].sum())


def test_mcnemar_by_hand():
    assert uncertainty.mcnemar(*answers(5, 1, 7, 2)) == pytest.approx(2 * (1 + 8) / 2**8)
    assert uncertainty.mcnemar(*answers(5, 0, 0, 2)) == 1
    with pytest.raises(InputError, match="3 and 2 pictures"):
        uncertainty.mcnemar([True] * 3, [True] * 2)


# (both, first alone, second alone, neither), difference and ends: what the R package
# contingencytables gives for Cavo et al. 2012, and Fagerland et al. 2014 for Bentur et al. 2009
@pytest.mark.parametrize(
    ("counts", "expected", "digits"),
    [
        ((59, 6, 16, 80), (-0.0621, -0.1186, -0.0046), 5e-5),
        ((1, 1, 7, 12), (-0.286, -0.507, -0.026), 5e-4),
    ],
)
def test_paired_difference_is_the_published_one(counts, expected, digits):
    found = uncertainty.paired_difference(*answers(*counts))
    np.testing.assert_allclose(found, expected, atol=digits)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_paired_difference_holds_itself_and_turns_round(both, first, second, neither):
    if not both + first + second + neither:
        with pytest.raises(InputError, match="0 pictures"):
            uncertainty.paired_difference([], [])
        return
    one, other = answers(both, first, second, neither)
    difference, low, high = uncertainty.paired_difference(one, other)
    assert -1 <= low <= difference <= high <= 1
    assert difference == pytest.approx((first - second) / len(one))
    turned = uncertainty.paired_difference(other, one)
    assert turned == pytest.approx((-difference, -high, -low))


def test_paired_difference_of_so_many_pictures_that_their_product_leaves_64_bits():
    quarter = 2**16
    difference, low, high = uncertainty.paired_difference(*answers(*[quarter] * 4))
    assert difference == 0 and low == pytest.approx(-high)
    # independent answers: the variance of the difference is 2 * 0.25 / count
    assert high == pytest.approx(1.96 * np.sqrt(0.5 / (4 * quarter)), rel=0.001)


def test_holm_by_hand():
    # 0.01 * 4; max(that, 0.02 * 3); max(that, 0.03 * 2); max(that, 0.5)
    found = uncertainty.holm([0.03, 0.01, 0.5, 0.02])
    assert found.tolist() == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert uncertainty.holm([0.6, 0.9]).tolist() == [1, 1]
    assert uncertainty.holm([]).tolist() == []
    found = uncertainty.holm([np.nan, 0.01, 0.02])  # three tests
    assert found == pytest.approx([np.nan, 0.03, 0.04], nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_false_discovery_rates_and_bonferroni(values):
    found = uncertainty.holm(values)
    assert (found >= false_discovery_control(values) - 1e-12).all()
    assert (found <= np.minimum(len(values) * np.array(values), 1) + 1e-12).all()
    assert (found >= values).all()


def test_differences_over_splits():
    differences = [3.0, 1.0, 4.0, 1.0, 5.0]
    mean, low, high, p = uncertainty.split_difference(differences, 80, 0)
    plain = ttest_1samp(differences, 0)  # test sets of nothing do not overlap
    assert (mean, p) == pytest.approx((2.8, plain.pvalue))
    assert (low, high) == pytest.approx(tuple(plain.confidence_interval()))
    _, wide_low, wide_high, larger = uncertainty.split_difference(differences, 80, 20)
    # 1/5 + 20/80 is 2.25 times 1/5
    assert wide_high - wide_low == pytest.approx(1.5 * (high - low)) and larger > p
    with pytest.raises(InputError, match="1 splits"):
        uncertainty.split_difference([2.0], 8, 2)


@pytest.mark.parametrize("differences", [[2.0, 2.0], [0.0, 0.0, 0.0], [0.3 - 0.2, 0.8 - 0.7]])
def test_a_difference_that_does_not_spread_has_no_interval_and_no_p(differences):
    mean, *others = uncertainty.split_difference(differences, 8, 2)
    assert mean == pytest.approx(differences[0]) and np.isnan(others).all()


@pytest.mark.parametrize(("count", "tested", "trained"), [(2, 20, 80), (3, 36, 283)])
@pytest.mark.parametrize("apart", [0.05, 0.15])
def test_few_small_splits_tell_equal_methods_apart_no_more_often_than_they_may(
    count, tested, trained, apart
):
    """1,000 collections, each method right about 70 %; they answer alike but for 2 * `apart`."""
    random, wrong = RNG(0), 0
    chances = [0.7 - apart, apart, apart, 0.3 - apart]  # both, one alone, the other alone, neither
    for _ in range(1000):
        kinds = random.choice(4, trained + tested, p=chances)
        gained = (kinds == 1).astype(float) - (kinds == 2)
        drawn = [random.permutation(len(kinds))[:tested] for _ in range(count)]
        differences = [gained[test].mean() for test in drawn]
        wrong += uncertainty.split_difference(differences, trained, tested)[3] < 0.05
    assert wrong <= binom.ppf(0.99, 1000, 0.05)  # 20,000 collections: 0.0 to 3.9 %


# ---- how often an interval holds what it is an interval of


@pytest.mark.parametrize(("count", "share"), [(100, 0.7), (123, 0.6), (400, 0.9)])
def test_wilson_covers(count, share):
    """2,000 tests of `count` pictures, each right with probability `share`."""
    low, high = evaluate.wilson(RNG(0).binomial(count, share, 2000), count)
    covered = np.mean((low <= share) & (share <= high))
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(("count", "share"), [(41, 0.8), (50, 0.5), (123, 0.85), (500, 0.5)])
def test_wilson_covers_exactly_so_often(count, share):
    """Of all numbers of right answers by how likely each is: no draw."""
    hits = np.arange(count + 1)
    low, high = evaluate.wilson(hits, count)
    covered = binom.pmf(hits, count, share)[(low <= share) & (share <= high)].sum()
    assert 0.93 <= covered <= 0.97


def networks(sizes, right, count, random):
    """Labels and answers of test pictures, and what would be measured on endlessly many.

    Wrong answers are shared out among the other classes as often as these are.
    """
    sizes = np.asarray(sizes, float) / np.sum(sizes)
    wrong = (1 - np.eye(len(sizes))) * sizes
    says = wrong / wrong.sum(axis=1, keepdims=True) * (1 - right)[:, None] + np.diag(right)
    labels = random.choice(len(sizes), count, p=sizes)
    below = says[labels].cumsum(axis=1) < random.random(count)[:, None]
    joint = sizes[:, None] * says
    truth = {
        "macro_f1": np.mean(2 * np.diag(joint) / (joint.sum(axis=0) + joint.sum(axis=1))),
        "balanced_accuracy": right.mean(),
        "top1": np.diag(joint).sum(),
    }
    return labels, np.minimum(below.sum(axis=1), len(sizes) - 1), truth


# classes alike, or as often as 1, 1/2, 1/3, ...
EVEN, UNEVEN = np.ones(14), 1 / np.arange(1, 15)
COVERED = {
    ("macro_f1", 123, "uneven"): (0.80, 0.88),
    ("macro_f1", 123, "even"): (0.87, 0.92),
    ("macro_f1", 280, "even"): (0.90, 0.95),
    ("macro_f1", 1000, "even"): (0.93, 0.97),
    ("macro_f1", 1000, "uneven"): (0.91, 0.95),
    ("balanced_accuracy", 123, "uneven"): (0.89, 0.94),
    ("balanced_accuracy", 280, "even"): (0.92, 0.96),
    ("balanced_accuracy", 1000, "even"): (0.93, 0.97),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count", "kind"), COVERED)
def test_bootstrap_covers_as_the_docs_say(name, count, kind):
    """2,000 tests of 14 classes, recalls from 0.9 to 0.4, 500 resamples each."""
    random, hits = RNG(0), 0
    sizes = EVEN if kind == "even" else UNEVEN
    for _ in range(2000):
        labels, said, truth = networks(sizes, np.linspace(0.9, 0.4, 14), count, random)
        statistic = getattr(uncertainty, name)(labels, said)
        low, high = uncertainty.bootstrap(statistic, count, repeats=500)
        hits += low <= truth[name] <= high
    print(f"{name} of {count} pictures, classes {kind}: covered {hits / 20:.1f} %")
    least, most = COVERED[name, count, kind]
    assert least <= hits / 2000 <= most


@pytest.mark.slow
@pytest.mark.parametrize(("share", "least", "most"), [(0.08, 0.74, 0.82), (0.3, 0.91, 0.95)])
def test_bootstrap_of_average_precision_covers_as_the_docs_say(share, least, most):
    """2,000 tests of 200 pictures and 8 labels that `share` of them have, 500 resamples each."""
    random, hits = RNG(0), 0

    def drawn(count):
        labels = (random.random((count, 8)) < share).astype(int)
        return labels, 1.5 * labels + random.normal(size=labels.shape)

    labels, scores = drawn(200_000)
    truth = evaluate.per_label(scores, labels, list("abcdefgh"))["average_precision"].mean()
    for _ in range(2000):
        labels, scores = drawn(200)
        statistic = uncertainty.mean_average_precision(labels, scores)
        low, high = uncertainty.bootstrap(statistic, 200, repeats=500)
        hits += low <= truth <= high
    print(f"mAP, {share:.0%} positives: covered {hits / 20:.1f} %")
    assert least <= hits / 2000 <= most


@pytest.mark.slow
@pytest.mark.parametrize("groups", [10, 40])
def test_bootstrap_over_groups_covers_as_the_docs_say(groups):
    """2,000 tests of groups of 10 pictures, whose accuracies differ (beta(3.5, 1.5))."""
    random, hits, alone = RNG(0), 0, 0
    units = np.repeat(np.arange(groups), 10)
    for _ in range(2000):
        right = random.random(10 * groups) < np.repeat(random.beta(3.5, 1.5, groups), 10)
        statistic = uncertainty.top1(np.ones(len(right)), right)
        low, high = uncertainty.bootstrap(statistic, len(right), units, repeats=500)
        hits += low <= 0.7 <= high
        low, high = evaluate.wilson(right.sum(), len(right))
        alone += low <= 0.7 <= high
    print(f"{groups} groups of 10: covered {hits / 20:.1f} %, Wilson {alone / 20:.1f} %")
    assert alone < 1700 < 1740 < hits


@pytest.mark.slow
@pytest.mark.parametrize("chances", [(0.6, 0.15, 0.05, 0.2), (0.88, 0.05, 0.02, 0.05)])
@pytest.mark.parametrize("count", [40, 100, 400])
def test_paired_difference_covers_as_the_docs_say(chances, count):
    """2,000 tests; chances: both right, the first alone, the second alone, neither."""
    counts = RNG(0).multinomial(count, chances, 2000)
    ends = np.array([uncertainty.paired_difference(*answers(*row))[1:] for row in counts])
    truth = chances[1] - chances[2]
    covered = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    print(f"{count} pictures, {chances}: covered {covered:.1%}")
    assert covered >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("count", [40, 100, 400])
def test_mcnemar_is_wrong_less_often_than_it_says(count):
    """2,000 pairs of networks that are right equally often, each alone about a tenth."""
    counts = RNG(0).multinomial(count, (0.6, 0.1, 0.1, 0.2), 2000)
    wrong = np.mean([uncertainty.mcnemar(*answers(*row)) < 0.05 for row in counts])
    print(f"{count} pictures: {wrong:.1%} of equal networks told apart")
    assert wrong <= 0.05


def nearest_mean(features, labels, training, tested):
    """Which of the tested rows get the label whose training rows' mean is nearest: bool."""
    means = np.stack([features[training & (labels == c)].mean(0) for c in range(labels.max() + 1)])
    distances = ((tested[0][:, None] - means) ** 2).sum(-1)
    return distances.argmin(1) == tested[1]


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_split_difference_covers_as_the_docs_say(shift):
    """1,000 collections of 355 pictures, ten splits each, 36 of them tested; 4 classes.

    The first classifier sees 8 features; the second 8 others, whose classes are nearer by `shift`.
    The truth is the mean difference of classifiers of as many training pictures.
    """
    random, found, truth = RNG(0), [], []
    centres = random.normal(size=(2, 4, 8)) * 0.8
    centres[1] = centres[0] * (1 - shift)  # as hard as the first where shift is 0

    def drawn(count):
        labels = random.permutation(np.arange(count) % 4)
        return centres[:, labels] + random.normal(size=(2, count, 8)), labels

    for _ in range(1000):
        features, labels = drawn(355)
        differences = []
        for _ in range(10):
            order = random.permutation(355)
            training = np.isin(np.arange(355), order[72:])
            test = order[:36]
            first, second = (
                nearest_mean(one, labels, training, (one[test], labels[test])) for one in features
            )
            differences.append(first.mean() - second.mean())
        found.append(uncertainty.split_difference(differences, 283, 36))
        new, answers = drawn(400)
        first, second = (
            nearest_mean(one, labels, training, (other, answers))
            for one, other in zip(features, new, strict=True)
        )
        truth.append(first.mean() - second.mean())
    mean, low, high, p = np.array(found).T
    truth = np.mean(truth) if shift else 0.0
    covered = np.mean((low <= truth) & (truth <= high))
    told = f"covered {covered:.1%}, told apart {np.mean(p < 0.05):.1%}"
    print(f"ten splits, difference {truth:.3f}: {told}")
    assert 0.93 <= covered <= 0.985
