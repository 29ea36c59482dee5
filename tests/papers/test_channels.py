"""Channels picked by hand-made values; those of tiny networks measured and drawn."""

from types import SimpleNamespace

import numpy as np
import pytest

from papers import channels
from tests.papers.conftest import ask


def test_levels_are_the_papers_on_googlenets_stages():
    modules = [f"mixed{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e")]
    names = [*(f"conv2d{number}" for number in range(3)), *modules]
    stages = {name: (name,) for name in [*names, "mixed5a", "mixed5b"]}
    assert channels.level_layers(stages, "low") == names[:5]
    assert channels.level_layers(stages, "middle") == names[5:]
    assert channels.level_layers(stages, "high") == ["mixed5a", "mixed5b"]
    assert channels.level_layers({"a": ("b", "c")}, "high") == ["b", "c"]


def test_channels_are_picked_by_their_value():
    values = {"a": np.array([0.3, np.nan, 0.1, 0.9]), "b": np.array([0.2, 0.5])}
    assert channels.pick(values, "least overlap", 2) == [("a", 2), ("b", 0)]
    assert channels.pick(values, "least overlap", 2, skip=2) == [("a", 0), ("b", 1)]
    assert channels.pick(values, "median overlap", 2) == [("b", 0), ("a", 0)]
    assert channels.pick(values, "near 46 %", 1) == [("b", 1)]
    spread = channels.pick(values, "spread", 3)
    assert spread == [("a", 2), ("a", 0), ("a", 3)]
    assert channels.pick({"a": np.array([np.nan])}, "least entropy", 3) == []
    assert channels.pick({"a": np.array([np.nan])}, "spread", 3) == []


def test_layers_that_were_not_trained_gather_nothing():
    overlaps = {"frozen": [1.0, np.nan, 1.0], "dead": [np.nan], "trained": [1.0, 0.4]}
    entropies = {"frozen": [0.1, np.nan, 0.2], "dead": [np.nan], "trained": [0.5, 0.6]}
    of_two = SimpleNamespace(
        sets=[SimpleNamespace(stages={"only": list(overlaps)})],
        overlap=lambda layer: np.array(overlaps[layer]),
        entropy=lambda number, layer: np.array(entropies[layer]),
    )
    shown = channels.Shown(("before", "after"), "middle", "least entropy", 4)
    assert channels.choose(shown, of_two) == [("trained", 0), ("trained", 1)]


def test_channels_are_measured_and_drawn(cell):
    shown = channels.Shown(("before", "after"), "low", "least overlap", 2, images=False)
    cells = ask(cell, cell.keys, channels.OF_CHANNELS)
    frame = channels.measure_channels((shown,), cells, {})
    assert len(frame) == 2 and set(frame["layer"]) == {"low"}
    opened = channels.open_channels(shown, cell.looks[0], {})
    for row in frame.to_dict("records"):
        tops = [sets.top("low", sets.ks[0])[:, row["channel"]] for sets in opened.sets]
        shared = len(np.intersect1d(*tops)) / opened.sets[0].ks[0]
        assert row["overlap (%)"] == pytest.approx(100 * shared)
    (name, page), *_ = channels.draw_channels((shown,), None, cells, {}).items()
    assert name == "channels_1.png" and page.startswith(b"\x89PNG")
