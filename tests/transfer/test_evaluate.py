import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import top_k_accuracy_score

from models.errors import InputError
from transfer import evaluate

SCORES = np.array(
    [[0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.9, 0.1, 0.0, 0.0]]
)
LABELS = np.array([0, 0, 1, 3])


def test_hand_computed():
    assert evaluate.ranks(SCORES, LABELS).tolist() == [0, 3, 1, 3]
    found = evaluate.metrics(SCORES, LABELS)
    assert found["top1_accuracy"] == 0.25
    assert found["top3_accuracy"] == 0.5
    assert found["top5_accuracy"] == 1
    # predicted 0, 3, 0, 0: class 0 has precision 1/3 and recall 1/2, F1 0.4; 1 and 3 have none
    assert found["macro_f1"] == pytest.approx(0.4 / 3)
    logs = [np.log(0.5), np.log(0.1), np.log(0.25), np.log(evaluate.TINY)]
    assert found["loss"] == pytest.approx(-np.mean(logs))


def test_scores_that_are_no_numbers_are_no_hits():
    with pytest.raises(InputError, match="not all numbers"):
        evaluate.metrics(np.full((4, 4), np.nan), LABELS)


def test_decision_values_have_no_loss():
    assert evaluate.metrics(SCORES * 10 - 3, LABELS, probabilities=False)["loss"] is None


@given(st.data(), st.integers(2, 8), st.integers(1, 30))
def test_ranks_agree_with_scikit_learn(data, classes, pictures):
    unique = st.floats(0, 1, width=32)
    scores = data.draw(hnp.arrays(np.float32, (pictures, classes), elements=unique, unique=True))
    labels = data.draw(hnp.arrays(np.int64, pictures, elements=st.integers(0, classes - 1)))
    place = evaluate.ranks(scores, labels)
    for k in range(1, classes):
        ours = np.mean(place < k)
        # scikit-learn wants one column for two classes
        given_scores = scores if classes > 2 else scores[:, 1] - scores[:, 0]
        theirs = top_k_accuracy_score(labels, given_scores, k=k, labels=range(classes))
        if classes > 2:
            assert ours == pytest.approx(theirs)
    assert (place[scores.argmax(1) == labels] == 0).all()


def test_constant_scores_are_no_better_than_one_class():
    """Ties must not count as hits: equal scores for 10 classes are right for one of them."""
    scores, labels = np.ones((10, 10)), np.arange(10)
    assert evaluate.metrics(scores, labels)["top1_accuracy"] == 0.1


def test_tables_survive_hostile_names():
    classes = ["Boëtius", 'a "b", c', "new\nline", " | "]
    ids = ["1", "é,2", '"3"', "4\n"]
    text = evaluate.predictions(ids, LABELS, SCORES, classes).to_csv(index=False)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["id"] for row in rows] == ids
    assert [row["true"] for row in rows] == [classes[i] for i in LABELS]
    assert [row["rank_of_true"] for row in rows] == ["1", "4", "2", "4"]
    text = evaluate.confusion(LABELS, SCORES, classes).to_csv(index=False)
    matrix = list(csv.reader(io.StringIO(text)))
    assert matrix[0][1:] == classes
    counts = np.array([row[1:] for row in matrix[1:]], int)
    assert counts.tolist() == [[1, 0, 0, 1], [1, 0, 0, 0], [0] * 4, [1, 0, 0, 0]]
