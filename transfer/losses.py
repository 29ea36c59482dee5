"""What training makes small, and the accuracy that is told beside it."""

import keras
from keras import ops


def loss_and_accuracy(head, auxiliary=0.0, heads=1, several=False):
    """The loss and the metric of a classifier, as model.compile takes them.

    Args:
        head: activation of the head, `softmax` (cross-entropy) or `sigmoid` (binary cross-entropy,
            summed over classes: Gonthier et al. 2020, section 3).
        auxiliary: weight of the loss of each auxiliary head.
        heads: of 1 the model's output is (pictures, classes); of more, the auxiliary heads
            counted, it is (pictures, heads, classes), the main one first.
        several: whether labels are rows of 0 and 1 (pictures, classes), else class numbers
            (pictures,).

    Returns:
        (loss, metric): Keras's names, or functions of (labels, outputs). The metric is that of the
        main head: the share of pictures whose class is right, or with several labels of labels that
        are right at 0.5.
    """
    if head == "softmax" and heads == 1:
        return "sparse_categorical_crossentropy", "accuracy"
    weights = [1.0] + [auxiliary] * (heads - 1)
    one = _binary if head == "sigmoid" else keras.losses.sparse_categorical_crossentropy

    def loss(labels, outputs):
        if heads == 1:
            return one(labels, outputs)
        parts = [w * one(labels, outputs[:, number]) for number, w in enumerate(weights)]
        return sum(parts[1:], parts[0])

    def accuracy(labels, outputs):
        main = outputs if heads == 1 else outputs[:, 0]
        if several:
            return keras.metrics.binary_accuracy(labels, main)
        return keras.metrics.sparse_categorical_accuracy(labels, main)

    return loss, accuracy


def _binary(labels, outputs):
    """Binary cross-entropy summed over classes, of class numbers or rows of 0 and 1."""
    classes = outputs.shape[-1]
    if len(labels.shape) == 1 or (labels.shape[-1] == 1 and classes > 1):
        labels = ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), classes)
    labels = ops.cast(labels, outputs.dtype)
    return classes * keras.losses.binary_crossentropy(labels, outputs)
