"""Speeds and memory of scoring on a tiny network and a few pictures."""

import numpy as np
import pytest

from benchmarks import activations
from models.network import Network
from tests.benchmarks.conftest import LAYER, SIZE

COUNT, BATCH = 5, 2


@pytest.fixture
def source():
    rng = np.random.default_rng(0)
    held = rng.integers(0, 256, (COUNT, SIZE, SIZE, 3)).astype("float32")
    return activations.filled(range(COUNT), held.__getitem__, BATCH)


def test_every_batch_is_filled_up(source):
    found = list(source(0))
    assert [len(numbers) for numbers, _ in found] == [2, 2, 1]
    assert all(len(pictures) == BATCH for _, pictures in found)


def test_speeds(tiny, source, tmp_path):
    networks = {name: Network(name, tiny, size=SIZE) for name in "ab"}
    found = activations.speeds(networks, LAYER, source, source, SIZE, 2, tmp_path)
    assert [(c.bound, len(c.values)) for c in found] == [(0.8, 2), (0.95, 2)]
    found.append(activations.against_passes(networks["a"], source, SIZE, 1, tmp_path))
    assert all(value > 0 for c in found for value in c.values)
    assert not list(tmp_path.iterdir())


def test_memory_is_what_many_pictures_take_above_few(monkeypatch, tmp_path):
    peaks = {2: 500.0, 20: 590.0}
    monkeypatch.setattr(
        activations, "peak_memory", lambda code, files, own, count, *_: peaks[count]
    )
    found = activations.memory(tmp_path, (2, 20), SIZE, BATCH, tmp_path)
    assert found.values == (90.0,) and found.passed()
    assert found.claim == "memory of 20 pictures above 2"


@pytest.mark.slow  # GoogLeNet, traced for every layer
def test_a_smoke_run_prints_every_claim(capsys):
    assert activations.main(["--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 5
