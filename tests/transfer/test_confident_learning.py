from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from transfer import confident_learning, splits
from transfer.confident_learning import (
    find_doubts,
    nearest,
    predict_out_of_fold,
    swap_labels,
)


def clusters(classes=3, each=12, spread=0.1, seed=0):
    """(features, labels): pictures of a class lie around a corner of their own."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return np.eye(classes)[labels] + spread * random.normal(size=(len(labels), classes)), labels


def test_thresholds_and_counts_are_those_worked_out_by_hand():
    # thresholds: class 0 mean(0.8, 0.6, 0.1) = 0.5; class 1 mean(0.9, 0.5) = 0.7
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.1, 0.9], [0.5, 0.5]])
    doubts = find_doubts(probabilities, np.array([0, 0, 0, 1, 1]))
    # the last reaches class 0's threshold and not its own
    assert doubts.suspected.tolist() == [False, False, True, False, True]
    assert doubts.suggested.tolist() == [1, 1, 1, 0, 0]
    assert doubts.confidence.tolist() == [0.8, 0.6, 0.1, 0.9, 0.5]
    assert doubts.ranking.tolist() == [2, 4, 1, 0, 3]


def test_a_picture_that_reaches_no_threshold_is_not_suspected():
    probabilities = np.array(
        [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9], [0.4, 0.3, 0.3]]
    )
    doubts = find_doubts(probabilities, np.array([0, 1, 2, 1]))
    assert not doubts.suspected.any()


def test_a_class_without_training_pictures_is_not_judged():
    doubts = find_doubts(np.array([[0.0, 1.0], [0.2, 0.8]]), np.array([0, 1]))
    assert doubts.judged.tolist() == [False, True]
    assert np.isnan(doubts.confidence[0])
    assert doubts.ranking.tolist() == [1] and not doubts.suspected.any()


def test_swapped_labels_among_clear_classes_come_first():
    features, labels = clusters()
    given, swapped = swap_labels(labels, 3, 0.1, seed=3)
    folds = np.arange(len(labels)) % 4
    doubts = find_doubts(predict_out_of_fold(features, given, folds, 3), given)
    assert swapped.sum() == 4
    assert swapped[doubts.ranking[:4]].all() and swapped[doubts.suspected].all()
    assert (doubts.suggested[swapped] == labels[swapped]).all()


@settings(max_examples=4)
@given(st.integers(0, 2**16), st.integers(2, 5))
def test_no_picture_has_a_part_in_its_own_prediction(seed, count):
    """Labels of a fold change nothing in the fold's own probabilities."""
    random = np.random.default_rng(seed)
    features, labels = clusters(each=8, spread=0.5, seed=seed)
    folds = random.permutation(np.arange(len(labels)) % count)
    before = predict_out_of_fold(features, labels, folds, 3)
    fold = random.integers(count)
    others = np.where(folds == fold, random.integers(0, 3, len(labels)), labels)
    after = predict_out_of_fold(features, others, folds, 3)
    assert np.array_equal(before[folds == fold], after[folds == fold])


@settings(max_examples=6)
@given(
    st.lists(st.integers(0, 9), min_size=24, max_size=24).filter(lambda g: len(set(g)) > 3),
    st.integers(2, 4),
    st.integers(0, 99),
)
def test_no_picture_of_a_group_has_a_part_in_its_predictions(groups, count, seed):
    """Whatever a group's pictures look like and are called, its other pictures' results stay."""
    random = np.random.default_rng(seed)
    features, labels = clusters(each=8, spread=0.5, seed=seed)
    names = [f"g{number}" for number in groups]
    folds = splits.folds(labels, names, count, seed).fold
    before = predict_out_of_fold(features, labels, folds, 3)
    group = np.array(names) == random.choice(names)
    changed, others = features.copy(), labels.copy()
    first = np.flatnonzero(group)[0]
    rest = group & (np.arange(len(labels)) != first)
    changed[rest], others[group] = 9.0, random.integers(0, 3, group.sum())
    after = predict_out_of_fold(changed, others, folds, 3)
    assert np.array_equal(before[first], after[first])


def test_every_fold_of_few_uneven_groups_is_predicted():
    """Eight artists of four styles, five folds: with some seeds one fold once had no artist."""
    labels = np.repeat(np.arange(8) % 4, np.arange(6, 14))
    names = np.repeat([f"artist {number}" for number in range(8)], np.arange(6, 14))
    features = np.eye(4)[labels]
    for seed in range(6):
        folds = splits.folds(labels, names, 5, seed).fold
        probabilities = predict_out_of_fold(features, labels, folds, 4, seed)
        assert np.allclose(probabilities.sum(axis=1), 1)


def test_probabilities_add_up_also_where_a_class_lies_in_one_fold():
    features, labels = clusters()
    folds = np.where(labels == 2, 0, np.arange(len(labels)) % 2)
    probabilities = predict_out_of_fold(features, labels, folds, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities[labels == 2, 2] == 0).all()


def test_one_class_left_outside_a_fold_is_predicted_surely():
    features, labels = clusters(classes=2, each=4)
    probabilities = predict_out_of_fold(features, labels, labels, 2)
    assert np.array_equal(probabilities, np.eye(2)[1 - labels])


@given(st.integers(2, 9), st.integers(0, 99), st.floats(0.01, 0.99))
def test_as_many_labels_are_swapped_as_asked_for_and_each_is_another(classes, seed, fraction):
    labels = np.arange(50) % classes
    swapped, which = swap_labels(labels, classes, fraction, seed)
    assert which.sum() == round(50 * fraction)
    assert np.array_equal(swapped != labels, which)
    assert swapped.min() >= 0 and swapped.max() < classes


def test_the_nearest_is_chosen_among_the_candidates():
    features = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.3]])
    candidates = [np.array([2, 3]), np.array([], int)]
    assert nearest(features, [0, 1], candidates) == [3, None]


def test_the_choice_of_strength_leaves_a_warning_to_nobody(recwarn):
    features, labels = clusters(spread=3.0)
    predict_out_of_fold(features, labels, np.arange(len(labels)) % 3, 3)
    assert not recwarn.list


def test_fits_take_one_thread_and_leave_the_others_to_the_rest():
    """More wait for each other where other programs compute; and rounding is the same anywhere."""
    features, labels = clusters()
    before = threads()
    inside = []
    fit = confident_learning._fit
    with mock.patch.object(
        confident_learning, "_fit", lambda *a: inside.append(threads()) or fit(*a)
    ):
        predict_out_of_fold(features, labels, np.arange(len(labels)) % 3, 3)
    assert set().union(*inside) == {1} and threads() == before


def threads():
    return {pool["num_threads"] for pool in threadpool_info()}


@pytest.mark.parametrize("count", [2, 3])
def test_every_fold_is_said(count):
    features, labels = clusters()
    said = []
    folds = np.arange(len(labels)) % count
    predict_out_of_fold(features, labels, folds, 3, advance=lambda: said.append(1))
    assert len(said) == count
