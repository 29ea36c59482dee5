"""What names ask for; cells; accuracies and curves of made-up runs by hand."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from models.errors import InputError
from papers.items import (
    ENDS,
    Cell,
    Number,
    accuracy_cells,
    choose,
    lacking,
    mean_number,
    measure_accuracies,
    measure_curves,
    opened,
    runs_of,
    student,
)
from papers.protocols import PROTOCOLS
from papers.stages import Stage
from tests.papers.conftest import paint
from transfer.dataset import Data
from transfer.evaluate import wilson
from transfer.recipes import RECIPES

PAPER = PROTOCOLS["sabatelli2018"]
KEYS = {"dataset": "Rijksmuseum", "challenge": "type", "network": "VGG19"}
CURVE = "validation accuracy"


def made(accuracy, history=(0.5,), seed=42):
    """What is read of a finished run here: accuracy in percent, of 100 test, 20 val pictures."""
    metrics = {"top1_accuracy": accuracy / 100, "n_test": 100, "n_val": 20, "seed": seed}
    metrics["top1_interval"] = [(accuracy - 1) / 100, (accuracy + 1) / 100]
    history = pd.DataFrame({"val_accuracy": list(history)})
    return SimpleNamespace(accuracy=accuracy, metrics=metrics, split_sha256="a", history=history)


@pytest.fixture
def seeds(tmp_path):
    """Return two Stages on pictures whose commonest class is rarer in validation than in test."""
    parts = ["warm,train"] * 3 + ["cold,train"] + ["warm,val"] + ["cold,val"] * 3
    parts += ["warm,test"] * 3 + ["cold,test"]
    paint(tmp_path / "made", "kind,split", parts)
    files = tmp_path / "made" / "metadata.csv", tmp_path / "made" / "images"
    data = Data("made", "kind", tmp_path / "datasets", *files, split="column=split")
    recipe = RECIPES["fine_tuning"]
    return tuple(Stage(data, "ResNet50", replace(recipe, seed=seed)) for seed in (42, 43))


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


def test_curves_are_means_and_a_shorter_one_stays_at_its_last_value(seeds):
    """The last row is the mean of the runs' own ends, so it lies within their range."""
    cells = [Cell(KEYS, (CURVE,), seeds), Cell(KEYS | {"network": "X"}, (CURVE,))]
    curves = (0.2, 0.4, 0.9), (0.4, 0.5)
    runs = {stage: made(0, curve) for stage, curve in zip(seeds, curves, strict=True)}
    frame = measure_curves([cells[0]], runs)
    assert frame["epoch"].tolist() == [0, 1, 2]
    assert frame[CURVE].tolist() == pytest.approx([0.3, 0.45, 0.7])
    end = frame.iloc[-1]
    assert [end[f"{CURVE}_{name}"] for name in ("lowest", "highest", "seeds")] == [0.5, 0.9, 2]
    low, _ = wilson(0.7 * 20, 20)
    assert end[f"{CURVE}_low"] == pytest.approx(low)
    lost = measure_curves(cells[1:], runs)
    assert lost[CURVE].isna().all() and list(lost["network"]) == ["X"]


def test_chance_of_a_curve_is_that_of_the_validation_pictures(seeds):
    runs = {stage: made(0) for stage in seeds}
    for run in runs.values():
        run.metrics |= {"chance_top1": 0.75, "n_test": 4, "n_val": 4}
    frame = measure_curves([Cell(KEYS, (CURVE,), seeds)], runs)
    assert (frame[f"{CURVE}_chance"] == 0.25).all() and (frame[f"{CURVE}_pictures"] == 4).all()


def test_a_curve_of_several_labels_has_no_chance(seeds, tmp_path):
    parts = [f"{part},{n % 2},1" for part in ("train", "val", "test") for n in range(2)]
    paint(tmp_path / "labels", "split,lake,tree", parts)
    files = tmp_path / "labels" / "metadata.csv", tmp_path / "labels" / "images"
    data = replace(seeds[0].data, challenge="lake,tree", metadata_path=files[0])
    stage = replace(seeds[0], data=replace(data, jpg_images_path=files[1]))
    frame = measure_curves([Cell(KEYS, (CURVE,), (stage,))], {stage: made(0)})
    assert frame[CURVE].tolist() == [0.5] and frame[f"{CURVE}_chance"].isna().all()


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


def test_a_number_is_columns_that_begin_with_its_name():
    number = Number(0.5, 0.4, 0.6, (0.45, 0.55), 0.1, 30)
    cells = number.cells("CKA")
    assert list(cells) == ["CKA", *(f"CKA_{end}" for end in ENDS)]
    assert list(cells.values()) == [0.5, 0.4, 0.6, 0.45, 0.55, 2, 0.1, 30]
    assert set(Number().cells("CKA").values()) == {None}


def test_the_mean_of_seeds_is_of_values_ends_and_chance():
    seeds = [Number(1, 0, 2, (1,), 0.2, 9), Number(3, 2, 4, (3,), 0.4, 9)]
    assert mean_number(seeds) == Number(2, 1, 3, (1, 3), pytest.approx(0.3), 9)
    assert mean_number([]) == Number() and mean_number(seeds[:1]).low == 0
    # without intervals of their own: Student's, whose t of one degree of freedom is 12.706
    bare = mean_number([Number(1, of_each=(1,)), Number(3, of_each=(3,))])
    assert (bare.value, bare.chance) == (2, None)
    assert bare.high - 2 == pytest.approx(12.7062, rel=1e-4)
    assert bare.low == pytest.approx(4 - bare.high)
    assert mean_number([Number(1, of_each=(1,))]).high is None
    assert student([5]) == (None, None) and student([5, 5, 5]) == (5, 5)


def test_accuracies_from_0_to_1_of_several_answers_and_of_several_labels():
    run = made(70)
    run.metrics |= {"top5_accuracy": 0.9, "chance_top1": 0.25}
    row = measure_accuracies([Cell(KEYS, ("accuracy",), ("a",))], {"a": run}).iloc[0]
    found = [row[name] for name in ("accuracy", "accuracy_low", "accuracy_high")]
    assert found == pytest.approx([0.7, 0.69, 0.71])
    assert (row["accuracy_chance"], row["accuracy_pictures"]) == (0.25, 100)
    labels = made(60)
    labels.metrics = {"mean_average_precision": 0.6, "chance_mean_average_precision": 0.3}
    labels.metrics |= {"n_test": 50, "intervals": {"mean_average_precision": [0.5, 0.7]}}
    column = "mean average precision (%)"
    row = measure_accuracies([Cell(KEYS, (column,), ("b",))], {"b": labels}).iloc[0]
    assert (row[column], row[f"{column}_low"], row[f"{column}_high"]) == (60, 50, 70)
    assert row[f"{column}_chance"] == 30 and row[f"{column}_seeds"] == 1


def test_cells_tell_whose_pictures_by_their_keys_or_by_the_challenge_given(place):
    stages = place.stages("Rijksmuseum", "type", "ResNet50", "fine_tuning")
    cell = accuracy_cells(place, {"dataset": "Rijksmuseum"}, "accuracy", stages, "type")
    assert cell.stages == stages and cell.on == place.stands_for("Rijksmuseum", "type")
    assert accuracy_cells(place, KEYS, "accuracy", "no file").lacks == "no file"
