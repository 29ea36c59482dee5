"""Times and accuracies of off the shelf on a few tiny pictures."""

from types import SimpleNamespace

import pytest

from benchmarks import off_the_shelf
from models import zoo
from transfer.dataset import Data

ANN, SIZE = "MobileNet(alpha=0.25)", 32


@pytest.mark.slow  # traces three networks a round
def test_off_the_shelf_times(small, tmp_path):
    data = Data("small", "class", tmp_path)
    bounded, told = off_the_shelf.times(small, data, zoo.parse(ANN), SIZE, 2, 1, tmp_path)
    assert (bounded.bound, bounded.at_least, told.bound) == (1.3, False, None)
    assert min(bounded.values + told.values) > 0
    assert len(list((tmp_path / "features").glob("*/*/test.npy"))) == 2  # computed anew each time


@pytest.mark.slow  # trains end to end
def test_both_ways_to_train_a_head_agree(tmp_path):
    data = Data("toy", "artist", tmp_path)
    store = off_the_shelf.paint_store(data, 20)
    assert {split: len(part) for split, part in store.labels.items()} == {
        "train": 8,
        "val": 2,
        "test": 10,
    }
    found = off_the_shelf.accuracy(store, data, SIZE, 1, 2, tmp_path)
    assert found.bound == 0.5 and found.passed()


def test_the_worst_seed_decides(monkeypatch):
    pairs = {0: (120, 120), 1: (119, 121), 2: (120, 119)}
    monkeypatch.setattr(off_the_shelf, "hits", lambda s, d, size, seed, e, f: pairs[seed])
    store = SimpleNamespace(labels={"test": range(200)})
    found = off_the_shelf.accuracy(store, None, SIZE, 3, 20, None)
    assert found.values == (0.0, 1.0, 0.5) and not found.passed()


def test_too_few_pictures_for_three_splits(capsys):
    assert off_the_shelf.main(["--pictures", "9"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: pictures is 9") and error.count("\n") == 1


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    assert off_the_shelf.main(["--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 4
