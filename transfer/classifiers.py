"""Support vector machine or random forest on features (Sabatelli et al. 2018, footnote 7)."""

import warnings

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

# The paper gives no settings. One-against-rest linear machines with scikit-learn's C = 1, which
# supposes features of unit variance; scikit-learn's forest with more trees than its 100, since
# there are often more classes than that.
TREES = 500
NEVER = -1e9  # decision value of a class that was never trained, far below any other


def fit(classifier, features, labels, balanced, seed):
    """Fit a scikit-learn classifier.

    Args:
        classifier: `svm` or `random_forest`.
        features: (pictures, feature size).
        labels: (pictures,) class numbers.
        balanced: weight classes by the inverse of their frequency.
        seed: of the solver or the trees.

    Returns:
        The fitted estimator, for `scores`.
    """
    features, weights = np.asarray(features), "balanced" if balanced else None
    if classifier == "random_forest":
        forest = RandomForestClassifier(TREES, class_weight=weights, random_state=seed, n_jobs=-1)
        return forest.fit(features, labels)
    machine = LinearSVC(class_weight=weights, random_state=seed)
    with warnings.catch_warnings():  # scikit-learn's names a line of its own source
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = make_pipeline(StandardScaler(), machine).fit(features, labels)
    if machine.n_iter_ >= machine.max_iter:
        print(f"WARNING: the SVM has not converged after {machine.max_iter} iterations", flush=True)
    return fitted


def scores(estimator, features, classes):
    """Class scores (pictures, classes): a forest's probabilities, a machine's decision values.

    A class without a training picture scores less than any other.
    """
    features = np.asarray(features)
    if hasattr(estimator, "predict_proba"):
        return _all_classes(estimator.predict_proba(features), estimator, classes, 0.0)
    values = estimator.decision_function(features)
    if values.ndim == 1:
        values = np.stack([-values, values], axis=1)
    return _all_classes(values, estimator, classes, NEVER)


def as_dense(machine, classes):
    """Kernel (feature size, classes) and bias (classes,) of a dense layer equal to an `svm`."""
    scaler, svm = machine[0], machine[-1]
    kernel = (svm.coef_ / scaler.scale_).T
    bias = svm.intercept_ - (scaler.mean_ / scaler.scale_) @ svm.coef_.T
    if kernel.shape[1] == 1:
        kernel, bias = np.hstack([-kernel, kernel]), np.concatenate([-bias, bias])
    return (
        _all_classes(kernel, machine, classes, 0.0),
        _all_classes(bias[None], machine, classes, NEVER)[0],
    )


def _all_classes(values, estimator, classes, missing):
    """Put columns, one per class that was trained, at the places of their classes."""
    placed = np.full((len(values), classes), missing)
    placed[:, estimator.classes_] = values
    return placed
