import keras
import numpy as np
import pytest

from transfer import losses

RNG = np.random.default_rng(3)
SCORES = RNG.random((6, 3, 4)).astype(np.float32)
SCORES /= SCORES.sum(axis=-1, keepdims=True)
LABELS = np.array([0, 1, 2, 3, 1, 0])
SEVERAL = RNG.integers(0, 2, (6, 4)).astype(np.float32)


def number(value):
    return float(keras.ops.mean(value))


def binary(targets, outputs):
    """Binary cross-entropy summed over classes, by its definition."""
    right = np.where(targets > 0, outputs, 1 - outputs)
    return -np.log(right).sum(axis=-1).mean()


def test_one_head_and_one_label_is_kerass_own():
    assert losses.loss_and_accuracy("softmax") == ("sparse_categorical_crossentropy", "accuracy")


def test_auxiliary_heads_count_with_their_weight():
    loss, accuracy = losses.loss_and_accuracy("softmax", 0.3, heads=3)
    parts = [-np.log(SCORES[np.arange(6), n, LABELS]).mean() for n in range(3)]
    expected = parts[0] + 0.3 * parts[1] + 0.3 * parts[2]
    assert number(loss(LABELS, SCORES)) == pytest.approx(expected, rel=1e-5)
    right = (SCORES[:, 0].argmax(axis=1) == LABELS).mean()
    assert number(accuracy(LABELS, SCORES)) == pytest.approx(right)


def test_several_labels_are_summed_over_classes():
    loss, accuracy = losses.loss_and_accuracy("sigmoid", several=True)
    outputs = SCORES[:, 0]
    assert number(loss(SEVERAL, outputs)) == pytest.approx(binary(SEVERAL, outputs), rel=1e-4)
    right = ((outputs > 0.5) == SEVERAL).mean()
    assert number(accuracy(SEVERAL, outputs)) == pytest.approx(right)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None]])
def test_a_sigmoid_takes_class_numbers_too(labels):
    loss, accuracy = losses.loss_and_accuracy("sigmoid")
    outputs = SCORES[:, 0]
    assert number(loss(labels, outputs)) == pytest.approx(binary(np.eye(4)[LABELS], outputs), 1e-4)
    assert number(accuracy(LABELS, outputs)) == pytest.approx((outputs.argmax(1) == LABELS).mean())
