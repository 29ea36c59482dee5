"""The papers' numbers: spot values read off the pages by hand, sums and variances recomputed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.errors import InputError
from papers.published import FOLDER, PAPERS, items, read_item

# Parameters of keras.applications networks without their top, as count_params() gives them.
BODIES = {"Xception": 20861480, "InceptionV3": 21802784, "ResNet50": 23587712, "VGG19": 20024384}
EVERY = [(paper, item) for paper in PAPERS for item in items(paper)]
ROWS = {
    "sabatelli2018": {"table1": 6, "table2": 12, "table3": 8, "learning_curves": 1089},
    "gonthier2020": {"table1": 15, "table2": 5, "table3": 12, "table4": 11, "table5": 8},
    "cetinic2018": {
        "table1": 9,
        "table2": 45,
        "table2_variance": 9,
        "table3": 45,
        "table4": 19,
    },
}


def cell(paper, item, column, **where):
    """The one number of an item at these cells."""
    frame = read_item(paper, item)
    for name, value in where.items():
        frame = frame[frame[name] == value]
    (value,) = frame[column]
    return value


def test_every_table_has_all_its_rows():
    for paper, expected in ROWS.items():
        assert {item: len(read_item(paper, item)) for item in expected} == expected
        assert {"text", "contradictions", *expected} <= set(items(paper))


@pytest.mark.parametrize(("paper", "item"), EVERY)
def test_every_row_has_its_place_and_every_number_its_range(paper, item):
    frame = read_item(paper, item)
    assert frame["place"].notna().all()
    assert frame["note"].map(type).eq(str).all()
    for column in frame:
        if "(%)" in column:
            numbers = pd.to_numeric(frame[column]).dropna()
            assert numbers.between(0, 100).all()
        elif column in ("accuracy", "validation accuracy", "mean CKA"):
            assert frame[column].between(0, 1).all()


@pytest.mark.parametrize(("paper", "item"), EVERY)
def test_files_are_plain(paper, item):
    lines = (FOLDER / paper / f"{item}.csv").read_bytes()
    assert lines.endswith(b"\n") and b"\r" not in lines
    assert lines.decode("utf-8").splitlines()[0].endswith("place,note")


@pytest.mark.parametrize(
    ("paper", "item", "column", "where", "value"),
    [
        ("sabatelli2018", "table1", "labels", {"dataset": "Antwerp", "challenge": "type"}, 920),
        ("sabatelli2018", "table2", "fine tuning (%)", {"note": ""}, None),
        ("gonthier2020", "table2", "mean l2", {"first": "from scratch"}, 8.13),
        ("gonthier2020", "table5", "learning rate of the last layer", {"mode": "F"}, 0.01),
        ("gonthier2020", "text", "value", {"name": "mean CKA, ImageNet to IconArt"}, 0.89),
        ("cetinic2018", "table1", "classes", {"task": "style"}, 15),
        ("cetinic2018", "text", "value", {"name": "styles of WikiArt"}, 27),
    ],
)
def test_spot_values(paper, item, column, where, value):
    if value is None:
        assert read_item(paper, item)["note"].ne("").all()
    else:
        assert cell(paper, item, column, **where) == value


def test_spot_values_of_long_tables():
    rasta = {"method": "trained from scratch", "k": 3}
    assert cell("gonthier2020", "table1", "accuracy (%)", **rasta) == 73.44
    double = {"method": "fine-tuned, ImageNet and RASTA", "dataset": "IconArt"}
    assert cell("gonthier2020", "table3", "mean average precision (%)", **double) == 67.4
    fine = {"dataset": "IconArt", "second": "ImageNet, then small set"}
    assert cell("gonthier2020", "table4", "mean CKA", **fine) == 0.90
    timeframe = {"dataset": "WGA", "task": "timeframe"}
    hybrid = cell("cetinic2018", "table2", "accuracy", initialization="hybrid", **timeframe)
    whole = cell("cetinic2018", "table3", "accuracy", scenario="all", **timeframe)
    assert (hybrid, whole) == (0.527, 0.526)
    style = {"reference": "Lecoutre et al. 2017", "task": "style"}
    assert cell("cetinic2018", "table4", "value (%)", **style) == 62.8


def test_table_2_holds_what_the_papers_prose_says():
    rows = read_item("sabatelli2018", "table2").set_index(["challenge", "network"])
    off, fine = "off the shelf (%)", "fine tuning (%)"
    text = read_item("sabatelli2018", "text").set_index("name")["value"].astype(float)
    told = {"off the shelf": off, "fine tuning": fine}
    compared = 0
    for (challenge, network), row in rows.iterrows():
        for words, column in told.items():
            name = f"{challenge}, {network}, {words}"
            if name in text.index and row[column] == row[column]:
                assert row[column] == text[name]
                compared += 1
    assert compared == 10
    lost = rows[rows[off].isna()]
    assert list(lost.index) == [("artist", "InceptionV3"), ("artist", "ResNet50")]
    assert lost["note"].str.contains("below 10%").all()
    assert (lost[f"{off}_low"] == 0).all() and (lost[f"{off}_high"] == 10).all()


def test_table_2_notes_compute_the_parameters():
    labels = read_item("sabatelli2018", "table1").query("dataset == 'Rijksmuseum'")
    classes = labels.set_index("challenge")["labels"].astype(int)
    for _, row in read_item("sabatelli2018", "table2").iterrows():
        head = (row["feature size"] + 1) * classes[row["challenge"]]
        body = BODIES[row["network"]]
        assert f"{body:,} + {head:,} (head" in row["note"]
        assert f"= {(body + head) / 1e6:.2f} million" in row["note"]
        assert abs((body + head) / 1e6 - int(row["params as printed"].rstrip("K"))) < 1


def test_learning_curves_are_whole_and_end_near_the_test_accuracies():
    curves = read_item("sabatelli2018", "learning_curves")
    keys = ["dataset", "challenge", "network", "start", "mode"]
    lengths = curves.groupby(keys, dropna=False)["epoch"].agg(["min", "max", "count"])
    assert len(lengths) == 27 + 12 and (lengths["min"] == 0).all()
    assert (lengths["count"] == lengths["max"] + 1).all()
    ends = {"artist": 40, "material": 25, "type": 25}
    rijks = lengths.loc["Rijksmuseum"].reset_index()
    assert (rijks["max"] == rijks["challenge"].map(ends)).all()
    last = curves[curves["epoch"] == curves.groupby(keys, dropna=False)["epoch"].transform("max")]
    antwerp = last[last["dataset"] == "Antwerp"].set_index(["challenge", "start", "mode"])
    table = read_item("sabatelli2018", "table3").query("network == 'ResNet50'")
    for _, row in table.iterrows():
        for start in ("ImageNet", "Rijksmuseum"):
            for mode in ("off the shelf", "fine tuning"):
                end = antwerp.loc[row["challenge"], start, mode]["validation accuracy"]
                assert abs(100 * end - row[f"{start} + {mode} (%)"]) < 3  # as the notes say


def test_first_points_of_fine_tuning_are_copies_as_the_notes_say():
    curves = read_item("sabatelli2018", "learning_curves").query("start == 'ImageNet'")
    at = curves.set_index(["challenge", "network", "mode", "epoch"])["validation accuracy"]
    for network in BODIES:
        for challenge, epoch in (("material", 0), ("type", 1)):
            copied = at[challenge, network, "off the shelf", epoch]
            assert at[challenge, network, "fine tuning", 0] == copied


@pytest.mark.parametrize("challenge", ["artist", "material", "type"])
@pytest.mark.parametrize("mode", ["full_fine_tuning", "only_softmax"])
def test_learning_curves_are_the_released_ones(shared, challenge, mode):
    name = f"rijksmuseum_{challenge}_challenge_{mode}.tsv"
    released = pd.read_csv(shared / "papers/sabatelli2018_learning_curves" / name, sep="\t")
    curves = read_item("sabatelli2018", "learning_curves").query(
        "dataset == 'Rijksmuseum' and challenge == @challenge and mode == @words",
        local_dict={
            "challenge": challenge,
            "words": {"full_fine_tuning": "fine tuning"}.get(mode, "off the shelf"),
        },
    )
    ours = sorted(
        map(
            tuple,
            curves.pivot_table(
                index=["network", "start"], columns="epoch", values="validation accuracy"
            ).to_numpy(),
        )
    )
    assert ours == sorted(tuple(released[name]) for name in released.columns[1:])


def test_variances_are_those_of_the_accuracies_within_rounding():
    accuracies = read_item("cetinic2018", "table2").groupby(["dataset", "task"])["accuracy"]
    printed = read_item("cetinic2018", "table2_variance").set_index(["dataset", "task"])
    for key, rows in accuracies:
        values = rows.to_numpy()
        # each accuracy is rounded by up to 0.0005: how far that moves the variance, and 0.1 for
        # the variance's own last digit
        moved = 2 / 5 * 0.0005 * np.abs(values - values.mean()).sum() * 1e4
        told = printed.loc[key, "variance (1e-4)"]
        assert abs(values.var() * 1e4 - told) <= moved + 0.1
        assert abs(values.var(ddof=1) * 1e4 - told) > moved or key[1] == "genre"


def test_pictures_of_a_task_are_enough_for_its_least_class():
    text = read_item("cetinic2018", "text").set_index("name")["value"]
    table = read_item("cetinic2018", "table1").set_index(["dataset", "task"])
    for (dataset, task), row in table.iterrows():
        least = [name for name in text.index if name.startswith("pictures of a")]
        least = [n for n in least if f" {task} of {dataset}, " in n]
        assert row["pictures"] >= text[least[0]] * row["classes"]


def test_the_ensemble_is_of_three_and_short_training_loses_what_is_noted():
    assert cell("gonthier2020", "text", "value", name="models averaged") == 3
    accuracies = read_item("cetinic2018", "short_training")["accuracy (%)"]
    assert round(accuracies[0] - accuracies[1], 2) == 3.41


@pytest.mark.parametrize("paper", PAPERS)
def test_contradictions_are_two_values_each_with_its_place(paper):
    frame = read_item(paper, "contradictions")
    assert (frame["value"].astype(str) != frame["other value"].astype(str)).all()
    assert frame[["about", "value", "place", "other value", "other place"]].notna().all().all()


@pytest.mark.parametrize(
    ("paper", "item", "message"),
    [
        ("sabateli2018", "table1", "no paper 'sabateli2018'; there is sabatelli2018"),
        ("nobody", "table1", "there is sabatelli2018, gonthier2020, cetinic2018"),
        ("cetinic2018", "tabel2", "no item 'tabel2' of cetinic2018; there is table2"),
        ("gonthier2020", "../../../setup", "no item '../../../setup' of gonthier2020"),
        ("gonthier2020", None, "no item None of gonthier2020"),
    ],
)
def test_unknown_names_are_told_those_near(paper, item, message):
    with pytest.raises(InputError) as caught:
        read_item(paper, item)
    assert message in str(caught.value)


def test_data_are_declared_for_installed_packages():
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = project["tool"]["setuptools"]
    assert "papers*" in setuptools["packages"]["find"]["include"]
    patterns = setuptools["package-data"]["papers"]
    declared = {path for pattern in patterns for path in (root / "papers").glob(pattern)}
    assert declared == set(FOLDER.rglob("*.csv"))
