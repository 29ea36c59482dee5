"""What a number is worth: intervals, tests between runs of one split: arrays in, numbers out.

An interval is for 95 %, of what other test pictures of the same kind would give; another training
would differ as well, which only further seeds show.
"""

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import binomtest, t

from models.errors import InputError
from transfer.evaluate import wilson

REPEATS = 2000  # of a bootstrap; Efron and Tibshirani 1993, section 14.3, ask for 1000 or more
SEED = 0  # of a bootstrap
ENDS = (2.5, 97.5)  # percentiles
LEAST = 10  # units of a class below which a percentile interval is too narrow: docs/worth.md
# the same for average precision: with 16 positives a label it covers 78 %, with 60 93 %
LEAST_POSITIVES = 50
BLOCK = 2**22  # weights held at once, 32 MB
SIGNIFICANT = 0.05
# differences that are no further apart than this are equal but for rounding: accuracies of a
# million pictures differ by 1e-6
ROUNDING = 1e-9


def bootstrap(statistic, pictures, units=None, repeats=REPEATS, seed=SEED):
    """The percentile interval of a number over test pictures, or over groups of them.

    Args:
        statistic: called with weights, int (resamples, pictures), how often each picture is in
            each resample; gives a number for each, NaN where it has none. See top1, macro_f1,
            balanced_accuracy and mean_average_precision; anything that takes sample weights will
            do: `lambda weights: [metric(labels, scores, sample_weight=row) for row in weights]`.
        pictures: how many.
        units: (pictures,) what every picture belongs to, any kind of names: whole groups are then
            drawn (a cluster bootstrap); None where every picture stands alone.
        repeats: resamples.
        seed: of the draw: the same one gives the same interval.

    Returns:
        (low, high), floats; NaN where no resample has a number.

    Source:
        Efron and Tibshirani 1993, chapter 13.
    """
    number = np.arange(pictures)
    if units is not None:
        number = np.unique(np.asarray(units, dtype=str), return_inverse=True)[1]
    groups = number.max() + 1
    random, values = np.random.default_rng(seed), []
    most = max(1, BLOCK // pictures)
    for start in range(0, repeats, most):
        rows = min(most, repeats - start)
        drawn = random.integers(groups, size=(rows, groups))
        drawn += groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        values.append(statistic(counts[:, number]))
    values = np.concatenate(values)
    if np.isnan(values).all():
        return np.nan, np.nan
    low, high = np.nanpercentile(values, ENDS)
    return float(low), float(high)


def top1(labels, predicted):
    """The share of right answers, as bootstrap takes it; both (pictures,) class numbers."""
    right = (np.asarray(labels) == predicted).astype(float)
    return lambda weights: weights @ right / weights.sum(axis=1)


def macro_f1(labels, predicted):
    """The mean F1 of the classes that occur, as bootstrap takes it; see evaluate.metrics."""
    right, true, said = _one_hot(labels, predicted)

    def statistic(weights):
        occurring = weights @ true + weights @ said
        return _mean_of_classes(2 * (weights @ right), occurring)

    return statistic


def balanced_accuracy(labels, predicted):
    """The mean recall of the classes that have pictures, as bootstrap takes it."""
    right, true, _ = _one_hot(labels, predicted)
    return lambda weights: _mean_of_classes(weights @ right, weights @ true)


def _one_hot(labels, predicted):
    """Right answers, true and predicted classes: sparse (pictures, classes) of 0 and 1."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    shape, places = (len(labels), max(labels.max(), predicted.max()) + 1), np.arange(len(labels))
    right = (labels == predicted).astype(int)
    ones = np.ones(len(labels), int)
    rows = ((right, labels), (ones, labels), (ones, predicted))
    return [csr_array((values, (places, classes)), shape) for values, classes in rows]


def _mean_of_classes(above, below):
    """Means over classes of above / below, both (resamples, classes), where there is a below."""
    occurs = below > 0
    return (above / np.where(occurs, below, 1)).sum(axis=1) / occurs.sum(axis=1)


def mean_average_precision(labels, scores):
    """The mean average precision of several labels, as bootstrap takes it.

    Of the classes that have a positive in a resample; NaN where none has. See
    evaluate.per_label for the definition.

    Args:
        labels: (pictures, classes) of 0 and 1.
        scores: (pictures, classes), larger is likelier.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    classes = range(labels.shape[1])

    def statistic(weights):
        columns = [_average_precision(labels[:, n], scores[:, n], weights) for n in classes]
        with np.errstate(invalid="ignore"):
            found = np.isfinite(columns)
            return np.where(found, columns, 0).sum(axis=0) / found.sum(axis=0)

    return statistic


def _average_precision(labels, scores, weights):
    """Of one class, for every row of weights; NaN without a positive."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # of pictures with one score
    weights = weights[:, order]
    hits = np.cumsum(weights * labels[order], axis=1)[:, last]
    said = np.cumsum(weights, axis=1)[:, last]
    precision = hits / np.maximum(said, 1)
    with np.errstate(invalid="ignore"):
        return (np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1) / hits[:, -1]


def intervals(scores, labels, units=None):
    """The bootstrap intervals of a test of one label, as metrics.json holds them.

    Of macro F1 and balanced accuracy, and where pictures belong together of the top-1 accuracy,
    whose Wilson interval takes them for independent.

    Args:
        scores: (pictures, classes), larger is likelier.
        labels: (pictures,) class numbers.
        units: as for bootstrap.

    Returns:
        dict: intervals (dict name -> [low, high], None where it is left out), intervals_over (what
        was resampled, in words) and intervals_left_out (why, or None).
    """
    labels, predicted = np.asarray(labels), np.argmax(scores, axis=1)
    count, told, over = _counted(len(labels), units)
    occurring = np.union1d(labels, predicted)
    fewest = [len(np.unique(told[labels == number])) for number in occurring]
    reason = _too_few(fewest, "classes", over)
    statistics = {"macro_f1": macro_f1, "balanced_accuracy": balanced_accuracy}
    found = dict.fromkeys(statistics)
    if reason is None:
        for name, statistic in statistics.items():
            found[name] = list(bootstrap(statistic(labels, predicted), len(labels), units))
    if count < len(labels):
        found["top1_accuracy"] = None
        if count >= LEAST:
            found["top1_accuracy"] = list(bootstrap(top1(labels, predicted), len(labels), units))
    return {"intervals": found, "intervals_over": over, "intervals_left_out": reason}


def label_intervals(scores, labels, units=None):
    """The bootstrap interval of the mean average precision of several labels.

    Args:
        scores: (pictures, classes), larger is likelier.
        labels: (pictures, classes) of 0 and 1.
        units: as for bootstrap.

    Returns:
        dict as of `intervals`, its one name mean_average_precision.
    """
    labels = np.asarray(labels)
    _, told, over = _counted(len(labels), units)
    fewest = [len(np.unique(told[column > 0])) for column in labels.T if column.any()]
    reason = _too_few(fewest, "labels", over, LEAST_POSITIVES)
    found = None
    if reason is None:
        statistic = mean_average_precision(labels, scores)
        found = list(bootstrap(statistic, len(labels), units))
    return {
        "intervals": {"mean_average_precision": found},
        "intervals_over": over,
        "intervals_left_out": reason,
    }


def _counted(pictures, units):
    """How many units there are, the unit of every picture, and what they are in words."""
    told = np.arange(pictures) if units is None else np.asarray(units, dtype=str)
    count = len(np.unique(told))
    if count == pictures:
        return count, told, f"{pictures} pictures"
    return count, told, f"{count} groups of {pictures} pictures"


def _too_few(fewest, what, over, least=LEAST):
    """Why an interval over classes is left out, or None; fewest: units of each class."""
    small = sum(number < least for number in fewest)
    if fewest and not small:
        return None
    unit = "groups" if "groups" in over else "pictures"
    return (
        f"{small} of {len(fewest)} {what} have fewer than {least} test {unit}, where the bootstrap "
        "gives too narrow an interval"
    )


def mcnemar(first, second):
    """The exact p of McNemar's test: whether two networks are right equally often.

    Args:
        first, second: (pictures,) bool, whether each is right about each of the same pictures.

    Returns:
        p, two-sided; 1 where the two are right about the same pictures.

    Raises:
        InputError: of different pictures.

    Source:
        McNemar 1947; the exact conditional form, a binomial test of the pictures that one of the
        two alone is right about.
    """
    _, gained, lost, _ = _fourfold(first, second)
    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def paired_difference(first, second):
    """How much more often one network is right than another about the same pictures.

    Args:
        first, second: (pictures,) bool, whether each is right about each picture.

    Returns:
        (difference, low, high): of the two accuracies, in [-1, 1], and its 95 % interval.

    Raises:
        InputError: of different pictures, or of none.

    Source:
        Newcombe 1998 (Statistics in Medicine 17, 2635), method 10: the Wilson intervals of both,
        joined by their correlation with a correction for continuity.
    """
    both, gained, lost, neither = _fourfold(first, second)
    count = both + gained + lost + neither
    if not count:
        raise InputError("0 pictures; a difference of accuracies needs one or more")
    shares = np.array([both + gained, both + lost]) / count
    low, high = wilson(shares * count, count)
    below, above = shares - low, high - shares
    product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    excess = both * neither - gained * lost
    if excess > 0:
        excess = max(excess - count / 2, 0)
    phi = excess / math.sqrt(product) if product else 0.0  # NumPy has no integer so large
    difference = shares[0] - shares[1]
    down = below[0] ** 2 - 2 * phi * below[0] * above[1] + above[1] ** 2
    up = above[0] ** 2 - 2 * phi * above[0] * below[1] + below[1] ** 2
    ends = difference - np.sqrt(max(down, 0)), difference + np.sqrt(max(up, 0))
    return float(difference), float(ends[0]), float(ends[1])


def _fourfold(first, second):
    """Pictures that both, the first alone, the second alone and neither is right about: int."""
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise InputError(
            f"{len(first)} and {len(second)} pictures; accepted: answers about the same pictures"
        )
    parts = first & second, first & ~second, ~first & second, ~first & ~second
    return tuple(int(part.sum()) for part in parts)


def holm(values):
    """p values corrected for their number: each may be compared with 0.05 then.

    Args:
        values: (tests,) p values; NaN where a test gave none, which counts as a test.

    Returns:
        (tests,) floats, at most 1; NaN for NaN.

    Source:
        Holm 1979.
    """
    values = np.asarray(values, float)
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return corrected


def split_difference(differences, train, test):
    """The mean of differences over repeated splits, with an interval that knows they overlap.

    Args:
        differences: (splits,) of the accuracies of two methods on the same splits.
        train, test: pictures of a split, on average.

    Returns:
        (mean, low, high, p): p is two-sided, for no difference. low, high and p are NaN where the
        difference is the same in every split: of few small test sets that happens often by
        chance, and what does not spread tells nothing of how far it could.

    Raises:
        InputError: fewer than two splits.

    Source:
        Nadeau and Bengio 2003, the corrected resampled t-test: the variance over splits counts
        1 / splits + test / train times instead of 1 / splits times.
    """
    differences = np.asarray(differences, float)
    count, mean = len(differences), float(np.mean(differences))
    if count < 2:
        raise InputError(f"{count} splits; a difference over splits needs two or more")
    if np.ptp(differences) < ROUNDING:
        return mean, np.nan, np.nan, np.nan
    error = np.sqrt((1 / count + test / train) * differences.var(ddof=1))
    half = t.ppf(0.975, count - 1) * error
    p = 2 * t.sf(abs(mean) / error, count - 1)
    return mean, float(mean - half), float(mean + half), float(p)
