"""Layers of tiny networks: boxes beside chance, means by hand, CKA and distances as published."""

from dataclasses import replace

import numpy as np
import pytest

from papers import layers
from papers.looks import Side
from papers.published import read_item
from tests.papers.conftest import ask


def test_boxes_have_every_layer_beside_chance(cell):
    cells = ask(cell, cell.keys, layers.BOXES)
    frame = layers.measure_boxes(cells, {})
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
    drawn = layers.draw_boxes((layers.OVERLAP, layers.ENTROPY), None, cells, {})
    assert set(drawn) == {"overlap_1.png", "entropy_1.png"}
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_the_mean_of_channels_by_hand():
    number = layers._mean_of(np.array([0.2, np.nan, 0.6]), 0.1)
    assert (number.value, number.chance) == (pytest.approx(0.4), 0.1)
    # Student's t of one degree of freedom is 12.706
    assert number.high - number.value == pytest.approx(12.7062 * 0.2, rel=1e-4)
    assert layers._mean_of(np.array([np.nan]), 0.1).value is None


def test_cka_and_distances_are_in_the_published_form(cell):
    keys = {"first": "ImageNet", "second": "RASTA (mode A, training 1)"}
    frame = layers.measure_cka(ask(cell, keys, ("CKA",)), {})
    assert set(read_item("gonthier2020", "figure5")) <= {*frame, "place", "note"}
    assert frame["CKA"].between(0, 1).all() and (frame["CKA_chance"] > 0).all()
    assert (frame["CKA_low"] <= frame["CKA"]).all() and (frame["CKA"] <= frame["CKA_high"]).all()
    assert list(layers.draw_cka(None, ask(cell, keys, ("CKA",)), {})) == ["cka.png"]
    both = layers.measure_similarity(ask(cell, keys, ("mean CKA", "mean l2")), {})
    assert both["mean CKA"][0] == pytest.approx(frame["CKA"].mean())
    alone = layers.measure_distances(ask(cell, keys, ("mean l2",)), {})
    assert alone["mean l2"][0] == both["mean l2"][0] > 0
    assert alone["mean l2_chance"][0] > 0 and np.isnan(alone["mean l2_low"][0])


def test_seeds_have_a_mean_a_range_and_students_interval(cell):
    two = replace(cell, columns=("mean l2",), looks=cell.looks * 2)
    other = replace(cell.looks[0], sides=cell.looks[0].sides[:1] * 2)  # a network and itself
    two = replace(two, looks=(cell.looks[0], other))
    frame = layers.measure_distances([two], {})
    one = cell.looks[0].distance({})[0]
    assert frame["mean l2"][0] == pytest.approx(one / 2)
    assert (frame["mean l2_lowest"][0], frame["mean l2_highest"][0]) == (0, pytest.approx(one))
    assert frame["mean l2_high"][0] == pytest.approx(one / 2 * (1 + 12.7062), rel=1e-4)


def test_what_cannot_be_looked_at_is_told_in_its_row(cell):
    lost = replace(cell, columns=("mean l2",), lacks="no weights file", looks=())
    broken = replace(cell.looks[0], sides=(cell.looks[0].sides[0], Side("gone", "gone.keras")))
    wrong = replace(cell, columns=("mean l2",), looks=(broken,))
    frame = layers.measure_distances([lost, wrong], {})
    assert frame["mean l2"].isna().all() and "gone.keras" in frame["lacks"][1]
    assert frame["lacks"][0] == ""  # the cell says it
    assert layers.draw_cka(None, [lost], {}) == {}
    assert layers.draw_boxes((layers.OVERLAP,), None, [lost], {}) == {}
