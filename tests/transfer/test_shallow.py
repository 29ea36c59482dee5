import numpy as np
import pytest

from transfer import shallow


def clouds(classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % classes
    centres = rng.normal(size=(classes, 5)) * 4
    return (centres[labels] + rng.normal(size=(60, 5))) * [1, 10, 100, 1, 1] + 7, labels


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("classifier", ["svm", "random_forest"])
def test_classifier_learns(classifier, classes):
    features, labels = clouds(classes)
    fitted = shallow.fit(classifier, features, labels, False, 0)
    scores = shallow.scores(fitted, features)
    assert scores.shape == (60, classes)
    assert np.mean(scores.argmax(1) == labels) > 0.95


@pytest.mark.parametrize("classes", [2, 4])
def test_svm_as_a_dense_layer(classes):
    features, labels = clouds(classes)
    fitted = shallow.fit("svm", features, labels, True, 0)
    kernel, bias = shallow.as_dense(fitted)
    np.testing.assert_allclose(
        features @ kernel + bias, shallow.scores(fitted, features), atol=1e-9
    )
