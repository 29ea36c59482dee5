"""Metrics over every test picture exactly once, and the tables of predictions."""

import csv
import io

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score

from models.errors import InputError

# below the smallest float32 probability that a softmax gives; keeps log finite
TINY = 1e-38


def ranks(scores, labels):
    """How many classes score above the true one, 0 for a right answer.

    Ties count against the network unless the true class comes first, as argmax would have it.

    Args:
        scores: (pictures, classes), larger is likelier.
        labels: (pictures,) class numbers.

    Returns:
        (pictures,) int.
    """
    true = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1])[None] < np.asarray(labels)[:, None]
    return ((scores > true) | ((scores == true) & earlier)).sum(axis=1)


def metrics(scores, labels, probabilities=True):
    """Top-1, top-3 and top-5 accuracy, macro F1 and loss.

    Args:
        scores: (pictures, classes), probabilities or decision values.
        labels: (pictures,) class numbers.
        probabilities: whether scores sum to 1; the loss is None when they do not.

    Raises:
        InputError: a score is NaN or infinite.

    Returns:
        dict; accuracies and F1 in [0, 1], loss the mean of -log p(true class) in nats. F1 is
        averaged with equal weight over the classes that occur in the labels or the predictions.
    """
    if not np.isfinite(scores).all():
        raise InputError("the network's test scores are not all numbers (NaN or infinite)")
    place = ranks(scores, labels)
    found = {f"top{k}_accuracy": float(np.mean(place < k)) for k in (1, 3, 5)}
    predicted = np.argmax(scores, axis=1)
    found["macro_f1"] = float(f1_score(labels, predicted, average="macro", zero_division=0))
    found["loss"] = None
    if probabilities:
        true = scores[np.arange(len(labels)), labels].astype(np.float64)
        found["loss"] = float(-np.mean(np.log(np.maximum(true, TINY))))
    return found


def predict(model, batches, count):
    """Scores of a model over finite batches of (inputs, labels), in order.

    Returns:
        (count, classes) float32; RuntimeError when the batches do not hold `count` inputs.
    """
    # as NumPy arrays: Keras on JAX takes no TensorFlow tensors here
    scores = np.concatenate([model.predict_on_batch(np.asarray(x)) for x, _ in batches])
    if len(scores) != count:
        raise RuntimeError(f"{len(scores)} of {count} pictures came through the pipeline")
    return scores


def predictions_csv(ids, labels, scores, classes):
    """CSV text with one row per picture: id, true and predicted class, score, rank, five best."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "true", "predicted", "score", "rank_of_true", "five_best"])
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    for row in zip(ids, labels, ranks(scores, labels), best, scores, strict=True):
        picture, label, rank, first, score = row
        names = " | ".join(classes[i] for i in first)
        values = [picture, classes[label], classes[first[0]], f"{score[first[0]]:.6g}"]
        writer.writerow([*values, int(rank) + 1, names])
    return text.getvalue()


def confusion_csv(labels, scores, classes):
    """CSV text of the confusion matrix: a row per true class, a column per predicted class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true \\ predicted", *classes])
    counts = confusion_matrix(labels, np.argmax(scores, axis=1), labels=range(len(classes)))
    for name, row in zip(classes, counts, strict=True):
        writer.writerow([name, *row.tolist()])
    return text.getvalue()
