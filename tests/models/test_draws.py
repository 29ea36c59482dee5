"""Random numbers whose seeds are data."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models import backend


def uniform(count, seeds):
    return keras.ops.convert_to_numpy(backend.uniform(count, np.array(seeds, np.int32)))


def test_standard_normal():
    draw = [
        keras.ops.convert_to_numpy(backend.standard_normal((100, 50), np.array(seed, np.int32)))
        for seed in ([0, 0], [0, 0], [0, 1], [1, 0])
    ]
    assert_array_equal(draw[0], draw[1])
    for other in draw[2:]:
        assert abs(np.corrcoef(draw[0].ravel(), other.ravel())[0, 1]) < 0.05
    assert abs(draw[0].mean()) < 0.05 and abs(draw[0].std() - 1) < 0.05
    assert draw[0].dtype == np.float32


def test_uniform_rows_have_the_distribution_and_are_independent():
    rows = uniform(5000, [[0, 0], [0, 1], [1, 0], [2**31 - 1, 7]])
    assert rows.min() >= 0 and rows.max() < 1
    np.testing.assert_allclose(rows.mean(axis=1), 1 / 2, atol=0.02)
    np.testing.assert_allclose(rows.var(axis=1), 1 / 12, atol=0.01)
    apart = np.corrcoef(rows) - np.eye(4)
    assert abs(apart).max() < 0.06


@pytest.mark.parametrize("others", [[], [[9, 9]], [[9, 9], [0, 0], [7, 1]]])
def test_a_row_depends_on_its_own_seed_only(others):
    assert_array_equal(uniform(6, [*others, [3, 5]])[-1], uniform(6, [[3, 5]])[0])
