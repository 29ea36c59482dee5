"""Comparisons, orders, statements and folders of made-up numbers."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from models.errors import InputError
from papers import report
from papers.findings import FINDINGS
from papers.items import Cell, Item, Number, as_numbers
from papers.published import read_item
from papers.report import UNTOLD

STATEMENTS = FINDINGS["sabatelli2018"]


def table2():
    """Table 2 as if it were ours, 1 point less, intervals of a tenth; VGG19 was not run."""
    frame = read_item("sabatelli2018", "table2")
    columns = ["off the shelf (%)", "fine tuning (%)"]
    ours = frame[["dataset", "challenge", "network"]].copy()
    for column in columns:
        value = frame[column].fillna(8) - 1
        ours[column] = value.where(ours["network"] != "VGG19")
        ours[f"{column}_low"], ours[f"{column}_high"] = ours[column] - 0.1, ours[column] + 0.1
    return ours


def test_orders_of_networks_and_of_columns():
    rows = [
        ("type", "A", "off", 50, 40),
        ("type", "B", "off", 60, 45),
        ("type", "A", "fine", 80, 44),
        ("type", "B", "fine", 70, 44),
        ("type", "C", "fine", 90, None),
    ]
    frame = pd.DataFrame(rows, columns=["challenge", "network", "number", "paper", "ours"])
    orders = report.orderings(frame).set_index("of")
    assert orders.loc["type, off"].tolist() == ["B > A", "B > A", "same"]
    assert orders.loc["type, fine", "best"] == "tied"  # C has no number here
    assert orders.loc["type, B"].tolist() == ["fine > off", "off > fine", "other"]
    assert not len(report.orderings(pd.DataFrame({"dataset": ["a"], "number": ["x"]})))


def test_statements_rest_on_what_is_there_and_name_what_is_not(place):
    chosen = [STATEMENTS["fine_tuning_always_better"], STATEMENTS["vgg19_best_off_the_shelf"]]
    chosen += [STATEMENTS["art_before_art_is_better"]]
    decided = report.decide_all(chosen, {"table2": table2()}, place, {"table2": {"toys": None}})
    better, best, art = decided.to_dict("records")
    assert (better["paper"], better["ours"], better["without"]) == ("holds", "holds", "VGG19")
    assert "material, ResNet50: fine tuning (%) 91.95" in better["numbers"]
    assert best["ours"] == UNTOLD and best["on"] == "toys"
    assert art["ours"] == UNTOLD and art["numbers"] == "no numbers of table3"
    page = report.findings_page(decided, place)
    assert "holds: 1" in page and "SMALL collections" in page
    assert "toys (without VGG19)" in page and "and 5 more" in page
    many = decided.assign(without="; ".join("ABCDE"))
    assert "toys (without 5 rows that lack numbers, see findings.csv)" in report.findings_page(
        many, place
    )


def test_a_cell_without_a_run_says_why(place):
    (item,) = (item for item in place.paper.items if item.name == "table2")
    cells = item.plan(place)
    refused = {cell.stages[0]: "disk too small" for cell in cells if cell.stages}
    comparison, numbers = report.compare(item, cells, {}, place, refused)
    assert comparison["ours"].isna().all() and comparison["difference"].isna().all()
    row = comparison[(comparison["network"] == "ResNet50") & (comparison["challenge"] == "type")]
    assert row["paper"].tolist() == [71.23, 91.30] and set(row["lacks"]) == {"disk too small"}
    assert row["runs"].iloc[1] == str(
        place.results_path / "shandongA/type/ResNet50/fine_tuning,epochs=2"
    )
    comparison, _ = report.compare(item, cells, {}, place, {})
    assert "its run is not made" in set(comparison["lacks"])
    page = report.item_page(item, place, comparison)
    assert "- no weights file of VGG19: Rijksmuseum, material, VGG19; " in page
    assert "    python -m transfer.experiment --dataset_name shandongA --chal" in page
    assert list(numbers["network"][:4]) == list(place.paper.networks)


def test_the_commands_of_a_cell_make_what_it_starts_from_first(place):
    (item,) = (item for item in place.paper.items if item.name == "table3")
    comparison, _ = report.compare(item, item.plan(place), {}, place, {})
    (lines,) = comparison[
        (comparison["number"] == "Rijksmuseum + fine tuning (%)") & (comparison["commands"] != "")
    ]["commands"]
    first, second = lines.split("\n")
    folder = place.results_path / "shandongA/type/ResNet50/fine_tuning,epochs=2"
    assert "--dataset_name shandongA" in first and f"--weights {folder}" in second


def test_words_become_one_line_a_shell_reads():
    flags = {"ANN": "MobileNet(alpha=0.25):a b.h5", "where": ["collection=A", "x=y"]}
    line = report.command(flags)
    assert line.endswith("--ANN 'MobileNet(alpha=0.25):a b.h5' --where collection=A x=y")


def test_a_folder_is_found_made_new_for_new_runs_and_refused_for_other_settings(place, tmp_path):
    made = []

    def files():
        made.append(1)
        return {"a.md": b"%d" % len(made)}

    folder = tmp_path / "table2"
    assert report.write(folder, place, files, ["first"]) == folder
    report.write(folder, place, files, ["first"])
    assert (folder / "a.md").read_bytes() == b"1"
    report.write(folder, place, files, ["first", "second"])
    assert (folder / "a.md").read_bytes() == b"2"
    told = json.loads((folder / "manifest.json").read_text())
    assert told["identity"]["epochs"] == 2 and told["made_of"] == ["first", "second"]
    with pytest.raises(InputError, match=r"epochs 2 \(now 5\); give another folder"):
        report.write(folder, replace(place, epochs=5), files, [])


def test_a_page_is_refused_for_other_settings_before_runs_are_made(place, tmp_path):
    report.write(tmp_path / "table2", place, lambda: {"a.md": b"1"}, [])
    report.check_folder(tmp_path / "table2", place)
    report.check_folder(tmp_path / "table3", place)
    told = r"table2 holds .* seeds \[42\] \(now \[42, 43\]\); remove or rename .* the runs stay"
    with pytest.raises(InputError, match=told):
        report.check_folder(tmp_path / "table2", replace(place, seeds=(42, 43)))


def test_a_page_follows_pictures_that_changed_where_no_run_has(place, tmp_path):
    def counted(number):
        def measure(cells, runs):
            return as_numbers(pd.DataFrame([{**cells[0].keys, "pictures": number}]), cells)

        return Item("table1", "table", "counts", "table1", (), None, measure)

    cells = [Cell({"dataset": "Rijksmuseum", "challenge": "type"}, ("pictures",), on="toys")]
    for number in (30, 28):
        written = cells, {}, place, {}, tmp_path / "table1"
        _, folder = report.write_item(counted(number), *written)
        assert f" {number} |" in (folder / "table1.md").read_text()


def test_runs_and_commands_of_hundreds_of_rows_are_written_once():
    frame = pd.DataFrame({"runs": ["a", "a", "b", ""], "commands": ["x", "x", "x", ""], "n": 1})
    told = report._told_once(frame)
    assert told["runs"].tolist() == ["a", "", "b", ""]
    assert told["commands"].tolist() == ["x", "", "", ""] and told["n"].tolist() == [1] * 4


def test_what_is_printed_of_another_work_is_not_ours(place):
    def measure(cells, runs):
        return as_numbers(pd.DataFrame([{**cells[0].keys, "pictures": 5.0}]), cells)

    cells = [Cell({"a": "b"}, ("pictures",), printed=True)]
    comparison, numbers = report.compare(
        Item("table1", "table", "", "", (), None, measure), cells, {}, place, {}
    )
    assert comparison["ours"].isna().all() and numbers["pictures"].tolist() == [5.0]


def test_counts_have_no_digits_and_no_chance():
    cell = Cell({"dataset": "a"}, ("pictures",))
    row = {"dataset": "a", "on": "b", "number": "pictures", "paper": 10.0, "ours": 4.0}
    row |= {"lowest": None, "highest": None, "seeds": 0, "low95": math.nan, "high95": math.nan}
    row |= {"difference": -6.0, "chance": None, "pictures": None}
    frame = pd.DataFrame([row])
    text = report._table(frame)
    assert "| a | b | 10 | 4 | -6 |" in text and "chance" not in text
    item = Item("table1", "table", "counts", "", (), None, None)
    assert "chance" not in report._explained(item, frame)
    assert cell.stages == ()


@pytest.mark.parametrize(
    ("number", "value", "low", "high", "told"),
    [
        ("accuracy", 0.571, 0.514, 0.627, "0.571 [0.51, 0.63]"),
        ("hours", 0.01939, 0.01866, 0.02012, "0.0194 [0.0187, 0.0201]"),
        ("CKA", 0.99962, 0.99958, 0.99971, "0.99962 [0.99958, 0.99971]"),
        ("CKA", 1.0, 1.0, 1.0, "1.000"),
        ("top-1 (%)", 56.15, 50.5, 61.6, "56.15 [50.5, 61.6]"),
        ("p", 1.3e-8, math.nan, math.nan, "1.3e-08"),
    ],
)
def test_a_narrow_interval_has_the_digits_that_tell_its_ends_apart(number, value, low, high, told):
    cell = SimpleNamespace(ours=value, low95=low, high95=high, paper=math.nan, seeds=1)
    cell.difference = math.nan
    assert report._three(cell, number)[1] == told


def similarities(cells, runs):
    """Two layers for the first cell; the second cannot be compared, and says why."""
    first, second = cells
    rows = []
    for depth, (name, value) in enumerate((("low", 0.9), ("high", 0.7))):
        alike = Number(value, 0.5, 0.95, (value,), 0.1 + 0.1 * depth, 8).cells("CKA")
        apart = Number(1.5, of_each=(1.5,), chance=7.0).cells("l2")
        rows.append({**first.keys, "layer": name, "depth": depth, **alike, **apart})
    rows.append({**second.keys, "lacks": "weights are no numbers"})
    return as_numbers(pd.DataFrame(rows).fillna({"lacks": ""}), cells)


def test_rows_within_a_cell_have_their_names_and_each_number_its_chance(place):
    cells = [Cell({"pair": name}, ("CKA", "l2"), on="toys") for name in "ab"]
    item = Item("figure5", "figure", "CKA", "", (), None, similarities, chance="shuffled pictures")
    item = replace(item, notes=lambda place: ["Layers are GoogLeNet's."])
    comparison, numbers = report.compare(item, cells, {}, place, {})
    assert "lacks" not in numbers and len(comparison) == 6
    assert comparison["layer"].tolist()[:4] == ["low", "low", "high", "high"]
    assert comparison["lacks"].tolist()[4:] == ["weights are no numbers"] * 2
    row = comparison.iloc[2]
    assert (row["number"], row["ours"], row["chance"]) == ("CKA", 0.7, 0.2)
    page = report.item_page(item, place, comparison, ["cka.png", "more.csv"])
    # three digits of a similarity, two of a distance; what chance gives of each
    (line,) = [line for line in page.splitlines() if line.startswith("| a | high | 1 | toys |")]
    told = line.replace("\\", "").split(" | ")[4:]
    assert told[:6] == ["–", "0.700 [0.50, 0.95]", "–", "–", "1.50", "–"]
    assert told[6:] == ["CKA 0.2; l2 7", "8 |"]
    assert "| b | – | – | toys |" in page
    assert "shuffled pictures (chance)" in page and "Layers are GoogLeNet's." in page
    assert "![cka.png](cka.png)" in page and "\n[more.csv](more.csv)" in page
    assert "- weights are no numbers: b" in page


def test_methods_are_ordered_within_what_they_share():
    rows = [("RASTA", "off", 1, 30, 20), ("RASTA", "fine", 1, 50, 60), ("RASTA", "off", 3, 60, 80)]
    rows.append(("RASTA", "fine", 3, 80, 70))
    frame = pd.DataFrame(rows, columns=["dataset", "method", "k", "paper", "ours"])
    frame.insert(3, "on", "toys")
    frame.insert(4, "number", "accuracy (%)")
    orders = report.orderings(frame).set_index("of")
    assert orders["best"].to_dict() == {
        "RASTA, 1, accuracy (%)": "same",
        "RASTA, 3, accuracy (%)": "other",
    }


def test_rows_without_a_number_are_passed_over_and_named():
    cells = [Cell({"pair": name}, ("CKA", "l2")) for name in "ab"]
    frame = similarities(cells, {}).drop(columns="lacks")
    told, without = report._with_numbers(frame)
    assert told["layer"].tolist() == ["low", "high"] and without == ["b, –"]
    whole, without = report._with_numbers(told)
    assert len(whole) == 2 and without == []
