"""Metrics over every test picture exactly once, and the tables of predictions."""

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from models.errors import InputError
from transfer import label_sets

# below the smallest float32 probability that a softmax gives; keeps log finite
TINY = 1e-38
Z = 1.959963984540054  # of the normal distribution: 95 % lie within plus and minus this
BINS = 15  # of the confidence; Guo et al. 2017, table 1
CALIBRATED_DRAWS = 1000  # of the error that a calibrated network would show


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
    """Top-1, top-3 and top-5 accuracy, macro F1, balanced accuracy, loss and calibration.

    Args:
        scores: (pictures, classes), probabilities or decision values.
        labels: (pictures,) class numbers.
        probabilities: whether scores sum to 1; loss and calibration are None when they do not.

    Raises:
        InputError: a score is NaN or infinite.

    Returns:
        dict; accuracies and F1 in [0, 1], loss the mean of -log p(true class) in nats. F1 is
        averaged with equal weight over the classes that occur in the labels or the predictions,
        balanced_accuracy is the mean recall of those in the labels. top1_interval is Wilson's 95 %
        interval of the top-1 accuracy, [low, high]. ece is the expected calibration error, and
        ece_if_calibrated what it would be on so many pictures if the probabilities were right.
    """
    if not np.isfinite(scores).all():
        raise InputError("the network's test scores are not all numbers (NaN or infinite)")
    place = ranks(scores, labels)
    values = {f"top{k}_accuracy": float(np.mean(place < k)) for k in (1, 3, 5)}
    interval = wilson(np.sum(place < 1), len(place))
    values["top1_interval"] = [float(bound) for bound in interval]
    predicted = np.argmax(scores, axis=1)
    values["macro_f1"] = float(f1_score(labels, predicted, average="macro", zero_division=0))
    recalls = [np.mean(predicted[labels == number] == number) for number in np.unique(labels)]
    values["balanced_accuracy"] = float(np.mean(recalls))
    values |= {"loss": None, "ece": None, "ece_if_calibrated": None}
    if probabilities:
        values["ece"] = calibration_error(reliability(scores, labels))
        values["ece_if_calibrated"] = calibration_error_by_chance(scores)
        true = scores[np.arange(len(labels)), labels].astype(np.float64)
        values["loss"] = float(-np.mean(np.log(np.maximum(true, TINY))))
    return values


def reliability(scores, labels, bins=BINS):
    """How often answers are right, by how sure the network is of them.

    Args:
        scores: (pictures, classes), probabilities.
        labels: (pictures,) class numbers.
        bins: how many of equal width the confidence, the largest probability, is shared out among.

    Returns:
        DataFrame, a row per bin: above and up_to (its ends; the first takes 0 too), pictures,
        confidence (their mean), accuracy, low, high (Wilson's 95 % interval of the accuracy). NaN
        where there is no picture.

    Source:
        Guo et al. 2017, section 2.
    """
    confidence, number = _confidence_bins(scores, bins)
    right = np.argmax(scores, axis=1) == labels
    pictures = np.bincount(number, minlength=bins)
    hits = np.bincount(number, right, bins)
    low, high = wilson(hits, pictures)
    counts = np.where(pictures > 0, pictures, np.nan)
    return pd.DataFrame(
        {
            "above": np.arange(bins) / bins,
            "up_to": np.arange(1, bins + 1) / bins,
            "pictures": pictures,
            "confidence": np.bincount(number, confidence, bins) / counts,
            "accuracy": hits / counts,
            "low": low,
            "high": high,
        }
    )


def _confidence_bins(scores, bins):
    """The largest probability of every picture, float64 in [0, 1], and the number of its bin."""
    confidence = np.clip(np.max(scores, axis=1).astype(np.float64), 0, 1)
    return confidence, np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def calibration_error(bins):
    """The expected calibration error: the mean of |accuracy - confidence| over pictures, by bins.

    Args:
        bins: DataFrame of `reliability`.

    Source:
        Guo et al. 2017, equation 3.
    """
    gaps = (bins["accuracy"] - bins["confidence"]).abs() * bins["pictures"]
    return float(gaps.sum() / bins["pictures"].sum())


def calibration_error_by_chance(scores, bins=BINS):
    """The mean calibration error if every answer were right as often as its probability says.

    With few pictures that is well above 0, because each bin has few.

    Args:
        scores: (pictures, classes), probabilities.
        bins: as for `reliability`.
    """
    confidence, number = _confidence_bins(scores, bins)
    random, errors = np.random.default_rng(0), []
    for _ in range(CALIBRATED_DRAWS):
        gaps = (random.random(len(confidence)) < confidence) - confidence
        errors.append(np.abs(np.bincount(number, gaps)).sum() / len(confidence))
    return float(np.mean(errors))


def mean_scores(several):
    """The ensemble of networks: the mean of their scores.

    Args:
        several: list of (pictures, classes) scores of the same pictures and classes, in one order.

    Returns:
        (pictures, classes) float64.

    Raises:
        InputError: none, or of different shapes.
    """
    shapes = [np.shape(scores) for scores in several]
    if not shapes or len(set(shapes)) > 1:
        told = ", ".join(" x ".join(map(str, shape)) for shape in shapes) or "none"
        raise InputError(
            f"scores of pictures x classes {told}; accepted: one or more of the same pictures and "
            "classes"
        )
    return np.mean(np.asarray(several, np.float64), axis=0)


def label_metrics(scores, labels, classes, counted=None):
    """Metrics where a picture has any number of labels.

    Args:
        scores: (pictures, classes), the probability of each label by itself, in [0, 1].
        labels: (pictures, classes) of 0 and 1.
        classes: names.
        counted: (classes,) bool, those that may count in means; None for all. Those without a
            positive among `labels` never do.

    Raises:
        InputError: a score is NaN or infinite, or no class that counts has a positive.

    Returns:
        dict: mean_average_precision, and at 0.5 macro_precision, macro_recall and macro_f1, means
        over the classes that count (a precision without a prediction is 0, as in scikit-learn);
        chance_mean_average_precision, of scores that know nothing: the mean share of positives;
        classes_counted; loss, the binary cross-entropy summed over all classes, its mean over
        pictures, in nats.
    """
    if not np.isfinite(scores).all():
        raise InputError("the network's test scores are not all numbers (NaN or infinite)")
    rows = per_label(scores, labels, classes)
    counted = rows[(rows["pictures"] > 0) & (True if counted is None else counted)]
    if counted.empty:
        raise InputError(f"none of {len(classes)} classes has a picture; a test needs one")
    likely = np.where(np.asarray(labels) > 0, scores, 1 - np.asarray(scores, np.float64))
    return {
        "mean_average_precision": float(counted["average_precision"].mean()),
        "chance_mean_average_precision": float(counted["by_chance"].mean()),
        "macro_precision": float(counted["precision"].fillna(0).mean()),
        "macro_recall": float(counted["recall"].mean()),
        "macro_f1": float(counted["f1"].mean()),
        "classes_counted": len(counted),
        "loss": float(-np.log(np.maximum(likely, TINY)).sum(axis=1).mean()),
    }


def per_label(scores, labels, classes):
    """What is right and wrong label by label, where a picture has any number of them.

    Args:
        scores, labels, classes: as for label_metrics.

    Returns:
        DataFrame, a row per class: number (from 0), class, pictures (that have it), predicted
        (pictures of 0.5 or more), average_precision, by_chance (the average precision of scores
        that know nothing: the share of pictures), precision, recall, f1 (at 0.5). NaN where there
        is nothing to divide by, and all but precision NaN where no picture has the label.

    Source:
        Average precision as scikit-learn defines it: the sum over thresholds of the gain in recall
        times the precision, without interpolation; no threshold is chosen.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    said = scores >= label_sets.PRESENT
    positives, predicted = labels.sum(axis=0), said.sum(axis=0)
    hits, none = (said & (labels > 0)).sum(axis=0), positives == 0
    average = [
        np.nan if none[number] else average_precision_score(labels[:, number], scores[:, number])
        for number in range(len(classes))
    ]
    some = np.where(none, np.nan, positives)
    return pd.DataFrame(
        {
            "number": range(len(classes)),
            "class": classes,
            "pictures": positives,
            "predicted": predicted,
            "average_precision": average,
            "by_chance": some / len(labels),
            "precision": hits / np.where(predicted > 0, predicted, np.nan),
            "recall": hits / some,
            "f1": 2 * hits / (some + predicted),
        }
    )


def label_predictions(ids, labels, scores, classes):
    """A DataFrame with a row per picture: true and predicted labels, and the score of each class.

    Labels are sets as text, see transfer.label_sets.

    Args:
        ids: (pictures,) text.
        labels, scores, classes: as for label_metrics.
    """
    true = [label_sets.text(row, classes) for row in labels]
    said = [label_sets.present(row, classes) for row in scores]
    frame = pd.DataFrame({"id": ids, "true": true, "predicted": said})
    columns = [[float(f"{value:.6g}") for value in column] for column in np.transpose(scores)]
    for number, column in enumerate(columns):
        frame.insert(3 + number, f"score of {classes[number]}", column, allow_duplicates=True)
    return frame


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


def wilson(hits, count):
    """Wilson's 95 % interval of a share, e.g. of an accuracy or a recall.

    Args:
        hits: how many of the `count` have it; numbers or arrays.
        count: of all.

    Returns:
        (low, high), float arrays in [0, 1]; NaN where count is 0.

    Source:
        Wilson 1927; without correction for continuity (Newcombe 1998, method 3).
    """
    hits, count = np.asarray(hits, float), np.asarray(count, float)
    count = np.where(count > 0, count, np.nan)
    share, squared = hits / count, Z**2
    middle = share + squared / (2 * count)
    half = Z * np.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    scale = 1 + squared / count
    return np.clip((middle - half) / scale, 0, 1), np.clip((middle + half) / scale, 0, 1)


def chance(train_labels, test_labels, k=1):
    """The top-k accuracy of always naming the k commonest classes of the training pictures.

    Args:
        train_labels, test_labels: (pictures,) class numbers.
        k: how many; of classes that are as common the first.
    """
    commonest = np.argsort(-np.bincount(train_labels), kind="stable")[:k]
    return float(np.mean(np.isin(test_labels, commonest)))


def per_class(labels, scores, classes):
    """What is right and wrong class by class, as a DataFrame with a row for each.

    Args:
        labels: (pictures,) class numbers of the test pictures.
        scores: (pictures, classes).
        classes: names.

    Returns:
        DataFrame: number (of the class, from 0), class, pictures (of it in the test), predicted
        (pictures that the network took for it), precision, recall, recall_low and recall_high
        (Wilson's 95 % interval), f1. NaN where there is nothing to divide by: recall without a
        picture, precision without a prediction, f1 without both.
    """
    predicted = np.argmax(scores, axis=1)
    numbers = range(len(classes))
    precision, recall, f1, pictures = precision_recall_fscore_support(
        labels, predicted, labels=numbers, zero_division=np.nan
    )
    hits = np.bincount(labels[predicted == labels], minlength=len(classes))
    low, high = wilson(hits, pictures)
    return pd.DataFrame(
        {
            "number": numbers,
            "class": classes,
            "pictures": pictures,
            "predicted": np.bincount(predicted, minlength=len(classes)),
            "precision": precision,
            "recall": recall,
            "recall_low": low,
            "recall_high": high,
            "f1": f1,
        }
    )


def mistakes(labels, scores):
    """Places of the wrong test pictures, those with the highest score of the wrong class first.

    Args:
        labels: (pictures,) class numbers.
        scores: (pictures, classes).

    Returns:
        (mistakes,) int.
    """
    predicted = np.argmax(scores, axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-scores[wrong, predicted[wrong]], kind="stable")]


def confused_pairs(counts, classes):
    """Pairs of classes of which one is taken for the other, those with the most pictures first.

    Args:
        counts: (classes, classes) int, a row per true class.
        classes: names.

    Returns:
        DataFrame: number_a, number_b (classes, from 0; of a more pictures are taken for b than the
        other way round), class_a, class_b, pictures_a, pictures_b (in the test), a_as_b, b_as_a,
        confused (their sum), share (of all pictures of both), by_chance (what `confused` would be
        if the predictions, each class as often as it is, had nothing to do with the pictures).
    """
    counts = np.asarray(counts)
    pictures, predicted = counts.sum(axis=1), counts.sum(axis=0)
    first, second = np.nonzero(np.triu(counts + counts.T, 1))
    swap = counts[first, second] < counts[second, first]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    by_chance = (pictures[first] * predicted[second] + pictures[second] * predicted[first]) / max(
        counts.sum(), 1
    )
    names = np.array(classes, dtype=object)
    confused = counts[first, second] + counts[second, first]
    pairs = pd.DataFrame(
        {
            "number_a": first,
            "number_b": second,
            "class_a": names[first],
            "class_b": names[second],
            "pictures_a": pictures[first],
            "pictures_b": pictures[second],
            "a_as_b": counts[first, second],
            "b_as_a": counts[second, first],
            "confused": confused,
            "share": confused / (pictures[first] + pictures[second]),
            "by_chance": by_chance,
        }
    )
    # of as many pictures, the pair where they are the larger share
    order = ["confused", "share", "number_a", "number_b"]
    pairs = pairs.sort_values(order, ascending=[False, False, True, True])
    return pairs.reset_index(drop=True)


def most_confused(counts, most):
    """Numbers of the classes that mistakes are about: all with pictures or predictions, or fewer.

    Args:
        counts: (classes, classes) int, a row per true class.
        most: of classes; of more, those with the most mistakes, from them and to them.

    Returns:
        (classes,) int, growing.
    """
    counts = np.asarray(counts)
    occurring = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    wrong = counts - np.diag(np.diag(counts))
    about = (wrong.sum(axis=0) + wrong.sum(axis=1))[occurring]
    return np.sort(occurring[np.argsort(-about, kind="stable")[:most]])


def block_order(counts):
    """Order classes so that those that are taken for one another stand together.

    Args:
        counts: (classes, classes) int, a row per true class.

    Returns:
        (classes,) int, their places in the new order: hierarchical clustering (average linkage)
        of the symmetric rates of confusion, its leaves in the order that makes neighbours alike.

    Source:
        Bar-Joseph et al. 2001 for the order of the leaves.
    """
    counts = np.asarray(counts, float)
    if len(counts) < 3:
        return np.arange(len(counts))
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = (rates + rates.T) / 2
    distances = 1 - alike / max(alike.max(), TINY)
    np.fill_diagonal(distances, 0)
    return leaves_list(linkage(squareform(distances), "average", optimal_ordering=True))


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
            if len(part):
                row[f"{name}_accuracy"] = float(part.mean())
            row[f"{name}_low"], row[f"{name}_high"] = map(float, wilson(part.sum(), len(part)))
        rows.append(row)
    values = ("pictures", "accuracy", "low", "high")
    columns = ["column", *(f"{part}_{value}" for part in ("seen", "other") for value in values)]
    return pd.DataFrame(rows, columns=columns)
