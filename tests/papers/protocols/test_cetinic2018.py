"""The plans have the published rows; starts and stand-ins; the best training, shares, by hand."""

import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.errors import InputError
from papers import likeness
from papers.decisions import FAILS, HOLDS
from papers.findings import FINDINGS, decide, find_finding
from papers.items import Cell
from papers.places import RANDOM, Place
from papers.protocols import cetinic2018 as protocol
from papers.published import items as published_items
from papers.published import read_item
from papers.stages import in_order
from transfer.retrieval import chance_hubs, normalize

ROWS = ["style,genre,artist,year", *["Cubism,portrait,a,1903", "Ukiyo_e,landscape,b,1822"] * 2]


@pytest.fixture
def place(tmp_path):
    """Return a Place on small collections with a few rows, GoogLeNet alone with weights."""
    lines = [f"{n or 'ImageId'},{row}" for n, row in enumerate(ROWS)]
    folder = tmp_path / "small" / "wikiart224"
    (folder / "images").mkdir(parents=True)
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    for number in range(1, len(ROWS)):
        (folder / "images" / f"{number}.png").write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "small" / "wikiart64.zip", "w") as file:
        for path in folder.rglob("*"):
            if path.is_file():
                file.write(path, f"wikiart64/{path.relative_to(folder)}")
    weights = tmp_path / "bvlc_googlenet.caffemodel"
    weights.write_bytes(b"x")
    return Place(
        *(protocol.PAPER, tmp_path / "results", tmp_path / "datasets"),
        small=tmp_path / "small",
        weights={"GoogLeNet": f"GoogLeNet:{weights}"},
        input_size=128,
        trained_epochs=6,
    )


def item(name):
    return next(item for item in protocol.ITEMS if item.name == name)


@pytest.mark.parametrize("name", [i.name for i in protocol.ITEMS if i.published])
def test_a_plan_has_the_rows_that_were_published(place, name):
    """Where a number is not published the row's keys are columns all the same."""
    one = item(name)
    published, cells = read_item("cetinic2018", one.published), one.plan(place)
    keys = list(cells[0].keys)
    known = set(published) | {"tuned for"}
    assert set(keys) <= known and all(list(cell.keys) == keys for cell in cells)
    rows = {tuple(cell.keys.values()) for cell in cells}
    if name in ("table1", "table2", "table2_variance", "table3", "table4", "short_training"):
        assert set(map(tuple, published[keys].to_numpy())) <= rows
        further = {row for row in rows if RANDOM in row}
        assert rows - further == set(map(tuple, published[keys].to_numpy()))
        columns = {column for cell in cells for column in cell.columns}
        assert columns - {protocol.WITH_RANDOM} <= set(published)


def test_every_published_table_has_an_item_and_every_statement_its_numbers():
    published = {one.published for one in protocol.ITEMS}
    assert set(published_items("cetinic2018")) - published == {"text", "contradictions"}
    for finding in FINDINGS["cetinic2018"].values():
        assert set(finding.question.items) <= published


def test_googlenet_stands_in_caffenets_place_and_every_row_says_so(place):
    assert place.network == "GoogLeNet" and "GoogLeNet in the place of CaffeNet" in place.told
    for one in protocol.ITEMS:
        for cell in one.plan(place):
            if one.runs and cell.on != protocol.PRINTED:
                assert "GoogLeNet (for CaffeNet)" in cell.on, (one.name, cell.on)
    theirs = replace(place, weights=place.weights | {"CaffeNet": "CaffeNet:file"})
    assert theirs.network == "CaffeNet" and "in the place of CaffeNet" not in theirs.told
    only = replace(theirs, only=("GoogLeNet",))
    assert only.network == "GoogLeNet"
    (stage,) = protocol.trainings(theirs, *protocol.STYLE)
    assert stage.start == "CaffeNet:file" and stage.input_size is None  # it takes no other size


def test_runs_on_small_collections_are_changed_as_told(place):
    (stage,) = protocol.trainings(place, *protocol.STYLE, "only_last3")
    recipe = stage.recipe
    assert recipe.name == "cetinic2018.only_last3" and recipe.epochs == 6
    assert {name: getattr(recipe, name) for name in protocol.SMALL_CHANGES} == (
        protocol.SMALL_CHANGES
    )
    (short,) = protocol.short_training(place)
    assert (short.recipe.epochs, short.recipe.schedule_epochs) == (2, 1)
    full = replace(place, full=True, trained_epochs=None)
    assert protocol.trainings(full, *protocol.STYLE)[0].recipe.batch_size == 256
    (short,) = protocol.short_training(full)
    assert (short.recipe.epochs, short.recipe.learning_rate) == (20, 0.001)
    assert short.recipe.schedule_epochs == 5


def test_starts_are_the_papers_then_others_then_random(place):
    assert protocol.starts(place) == (*protocol.INITIALIZATIONS, RANDOM)
    named = {"GoogLeNet": {"places": "GoogLeNet:p", "hybrid": "GoogLeNet:h"}}
    more = replace(place, starts=named)
    assert protocol.starts(more) == (*protocol.INITIALIZATIONS, "places", RANDOM)
    assert protocol.starts(replace(place, small=None)) == protocol.INITIALIZATIONS
    cells = {tuple(cell.keys.values()): cell for cell in protocol.plan_table2(more)}
    start = {name: cells[(*protocol.STYLE, name)] for name in protocol.starts(more)}
    assert start["hybrid"].stages[0].start == "GoogLeNet:h"
    assert start[RANDOM].stages[0].start == "GoogLeNet"
    assert start[RANDOM].stages[0].recipe.pixels == "unit"
    assert start["memnet"].lacks == "no weights file of GoogLeNet, start memnet"
    named = replace(place, starts={"GoogLeNet": {"caffe": "GoogLeNet:c"}})
    assert protocol.trainings(named, *protocol.STYLE)[0].start == "GoogLeNet:c"
    # scenarios are from hybrid where it is there, else from ImageNet's objects, which is told
    (of_all,) = protocol.trainings(more, *protocol.STYLE)
    assert of_all.start == "GoogLeNet:h"
    row = protocol.plan_figure8(place)[0]
    assert row.stages[0].start == place.weights["GoogLeNet"]
    assert "from caffe (for hybrid)" in row.on


def test_tables_2_and_3_share_their_runs(place):
    of = {n: {s for cell in item(n).plan(place) for s in cell.stages} for n in ("table2", "table3")}
    tasks = len([pair for pair in protocol.TASKS if not isinstance(place.data(*pair), str)])
    assert tasks == 6
    assert len(of["table2"]) == 2 * tasks and len(of["table3"]) == 5 * tasks
    assert len(of["table2"] & of["table3"]) == tasks
    for name in ("figure7", "figure8", "figure9"):
        assert {s for cell in item(name).plan(place) for s in cell.stages} <= of["table3"]
    for name in ("table4", "figure10", "figure15", "figure16", "neighbours", "retrieval"):
        more = {s for cell in item(name).plan(place) for s in cell.stages}
        more -= of["table2"] | of["table3"] | set(protocol.short_training(place))
        assert not more, name


def test_an_item_has_no_more_runs_than_it_says(place):
    one = place.data(*protocol.STYLE)
    known = {pair: replace(one, dataset_name=" ".join(pair)) for pair in protocol.TASKS}
    every = {name: f"CaffeNet:{name}" for name in protocol.STARTS}
    place = replace(
        *(place,), small=None, weights={"CaffeNet": "CaffeNet:c"}, starts={"CaffeNet": every}
    )
    place.known.clear()
    place.known.update(known)
    for one in protocol.ITEMS:
        stages = in_order(stage for cell in one.plan(place) for stage in cell.stages)
        assert len(stages) == one.runs, one.name


def made(val, accuracy=50.0, folder=None, **more):
    metrics = {"top1_accuracy": accuracy / 100, "n_test": 10, "n_val": 10, "macro_f1": 0.25}
    metrics |= {"chance_top1": 0.1, "top1_interval": [0.1, 0.9]} | more
    history = pd.DataFrame({"val_accuracy": [0.9, val]})
    run = {"accuracy": accuracy, "metrics": metrics, "history": history, "folder": folder}
    return SimpleNamespace(
        network="N", mode="cetinic2018.all", weights="w", split_sha256="s", **run
    )


def stages_of(place, *scenarios, seeds=(42,)):
    place = replace(place, seeds=seeds)
    return [protocol.trainings(place, *protocol.STYLE, scenario) for scenario in scenarios]


def test_the_best_training_is_that_of_the_last_validation_over_seeds(place):
    first, second = stages_of(place, "all", "only_last", seeds=(42, 43))
    values = (0.5, 0.6, 0.4, 0.8)
    runs = {s: made(value) for s, value in zip((*first, *second), values, strict=True)}
    cell = Cell({}, (), (*first, *second))
    assert protocol.best_training(cell, runs) == [runs[stage] for stage in second]
    del runs[second[1]]  # of what is there
    assert protocol.best_training(cell, runs) == [runs[stage] for stage in first]
    assert protocol.best_training(cell, {}) == []


def test_table4_is_of_the_best_training_and_others_are_printed_with_the_whole_collections(place):
    ((one,), (other,)) = stages_of(place, "all", "only_last")
    runs = {one: made(0.9, accuracy=40), other: made(0.8, accuracy=70)}
    keys = {"reference": "Cetinic et al.", "dataset": "WikiArt", "task": "style"}
    tan = {"reference": "Tan et al. 2016", "dataset": "WikiArt", "task": "style"}
    cells = [
        Cell(keys | {"measure": "accuracy"}, (protocol.VALUE,), (one, other)),
        Cell(keys | {"measure": "F1"}, (protocol.VALUE,), (one, other)),
        Cell(tan | {"measure": "accuracy"}, (protocol.VALUE,), printed=True),
        Cell(tan | {"measure": "accuracy"}, (protocol.VALUE,), (), "no", printed=True),
    ]
    frame = protocol.measure_table4(cells, runs)
    assert frame[protocol.VALUE].tolist()[:3] == [40, 25, 54.5]
    assert np.isnan(frame[protocol.VALUE][3])
    (name, content), *_ = protocol.draw_trainings(place, cells[:1], runs).items()
    assert name == "trainings.csv" and content.decode().count("yes") == 1


def predictions(folder, rows):
    folder.mkdir(parents=True)
    frame = pd.DataFrame(rows, columns=["id", "true", "predicted"])
    frame.to_csv(folder / "predictions.csv", index=False)
    return folder


def test_variance_over_starts_by_hand(place, tmp_path):
    right = {"a": "rrrw", "b": "wwrr"}
    runs, stages = {}, []
    for name, text in right.items():
        rows = [(f"p{n}", "x", "x" if letter == "r" else "y") for n, letter in enumerate(text)]
        folder = predictions(tmp_path / name, rows)
        key = replace(protocol.trainings(place, *protocol.STYLE)[0], start=f"GoogLeNet:{name}")
        stages.append(key)
        runs[key] = made(0.5, folder=folder)
    cell = Cell(protocol._keys(protocol.STYLE), (protocol.VARIANCE,), tuple(stages))
    frame = protocol.measure_variance([cell, replace(cell, stages=(), lacks="no")], runs)
    # accuracies 0.75 and 0.5; three pictures of four are told by one start alone
    assert frame[protocol.VARIANCE][0] == pytest.approx(1e4 * 0.125**2)
    assert frame[f"{protocol.VARIANCE}_chance"][0] == pytest.approx(1e4 * 3 * 0.25 / 16)
    assert frame[f"{protocol.VARIANCE}_low"][0] == 0 < frame[f"{protocol.VARIANCE}_high"][0]
    assert np.isnan(frame[protocol.VARIANCE][1])
    # a random start has a number of its own, and is none of the paper's
    columns = (protocol.VARIANCE, protocol.WITH_RANDOM)
    drawn = replace(stages[1], start="GoogLeNet")
    cell = replace(cell, columns=columns, stages=(stages[0], drawn))
    (row,) = protocol.measure_variance([cell], runs | {drawn: runs[stages[1]]}).to_dict("records")
    assert row[protocol.WITH_RANDOM] == pytest.approx(1e4 * 0.125**2)
    assert np.isnan(row[protocol.VARIANCE]) and "two pretrained starts" in row["lacks"]


def test_the_variance_by_chance_is_that_of_answers_dealt_anew():
    rng = np.random.default_rng(0)
    right = rng.random((3, 40)) < rng.random(40)
    by_chance = right.var(axis=0).sum() / 40**2
    dealt = [np.var(rng.permuted(right, axis=0).mean(axis=1)) for _ in range(4000)]
    assert np.mean(dealt) == pytest.approx(by_chance, rel=0.05)


def test_shares_and_their_names(place, tmp_path):
    rows = [("1", "Ukiyo_e", "Ukiyo_e"), ("2", "Ukiyo_e", "Cubism"), ("3", "Cubism", "Cubism")]
    (stage,) = protocol.trainings(place, *protocol.STYLE)
    runs = {stage: made(0.5, folder=predictions(tmp_path / "run", [*rows, ("4", *rows[0][1:])]))}
    cells = [Cell(protocol._keys(protocol.STYLE), (protocol.SHARE,), (stage,))]
    frame = protocol.measure_confusion(cells, runs)
    found = frame.set_index(["true", "predicted"])[protocol.SHARE]
    assert found["Ukiyo-e", "Ukiyo-e"] == pytest.approx(200 / 3)
    assert found["Cubism", "Ukiyo-e"] == 0 and found["Cubism", "Cubism"] == 100
    chances = frame.set_index(["true", "predicted"])[f"{protocol.SHARE}_chance"]
    assert chances["Ukiyo-e", "Cubism"] == 50
    assert decide(find_finding("cetinic2018", "ukiyo_e_is_plainest"), frame).answer != HOLDS
    lost = protocol.measure_confusion(cells, {})
    assert lost[protocol.SHARE].isna().all()
    assert list(protocol.draw_confusion(place, cells, runs)) == ["wikiart_style.png"]


@pytest.mark.parametrize(
    ("task", "label", "name"),
    [
        ("style", "Post_Impressionism", "Post-Impressionism"),
        ("style", "Naive_Art_Primitivism", "Naive Art Primitivism"),
        ("genre", "nude painting (nu)", "nude painting"),
        ("genre", "genre_painting", "genre painting"),
        ("artist", "childe hassam", "Childe Hassam"),
        ("artist", "claude-monet", "Claude Monet"),
        ("artist", "artist_1a8d67db", "artist 1a8d67db"),
        ("timeframe", "1851-1900", "1851-1900"),
    ],
)
def test_classes_are_called_as_in_the_paper(task, label, name):
    assert protocol.shown(task, label) == name


def test_time_is_that_of_the_steps_of_the_runs(place, monkeypatch):
    from papers import step_times

    cells = protocol.plan_time(place)
    runs = {cell.stages[0]: made(0.5, n_train=65, epochs_run=4) for cell in cells}
    seconds = np.array([[3600.0, 1800, 900, 360, 36]] * 3)
    monkeypatch.setattr(step_times, "by_turns", lambda stages, folder, rounds: seconds)
    frame = protocol.measure_time(cells, runs)
    # 65 pictures in batches of 32 are 3 steps
    assert frame["hours"].tolist() == pytest.approx([12, 6, 3, 1.2, 0.12])
    assert frame["of all layers (%)"].tolist() == pytest.approx([100, 50, 25, 10, 1])
    assert decide(find_finding("cetinic2018", "skip_first2_takes_less_time"), frame).answer == HOLDS
    del runs[cells[0].stages[0]]  # without all layers there is nothing to compare with
    assert protocol.measure_time(cells, runs)["hours"].isna().all()
    assert list(protocol.draw_time(place, cells, runs)) == []


@pytest.fixture
def looked(monkeypatch):
    """Return (gallery, features) that cells find: genre-tuned features tell genres alone."""
    rng, count = np.random.default_rng(0), 60
    labels = {name: rng.permutation([f"{name} {n % 3}" for n in range(count)]) for name in "gs"}
    labels = {"genre": labels["g"], "style": labels["s"]}
    files = tuple(Path(f"{n}.png") for n in range(count))
    noise = rng.normal(0, 0.05, (count, 3))
    features = {
        task: noise + np.eye(3)[[int(label[-1]) for label in labels[task]]] for task in labels
    }
    gallery = likeness.Gallery(files, labels)
    monkeypatch.setattr(protocol, "_looked_at", lambda cells, runs: (gallery, features))
    return gallery, features


def test_what_a_network_is_tuned_for_is_what_it_finds(place, looked):
    frame = protocol.measure_figure15(protocol.plan_figure15(place), {})
    found = frame.set_index(["tuned for", "label"])["precision"]
    assert found["genre", "genre"] == found["style", "style"] == 1
    assert found["genre", "style"] < 0.6 and frame["precision_chance"].between(0.3, 0.4).all()
    told = decide(find_finding("cetinic2018", "tuning_decides_what_is_found"), frame)
    assert told.answer == HOLDS


def hubs_by_chance(pictures):
    found = chance_hubs(pictures, protocol.NEIGHBOURS)
    return found.most, found.share_never, found.skewness


def test_neighbours_end_with_the_picture_in_the_middle(place, looked, monkeypatch):
    monkeypatch.setattr(protocol, "FAR", 7)
    gallery, features = looked
    frame = protocol.measure_neighbours(protocol.plan_neighbours(place), {})
    of_genre = frame[frame["tuned for"] == "genre"]
    assert len(of_genre) == 60 and of_genre["query"].nunique() == 60
    rows = normalize(features["genre"])
    far, near = likeness.distances_of_neighbour(rows, 7, 7 / protocol.OF_PAPER)
    assert of_genre[protocol.AT_RANK].iloc[-1] == np.sort(near)[29]
    assert sorted(of_genre[protocol.AT_RANK]) == sorted(near)
    assert (of_genre[protocol.DISTANCE] == np.median(far)).all()
    assert (of_genre["closer than 0.4 (%)"] == 100).all()
    most = of_genre[[f"{name}_chance" for name in protocol.HUBS]].iloc[0]
    assert most.tolist() == [x * y for x, y in zip(hubs_by_chance(60), (1, 100, 1), strict=True)]
    finding = find_finding("cetinic2018", "neighbours_are_near")
    assert decide(finding, frame).answer == HOLDS


def test_pairs_of_networks(place, looked, monkeypatch):
    cells = protocol.plan_figure16(place)
    names = list(protocol.networks_of_figure16(place))
    assert names[:2] == ["caffe", "caffe, artist"] and RANDOM in names
    assert len(cells) == len(names) * (len(names) - 1) / 2
    assert cells[0].networks[RANDOM].at_start
    features = {name: looked[1]["genre" if "genre" in name else "style"] for name in names}
    monkeypatch.setattr(protocol, "_looked_at", lambda cells, runs: (looked[0], features))
    frame = protocol.measure_figure16(cells, {})
    one = frame.set_index(["first", "second"])["cosine distance"]
    assert one["caffe", "caffe, style"] == pytest.approx(0, abs=1e-9)
    assert one["caffe", "caffe, genre"] > 0.5
    told = decide(find_finding("cetinic2018", "networks_see_differently"), frame)
    assert told.answer == FAILS and list(protocol.draw_figure16(place, cells, {}))


def test_what_cannot_be_looked_at_is_told_in_its_cells(place, monkeypatch):
    def refuse(cells, runs):
        raise InputError("no picture is new")

    for measure, plan in (
        (protocol.measure_figure15, protocol.plan_figure15),
        (protocol.measure_retrieval, protocol.plan_retrieval),
        (protocol.measure_neighbours, protocol.plan_neighbours),
        (protocol.measure_figure16, protocol.plan_figure16),
    ):
        cells = plan(place)
        monkeypatch.setattr(protocol, "_looked_at", lambda cells, runs: None)
        assert (measure(cells, {})["lacks"] == "").all()
        monkeypatch.setattr(protocol, "_looked_at", refuse)
        assert (measure(cells, {})["lacks"] == "no picture is new").all()
    assert protocol.draw_figure15(place, cells, {}) == {}


def test_networks_are_opened_when_one_of_their_trainings_is_made(place, tmp_path):
    (cell, *_) = protocol.plan_retrieval(place)
    stages = {task: cell.networks[task] for task in protocol.TUNED}
    runs = {}
    assert list(protocol.opened_networks(cell, runs)) == [protocol.UNTUNED]
    one = {stages["genre"][2]: made(0.5, folder=tmp_path)}  # whatever the first one lacks
    assert list(protocol.opened_networks(cell, one)) == ["genre", protocol.UNTUNED]
    for task, of in stages.items():
        runs |= {stage: made(0.5, folder=tmp_path / task / str(n)) for n, stage in enumerate(of)}
    runs[stages["genre"][1]].history.loc[1, "val_accuracy"] = 0.7
    opened = protocol.opened_networks(cell, runs)
    assert opened["genre"] == str(tmp_path / "genre" / "1")
    assert opened[protocol.UNTUNED] == place.weights["GoogLeNet"]


def test_pages_say_what_small_trainings_are(place):
    (random,) = item("table2").notes(place)
    assert "pixels from 0 to 1" in random
    (layers,) = item("table3").notes(place)
    assert "skip_first2 = all but the first 3 convolutions" in layers
    assert "only_last3 = mixed5a and all behind it" in layers
    constant, falling = item("short_training").notes(place)
    assert constant.startswith("constant: ") and "times 0.1 after 1 epochs" in falling
    assert "1500" not in item("retrieval").plan(place)[0].on


def test_without_all_layers_no_time_is_a_share_of_theirs(place):
    cells = protocol.plan_time(place)
    frame = protocol.measure_time(cells, {})
    assert set(frame["lacks"]) == {"no training of all layers to compare with"}


def test_equal_starts_have_no_variance_within_its_interval(place, tmp_path):
    """The percentile interval alone lies above the truth, which is 0, in every one of these."""
    random, covered = np.random.default_rng(0), 0
    for _ in range(20):
        right = [pd.Series(random.random(200) < 0.55, dtype=float) for _ in range(5)]
        number = protocol._variance({n: [one] for n, one in enumerate(right)})
        covered += number.low == 0
    assert covered >= 18
