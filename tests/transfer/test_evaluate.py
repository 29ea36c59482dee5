import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    classification_report,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from models.errors import InputError
from transfer import evaluate

SCORES = np.array(
    [[0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.9, 0.1, 0.0, 0.0]]
)
LABELS = np.array([0, 0, 1, 3])


def test_hand_computed():
    assert evaluate.ranks(SCORES, LABELS).tolist() == [0, 3, 1, 3]
    found = evaluate.metrics(SCORES, LABELS)
    assert found["top1_accuracy"] == 0.25
    assert found["top3_accuracy"] == 0.5
    assert found["top5_accuracy"] == 1
    # predicted 0, 3, 0, 0: class 0 has precision 1/3 and recall 1/2, F1 0.4; 1 and 3 have none
    assert found["macro_f1"] == pytest.approx(0.4 / 3)
    logs = [np.log(0.5), np.log(0.1), np.log(0.25), np.log(evaluate.TINY)]
    assert found["loss"] == pytest.approx(-np.mean(logs))


def test_scores_that_are_no_numbers_are_no_hits():
    with pytest.raises(InputError, match="not all numbers"):
        evaluate.metrics(np.full((4, 4), np.nan), LABELS)


def test_decision_values_have_no_loss_and_no_calibration():
    found = evaluate.metrics(SCORES * 10 - 3, LABELS, probabilities=False)
    assert {found[name] for name in ("loss", "ece", "ece_if_calibrated")} == {None}


def test_balanced_accuracy_is_scikit_learns():
    # recalls of the classes that occur: 1/2, 0, 0; class 2 has no picture
    assert evaluate.metrics(SCORES, LABELS)["balanced_accuracy"] == pytest.approx(1 / 6)
    random = np.random.default_rng(0)
    scores, labels = random.random((50, 4)), random.integers(0, 4, 50)
    theirs = balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert evaluate.metrics(scores, labels)["balanced_accuracy"] == pytest.approx(theirs)


def test_calibration_by_hand():
    """Confidences 0.5, 0.55, 0.9 and 1 in four bins: (0.25, 0.5], two in (0.5, 0.75] and above."""
    scores = np.array([[0.5, 0.5], [0.45, 0.55], [0.9, 0.1], [1.0, 0.0]])
    bins = evaluate.reliability(scores, np.array([0, 0, 0, 0]), bins=4)
    assert bins["above"].tolist() == [0, 0.25, 0.5, 0.75]
    assert bins["up_to"].tolist() == [0.25, 0.5, 0.75, 1]
    assert bins["pictures"].tolist() == [0, 1, 1, 2]
    assert bins["confidence"].tolist()[1:] == pytest.approx([0.5, 0.55, 0.95])
    assert bins["accuracy"].tolist()[1:] == [1, 0, 1] and np.isnan(bins["accuracy"][0])
    assert (bins["low"][3], bins["high"][3]) == evaluate.wilson(2, 2)
    assert evaluate.calibration_error(bins) == pytest.approx((0.5 + 0.55 + 2 * 0.05) / 4)


def test_calibration_error_beside_that_of_a_calibrated_network():
    # of one picture of probability p: p (1 - p) + (1 - p) p on average
    scores = np.array([[0.3, 0.7]])
    assert evaluate.calibration_error_by_chance(scores) == pytest.approx(2 * 0.3 * 0.7, abs=0.02)
    assert evaluate.calibration_error_by_chance(np.eye(3)) == 0
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 3000)
    labels = (random.random(3000) > sure).astype(int)
    found = evaluate.metrics(np.stack([sure, 1 - sure], axis=1), labels)
    assert found["ece"] < 2 * found["ece_if_calibrated"] < 0.06
    swapped = evaluate.metrics(np.stack([sure, 1 - sure], axis=1), 1 - labels)
    assert swapped["ece"] > 10 * swapped["ece_if_calibrated"]


@given(st.data(), st.integers(1, 5))
def test_an_ensemble_is_numpys_mean(data, networks):
    shape, values = (6, 3), st.floats(0, 1, width=32)
    several = [data.draw(hnp.arrays(np.float32, shape, elements=values)) for _ in range(networks)]
    found = evaluate.mean_scores(several)
    assert (found == np.mean(np.stack(several).astype(np.float64), axis=0)).all()


def test_an_ensemble_of_different_pictures_is_refused():
    with pytest.raises(InputError, match="6 x 3, 6 x 4; accepted"):
        evaluate.mean_scores([np.ones((6, 3)), np.ones((6, 4))])
    with pytest.raises(InputError, match="none; accepted"):
        evaluate.mean_scores([])


@given(st.data(), st.integers(1, 5), st.integers(1, 30))
def test_several_labels_agree_with_scikit_learn(data, classes, pictures):
    shape, names = (pictures, classes), list("abcde")[:classes]
    labels = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    few = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # ties
    scores = data.draw(hnp.arrays(np.float32, shape, elements=few))
    rows = evaluate.per_label(scores, labels, names)
    some = labels.any(axis=0)
    for row in rows.itertuples():
        true, said = labels[:, row.number], scores[:, row.number] >= 0.5
        theirs = classification_report(
            true, said, labels=[1], output_dict=True, zero_division=np.nan
        )["1"]
        assert (row.pictures, row.predicted) == (true.sum(), said.sum())
        assert row.precision == pytest.approx(theirs["precision"], nan_ok=True)
        if not row.pictures:
            told = (row.average_precision, row.by_chance, row.recall, row.f1)
            assert np.isnan(told).all()
            continue
        assert row.average_precision == average_precision_score(true, scores[:, row.number])
        assert row.recall == pytest.approx(theirs["recall"])
        assert row.f1 == pytest.approx(theirs["f1-score"])
    if not some.any():
        with pytest.raises(InputError, match=f"none of {classes} classes has a picture"):
            evaluate.label_metrics(scores, labels, names)
        return
    found = evaluate.label_metrics(scores, labels, names)
    theirs = average_precision_score(labels[:, some], scores[:, some], average="macro")
    assert found["mean_average_precision"] == pytest.approx(theirs)
    assert found["chance_mean_average_precision"] == pytest.approx(labels[:, some].mean())
    assert found["classes_counted"] == some.sum()
    said = scores >= 0.5
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        theirs = [score(labels[:, n], said[:, n], zero_division=0) for n in np.flatnonzero(some)]
        assert found[f"macro_{name}"] == pytest.approx(np.mean(theirs))


def test_labels_that_do_not_count_are_in_no_mean_but_in_the_loss():
    labels = np.array([[1, 0, 1], [0, 1, 1]])
    scores = np.array([[0.9, 0.8, 0.5], [0.2, 0.3, 0.6]])
    every = evaluate.label_metrics(scores, labels, list("abc"))
    two = evaluate.label_metrics(scores, labels, list("abc"), np.array([True, False, True]))
    apart = evaluate.label_metrics(scores[:, [0, 2]], labels[:, [0, 2]], list("ac"))
    assert two["mean_average_precision"] == 1 != every["mean_average_precision"]
    assert two["loss"] == every["loss"] != apart["loss"]
    assert {k: v for k, v in two.items() if k != "loss"} == {
        k: v for k, v in apart.items() if k != "loss"
    }
    with pytest.raises(InputError, match="none of 3 classes"):
        evaluate.label_metrics(scores, labels, list("abc"), np.zeros(3, bool))


def test_loss_of_several_labels_is_summed_over_classes():
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    scores = np.array([[0.9, 0.2, 0.1], [0.4, 0.6, 0.5], [0.7, 0.3, 0.2]])
    each = [log_loss(labels[:, n], scores[:, n], labels=[0, 1]) for n in range(3)]
    assert evaluate.label_metrics(scores, labels, list("abc"))["loss"] == pytest.approx(sum(each))
    with pytest.raises(InputError, match="not all numbers"):
        evaluate.label_metrics(scores * np.nan, labels, list("abc"))


def test_predictions_of_several_labels_are_told_in_full():
    labels, scores = np.array([[1, 1], [0, 0]]), np.array([[0.5, 0.25], [0.125, 1 / 3]])
    rows = evaluate.label_predictions(["x", "y"], labels, scores, ["tree", "lake"])
    assert rows.to_dict("list") == {
        "id": ["x", "y"],
        "true": ["tree | lake", "(none)"],
        "predicted": ["tree", "(none)"],
        "score of tree": [0.5, 0.125],
        "score of lake": [0.25, 0.333333],
    }


@given(st.data(), st.integers(2, 8), st.integers(1, 30))
def test_ranks_agree_with_scikit_learn(data, classes, pictures):
    unique = st.floats(0, 1, width=32)
    scores = data.draw(hnp.arrays(np.float32, (pictures, classes), elements=unique, unique=True))
    labels = data.draw(hnp.arrays(np.int64, pictures, elements=st.integers(0, classes - 1)))
    place = evaluate.ranks(scores, labels)
    for k in range(1, classes):
        ours = np.mean(place < k)
        # scikit-learn wants one column for two classes
        given_scores = scores if classes > 2 else scores[:, 1] - scores[:, 0]
        theirs = top_k_accuracy_score(labels, given_scores, k=k, labels=range(classes))
        if classes > 2:
            assert ours == pytest.approx(theirs)
    assert (place[scores.argmax(1) == labels] == 0).all()


def test_constant_scores_are_no_better_than_one_class():
    """Ties must not count as hits: equal scores for 10 classes are right for one of them."""
    scores, labels = np.ones((10, 10)), np.arange(10)
    assert evaluate.metrics(scores, labels)["top1_accuracy"] == 0.1


def test_tables_survive_hostile_names():
    classes = ["Boëtius", 'a "b", c', "new\nline", " | "]
    ids = ["1", "é,2", '"3"', "4\n"]
    text = evaluate.predictions(ids, LABELS, SCORES, classes).to_csv(index=False)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["id"] for row in rows] == ids
    assert [row["true"] for row in rows] == [classes[i] for i in LABELS]
    assert [row["rank_of_true"] for row in rows] == ["1", "4", "2", "4"]
    text = evaluate.confusion(LABELS, SCORES, classes).to_csv(index=False)
    matrix = list(csv.reader(io.StringIO(text)))
    assert matrix[0][1:] == classes
    counts = np.array([row[1:] for row in matrix[1:]], int)
    assert counts.tolist() == [[1, 0, 0, 1], [1, 0, 0, 0], [0] * 4, [1, 0, 0, 0]]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Newcombe 1998, table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(hits, count, low, high):
    np.testing.assert_allclose(evaluate.wilson(hits, count), (low, high), atol=5e-5)


def test_an_interval_of_nothing_is_unknown_and_of_all_ends_at_1():
    low, high = evaluate.wilson(np.array([0, 7]), np.array([0, 7]))
    assert np.isnan([low[0], high[0]]).all() and high[1] == 1 and 0.6 < low[1] < 1


def test_accuracy_has_its_interval_and_what_chance_gives():
    found = evaluate.metrics(SCORES, LABELS)
    assert found["top1_interval"] == pytest.approx(evaluate.wilson(1, 4))
    # class 2 is the commonest to train with, and half of the test
    assert evaluate.chance([2, 2, 2, 0, 1, 1], [2, 0, 2, 1]) == 0.5
    assert evaluate.chance([0, 1, 1], [0, 0, 2]) == 0
    # of the k commonest classes; of classes as common as each other the first
    assert evaluate.chance([2, 2, 2, 0, 1], [2, 0, 2, 1], k=2) == 0.75
    assert evaluate.chance([2, 2, 2, 0, 1], [2, 0, 2, 1], k=5) == 1


@given(st.data(), st.integers(2, 6), st.integers(1, 40))
def test_classes_agree_with_scikit_learn(data, classes, pictures):
    numbers = st.integers(0, classes - 1)
    labels = data.draw(hnp.arrays(np.int64, pictures, elements=numbers))
    predicted = data.draw(hnp.arrays(np.int64, pictures, elements=numbers))
    rows = evaluate.per_class(labels, np.eye(classes)[predicted], list("abcdef")[:classes])
    report = classification_report(
        labels, predicted, labels=range(classes), output_dict=True, zero_division=np.nan
    )
    for row in rows.itertuples():
        theirs = report[str(row.number)]
        for ours, name in ((row.precision, "precision"), (row.recall, "recall"), (row.f1, "f1")):
            key = "f1-score" if name == "f1" else name
            assert ours == pytest.approx(theirs[key], nan_ok=True)
        assert row.pictures == theirs["support"] == (labels == row.number).sum()
        assert row.predicted == (predicted == row.number).sum()
        if row.pictures:
            assert row.recall_low - 1e-9 <= row.recall <= row.recall_high + 1e-9


COUNTS = np.array([[5, 3, 0, 0], [1, 6, 0, 0], [0, 0, 4, 2], [0, 0, 2, 0]])


def test_confused_pairs_hand_computed():
    pairs = evaluate.confused_pairs(COUNTS, list("abcd"))
    assert pairs[["class_a", "class_b", "a_as_b", "b_as_a", "confused"]].values.tolist() == [
        ["c", "d", 2, 2, 4],  # 4 of 8 pictures; the other pair is 4 of 15
        ["a", "b", 3, 1, 4],
    ]
    assert pairs["share"].tolist() == pytest.approx([4 / 8, 4 / 15])
    # 23 pictures; c: 6 true, 6 predicted; d: 2 and 2; a: 8 and 6; b: 7 and 9
    expected = [(6 * 2 + 2 * 6) / 23, (8 * 9 + 7 * 6) / 23]
    assert pairs["by_chance"].tolist() == pytest.approx(expected)
    assert evaluate.confused_pairs(np.diag([3, 0, 1]), list("abc")).empty


def test_the_class_that_is_taken_for_the_other_more_often_comes_first():
    (pair,) = evaluate.confused_pairs([[1, 1], [4, 0]], ["x", "y"]).itertuples()
    assert (pair.class_a, pair.class_b, pair.a_as_b, pair.b_as_a) == ("y", "x", 4, 1)


def test_mistakes_begin_with_the_surest():
    assert evaluate.mistakes(LABELS, SCORES).tolist() == [3, 1, 2]
    assert evaluate.mistakes(np.arange(3), np.eye(3)).tolist() == []


def test_the_part_with_the_most_mistakes():
    counts = np.diag([9, 9, 9, 0, 9])
    counts[0, 4] = counts[4, 0] = 2
    counts[2, 1] = 1
    assert evaluate.most_confused(counts, 9).tolist() == [0, 1, 2, 4]  # 3 never occurs
    assert evaluate.most_confused(counts, 2).tolist() == [0, 4]


def test_blocks_stand_together():
    """Three blocks of classes that are confused only within them, in a shuffled matrix."""
    rng = np.random.default_rng(0)
    blocks = rng.permutation(np.repeat([0, 1, 2], [4, 3, 5]))
    counts = np.where(blocks[:, None] == blocks[None], 5, 0) + np.diag(np.full(12, 20))
    order = evaluate.block_order(counts)
    assert sorted(order) == list(range(12))
    assert np.count_nonzero(np.diff(blocks[order])) == 2


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_few_classes_have_an_order(classes):
    assert sorted(evaluate.block_order(np.eye(classes))) == list(range(classes))
    assert sorted(evaluate.block_order(np.zeros((classes, classes)))) == list(range(classes))


def test_accuracy_on_groups_that_were_seen_and_on_the_others():
    correct = np.array([True, True, False, True, False])
    shared = {
        "title": np.array([True, True, True, False, False]),
        "artist": np.zeros(5, bool),
    }
    title, artist = evaluate.by_group(correct, shared).to_dict("records")
    assert (title["column"], title["seen_pictures"], title["other_pictures"]) == ("title", 3, 2)
    assert title["seen_accuracy"] == pytest.approx(2 / 3) and title["other_accuracy"] == 0.5
    low, high = evaluate.wilson(2, 3)
    assert (title["seen_low"], title["seen_high"]) == (low, high)
    assert artist["seen_pictures"] == 0 and np.isnan(artist["seen_accuracy"])
    assert np.isnan(artist["seen_low"]) and artist["other_accuracy"] == pytest.approx(0.6)


def test_without_columns_there_is_nothing_to_compare():
    table = evaluate.by_group(np.array([True]), {})
    assert table.empty and "seen_pictures" in table
