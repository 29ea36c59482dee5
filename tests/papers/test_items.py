"""What names ask for; cells; accuracies and curves of made-up runs by hand."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from models.errors import InputError
from papers.items import (
    Cell,
    choose,
    lacking,
    measure_accuracies,
    measure_curves,
    opened,
    runs_of,
)
from papers.protocols import PROTOCOLS
from transfer.evaluate import wilson

PAPER = PROTOCOLS["sabatelli2018"]
KEYS = {"dataset": "Rijksmuseum", "challenge": "type", "network": "VGG19"}


def made(accuracy, history=(0.5,), seed=42):
    """What is read of a finished run here: accuracy in percent, of 100 test, 20 val pictures."""
    metrics = {"top1_accuracy": accuracy / 100, "n_test": 100, "n_val": 20, "seed": seed}
    metrics["top1_interval"] = [(accuracy - 1) / 100, (accuracy + 1) / 100]
    history = pd.DataFrame({"val_accuracy": list(history)})
    return SimpleNamespace(accuracy=accuracy, metrics=metrics, split_sha256="a", history=history)


def test_names():
    assert [item.name for item in choose(PAPER, "table2").items] == ["table2"]
    everything = choose(PAPER)
    assert everything.items == PAPER.items and choose(PAPER, "findings") == everything
    one = choose(PAPER, "fine_tuning_always_better_on_validation")
    assert [item.name for item in one.items] == ["figure2", "figure3"]
    assert [finding.name for finding in one.statements] == [
        "fine_tuning_always_better_on_validation"
    ]
    with pytest.raises(InputError, match="no item 'figure5' of sabatelli2018; there is figure"):
        choose(PAPER, "figure5")


def test_every_statement_has_an_item_for_its_numbers():
    published = {item.published for item in PAPER.items}
    for finding in choose(PAPER).statements:
        assert set(finding.question.items) <= published


def test_accuracies_are_means_over_seeds_with_an_interval():
    cells = [
        Cell(KEYS, ("off the shelf (%)",), ("a", "b")),
        Cell(KEYS, ("fine tuning (%)",), ("c",)),
        Cell(KEYS | {"network": "Xception"}, ("fine tuning (%)",), (), "no weights"),
        Cell(KEYS | {"network": "ResNet50"}, ("fine tuning (%)",), ("a", "lost")),
    ]
    runs = {"a": made(70), "b": made(74, seed=43), "c": made(90)}
    frame = measure_accuracies(cells, runs)
    assert list(frame["network"]) == ["VGG19", "Xception", "ResNet50"]
    first = frame.iloc[0]
    assert first["off the shelf (%)"] == 72 and first["fine tuning (%)"] == 90
    low, high = wilson(72, 100)
    assert first["off the shelf (%)_low"] == pytest.approx(100 * low)
    assert (first["fine tuning (%)_low"], first["fine tuning (%)_high"]) == (89, 91)
    # a cell of which a seed is missing has no number
    assert frame["fine tuning (%)"].isna().tolist() == [False, True, True]
    assert runs_of(cells[3], runs) == []


def test_curves_are_means_up_to_the_epoch_that_all_seeds_have():
    column = "validation accuracy"
    cells = [Cell(KEYS, (column,), ("a", "b")), Cell(KEYS | {"network": "X"}, (column,))]
    runs = {"a": made(0, (0.2, 0.4, 0.9)), "b": made(0, (0.4, 0.5))}
    frame = measure_curves([cells[0]], runs)
    assert frame["epoch"].tolist() == [0, 1]
    assert frame[column].tolist() == pytest.approx([0.3, 0.45])
    low, _ = wilson(0.45 * 20, 20)
    assert frame[f"{column}_low"][1] == pytest.approx(low)
    lost = measure_curves(cells[1:], runs)
    assert lost[column].isna().all() and list(lost["network"]) == ["X"]


def test_pictures_that_cannot_be_used_are_told_in_their_cell(place):
    good = place.data("Rijksmuseum", "type")
    bad = replace(good, min_pictures=1000)
    cells = [Cell(KEYS, ("pictures",), data=data) for data in (good, bad, None)]
    first, second, third = opened(cells)
    assert (first, third) == (cells[0], cells[2])
    assert second.data is None and "min_pictures 1000" in second.lacks


def test_what_is_lacking_is_told_once():
    rows = [({"a": 1, "b": "x"}, "no file"), ({"a": 2, "b": "y"}, ""), ({"a": 3}, "no file")]
    assert lacking(rows) == ["no file: 1, x; 3"]
