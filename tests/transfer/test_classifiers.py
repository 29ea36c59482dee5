import functools

import numpy as np
import pytest

from transfer import classifiers


def clouds(classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % classes
    centres = rng.normal(size=(classes, 5)) * 4
    return (centres[labels] + rng.normal(size=(60, 5))) * [1, 10, 100, 1, 1] + 7, labels


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("classifier", ["svm", "random_forest"])
def test_classifier_learns(classifier, classes):
    features, labels = clouds(classes)
    fitted = classifiers.fit(classifier, features, labels, False, 0)
    scores = classifiers.scores(fitted, features, classes)
    assert scores.shape == (60, classes)
    assert np.mean(scores.argmax(1) == labels) > 0.95


def test_an_svm_that_does_not_converge_is_told_in_one_line_of_ours(monkeypatch, capsys, recwarn):
    features, labels = clouds(2)
    classifiers.fit("svm", features, labels, False, 0)
    assert capsys.readouterr().out == ""
    short = functools.partial(classifiers.LinearSVC, max_iter=1)
    monkeypatch.setattr(classifiers, "LinearSVC", short)
    classifiers.fit("svm", features, labels, False, 0)
    assert capsys.readouterr().out == "WARNING: the SVM has not converged after 1 iterations\n"
    assert not recwarn


@pytest.mark.parametrize("classes", [2, 4])
def test_svm_as_a_dense_layer(classes):
    features, labels = clouds(classes)
    fitted = classifiers.fit("svm", features, labels, True, 0)
    kernel, bias = classifiers.as_dense(fitted, classes)
    np.testing.assert_allclose(
        features @ kernel + bias, classifiers.scores(fitted, features, classes), atol=1e-9
    )


@pytest.mark.parametrize("classifier", ["svm", "random_forest"])
def test_class_without_a_training_picture_keeps_its_place(classifier):
    features, labels = clouds(3)
    labels = np.array([0, 2, 4])[labels]
    fitted = classifiers.fit(classifier, features, labels, False, 0)
    scores = classifiers.scores(fitted, features, 5)
    assert scores.shape == (60, 5) and np.mean(scores.argmax(1) == labels) > 0.95
    if classifier == "svm":
        kernel, bias = classifiers.as_dense(fitted, 5)
        np.testing.assert_allclose(features @ kernel + bias, scores, atol=1e-6)
