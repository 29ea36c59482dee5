"""Metrics over every test picture exactly once, and the tables of predictions."""

import numpy as np
import pandas as pd
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
    values = {f"top{k}_accuracy": float(np.mean(place < k)) for k in (1, 3, 5)}
    predicted = np.argmax(scores, axis=1)
    values["macro_f1"] = float(f1_score(labels, predicted, average="macro", zero_division=0))
    values["loss"] = None
    if probabilities:
        true = scores[np.arange(len(labels)), labels].astype(np.float64)
        values["loss"] = float(-np.mean(np.log(np.maximum(true, TINY))))
    return values


def predictions(ids, labels, scores, classes):
    """A DataFrame with one row per picture: true and predicted class, score, rank, five best."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    first = best[:, 0]
    return pd.DataFrame(
        {
            "id": ids,
            "true": [classes[i] for i in labels],
            "predicted": [classes[i] for i in first],
            "score": [float(f"{row[i]:.6g}") for row, i in zip(scores, first, strict=True)],
            "rank_of_true": ranks(scores, labels) + 1,
            "five_best": [" | ".join(classes[i] for i in row) for row in best],
        }
    )


def confusion(labels, scores, classes):
    """The confusion matrix as a DataFrame: a row per true class, a column per predicted class."""
    counts = confusion_matrix(labels, np.argmax(scores, axis=1), labels=range(len(classes)))
    frame = pd.DataFrame(counts, columns=classes)
    frame.insert(0, "true \\ predicted", classes)
    return frame
