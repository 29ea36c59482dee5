"""The plans have the published rows; channels by hand; measures and figures of tiny networks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import InputError
from papers.findings import FINDINGS
from papers.items import Cell
from papers.looks import Ascent
from papers.places import Place
from papers.protocols import gonthier2020 as protocol
from papers.published import read_item
from papers.stages import Stage, in_order
from tests.papers.conftest import ask, paint

ITEMS = {item.name: item for item in protocol.PAPER.items}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a Place with the small collections, a picture or two each, and a weights file."""
    folder = tmp_path_factory.mktemp("gonthier")
    paint(folder / "small/wikiart224", "style,split", ["warm,train", "cold,test"])
    paint(folder / "small/bobross", "split,lake,tree", ["train,0,1", "test,1,0"])
    (folder / "g.caffemodel").write_bytes(b"")
    return Place(
        *(protocol.PAPER, folder / "results", folder / "datasets"),
        small=folder / "small",
        weights={"GoogLeNet": f"GoogLeNet:{folder / 'g.caffemodel'}"},
        input_size=96,
        trained_epochs=6,
    )


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", "table5"])
def test_a_plan_has_the_rows_and_columns_that_were_published(place, name):
    frame, cells = read_item("gonthier2020", name), ITEMS[name].plan(place)
    keys = list(cells[0].keys)
    published = {tuple(row) for row in frame[keys].fillna("").to_numpy().tolist()}
    assert {tuple(cell.keys.get(key, "") for key in keys) for cell in cells} == published
    assert {column for cell in cells for column in cell.columns} <= set(frame.columns)
    assert not any(cell.lacks for cell in cells)


def test_every_figure_of_the_paper_has_its_item_and_every_statement_its_numbers():
    assert {f"figure{number}" for number in range(1, 18)} < set(ITEMS)
    published = {item.published for item in protocol.PAPER.items}
    for finding in FINDINGS["gonthier2020"].values():
        assert set(finding.question.items) <= published


def test_an_item_has_as_many_runs_as_it_says(place):
    # the paper's two small sets are two, what stands in their place is one
    other = replace(place.data("IconArt", "all"), dataset_name="another")
    apart = replace(place, known={("IconArt", "all"): other})
    for item in protocol.PAPER.items:
        stages = in_order(stage for cell in item.plan(apart) for stage in cell.stages)
        assert len(stages) == item.runs, item.name
    everything = [s for item in protocol.PAPER.items for c in item.plan(place) for s in c.stages]
    assert len(in_order(everything)) == 15


def test_the_second_training_has_the_seeds_behind_those_of_the_first(place):
    two = replace(place, seeds=(42, 43))
    seeds = {
        name: [stage.recipe.seed for stage in protocol.rasta_stages(two, name)]
        for name in (protocol.A1, protocol.A2)
    }
    assert seeds == {protocol.A1: [42, 43], protocol.A2: [44, 45]}
    (cell, *_) = protocol.plan_figure5(two)
    assert [len(cell.looks), len(cell.stages)] == [2, 2]


def test_a_network_from_scratch_goes_on_with_its_pixels(place):
    (stage,) = protocol.small_stages(place, "IconArt", protocol.MODE_A, protocol.SCRATCH)
    assert stage.recipe.pixels == "unit" == stage.start.recipe.pixels
    (stage,) = protocol.small_stages(place, "IconArt", protocol.MODE_A, protocol.A1)
    assert stage.recipe.pixels == "own" and stage.recipe.epochs == 6


def test_the_papers_network_comes_first_and_googlenet_is_told(place):
    assert protocol.network_of(place) == "GoogLeNet"
    assert "in the place of the paper's InceptionV1" in protocol.notes(place)[0]
    both = replace(place, weights=place.weights | {"InceptionV1": "InceptionV1:graph.pb"})
    assert protocol.network_of(both) == "InceptionV1" and protocol.notes(both) == []
    asked = replace(both, only=("GoogLeNet",))
    assert protocol.network_of(asked) == "GoogLeNet"
    none = replace(place, weights={})
    cells = [cell for item in protocol.PAPER.items for cell in item.plan(none) if cell.lacks]
    assert {"no weights file of GoogLeNet"} <= {cell.lacks for cell in cells}
    # a network from scratch needs none
    assert [cell.lacks for cell in ITEMS["figure13"].plan(none)] == [""]


def test_small_collections_have_few_trainings_and_short_ascents(place):
    whole = replace(place, full=True)
    assert [len(protocol.plan_trainings(True, True, one)) for one in (place, whole)] == [6, 10]
    assert protocol.ascent_of(whole) == Ascent(2048, 224)
    steps = protocol.ascent_of(place).steps
    told = [line for cell in ITEMS["figure1"].plan(place) for line in cell.also]
    assert f"optimized images of 3 channels, {steps} steps at 128 pixels, in ImageNet" in told
    lines = protocol.image_notes((protocol.OF_CHANGES,), place)
    assert any(f"{steps} steps at 128 pixels (the paper: 2048 at 224)" in line for line in lines)
    assert any("same runs" in line for line in protocol.small_notes(place))


def test_the_recipes_are_table_5s():
    cells = protocol.plan_table5(None)
    ours = protocol.measure_recipes(cells, {}).set_index("mode")
    theirs = read_item("gonthier2020", "table5").set_index("mode")
    for column in protocol.RATES:
        assert ours[column].to_dict() == pytest.approx(theirs[column].to_dict())


def test_small_tests_have_a_bootstrap_interval_that_holds_the_value(tmp_path):
    class Pictures:
        """Forty test pictures of two labels."""

        def open(self):
            return SimpleNamespace(labels={"test": np.eye(2, dtype="uint8")[np.arange(40) % 2]})

    random = np.random.default_rng(0)
    np.save(tmp_path / "scores.npy", random.random((40, 2)))
    metrics = {"mean_average_precision": 0.5, "chance_mean_average_precision": 0.5, "n_test": 40}
    metrics["intervals"] = {"mean_average_precision": None}
    run = SimpleNamespace(accuracy=50.0, metrics=metrics, split_sha256="a", folder=tmp_path)
    stage = Stage(Pictures(), "a", None)
    cells = [Cell({"dataset": "IconArt", "method": "x"}, (protocol.PRECISION,), (stage,))]
    (row,) = protocol.measure_table3(cells, {stage: run}).to_dict("records")
    low, high = (row[f"{protocol.PRECISION}_{end}"] for end in ("low", "high"))
    assert 20 < low <= 50 <= high < 90 and row[f"{protocol.PRECISION}_chance"] == 50
    metrics["intervals"] = {"mean_average_precision": [0.4, 0.6]}  # its own comes first
    (row,) = protocol.measure_table3(cells, {stage: run}).to_dict("records")
    assert (row[f"{protocol.PRECISION}_low"], row[f"{protocol.PRECISION}_high"]) == (40, 60)
    (tmp_path / "scores.npy").unlink()
    with pytest.raises(InputError, match=r"kept no scores.npy"):
        protocol.precision_interval(run, None)
    assert protocol.measure_table3(cells, {})[protocol.PRECISION].isna().all()


def test_the_channel_of_several_trainings_is_chosen_once(cell, place):
    cells = [replace(cell, keys={"training": name}, columns=protocol.OF_CHANNELS) for name in "ab"]
    frame = protocol.measure_trainings(cells, {})
    assert frame["training"].tolist() == ["a", "b"] and frame["channel"].nunique() == 1
    assert frame["overlap (%)"].nunique() == 1  # the same two networks
    drawn = protocol.draw_trainings(False, True, place, cells, {})
    assert list(drawn) == ["trainings_1.png"]


@pytest.mark.slow  # two ascents, each compiled
def test_overlap_against_image_change(cell, place):
    cells = ask(cell, cell.keys, (protocol.OVERLAP, protocol.CHANGE))
    frame = protocol.measure_changes(cells, {})
    assert set(read_item("gonthier2020", "overlap_and_change")) <= {*frame, "place", "note"}
    assert frame["image change"].between(0, 2).all() and len(frame) >= 2
    assert frame["overlap (%)"].is_monotonic_increasing or frame["layer"].nunique() > 1
    drawn = protocol.draw_changes(place, cells, {})
    assert set(drawn) == {"overlap_and_change.png", "images_1.png"}


def test_the_chance_of_several_answers_is_that_of_as_many_classes():
    class Pictures:
        """Three classes, of which the first is the commonest in training."""

        def open(self):
            labels = {"train": np.array([0, 0, 1, 2]), "test": np.array([0, 1, 2, 2])}
            return SimpleNamespace(labels=labels)

    metrics = {"top1_accuracy": 0.5, "top3_accuracy": 0.75, "n_test": 4, "chance_top1": 0.25}
    metrics["top1_interval"] = [0.1, 0.9]
    run = SimpleNamespace(accuracy=50.0, metrics=metrics, split_sha256="a")
    stage, mean = Stage(Pictures(), "a", None), SimpleNamespace(run=lambda runs: run)
    cells = [
        Cell({"dataset": "RASTA", "method": method, "k": k}, ("accuracy (%)",), (stage,), looks=of)
        for method, of in (("trained from scratch", ()), (protocol.ENSEMBLE, (mean,)))
        for k in (1, 3)
    ]
    frame = protocol.measure_table1(cells, {stage: run})
    assert frame["accuracy (%)"].tolist() == [50, 75, 50, 75]
    assert frame["accuracy (%)_chance"].tolist() == [25, 100, 25, 100]
    assert frame["accuracy (%)_high"][0] == 90 and (frame["lacks"] == "").all()
