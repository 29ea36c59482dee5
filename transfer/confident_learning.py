"""Confident learning: which labels of a collection are doubtful, by predictions out of fold.

Written from the published formula: the library of its authors (cleanlab) is under the AGPL, which
a museum's own programs could not keep to.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

# inverse strengths of regularisation that are tried: scikit-learn's 1 and down, since features
# of unit variance are often as many as the pictures
STRENGTHS = (1.0, 0.1, 0.01, 0.001)
MOST_ITERATIONS = 300  # of the solver; where it stops short, probabilities are still probabilities
TINY = 1e-12  # keeps log finite
# of linear algebra: products with one column per class are too small to share out. Measured, four
# fits on 3600 x 2048 features and ten classes, on two cores that others use too: 1.2 and 3.3 s with
# one thread, 16.5 and 19.4 s with two, which wait for each other (0.8 and 5.4 s of computing)
THREADS = 1


@dataclass(frozen=True)
class Doubts:
    """What out-of-fold predictions say of each label; arrays have a value for each picture.

    suggested: class number that is likeliest beside the label's. confidence: probability of the
    label, in [0, 1]; the lower, the more doubtful. suspected: whether confident learning counts the
    label as another's. judged: whether there was a training picture of the label's class outside
    the picture's fold; where not, confidence is NaN.
    """

    suggested: np.ndarray
    confidence: np.ndarray
    suspected: np.ndarray
    judged: np.ndarray

    @property
    def ranking(self):
        """Numbers of the pictures that could be judged, the most doubtful first.

        Source: Northcutt et al. 2021, section 3.2: by self-confidence. Of 225 labels of wikiart224
        that had been swapped it found 136 where the margin to the likeliest other class found 84.
        """
        order = np.argsort(self.confidence, kind="stable")
        return order[self.judged[order]]


def predict_out_of_fold(features, labels, folds, classes, seed=0, advance=lambda: None):
    """Predict the class of every picture by a classifier that saw no picture of its fold.

    A multinomial logistic regression on standardised features. How strongly it is regularised is
    chosen for each fold anew, by the loss on the next fold after training on all others.

    Args:
        features: float (pictures, feature size).
        labels: int (pictures,), class numbers.
        folds: int (pictures,), from 0; pictures of one fold are predicted together.
        classes: how many there are.
        seed: of the solver.
        advance: called after each fold.

    Returns:
        float64 (pictures, classes), rows sum to 1; 0 for a class that has no picture outside the
        fold.
    """
    probabilities = np.zeros((len(labels), classes))
    count = int(folds.max()) + 1
    for fold in range(count):
        outside, inside = folds != fold, folds == fold
        with threadpool_limits(THREADS):
            chosen = _choose_strength(features, labels, folds, fold, count, seed)
            fitted = _fit(features[outside], labels[outside], chosen, seed)
            probabilities[inside] = _predict(fitted, features[inside], classes)
        advance()
    return probabilities


def _choose_strength(features, labels, folds, fold, count, seed):
    """The strength with the least loss on the next fold; with two folds the middle one."""
    check = folds == (fold + 1) % count
    train = (folds != fold) & ~check
    check &= np.isin(labels, labels[train])
    if count < 3 or not check.any() or len(set(labels[train])) < 2:
        return STRENGTHS[len(STRENGTHS) // 2]
    losses = []
    for strength in STRENGTHS:
        fitted = _fit(features[train], labels[train], strength, seed)
        scores = _predict(fitted, features[check], labels.max() + 1)
        right = scores[np.arange(check.sum()), labels[check]]
        losses.append(-np.log(np.maximum(right, TINY)).mean())
    return STRENGTHS[int(np.argmin(losses))]


def _fit(features, labels, strength, seed):
    if len(set(labels)) == 1:
        return int(labels[0])
    machine = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make_pipeline(StandardScaler(), machine).fit(features, labels)


def _predict(fitted, features, classes):
    probabilities = np.zeros((len(features), classes))
    if isinstance(fitted, int):  # one class is left outside the fold
        probabilities[:, fitted] = 1.0
    else:
        probabilities[:, fitted.classes_] = fitted.predict_proba(features)
    return probabilities


def find_doubts(probabilities, labels):
    """Say of every label whether it is likely to be another, from out-of-fold probabilities.

    A class's threshold is the mean probability of that class over the pictures that have its
    label. A picture counts towards class j when its probability of j reaches j's threshold, of
    several such classes towards the likeliest; it is suspected where j is not its label.

    Args:
        probabilities: (pictures, classes), as predict_out_of_fold gives them.
        labels: int (pictures,), class numbers.

    Returns:
        Doubts.

    Source:
        Northcutt, Jiang and Chuang 2021, Confident Learning, equations 1 and 2 (confident joint),
        section 3.2 (its off-diagonal entries).
    """
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    judged = own > 0
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels[judged]):
        thresholds[label] = own[judged & (labels == label)].mean()
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    counted = confident.argmax(axis=1)
    suspected = judged & (confident.max(axis=1) >= 0) & (counted != labels)
    others = probabilities.copy()
    others[rows, labels] = -1.0
    suggested = np.where(suspected, counted, others.argmax(axis=1))
    return Doubts(suggested, np.where(judged, own, np.nan), suspected, judged)


def swap_labels(labels, classes, fraction, seed=0):
    """Give a fraction of the pictures another class at random, to see whether doubts find them.

    Returns:
        (labels with the swapped ones, bool (pictures,) which were swapped).
    """
    random = np.random.default_rng(seed)
    count = round(fraction * len(labels))
    chosen = random.choice(len(labels), count, replace=False)
    swapped = labels.copy()
    # 1 to classes - 1 further on: each other class is as likely
    swapped[chosen] = (labels[chosen] + random.integers(1, classes, count)) % classes
    return swapped, np.isin(np.arange(len(labels)), chosen)


def nearest(features, numbers, candidates):
    """The candidate whose features are the most alike, for each of some pictures.

    Args:
        features: float (pictures, feature size).
        numbers: int (n,), pictures.
        candidates: for each of them an int array of pictures to choose from, which may be empty.

    Returns:
        list of n picture numbers, None where there is no candidate; the likeness is the cosine of
        standardised features.
    """
    scaled = StandardScaler().fit_transform(features)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), TINY)
    chosen = []
    for number, among in zip(numbers, candidates, strict=True):
        likeness = scaled[among] @ scaled[number]
        chosen.append(int(among[likeness.argmax()]) if len(among) else None)
    return chosen
