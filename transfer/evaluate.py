"""Metrics over every test picture exactly once, and the tables of predictions."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest
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
            "score": [f"{row[i]:.6g}" for row, i in zip(scores, first, strict=True)],
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


def by_group(correct, shared):
    """How much of the accuracy rests on groups that were seen in training.

    Args:
        correct: bool array, whether each test picture's class was told.
        shared: dict column -> bool array, whether each test picture's value of that column was also
            trained or validated with, as Store.shared_groups gives it.

    Returns:
        DataFrame, a row per column: column, and for the pictures of seen values and for the others
        (seen_, other_): pictures, accuracy in [0, 1], low and high end of Wilson's 95 % interval
        (NaN where there are no pictures).
    """
    rows = []
    for column, seen in shared.items():
        row = {"column": column}
        for name, part in (("seen", correct[seen]), ("other", correct[~seen])):
            row |= {f"{name}_pictures": len(part), f"{name}_accuracy": np.nan}
            row |= {f"{name}_low": np.nan, f"{name}_high": np.nan}
            if len(part):
                test = binomtest(int(part.sum()), len(part))
                row[f"{name}_accuracy"] = float(part.mean())
                row[f"{name}_low"], row[f"{name}_high"] = test.proportion_ci(method="wilson")
        rows.append(row)
    return pd.DataFrame(rows)
