"""The pass of a comparison in parts: joined it is one pass, to the byte; what is missing."""

import functools
import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.network import as_network
from transfer.result_folder import unfinished
from visualization import activations, picture_pass, shards
from visualization.picture_pass import join_parts, score_all, score_part
from visualization.shards import Shard

SIDE, COUNT, BATCH = 8, 21, 4
IDENTITY = {"networks": {"a": "1", "b": "2"}, "k": [5], "seed": 0, "data": "key"}


@pytest.fixture(autouse=True)
def no_lag(monkeypatch):
    monkeypatch.setattr(shards, "LAG", 0.0)
    monkeypatch.setattr(activations, "PART_PICTURES", 5)  # part files of two batches


@pytest.fixture(scope="module")
def compared():
    """Return what a pass reads of differences.Opened: two networks, their layers, the batch."""
    networks = {}
    for key in "ab":
        keras.utils.set_random_seed(ord(key))
        pixels = keras.Input((SIDE, SIDE, 3))
        x = keras.layers.Conv2D(5, 3, activation="relu", name="first")(pixels)
        model = keras.Model(pixels, keras.layers.Conv2D(3, 3, name="second")(x))
        networks[key] = as_network(model)
    return SimpleNamespace(
        networks=networks,
        scored={key: ("first", "second") for key in networks},
        size=SIDE,
        comparison=SimpleNamespace(batch_size=BATCH, statistic="mean_after_relu"),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pictures; one in the middle, and all of a batch, are broken."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    for number in (6, 12, 13, 14, 15):
        (folder / f"{number:02d}.png").write_bytes(b"\x89PNG no picture")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def whole(compared, files, tmp_path_factory):
    """The bytes of the scores of one pass."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activations, "PART_PICTURES", 5)
        scores = score_all(compared, files, folder, lambda line: None)
    assert list(scores["a"].numbers) == [*range(6), *range(7, 12), *range(16, COUNT)]
    return (folder / activations.SCORES).read_bytes()


@pytest.fixture
def of(compared, files, tmp_path):
    """Return of(function, *more, **changes): it is called with what all parts have in common."""

    def call(function, *more, **changes):
        given = {"identity": IDENTITY, "say": lambda line: None, **changes}
        identity, say = given["identity"], given["say"]
        return function(compared, tmp_path / "out", identity, files, *more, say)

    return call


@pytest.fixture
def scores(tmp_path):
    (tmp_path / "scores").mkdir()
    return tmp_path / "scores"


@pytest.mark.parametrize("count", [2, 9])
def test_joined_parts_are_one_pass_to_the_byte(of, scores, whole, count):
    """Also with a part in which no picture can be read, and with parts that have none."""
    for number in reversed(range(1, count + 1)):
        of(score_part, Shard(number, count))
    of(join_parts, scores, True)
    assert (scores / activations.SCORES).read_bytes() == whole


def test_parts_of_several_numbers_of_parts(of, scores, whole):
    for shard in (Shard(1, 2), Shard(3, 3), Shard(2, 3), Shard(5, 6)):
        of(score_part, shard)
    of(join_parts, scores, True)
    assert (scores / activations.SCORES).read_bytes() == whole


def test_a_part_that_was_killed_goes_on(of, scores, whole, tmp_path, monkeypatch):
    true, batches = activations._in_turn, []

    def dies(*given):
        score = true(*given)

        def function(batch):
            batches.append(len(batch))
            if len(batches) == 3:
                raise KeyboardInterrupt
            return score(batch)

        return function

    monkeypatch.setattr(activations, "_in_turn", dies)
    with pytest.raises(KeyboardInterrupt):
        of(score_part, Shard(1, 1))
    partial = unfinished(tmp_path / "out.parts" / "1-of-1")
    assert [path.name for path in partial.glob("*.h5")] == ["part-000000.h5"]
    of(score_part, Shard(1, 1))
    assert batches == [4, 3, 4, 4, 4, 1]
    of(join_parts, scores, True)
    assert (scores / activations.SCORES).read_bytes() == whole


def test_what_is_missing_is_said_or_made(of, scores, whole, tmp_path):
    said = []
    with pytest.raises(InputError, match="missing in .*out.parts: every part"):
        of(join_parts, scores, True)
    of(join_parts, scores, False)
    assert not (scores / activations.SCORES).exists()
    for number in (1, 3):
        of(score_part, Shard(number, 4))
    with pytest.raises(InputError, match="missing in .*out.parts: parts 2,4 of 4;"):
        of(join_parts, scores, True)
    of(join_parts, scores, False, say=said.append)
    assert "missing: parts 2,4 of 4; made here" in said
    assert (scores / activations.SCORES).read_bytes() == whole
    shutil.rmtree(tmp_path / "out.parts")
    of(join_parts, scores, True)  # the scores are there


def test_parts_of_another_comparison_are_refused(of, scores, compared):
    of(score_part, Shard(1, 2))
    for identity, says in (
        ({**IDENTITY, "networks": {"a": "1", "b": "3"}}, "networks {'a'"),
        ({**IDENTITY, "data": "other"}, "data 'key'"),
    ):
        with pytest.raises(InputError, match=says):
            of(join_parts, scores, True, identity=identity)
        with pytest.raises(InputError, match=says):
            of(score_part, Shard(1, 2), identity=identity)
    # no score depends on these
    of(score_part, Shard(2, 2), identity={**IDENTITY, "k": [7], "seed": 1})
    of(join_parts, scores, True)
    other = SimpleNamespace(**{**vars(compared), "comparison": SimpleNamespace(batch_size=5)})
    given = (other, scores.parent / "out", IDENTITY, [None] * COUNT)
    with pytest.raises(InputError, match="batch_size 4"):
        score_part(*given, Shard(1, 2), print)


def test_damaged_scores_are_not_taken(of, scores, tmp_path):
    of(score_part, Shard(1, 1))
    path = tmp_path / "out.parts" / "1-of-1" / "part-000001.h5"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"part-000001.h5 is not what manifest.json"):
        of(join_parts, scores, True)


def test_the_list_of_pictures_is_chosen_once(compared, tmp_path, monkeypatch):
    """And taken by the comparison whose parts share it, but not by another."""
    chosen, out = [], tmp_path / "out"

    def open_pictures(data, folder, refused, say):
        if not (folder / "collection.json").exists():
            chosen.append(data)
            (folder / "pictures.csv").write_text("a list")
            (folder / "collection.json").write_text("{}")
        return data

    monkeypatch.setattr(picture_pass.picture_list, "open_pictures", open_pictures)
    asked = SimpleNamespace(comparison=SimpleNamespace(data="data"))
    for _ in range(2):
        listed = functools.partial(picture_pass.list_pictures, asked, out)
        assert listed("key", None, lambda line: None) == "data"
    assert chosen == ["data"]
    (tmp_path / "scores").mkdir()
    picture_pass.take_list(out, "key", tmp_path / "scores")
    assert (tmp_path / "scores" / "pictures.csv").read_text() == "a list"
    assert json.loads((tmp_path / "scores" / "collection.json").read_text()) == {}
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="'key'"):
        picture_pass.take_list(out, "other", tmp_path / "other")
    picture_pass.take_list(tmp_path / "none", "key", tmp_path / "other")
    assert not any((tmp_path / "other").iterdir())
