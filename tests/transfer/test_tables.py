"""The command's files and its learning curves of made-up runs."""

import csv
import io
import json
import os
import re

import pytest

from models.errors import InputError
from transfer import runs, tables, tabulate

METRICS = {
    **{key: 1 for key in tabulate.METRICS},
    "dataset": "rijks",
    "challenge": "dc_type",
    "ANN": "VGG19",
    "tl_mode": "fine_tuning",
    "classifier": "softmax",
    "weights": "imagenet",
    "toy": False,
    "top1_accuracy": 0.9027,
    "best_epoch": 2,
    "head_parameters": 540702,
    "feature_size": 512,
    "split_sha256": "ab" * 32,
    "versions": {"keras": "3.15"},
}
HISTORY = {
    "epoch": [1.0, 2.0, 3.0],
    "loss": [1.5, 1.0, 0.5],
    "accuracy": [0.3, 0.5, 0.9],
    "val_loss": [1.6, 1.2, 1.4],
    "val_accuracy": [0.25, 0.5, 0.45],
}


def made(**metrics):
    epochs = None if metrics.get("classifier", "softmax") != "softmax" else HISTORY
    return runs.Run("unread", {**METRICS, **metrics}, epochs)


def write(folder, history=True, **metrics):
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({**METRICS, **metrics}))
    if history:
        lines = [
            ",".join(HISTORY),
            *(",".join(map(str, row)) for row in zip(*HISTORY.values(), strict=True)),
        ]
        (folder / "history.csv").write_text("\n".join(lines) + "\n")


def test_command_writes_every_file_and_prints_the_markdown(tmp_path, capsys):
    write(tmp_path / "rijks/dc_type/VGG19/fine_tuning")
    write(tmp_path / "rijks/dc_type/VGG19/svm", history=False, classifier="svm", loss=None, extra=7)
    write(tmp_path / "rijks/dc_type/VGG19/.random.part", ANN="Unfinished")
    write(tmp_path / ".tmp/rijks/dc_type/VGG19/random", ANN="Unfinished")
    assert tables.main([str(tmp_path)]) == 0
    out = tmp_path / "tables"
    figure = "rijks_dc_type_learning_curves.png"
    tables_written = ["comparison.csv", "comparison.md", figure, "runs.csv", "runs.md"]
    assert sorted(os.listdir(out)) == tables_written
    text = (out / "comparison.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    assert f"({figure})" in text and "Unfinished" not in text
    assert (out / figure).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with (out / "runs.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["run"] for row in found] == [
        f"rijks/dc_type/VGG19/{n}" for n in ("fine_tuning", "svm")
    ]
    assert set(tabulate.METRICS) < set(found[0])
    assert (found[0]["extra"], found[1]["extra"]) == ("", "7")
    assert (found[0]["top1_accuracy"], found[1]["loss"]) == ("0.9027", "")
    assert json.loads(found[0]["versions"]) == {"keras": "3.15"}


def test_a_failed_write_leaves_no_part_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    write(tmp_path / "run")
    monkeypatch.setattr(os, "replace", full)
    assert tables.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert os.listdir(tmp_path / "out") == []


def test_hostile_names_break_nothing(tmp_path):
    name = 'é| "q"\n$x_{$ *b*/..\\ <i>'
    for number, challenge in enumerate((name, name + "|")):
        write(tmp_path / str(number), dataset=name, challenge=challenge, ANN=name, weights=name)
        write(tmp_path / f"{number}b", dataset=name, challenge=challenge, ANN="_" + name)
    files = tables.collate(tmp_path)
    pictures = [file for file in files if file.endswith(".png")]
    assert len(pictures) == 2 and all(re.fullmatch(r"[\w.-]+", file) for file in pictures)
    header, *found = csv.reader(io.StringIO(files["runs.csv"].decode(), newline=""))
    assert [dict(zip(header, row, strict=True))["dataset"] for row in found] == [name] * 4
    for block in files["comparison.md"].decode().split("\n\n"):
        if block.startswith("|"):
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(bars) == 1


def figure_of(several):
    return tables.learning_curve_figure(several, "a $title")


def curves(axes):
    """Label -> line of a figure with several runs; the dots of the best epochs have no line."""
    legend = axes.get_legend() or axes.figure.legends[0]
    labels = [text.get_text() for text in legend.get_texts()]
    drawn = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    return dict(zip(labels, drawn, strict=False))


def test_several_runs_are_drawn_as_in_the_papers_captions():
    modes = {"off_the_shelf": "-.", "fine_tuning": "--", "random": "-"}
    networks = ("Xception", "InceptionV3", "ResNet50", "VGG19")
    figure = figure_of([made(ANN=n, tl_mode=mode) for n in networks for mode in modes])
    (axes,) = figure.axes
    lines = curves(axes)
    assert len(lines) == 12 and len(figure.legends) == 1 and axes.get_legend() is None
    colours = {}
    for label, line in lines.items():
        network, mode = label.split(", ")
        colours.setdefault(network, set()).add(line.get_color())
        named = [key for key in modes if runs.MODES[key] == mode]
        assert line.get_linestyle() == modes[named[0]]
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [25, 50, 45]
    assert all(len(used) == 1 for used in colours.values())
    assert len(set.union(*colours.values())) == 4
    dots = [line for line in axes.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    assert {(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots} == {(2, 50)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "validation accuracy (%)")


def test_other_weights_and_an_eighth_network_stay_distinct():
    several = [made(ANN=f"Net{n}", weights=w) for n in range(9) for w in ("imagenet", "w.h5")]
    drawn = curves(figure_of(several).axes[0]).values()
    looks = {(line.get_color(), line.get_linewidth(), line.get_marker()) for line in drawn}
    assert len(drawn) == len(looks) == 18


def test_one_run_shows_training_and_validation_and_its_best_epoch(tmp_path):
    several = [made(), made(classifier="svm", tl_mode="off_the_shelf")]
    accuracy, loss = figure_of(several).axes
    for axes, scale, name in ((accuracy, 100, "accuracy"), (loss, 1, "loss")):
        lines = {line.get_label(): line for line in axes.get_lines()}
        for label, key in (("training", name), ("validation", f"val_{name}")):
            expected = [scale * value for value in HISTORY[key]]
            assert list(lines[label].get_ydata()) == expected
        assert list(lines["best epoch"].get_ydata()) == [scale * HISTORY[f"val_{name}"][1]]
    tables.plot_learning_curves(several, tmp_path / "learning_curve.png", "$é\n{")
    assert os.listdir(tmp_path) == ["learning_curve.png"]
    assert (tmp_path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_epochs_has_no_curve(tmp_path):
    with pytest.raises(InputError, match="none of 1 runs"):
        tables.plot_learning_curves([made(classifier="svm")], tmp_path / "c.png", "title")
    assert os.listdir(tmp_path) == []


def test_published_tables_are_written_apart(tmp_path, capsys):
    write(tmp_path / "run")
    assert tables.main([str(tmp_path), "--published", "sabatelli2018_table3"]) == 0
    ours = (tmp_path / "tables/comparison.md").read_text(encoding="utf-8")
    theirs = (tmp_path / "tables/published_sabatelli2018_table3.md").read_text(encoding="utf-8")
    assert "Published" not in ours and theirs.startswith("# Published figures: Sabatelli")
    assert capsys.readouterr().out == ours + "\n" + theirs
    assert tables.main(["--published", "nobody2018"]) == 2
    assert "sabatelli2018_table2" in capsys.readouterr().err
