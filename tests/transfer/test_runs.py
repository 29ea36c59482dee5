"""Reading runs back: damaged, unfinished and missing ones."""

import json
import os

import pytest

from models.errors import InputError
from transfer import runs, tables

METRICS = {
    "dataset": "rijks",
    "challenge": "dc_type",
    "ANN": "VGG19",
    "tl_mode": "fine_tuning",
    "classifier": "softmax",
    "weights": "imagenet",
    "toy": False,
    "top1_accuracy": 0.9027,
    "split_sha256": "ab" * 32,
}
HEADER = "epoch,loss,accuracy,val_loss,val_accuracy,seconds"


def write(folder, **metrics):
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({**METRICS, **metrics}))
    (folder / "history.csv").write_text(f"{HEADER}\n1,1.5,0.3,1.6,0.25,9\n2,1,0.5,1.2,0.5,9\n")


def test_a_run_reads_back_as_it_was_written(tmp_path):
    write(tmp_path / "b/VGG19")
    write(tmp_path / "a/VGG19", seed=3)
    first, second = runs.collect(tmp_path)
    assert (first.folder, second.folder) == (tmp_path / "a/VGG19", tmp_path / "b/VGG19")
    assert first.metrics == {**METRICS, "seed": 3}
    assert first.history["val_accuracy"] == [0.25, 0.5] and first.history["epoch"] == [1, 2]


@pytest.mark.parametrize("content", [None, "", HEADER + "\n"])
def test_an_svm_needs_no_history(tmp_path, content):
    write(tmp_path / "run", classifier="svm")
    history = tmp_path / "run/history.csv"
    history.unlink() if content is None else history.write_text(content)
    assert runs.read_run(tmp_path / "run").history is None


def test_a_run_being_written_can_be_read_by_name(tmp_path):
    write(tmp_path / ".fine_tuning.part")
    assert runs.read_run(tmp_path / ".fine_tuning.part").metrics["ANN"] == "VGG19"


def test_weights_files_of_one_name_are_told_apart_by_their_folders():
    columns = [runs.Column("fine_tuning", path, "softmax") for path in ("/a/x/m.h5", "/b/x/m.h5")]
    assert runs.short_weights(columns) == {"/a/x/m.h5": "a/x/m.h5", "/b/x/m.h5": "b/x/m.h5"}


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("metrics.json", "{", "metrics.json"),
        ("metrics.json", "[1]", "list"),
        ("metrics.json", json.dumps({**METRICS, "tl_mode": "half"}), "tl_mode is 'half'"),
        ("metrics.json", json.dumps({**METRICS, "top1_accuracy": 90.2}), "top1_accuracy is 90.2"),
        ("metrics.json", json.dumps({**METRICS, "top1_accuracy": float("nan")}), "top1_accuracy"),
        ("metrics.json", json.dumps({**METRICS, "dataset": None}), "dataset is None"),
        ("history.csv", "epoch,loss,accuracy,val_loss\n1,1,1,1\n", "column val_accuracy"),
        ("history.csv", HEADER + "\n1,x,1,1,1,1\n", "column loss"),
        ("history.csv", HEADER + "\n", "a softmax run has one"),
    ],
)
def test_a_damaged_run_is_one_line_and_nothing_is_written(tmp_path, capsys, name, content, named):
    write(tmp_path / "run")
    (tmp_path / "run" / name).write_text(content)
    assert tables.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert str(tmp_path / "run" / name) in error and named in error
    assert os.listdir(tmp_path) == ["run"]


def test_no_run_and_no_folder_say_what_was_looked_for(tmp_path):
    write(tmp_path / ".unfinished")
    with pytest.raises(InputError, match="metrics.json"):
        runs.collect(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        runs.collect(tmp_path / "absent")
