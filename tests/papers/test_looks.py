"""Tiny networks looked at: distances by hand, the same network alike, everything kept."""

import pytest

from models import network as networks
from models.errors import InputError
from papers import looks
from papers.looks import Ascent, Look, Side, missing, of_seeds
from papers.stages import Stage
from tests.papers.conftest import LAYERS, paint, save_tiny
from transfer.dataset import Data
from transfer.recipes import RECIPES


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Return a Look at a network, its copy with one weight moved by 3, and another network."""
    folder = tmp_path_factory.mktemp("looks")
    rows = [("warm,", "cold,")[number % 2] + "ab"[number // 30 % 2] for number in range(60)]
    paint(folder / "toys", "kind,half", rows)
    data = Data("toys", "kind", folder, folder / "toys/metadata.csv", folder / "toys/images")
    sides = (
        Side("before", save_tiny(folder / "before.keras", 1)),
        Side("after", save_tiny(folder / "after.keras", 1, moved=3.0)),
        Side("other", save_tiny(folder / "other.keras", 2)),
    )
    return Look(sides, data, folder / "kept", 16, Ascent(2, 16))


def test_distances_are_of_kernels_and_are_kept(look, monkeypatch):
    distance, by_chance = look.distance({})
    assert distance == pytest.approx(3 / 3)  # one of three layers is 3 apart
    assert look.distance({}, (0, 2))[0] > 0.5 and by_chance > 0.5
    monkeypatch.setattr(networks, "load", None)  # nothing is opened again
    assert look.distance({}) == (distance, by_chance)


def test_a_network_is_like_itself(look, monkeypatch):
    same = look.cka({}, (0, 0))
    assert list(same) == list(LAYERS)
    assert all(one.paper == pytest.approx(1) for one in same.values())
    other = look.cka({}, (0, 2))
    assert all(0 <= one.paper < 1 and one.floor < 1 for one in other.values())
    monkeypatch.setattr(networks, "load", None)
    assert look.cka({}, (0, 2)) == other
    assert look.top_sets(0, {}).pictures == len(look.data.open().labels["train"])


@pytest.mark.slow  # three ascents, each compiled
def test_images_grow_and_are_kept(look, monkeypatch):
    first = look.images(0, [("low", 1)], {})
    assert list(first) == [("low", 1)] and first["low", 1].exists()
    more = look.images(0, [("low", 1), ("high", 0)], {})
    assert more["low", 1] == first["low", 1] and more["high", 0].exists()
    wanted = [("low", 1), ("low", 2)]
    changes, by_chance = look.changes(wanted, {}, (0, 0))
    assert changes == [0, 0] and min(by_chance) > 0
    monkeypatch.setattr(networks, "load", None)
    assert look.changes(wanted, {}, (0, 0)) == (changes, by_chance)
    assert set(look.images(0, wanted, {})) == set(wanted)


def test_other_weights_of_one_name_are_kept_apart(look, tmp_path):
    again = Side("before", save_tiny(tmp_path / "before.keras", 3))
    other = Look((look.sides[2], again), look.data, look.folder, 16)
    before = look.distance({}, (2, 0))
    assert other.distance({}) != before and look.distance({}, (2, 0)) == before


def test_a_network_that_a_run_did_not_keep_is_refused(tmp_path):
    from types import SimpleNamespace

    stage = Stage(None, "GoogLeNet", RECIPES["gonthier2020.mode_a"])
    side = Side("a", stage, at_start=True)
    with pytest.raises(InputError):
        side.network({stage: SimpleNamespace(folder=tmp_path)})
    assert side.stages == (stage,) and Side("b", "GoogLeNet:file").stages == ()


def test_what_is_lacking_is_text():
    assert missing([("a",), "no file", "no file", "no data"]) == "no file; no data"
    assert missing([("a",)]) == ""
    assert of_seeds("a", "no file") == "no file"
    assert of_seeds("a", ("s", "t"), True) == (Side("a", "s", True), Side("a", "t", True))


def test_a_mean_is_of_its_members_and_their_data(monkeypatch, tmp_path):
    from types import SimpleNamespace

    from transfer import mean_of_runs

    data = Data("a", "b", tmp_path / "data")
    stages = (Stage(data, "a", None), Stage(data, "b", None))
    runs = {stage: SimpleNamespace(folder=stage.start) for stage in stages}
    asked = []
    monkeypatch.setattr(mean_of_runs, "read_members", lambda folders: asked.append(folders) or [1])
    monkeypatch.setattr(mean_of_runs, "open_store", lambda member, path: asked.append(path))
    monkeypatch.setattr(mean_of_runs, "average", lambda *given: given[2])
    monkeypatch.setattr(looks, "read_run", lambda folder: folder)

    assert looks.Mean(stages, tmp_path).run(runs) == tmp_path
    assert asked == [["a", "b"], tmp_path / "data"]
