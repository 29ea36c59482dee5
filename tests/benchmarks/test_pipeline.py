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
def test_one_epoch_in_a_process_of_its_own_ends_well(small):
    assert pipeline.peak_memory(pipeline.ONE_EPOCH, small.folder, SIZE, 4) > 100


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


def test_zero_rounds_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        pipeline.main(["--rounds", "0"])
    assert "must be above 0" in capsys.readouterr().err


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    assert pipeline.main(["--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 5
