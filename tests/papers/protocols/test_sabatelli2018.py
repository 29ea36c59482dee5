"""The plans have the published rows; classifiers by hand; counts; which pictures are shown."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from papers.items import Cell
from papers.protocols import sabatelli2018 as protocol
from papers.published import read_item
from papers.stages import in_order
from transfer.uncertainty import mcnemar

KEYS = ["dataset", "challenge", "network"]


@pytest.mark.parametrize(
    ("plan", "item", "keys"),
    [
        (protocol.plan_table1, "table1", KEYS[:2]),
        (protocol.plan_table2, "table2", KEYS),
        (protocol.plan_table3, "table3", KEYS),
        (
            lambda place: protocol.plan_curves(place, protocol.CHALLENGES),
            "learning_curves",
            [*KEYS, "start", "mode"],
        ),
    ],
)
def test_a_plan_has_the_rows_and_columns_that_were_published(place, plan, item, keys):
    frame = read_item("sabatelli2018", item)
    if item == "learning_curves":  # Antwerp's are means of networks, in no figure
        frame = frame[frame["dataset"] == "Rijksmuseum"]
    cells = plan(place)
    rows = {tuple(cell.keys.values()) for cell in cells}
    assert rows == set(map(tuple, frame[keys].to_numpy())) and list(cells[0].keys) == keys
    assert {column for cell in cells for column in cell.columns} <= set(frame.columns)


def test_an_item_has_as_many_runs_as_it_says(place):
    one = place.data("Rijksmuseum", "type")
    known = {
        (dataset, challenge): replace(one, dataset_name=dataset, challenge=protocol_column)
        for dataset in ("Rijksmuseum", "Antwerp")
        for challenge, protocol_column in (("material", "material"), ("type", "type"))
    }
    known |= {
        (dataset, "artist"): replace(one, dataset_name=f"{dataset} artists")
        for dataset in ("Rijksmuseum", "Antwerp")
    }
    every = {name: f"{name}:imagenet" for name in protocol.NETWORKS}
    place = replace(place, weights=every, input_size=128, known=known)
    for item in protocol.ITEMS:
        stages = in_order(stage for cell in item.plan(place) for stage in cell.stages)
        assert len(stages) == item.runs, item.name


def test_runs_that_items_share_are_one(place):
    of_table = [s for cell in protocol.plan_table2(place) for s in cell.stages]
    of_curves = [s for cell in protocol.plan_curves(place, ("type",)) for s in cell.stages]
    trained = [stage for stage in of_curves if stage.recipe.name != "random"]
    assert trained and set(trained) <= set(of_table)
    before = {cell.stages[0].start for cell in protocol.plan_table3(place) if cell.stages}
    assert {start for start in before if not isinstance(start, str)} <= set(of_table)


def test_vgg19_is_shown_or_else_the_first_network_there_is(place):
    artist, kind = protocol.plan_figure4(place)
    assert kind.keys["network"] == "ResNet50" and len(kind.stages) == 2
    assert artist.keys["network"] == "VGG19" and "no folder" in artist.lacks
    (line,) = protocol.tell_network(place)
    assert line == "type: ResNet50 in the place of VGG19 (no weights file of VGG19)."


def test_classifiers_are_compared_on_the_same_pictures(tmp_path):
    answers = {"svm": "rrrrrrww", "softmax": "wwwwwwrw"}
    runs = {}
    for number, (name, text) in enumerate(answers.items()):
        folder = tmp_path / name
        folder.mkdir()
        rows = [(f"p{i}", "a", "a" if letter == "r" else "b") for i, letter in enumerate(text)]
        # whatever the order of the rows
        rows = rows[::-1] if number else rows
        frame = pd.DataFrame(rows, columns=["id", "true", "predicted"])
        frame.to_csv(folder / "predictions.csv", index=False)
        runs[name] = SimpleNamespace(folder=folder, metrics={"top1_accuracy": 0.5})
    keys = dict.fromkeys(KEYS, "x") | {"first": "svm", "second": "softmax"}
    cells = [
        Cell(keys, ("difference (%)", "p"), ("svm", "softmax")),
        Cell(keys, ("difference (%)", "p"), (), "no weights"),
    ]
    frame = protocol.measure_classifiers(cells, runs)
    assert set(read_item("sabatelli2018", "classifiers")) <= {*frame, "place", "note"}
    assert frame["difference (%)"][0] == pytest.approx(100 * (6 - 1) / 8)
    assert frame["difference (%)_low"][0] < 62.5 < frame["difference (%)_high"][0]
    first, second = ([letter == "r" for letter in text] for text in answers.values())
    assert frame["p"][0] == mcnemar(first, second) == 2 * 8 / 2**7
    assert frame["p"].isna().tolist() == [False, True]


def test_counts_of_the_pictures_that_are_used(place):
    frame = protocol.measure_counts(protocol.plan_table1(place), {}).set_index(KEYS[:2])
    assert frame.loc[("Rijksmuseum", "type")].tolist() == [30, 2, 100]
    assert frame.loc[("Antwerp", "type"), "labels in common (%)"] == 100
    assert frame.loc[("Antwerp", "material")].isna().all()
