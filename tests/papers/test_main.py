"""The command: lists, near names, slips, a dry run, and whole items on tiny collections."""

import re
import shlex
import signal
import time
from dataclasses import replace

import pandas as pd
import pytest

from papers import __main__ as papers
from papers.items import Asked, choose
from papers.waves import find_line, read_plan, waves
from transfer import experiment, plots
from transfer.result_folder import read_csv


def flags(small, *more, out=None):
    out = out or small.parent
    weights = small.parent / "weights"
    given = ["--small", small, "--weights", weights, "--input_size", 32, "--epochs", 2]
    given += ["--results_path", out / "results", "--datasets_path", out / "datasets", *more]
    return list(map(str, given))


def test_without_a_paper_papers_and_without_an_item_items_are_listed(capsys, small):
    assert papers.main([]) == 0
    assert "sabatelli2018: Sabatelli et al. 2018" in capsys.readouterr().out
    assert papers.main(["sabatelli2018", "--weights", str(small.parent / "weights")]) == 0
    printed = capsys.readouterr().out
    for name in ("table1", "table2", "table3", "figure2", "figure3", "figure4", "classifiers"):
        assert f"\n{name}: " in printed
    assert "missing: Xception, InceptionV3, VGG19" in printed and "findings: " in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sabateli2018"], "no paper 'sabateli2018'; there is sabatelli2018"),
        (["sabatelli2018", "table4"], "no item 'table4' of sabatelli2018; there is table"),
        (["sabatelli2018", "resnet_best"], "there is resnet50_best"),
        (["sabatelli2018", "table2", "--only", "ResNet"], "no network 'ResNet' in this paper"),
        (["sabatelli2018", "table2", "--weights", "VGG19:none"], "accepted: a file, or imagenet"),
        (["sabatelli2018", "table2", "--weights", "nowhere"], "no folder, nor NETWORK:FILE"),
        (["sabatelli2018", "table2", "--small", "nowhere"], "not a folder that exists"),
        (["sabatelli2018", "table2", "--seeds", "0"], "seeds is 0"),
        (["sabatelli2018", "--plan", "plan.csv"], "plan needs pictures: give collections or small"),
        (["sabatelli2018", "table1", "--plan", "job.sh/p.csv", "--small", "."], "p.csv cannot be"),
    ],
)
def test_slips(words, says, capsys):
    assert papers.main(words) == 2
    assert says in capsys.readouterr().err


def test_a_dry_run_is_a_tree_with_pictures_epochs_time_and_what_is_missing(place, small, capsys):
    assert papers.main(["sabatelli2018", "table3", *flags(small, "--dry-run")]) == 0
    printed = capsys.readouterr().out
    assert "on SMALL collections in the place of the paper's; 32 pixels" in printed
    first = r"  shandongA: type, ResNet50 fine tuning, seed 42: 24 train, 3 val, 3 test pictures, "
    assert re.search(first + r"at most 2 epochs, \d+ s\n    shandongB: type, ResNet50 ", printed)
    assert "missing: no weights file of VGG19: Antwerp, type, VGG19" in printed
    assert "no small collection stands for Antwerp, artist" in printed
    assert re.search(r"5 runs, 0 of them there; the others at most \d+ s on this machine", printed)
    assert not (small.parent / "results").exists()


def test_a_plan_has_the_runs_that_can_be_made_and_tells_the_others(place, small, capsys):
    path = small.parent / "plan.csv"
    words = ["sabatelli2018", "table3", *flags(small, "--plan", path)]
    assert papers.main(words) == 0
    lines = read_plan(path)
    first = next(line.id for line in lines if "shandongA" in line.command)
    assert [line.needs for line in lines] == [(), (), (), (first,), (first,)]
    printed = capsys.readouterr().out
    assert "on SMALL collections in the place of the paper's; 32 pixels" in printed
    assert "missing: no weights file of VGG19: Antwerp, type, VGG19" in printed
    assert (
        f"{path}: 5 runs and 0 items in 2 waves; 0 runs are there; ./job.sh --array {path} makes"
        in printed
    )
    assert not (small.parent / "results").exists()
    # a collection that cannot be used is told, with what starts from a run on it
    table = small / "shandong" / "metadata.csv"
    text = table.read_text()
    table.write_text(text.replace("warm,clay,A", "cold,clay,A"))
    assert papers.main([*words, "--precision", "mixed_bfloat16"]) == 0
    lines = read_plan(path)
    assert len(lines) == 2 and all("shandongB" in line.command for line in lines)
    assert ["--precision mixed_bfloat16" in line.command for line in lines] == [False, True]
    printed = capsys.readouterr().out
    assert re.search(r"not planned: .*two classes.*: shandongA: type, ResNet50 fine", printed)
    told = "not planned: the run that it starts from was not made: shandongA: type, ResNet50 fine"
    assert told in printed


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (
            ["sabatelli2018", "table1", "--results_path", "sabatelli2018", "--small", "s"],
            ["--results_path", "sabatelli2018", "--small", "s"],
        ),
        (
            ["--small", "table1", "--plan", "table1", "sabatelli2018", "table1", "--full"],
            ["--small", "table1", "--full"],
        ),
        (
            ["sabatelli2018", "--weights", "a", "sabatelli2018", "--plan=p", "--only", "VGG19"],
            ["--weights", "a", "sabatelli2018", "--only", "VGG19"],
        ),
    ],
)
def test_a_flag_may_have_the_name_of_the_paper_or_the_item_as_its_value(words, kept):
    assert papers.item_flags(words) == kept


def test_an_item_that_takes_long_is_a_line_behind_its_runs(place, small, capsys):
    item = choose(place.paper, "table3").items[0]

    def long(place):
        return [replace(cell, also=("a pass over all pictures",)) for cell in item.plan(place)]

    asked = Asked((replace(item, plan=long), choose(place.paper, "table2").items[0]))
    path = small.parent / "plan.csv"
    words = papers.item_flags(["sabatelli2018", "table3", *flags(small, "--plan", path)])
    told = "\n".join(papers.plan(asked, place, path, words))
    assert "8 runs and 1 items in 3 waves" in told
    last = read_plan(path)[-1]
    # of the runs four are its own; the one that two of them start from is needed by these
    assert (last.id, last.wave, len(last.needs)) == (9, 3, 4)
    line = ["python", "-m", "papers", "sabatelli2018", "table3", *flags(small)]
    assert shlex.split(last.command) == line
    forecast = "\n".join(papers.forecast(asked, place))
    assert forecast.count("  then a pass over all pictures\n") == 1


def kill_when(process, reached):
    """Kill a process, as `kill -9` does, once something is reached."""
    deadline = time.monotonic() + 300
    while not reached():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow  # 16 trainings twice, and three processes that import TensorFlow
def test_a_whole_paper_killed_twice_has_the_numbers_of_one_made_by_a_plan(
    place, toys, command, tmp_path, capsys, monkeypatch
):
    words = ["sabatelli2018", "--only", "ResNet50"]
    results = {name: tmp_path / name / "results" for name in ("killed", "planned")}

    def finished():
        return len(list(results["killed"].glob("*/*/*/[!.]*/metrics.json")))

    # within the first training that goes by epochs, and behind some runs; then two go on at once
    killed = command(*words, out=tmp_path / "killed")
    kill_when(killed, lambda: any(results["killed"].glob("*/*/*/.*.partial/epochs/history.csv")))
    killed = command(*words, out=tmp_path / "killed")
    kill_when(killed, lambda: finished() >= 6)
    there = finished()
    assert not (results["killed"] / "papers").exists()
    beside = command(*words, out=tmp_path / "killed")
    assert papers.main([*words, *flags(toys, out=tmp_path / "killed")]) == 0
    told = beside.communicate(timeout=300)[0] + capsys.readouterr().out
    assert beside.returncode == 0, told
    assert told.count("results in ") == 16 - there == finished() - there  # each was made once

    # the same by a plan, its waves from their ends, then collected
    monkeypatch.setattr(plots, "png", lambda figure: b"png")  # the figures are drawn already
    plan = tmp_path / "plan.csv"
    planned = [*words, *flags(toys, out=tmp_path / "planned")]
    assert papers.main([*planned, "--plan", str(plan)]) == 0
    lines = read_plan(plan)
    assert list(map(len, waves(lines))) == [14, 2]
    for ids in waves(lines):
        for line in (find_line(lines, id) for id in reversed(ids)):
            assert experiment.main(shlex.split(line.command)[3:]) == 0
    capsys.readouterr()
    assert papers.main(planned) == 0
    printed = capsys.readouterr().out
    assert printed.count("already finished") == 16 and "results in " not in printed

    out = {name: folder / "papers" / "sabatelli2018" for name, folder in results.items()}
    tables = sorted(path.relative_to(out["killed"]) for path in out["killed"].glob("*/*.csv"))
    assert len(tables) == 2 * 7 + 1
    for table in tables:
        if table.name == "order.csv":
            assert len({(folder / table).read_bytes() for folder in out.values()}) == 1
            continue
        both = [read_csv(folder / table) for folder in out.values()]
        places = [name for name in ("runs", "commands") if name in both[0]]
        pd.testing.assert_frame_equal(*(frame.drop(columns=places) for frame in both))
    check_pages(out["killed"], toys)
    other = flags(toys, "--seeds", "2", out=tmp_path / "killed")
    assert papers.main(["sabatelli2018", "table1", *other]) == 2
    assert "now [42, 43]" in capsys.readouterr().err


def check_pages(out, toys):
    """What the pages of a whole paper say, of which there is ResNet50."""
    assert {path.name for path in out.iterdir() if path.name[0] != "."} == {
        *("table1", "table2", "table3", "figure2", "figure3", "figure4", "classifiers", "findings"),
        "summary.md",
    }
    summary = (out / "summary.md").read_text(encoding="utf-8")
    assert "| fine tuning (%) | 3 of 12 |" in summary
    line = f"    python -m papers sabatelli2018 table2 --only ResNet50 --small {toys} "
    assert line in summary
    table = read_csv(out / "table2" / "table2.csv")
    made = table[table["ours"] != ""]
    # fine-tuned and off the shelf, on three challenges
    assert len(table) == 24 and len(made) == 6 and set(made["network"]) == {"ResNet50"}
    assert (table["on"].str.contains("for Rijksmuseum")).all()
    for _, row in made.iterrows():
        assert float(row["low95"]) <= float(row["ours"]) <= float(row["high95"])
        # the paper does not print one of them
        paper = float(row["paper"] or "nan")
        apart = pytest.approx(float(row["ours"]) - paper, nan_ok=True)
        assert float(row["difference"] or "nan") == apart
        assert row["commands"].startswith("python -m transfer.experiment --dataset_name ")
        assert pd.notna(float(row["chance"])) and row["lacks"] == ""
    vgg = table[table["network"] == "VGG19"]
    assert vgg["lacks"].str.contains("VGG19 was not asked for").all()
    page = (out / "table2" / "table2.md").read_text(encoding="utf-8")
    assert "SMALL collections" in page and "| 92.95 |" in page and "## Missing" in page
    for name in ("figure2/material.png", "figure3/type.png", "figure4/type.png"):
        assert (out / name).exists(), name
    told = (out / "findings" / "findings.md").read_text(encoding="utf-8")
    assert "| fine\\_tuning\\_always\\_better" in told or "fine_tuning_always_better" in told
    decided = read_csv(out / "findings" / "findings.csv").set_index("finding")
    assert decided["paper"]["fine_tuning_always_better"] == "holds"
