"""The time of a pass without its first batch; scores kept in a folder that goes away."""

import numpy as np

from benchmarks import timed_passes
from models.network import Network
from tests.benchmarks.conftest import LAYER, SIZE


def source(first):
    for number in range(first, 3):
        yield np.array([number]), np.zeros((1, SIZE, SIZE, 3), "float32")


def test_the_first_batch_is_not_counted(monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(timed_passes.time, "monotonic", lambda: next(clock))
    assert timed_passes.after_first(lambda batches: [*batches(0)], source) == 2.5


def test_scores_are_kept_and_removed(tiny, tmp_path):
    network = Network("tiny", tiny, size=SIZE)
    run = timed_passes.kept({"a": network}, [LAYER], SIZE, tmp_path)
    assert timed_passes.after_first(run, source) > 0
    assert not list(tmp_path.iterdir())
