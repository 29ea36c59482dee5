"""The plans have the published rows; channels by hand; measures and figures of tiny networks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import InputError
from papers.findings import FINDINGS
from papers.items import Cell
from papers.looks import Ascent, Look, Side
from papers.places import Place
from papers.protocols import gonthier2020 as protocol
from papers.published import read_item
from papers.stages import Stage, in_order
from tests.papers.conftest import paint
from tests.papers.test_looks import save_tiny
from transfer.dataset import Data

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


# ---- channels


def test_levels_are_the_papers_on_googlenets_stages():
    modules = [f"mixed{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e")]
    names = [*(f"conv2d{number}" for number in range(3)), *modules]
    stages = {name: (name,) for name in [*names, "mixed5a", "mixed5b"]}
    assert protocol.level_layers(stages, "low") == names[:5]
    assert protocol.level_layers(stages, "middle") == names[5:]
    assert protocol.level_layers(stages, "high") == ["mixed5a", "mixed5b"]
    assert protocol.level_layers({"a": ("b", "c")}, "high") == ["b", "c"]


def test_channels_are_picked_by_their_value():
    values = {"a": np.array([0.3, np.nan, 0.1, 0.9]), "b": np.array([0.2, 0.5])}
    assert protocol.pick(values, "least overlap", 2) == [("a", 2), ("b", 0)]
    assert protocol.pick(values, "least overlap", 2, skip=2) == [("a", 0), ("b", 1)]
    assert protocol.pick(values, "median overlap", 2) == [("b", 0), ("a", 0)]
    assert protocol.pick(values, "near 46 %", 1) == [("b", 1)]
    spread = protocol.pick(values, "spread", 3)
    assert spread == [("a", 2), ("a", 0), ("a", 3)]
    assert protocol.pick({"a": np.array([np.nan])}, "least entropy", 3) == []
    assert protocol.pick({"a": np.array([np.nan])}, "spread", 3) == []


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """Return a Cell that looks at a tiny network, and at another in its place after training."""
    folder = tmp_path_factory.mktemp("gonthier_looks")
    rows = [("warm", "cold")[number % 2] for number in range(80)]
    paint(folder / "toys", "kind", rows)
    data = Data("toys", "kind", folder, folder / "toys/metadata.csv", folder / "toys/images")
    sides = (
        Side("before", save_tiny(folder / "before.keras", 1)),
        Side("after", save_tiny(folder / "after.keras", 4)),
    )
    look = Look(sides, data, folder / "kept", 16, Ascent(1, 16))
    return Cell({"networks": "before and after"}, (), (), on="toys", looks=(look,))


def ask(cell, keys, columns):
    return [replace(cell, keys=keys, columns=columns)]


def test_boxes_have_every_layer_beside_chance(cell, place):
    cells = ask(cell, cell.keys, protocol.BOXES)
    frame = protocol.measure_boxes(cells, {})
    assert set(read_item("gonthier2020", "figure6")) <= {*frame, "place", "note"}
    assert frame["layer"].tolist() == ["low", "middle", "high"]
    assert frame["half"].tolist() == ["shallow", "shallow", "deep"]
    store = cell.looks[0].data.open()
    count = len(store.labels["train"])
    first = count // 4
    for column in ("overlap by chance (%)", "overlap (%)_chance"):
        assert frame[column].tolist() == pytest.approx([100 * first / count] * 3)
    known = frame.dropna(subset=["overlap (%)"])
    assert len(known) and known["overlap (%)"].between(0, 100).all()
    drawn = protocol.draw_boxes((protocol.OVERLAP, protocol.ENTROPY), place, cells, {})
    assert set(drawn) == {"overlap_1.png", "entropy_1.png"}
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_the_mean_of_channels_by_hand():
    number = protocol._mean_of(np.array([0.2, np.nan, 0.6]), 0.1)
    assert (number.value, number.chance) == (pytest.approx(0.4), 0.1)
    # Student's t of one degree of freedom is 12.706
    assert number.high - number.value == pytest.approx(12.7062 * 0.2, rel=1e-4)
    assert protocol._mean_of(np.array([np.nan]), 0.1).value is None


def test_cka_and_distances_are_in_the_published_form(cell, place):
    keys = {"first": "ImageNet", "second": "RASTA (mode A, training 1)"}
    frame = protocol.measure_cka(ask(cell, keys, ("CKA",)), {})
    assert set(read_item("gonthier2020", "figure5")) <= {*frame, "place", "note"}
    assert frame["CKA"].between(0, 1).all() and (frame["CKA_chance"] > 0).all()
    assert (frame["CKA_low"] <= frame["CKA"]).all() and (frame["CKA"] <= frame["CKA_high"]).all()
    assert list(protocol.draw_cka(place, ask(cell, keys, ("CKA",)), {})) == ["cka.png"]
    both = protocol.measure_table4(ask(cell, keys, ("mean CKA", "mean l2")), {})
    assert both["mean CKA"][0] == pytest.approx(frame["CKA"].mean())
    alone = protocol.measure_distances(ask(cell, keys, ("mean l2",)), {})
    assert alone["mean l2"][0] == both["mean l2"][0] > 0
    assert alone["mean l2_chance"][0] > 0 and np.isnan(alone["mean l2_low"][0])


def test_seeds_have_a_mean_a_range_and_students_interval(cell):
    two = replace(cell, columns=("mean l2",), looks=cell.looks * 2)
    other = replace(cell.looks[0], sides=cell.looks[0].sides[:1] * 2)  # a network and itself
    two = replace(two, looks=(cell.looks[0], other))
    frame = protocol.measure_distances([two], {})
    one = cell.looks[0].distance({})[0]
    assert frame["mean l2"][0] == pytest.approx(one / 2)
    assert (frame["mean l2_lowest"][0], frame["mean l2_highest"][0]) == (0, pytest.approx(one))
    assert frame["mean l2_high"][0] == pytest.approx(one / 2 * (1 + 12.7062), rel=1e-4)


def test_channels_are_measured_and_drawn(cell, place):
    shown = protocol.Shown(("before", "after"), "low", "least overlap", 2, images=False)
    cells = ask(cell, cell.keys, protocol.OF_CHANNELS)
    frame = protocol.measure_channels((shown,), cells, {})
    assert len(frame) == 2 and set(frame["layer"]) == {"low"}
    channels = protocol.open_channels(shown, cell.looks[0], {})
    for row in frame.to_dict("records"):
        tops = [sets.top("low", sets.ks[0])[:, row["channel"]] for sets in channels.sets]
        shared = len(np.intersect1d(*tops)) / channels.sets[0].ks[0]
        assert row["overlap (%)"] == pytest.approx(100 * shared)
    (name, page), *_ = protocol.draw_channels((shown,), place, cells, {}).items()
    assert name == "channels_1.png" and page.startswith(b"\x89PNG")


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


def test_what_cannot_be_looked_at_is_told_in_its_row(cell, place):
    lost = replace(cell, columns=("mean l2",), lacks="no weights file", looks=())
    broken = replace(cell.looks[0], sides=(cell.looks[0].sides[0], Side("gone", "gone.keras")))
    wrong = replace(cell, columns=("mean l2",), looks=(broken,))
    frame = protocol.measure_distances([lost, wrong], {})
    assert frame["mean l2"].isna().all() and "gone.keras" in frame["lacks"][1]
    assert frame["lacks"][0] == ""  # the cell says it
    assert protocol.draw_cka(place, [lost], {}) == {}
    assert protocol.draw_boxes((protocol.OVERLAP,), place, [lost], {}) == {}


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
