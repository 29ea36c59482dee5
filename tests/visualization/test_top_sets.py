"""Top sets and features of flat pictures, whose scores are known; what is kept is found again."""

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models.errors import InputError
from models.network import Network
from transfer import store
from visualization import top_sets
from visualization.top_sets import TopSets

CLASSES = ["cold", "warm"]
REDS = (200, 10, 150, 90, 60, 120, 30, 180)  # of the training pictures
KERNEL = np.array([[1, -1, 0], [0, 0, 1], [0, 0, 0]], "float32")  # red, none but black, green


def colours():
    """A network whose first layer gives red, minus red, and green; its second the sum of all."""
    pixels = keras.Input((8, 8, 3))
    first = keras.layers.Conv2D(3, 1, use_bias=False, name="first")(pixels)
    second = keras.layers.Conv2D(1, 1, use_bias=False, name="second")(first)
    model = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(second))
    model.get_layer("first").set_weights([KERNEL[None, None]])
    model.get_layer("second").set_weights([np.ones((1, 1, 3, 1))])
    return Network("colours", model, size=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a store of flat pictures: eight to train on, of known reds, four to test."""
    folder = tmp_path_factory.mktemp("top_sets")
    made, pictures = folder / "data", folder / "pictures"
    made.mkdir()
    pictures.mkdir()
    rows = []
    parts = ("train",) * 8 + ("val", "val") + ("test",) * 4
    for number, part in enumerate(parts):
        red = REDS[number] if part == "train" else 40 + 15 * number
        Image.new("RGB", (8, 8), (red, 17 * number, 0)).save(pictures / f"{number}.png")
        rows.append((f"p{number:02}", CLASSES[number % 2], part, f"{number}.png"))
    store.write(pd.DataFrame(rows, columns=["id", "label", "split", "path"]), pictures, made)
    return store.Store(made)


@pytest.fixture(scope="module")
def kept(data, tmp_path_factory):
    """Return the folder of a result."""
    folder = tmp_path_factory.mktemp("kept") / "seen"
    top_sets.see(colours(), data, folder, 8)
    return folder


def test_scores_are_colours_and_top_sets_their_order(kept):
    seen = top_sets.read_top_sets(kept)
    assert seen.stages == {"first": ("first",), "second": ("second",)}
    assert (seen.ks, seen.pictures) == ((2, 4), 8)
    np.testing.assert_array_equal(seen.tops["first"][:, 0], [0, 7, 2, 5])  # of the reddest
    np.testing.assert_array_equal(seen.tops["first"][:, 1], -1)  # nothing is less than no red
    np.testing.assert_array_equal(seen.top("first", 2)[:, 2], [7, 6])  # green grows by number
    np.testing.assert_array_equal(seen.firing["first"], [8, 0, 7])
    # red - red + green, before the ReLU of the score
    np.testing.assert_array_equal(seen.tops["second"][:, 0], [7, 6, 5, 4])
    reds = [40 + 15 * number for number in range(10, 14)]
    np.testing.assert_allclose(seen.features["first"][:, 0], reds, atol=3)  # JPEG's error


def test_a_kept_result_is_found_without_a_pass(data, kept, tmp_path, monkeypatch):
    first = top_sets.read_top_sets(kept)
    monkeypatch.setattr(top_sets.activations, "score_pictures", None)  # would fail
    again = top_sets.see(colours(), data, kept, 8)
    for kind in ("tops", "firing", "features"):
        for name, values in getattr(first, kind).items():
            np.testing.assert_array_equal(values, getattr(again, kind)[name])
    assert not (kept / "scratch").exists()
    with pytest.raises(InputError, match="input_size 8"):
        top_sets.see(colours(), data, kept, 16)
    (tmp_path / top_sets.FILE).write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"seen.h5 is damaged"):
        top_sets.read_top_sets(tmp_path)


def test_an_interrupted_pass_goes_on(data, tmp_path, monkeypatch):
    score, calls = top_sets.activations.score_pictures, []

    def interrupted(*given, **named):
        calls.append(given[3].name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score(*given, **named)

    monkeypatch.setattr(top_sets.activations, "score_pictures", interrupted)
    with pytest.raises(KeyboardInterrupt, match="goes on from here"):
        top_sets.see(colours(), data, tmp_path / "seen", 8)
    assert list(tmp_path.glob(".seen.partial/scratch/top/scores.h5"))
    top_sets.see(colours(), data, tmp_path / "seen", 8)
    assert calls == ["top", "cka", "top", "cka"]


@pytest.mark.parametrize(
    ("pictures", "sizes"), [(70000, (100, 1000)), (3600, (100, 1000)), (300, (75, 150))]
)
def test_sizes_are_the_papers_or_shares(pictures, sizes):
    assert top_sets.top_sizes(pictures) == sizes


def test_too_few_pictures():
    with pytest.raises(InputError, match="come from 3 pictures; accepted: 4 or more"):
        top_sets.top_sizes(3)


def made_up(tops, firing):
    tops = {"a": np.array(tops, "int32").T}
    return TopSets({"a": ("a",)}, tops, {"a": np.array(firing)}, {}, (2, 3), 6)


def test_overlap_and_entropy_leave_out_channels_that_too_few_fire():
    before = made_up([[0, 1, 2], [3, 4, 5], [0, 1, -1]], [6, 6, 2])
    after = made_up([[1, 5, 4], [0, 1, 2], [1, 0, -1]], [6, 6, 2])
    np.testing.assert_array_equal(top_sets.overlaps(before, after, "a", 2), [0.5, 0, 1])
    np.testing.assert_allclose(top_sets.overlaps(before, after, "a", 3), [1 / 3, 0, np.nan])
    labels = np.array([0, 1, 0, 1, 1, 0])
    np.testing.assert_allclose(top_sets.entropies(before, "a", 2, labels, 2), [1, 0, 1])
    assert np.isnan(top_sets.entropies(before, "a", 3, labels, 2)[2])


def test_common_labels_of_one_and_of_several_a_picture():
    top, names = np.array([0, 2, 3, -1]), ["a", "b", "c"]
    one = top_sets.common_labels(top, np.array([1, 0, 1, 2]), names)
    assert one == [("b", pytest.approx(2 / 3)), ("c", pytest.approx(1 / 3))]
    rows = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0]])
    several = top_sets.common_labels(top, rows, names, most=1)
    assert several == [("a", 1.0)]  # shares of several labels are of pictures
    assert top_sets.common_labels(np.array([-1]), rows, names) == []
