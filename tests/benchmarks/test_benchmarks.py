"""The benchmarks' arithmetic by hand, and each measuring function on a few tiny pictures."""

import math
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import compare, fine_tuning, off_the_shelf, photographs, pipeline
from benchmarks.compare import Compared
from models import zoo
from transfer.dataset import Data
from transfer.recipe import Recipe
from transfer.run import Run

ANN, SIZE = "MobileNet(alpha=0.25)", 32


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A store of 10 pictures, 96 pixels wide: 6 for training, 2 and 2."""
    folder = tmp_path_factory.mktemp("small")
    names = photographs.write_files(folder / "files", 3, 96, (72, 96))
    counts = {"train": 6, "val": 2, "test": 2}
    (folder / "photographs").mkdir()
    place = folder / "photographs" / "copies"
    return photographs.write_store(place, folder / "files", names, counts)


def run(small, recipe):
    """A Run of the store `small` from random weights."""
    data = Data("photographs", "copies", small.folder.parents[1])
    return Run(data, zoo.parse(ANN), recipe, SIZE)


@pytest.mark.parametrize(
    ("compared", "line"),
    [
        (
            Compared("a over b", (4.5, 3.0, 6.0), 4),
            "PASS a over b: 4.500 (median of 3, 3.000 to 6.000), bound >= 4",
        ),
        (
            Compared("a over b", (4.5, 3.0, 3.0), 4),
            "MISS a over b: 3.000 (median of 3, 3.000 to 4.500), bound >= 4",
        ),
        (
            Compared("more", (250.0, 310.0), 300, at_least=False, unit=" MB"),
            "PASS more: 280.000 MB (median of 2, 250.000 to 310.000), bound <= 300 MB",
        ),
        (
            Compared("apart", (0.0, 0.5, 1.0), 0.5, at_least=False, summary=max),
            "MISS apart: 1.000 (max of 3, 0.000 to 1.000), bound <= 0.5",
        ),
        (
            Compared("told", (2.0,), None),
            "     told: 2.000 (median of 1, 2.000 to 2.000), no bound",
        ),
    ],
)
def test_a_line_says_whether_the_summary_keeps_the_bound(compared, line):
    assert compared.line() == line
    assert compared.passed() != line.startswith("MISS")


@pytest.mark.parametrize("at_least", [True, False])
def test_what_is_exactly_at_the_bound_passes_and_nan_misses(at_least):
    assert Compared("x", (4.0,), 4, at_least).passed()
    assert not Compared("x", (math.nan,), 4, at_least).passed()


def test_ratios_are_those_of_each_round():
    assert compare.ratios([6.0, 10.0, 1.0], [3.0, 4.0, 4.0]) == (2.0, 2.5, 0.25)


@pytest.mark.parametrize(("warm_up", "first"), [(True, 1), (False, 0)])
def test_sides_run_by_turns_and_warming_up_is_not_counted(warm_up, first):
    order = []

    def side(name):
        def measure():
            order.append(name)
            return order.count(name) - 1

        return measure

    found = compare.by_turns({"a": side("a"), "b": side("b")}, 3, warm_up)
    assert order == ["a", "b"] * (3 + first)
    assert found == dict.fromkeys("ab", [first, first + 1, first + 2])


def test_timed_is_the_time_of_the_call(monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(compare, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert compare.timed(lambda: "anything")() == 2.5


def test_only_check_turns_a_miss_into_exit_code_1(capsys):
    kept, missed = Compared("kept", (5.0,), 4), Compared("missed", (3.0,), 4)
    assert compare.report([kept, missed], check=False) == 0
    assert compare.report([kept, missed], check=True) == 1
    assert compare.report([kept], check=True) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line[:11] for line in printed[:2]] == ["PASS kept: ", "MISS missed"]


def test_photographs_are_as_large_as_a_museums(tmp_path):
    names = photographs.write_files(tmp_path / "files", 2)
    for name in names:
        assert 250_000 < (tmp_path / "files" / name).stat().st_size < 650_000
    text = photographs.kilobytes(tmp_path / "files")
    sizes = sorted((tmp_path / "files" / name).stat().st_size / 1000 for name in names)
    assert text == f"{sum(sizes) / 2:.0f} kB a file ({sizes[0]:.0f} to {sizes[1]:.0f})"


def test_files_are_used_again_where_there_are_too_few(small):
    assert {split: len(part) for split, part in small.labels.items()} == {
        "train": 6,
        "val": 2,
        "test": 2,
    }
    pictures = np.concatenate([x for x, _ in small.dataset("train", SIZE, 4)])
    np.testing.assert_array_equal(pictures[:3], pictures[3:])
    assert (pictures[0] != pictures[1]).any()


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


def test_peak_memory_sees_what_was_given_back():
    hold = "import sys, time; x = b'1' * int(sys.argv[1]); time.sleep(0.3); del x; time.sleep(0.1)"
    more = pipeline.peak_memory(hold, 150_000_000) - pipeline.peak_memory(hold, 0)
    assert 140 < more < 160


def test_peak_memory_of_a_failing_process_is_an_error():
    with pytest.raises(subprocess.CalledProcessError) as error:
        pipeline.peak_memory("import time; time.sleep(0.1); raise SystemExit('broken')")
    assert b"broken" in error.value.stderr


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


def test_the_step_clock_leaves_the_first_step_out(monkeypatch):
    clock = iter([5.0, 9.0])
    monkeypatch.setattr(fine_tuning, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    watch = fine_tuning.StepClock()
    watch.on_epoch_begin(0)
    for batch in range(3):
        watch.on_train_batch_end(batch, {"loss": 1.0})
    watch.on_epoch_end(0)
    assert watch.seconds == 4.0


@pytest.mark.slow  # traces a training step for each side
def test_fine_tuning_speed(small):
    recipe = Recipe(batch_size=2)
    model = fine_tuning.compiled(run(small, recipe), small)
    before = model.get_layer("conv1").get_weights()[0]
    found = fine_tuning.speed(model, small, recipe, steps=3, rounds=2)
    assert found.bound == 0.95 and len(found.values) == 2 and min(found.values) > 0
    assert (model.get_layer("conv1").get_weights()[0] != before).any()  # it did train


@pytest.mark.slow  # traces three networks a round
def test_off_the_shelf_times(small, tmp_path):
    recipe = replace(off_the_shelf.RECIPE, epochs=2, patience=2)
    bounded, told = off_the_shelf.times(run(small, recipe), 1, tmp_path)
    assert (bounded.bound, bounded.at_least, told.bound) == (1.3, False, None)
    assert min(bounded.values + told.values) > 0
    made = list((small.folder / "features").glob("*/*/test.npy"))
    assert len(made) == 2  # computed anew each time


@pytest.mark.slow  # trains end to end
def test_both_ways_to_train_a_head_agree(tmp_path):
    data = off_the_shelf.paint_data(tmp_path, 20)
    assert {split: len(part) for split, part in data.open().labels.items()} == {
        "train": 8,
        "val": 2,
        "test": 10,
    }
    recipe = replace(off_the_shelf.RECIPE, epochs=2, patience=2)
    tuned = Run(data, zoo.parse(off_the_shelf.TOY), recipe, SIZE)
    found = off_the_shelf.accuracy(tuned, 1, tmp_path)
    assert found.bound == 0.5 and found.passed()


def test_the_worst_seed_decides(monkeypatch):
    pairs = {0: (120, 120), 1: (119, 121), 2: (120, 119)}
    monkeypatch.setattr(off_the_shelf, "hits", lambda run, folder: pairs[run.recipe.seed])
    monkeypatch.setattr(Data, "open", lambda _: SimpleNamespace(labels={"test": range(200)}))
    data = Data("toy", "artist", "nowhere")
    found = off_the_shelf.accuracy(Run(data, zoo.parse(ANN), off_the_shelf.RECIPE), 3, None)
    assert found.values == (0.0, 1.0, 0.5) and not found.passed()


@pytest.mark.parametrize(
    ("command", "arguments", "named"),
    [
        (fine_tuning, ["--steps", "1"], "--steps is 1"),
        (off_the_shelf, ["--pictures", "9"], "--pictures is 9"),
    ],
)
def test_what_cannot_be_measured_is_one_line(command, arguments, named, capsys):
    assert command.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {named}") and error.count("\n") == 1


def test_zero_rounds_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        pipeline.main(["--rounds", "0"])
    assert "must be above 0" in capsys.readouterr().err
