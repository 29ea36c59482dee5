"""Runs that started from one another, as a tree: made-up runs, worked out by hand."""

import csv
import io
import shutil

import pytest

from transfer import chains, tables
from transfer.result_folder import sha256
from transfer.run import read_runs


@pytest.fixture
def write_stage(tmp_path, write_run):
    """Return write(dataset, recipe, weights, accuracy): a run with its network; its folder's path
    below the folder of results."""

    def write(dataset, recipe, weights="imagenet", accuracy=0.5, challenge="style", **metrics):
        place = f"{dataset}/{challenge}/VGG19/{recipe}"
        told = {"dataset": dataset, "challenge": challenge, "top1_accuracy": accuracy}
        write_run(tmp_path / "results" / place, **told, weights=str(weights), **metrics)
        (tmp_path / "results" / place / "model.keras").write_bytes(place.encode())
        return place

    return write


def network(folder, place):
    return folder / "results" / place / "model.keras"


@pytest.fixture
def three(tmp_path, write_stage):
    """ImageNet -> rijks -> wikiart -> two repeats on bobross; ImageNet -> bobross; one apart."""
    first = write_stage("rijks", "fine_tuning,epochs=3", accuracy=0.25)
    second = write_stage("wikiart", "fine_tuning", network(tmp_path, first), 0.5)
    for seed, accuracy in ((1, 0.8), (2, 0.6)):
        start = network(tmp_path, second)
        write_stage("bobross", f"fine_tuning,seed={seed}", start, accuracy, seed=seed)
    write_stage("bobross", "off_the_shelf", accuracy=0.4, tl_mode="off_the_shelf")
    write_stage("bobross", "random", "none", 0.3, tl_mode="random")
    write_stage("paintings", "fine_tuning")
    return tmp_path / "results"


def tree(folder):
    lines = chains.section(chains.find_chains(read_runs(folder))).splitlines()
    return [line for line in lines if line.lstrip().startswith("- ")]


def test_a_chain_of_three_is_a_tree(three):
    assert tree(three) == [
        "- ImageNet",
        "  - bobross: style, VGG19 off the shelf: 40.00",
        "  - rijks: style, VGG19 fine tuning \\[epochs=3\\]: 25.00",
        "    - wikiart: style, VGG19 fine tuning: 50.00",
        "      - bobross: style, VGG19 fine tuning: 70.00 (60.00–80.00, 2 runs)",
        "- no trained weights",
        "  - bobross: style, VGG19 random (scratch): 30.00",
    ]


def test_the_command_shows_it_and_writes_every_run(three, capsys):
    assert tables.main([str(three)]) == 0
    printed = capsys.readouterr().out
    assert "## Chains\n" in printed and "      - bobross: style" in printed
    text = (three / "tables" / "chains.csv").read_text(encoding="utf-8-sig")
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 6
    last = rows["bobross/style/VGG19/fine_tuning,seed=2"]
    assert last["started_from"] == "wikiart/style/VGG19/fine_tuning"
    assert (last["depth"], last["percent"]) == ("3", "60.00")
    assert rows["bobross/style/VGG19/random"]["started_from"] == "none"
    assert tables.main([str(three / "paintings")]) == 0
    assert "Chains" not in capsys.readouterr().out
    assert not (three / "paintings/tables/chains.csv").exists()


def test_results_that_were_moved_are_still_a_chain(three):
    before = tree(three)
    moved = three.rename(three.with_name("moved"))
    assert tree(moved) == before


def test_a_network_that_is_another_now_is_no_stage(tmp_path, write_stage):
    first = network(tmp_path, write_stage("wikiart", "fine_tuning"))
    told = {"settings": {"weights_sha256": sha256(first)}}
    write_stage("bobross", "fine_tuning", first, **told)
    assert len(tree(tmp_path / "results")) == 3
    first.write_bytes(b"of another run")
    assert tree(tmp_path / "results") == []
    first.unlink()  # nobody can tell
    assert len(tree(tmp_path / "results")) == 3


def test_runs_of_one_name_are_told_apart_by_their_place(tmp_path, write_stage):
    first = write_stage("wikiart", "fine_tuning")
    write_stage("bobross", "fine_tuning", network(tmp_path, first))
    (tmp_path / "results").rename(tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "older")
    assert len(tree(tmp_path / "old")) == len(tree(tmp_path / "older")) == 3
    assert tree(tmp_path) == []  # two of that name, neither where it was
