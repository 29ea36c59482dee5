"""The pipeline's peers and measures on a few tiny pictures."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import pipeline

SIZE = 32


def test_the_pipelines_peers_give_the_same_pictures(small):
    """The released code takes the nearest pixel where ours interpolates: alike, not the same."""
    ours = [np.asarray(x) for x, _ in pipeline.scaled(small.dataset("train", SIZE, 4))]
    theirs = list(pipeline.released(small, SIZE, 4))
    assert (
        [x.shape for x in ours] == [x.shape for x in theirs] == [(n, SIZE, SIZE, 3) for n in (4, 2)]
    )
    for a, b in zip(ours, theirs, strict=True):
        assert a.min() >= -1 and a.max() <= 1 and a.min() < 0 < a.max()
        assert np.abs(a - b).mean() < 0.1
    halves = [x.shape for x in pipeline.bare(small, 2).as_numpy_iterator()]
    assert len(halves) == 6 and {width for _, width, _ in halves} == {48}


def test_the_array_in_memory_gives_the_same_batches(small):
    ours = iter(small.dataset("train", SIZE, 4, 0))
    theirs = iter(pipeline.in_memory(small, SIZE, 4))
    for _ in range(5):
        for a, b in zip(next(ours), next(theirs), strict=True):
            np.testing.assert_array_equal(a, b)


def test_speeds_of_a_training(small):
    found = pipeline.training(small, SIZE, 4, 3, rounds=2)
    assert [(c.bound, c.at_least, len(c.values)) for c in found] == [
        (20, True, 2),
        (0.8, True, 2),
        (1.6, False, 2),
    ]
    assert all(value > 0 for c in found for value in c.values)
    assert found[0].claim == "speed of 3 epochs over the released code's way"


def test_all_passes_of_the_released_way_are_alike(small, monkeypatch):
    """3 epochs of 5 s each against 2 s are 7.5 times as fast; 4 s over one pass of 1 s are 4."""
    taken = {"epochs, scaled": 2.0, "epochs": 4.0, "one pass": 1.0, "released": 5.0}
    taken |= {"later epochs": 8.0, "tf.data": 6.0}
    monkeypatch.setattr(
        pipeline.compare, "by_turns", lambda sides, _: {k: [taken[k]] for k in sides}
    )
    assert [c.values for c in pipeline.training(small, SIZE, 4, 3, 1)] == [(7.5,), (0.75,), (4.0,)]


def test_pipeline_speeds(small, capsys):
    found = pipeline.speeds(small, SIZE, 4, 2, rounds=2)
    assert [(c.bound, c.at_least, len(c.values)) for c in found] == [
        (4, True, 2),
        (0.8, True, 2),
        (None, True, 2),
    ]
    assert all(value > 0 for c in found for value in c.values)
    assert capsys.readouterr().out.count("pictures/s") == 4


@pytest.mark.slow  # starts TensorFlow anew
def test_epochs_in_a_process_of_its_own_end_well(small):
    assert pipeline.peak_memory(pipeline.SOME_EPOCHS, small.folder, SIZE, 4, 2, 1, own=True) > 100


def test_memory_is_what_many_pictures_take_above_few(monkeypatch):
    peaks = {"few": iter([500.0, 510.0]), "many": iter([790.0, 820.0])}
    monkeypatch.setattr(pipeline, "peak_memory", lambda code, folder, *_: next(peaks[folder]))
    few, many = (
        SimpleNamespace(folder=name, labels={"train": range(count)})
        for name, count in (("few", 2), ("many", 20))
    )
    found = pipeline.memory(few, many, SIZE, 4, rounds=2)
    assert found.values == (290.0, 310.0) and found.passed()
    assert found.claim == "memory of 20 pictures above 2"


def test_memory_of_the_cache_is_of_the_process_alone(monkeypatch, small):
    peaks = {0: iter([500.0, 510.0]), pipeline.GB: iter([510.0, 530.0])}

    def peak_memory(code, folder, size, batch, epochs, gb, own):
        assert own and epochs == 2
        return next(peaks[gb])

    monkeypatch.setattr(pipeline, "peak_memory", peak_memory)
    found = pipeline.memory_of_the_cache(small, SIZE, 4, rounds=2)
    assert found.values == (10.0, 20.0) and found.bound == 300 and not found.at_least


def test_zero_rounds_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        pipeline.main(["--rounds", "0"])
    assert "must be above 0" in capsys.readouterr().err


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    assert pipeline.main(["--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 9
