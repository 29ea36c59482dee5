"""Features of known pictures by hand; kept ones; neighbours of two networks; sheets; slips."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer import neighbours, seen_pictures
from transfer.neighbours import find_neighbours, see, sheet, unseen
from transfer.result_folder import sha256

COLOURS = {"red": (200, 0, 0), "dark_red": (100, 10, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


def network(path, *colours):
    """Save a network whose classifier reads the mean of some colours; its string."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(len(colours), 1, use_bias=False, name="chosen")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    model.get_layer("chosen").set_weights([np.eye(3)[None, None, :, list(colours)]])
    model.save(path)
    return str(path)


@pytest.fixture
def files(tmp_path):
    """Return a file of each colour, as a dict."""
    found = {}
    for name, colour in COLOURS.items():
        found[name] = tmp_path / f"{name}.png"
        Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(found[name])
    return found


def test_what_the_classifier_reads(tmp_path, files):
    seen = see(network(tmp_path / "all.keras", 0, 1, 2), files.values(), say=lambda line: None)
    assert seen.files == tuple(files.values())
    assert np.allclose(seen.features, list(COLOURS.values()))
    assert np.allclose(seen.of([files["blue"]]), [(0, 0, 200)])
    # of another layer the map is averaged
    two = network(tmp_path / "two.keras", 2, 0)
    assert np.allclose(see(two, [files["red"]], layer="chosen").features, [(0, 200)])


def test_a_trunk_is_its_own_feature():
    inputs = keras.Input((4, 4, 3))
    trunk = keras.Model(inputs, keras.layers.Conv2D(5, 1)(inputs))
    assert neighbours.classifier_input(trunk).shape == (None, 5)
    ends_in_more = keras.Model(
        inputs, keras.layers.Dense(2)(keras.layers.Flatten()(trunk.output)) * 2
    )
    assert neighbours.classifier_input(ends_in_more).shape == (None, 80)


def test_features_are_kept_and_found_by_network_and_pictures(tmp_path, files, monkeypatch):
    text, kept = network(tmp_path / "all.keras", 0, 1, 2), tmp_path / "kept"
    first = see(text, files.values(), kept)
    again = see(text, files.values(), kept)
    assert np.array_equal(first.features, again.features) and again.files == first.files
    assert len([path for path in kept.iterdir() if path.is_dir()]) == 1
    with monkeypatch.context() as patch:
        patch.setattr(neighbours, "_seen", None)  # nothing is computed again
        see(text, files.values(), kept)
    see(text, list(files.values())[:2], kept)
    see(network(tmp_path / "other.keras", 0, 1), files.values(), kept)
    assert len([path for path in kept.iterdir() if path.is_dir()]) == 3


def test_an_unreadable_picture_is_left_out_and_said(tmp_path, files):
    broken, said = tmp_path / "broken.png", []
    broken.write_bytes(b"no picture")
    text = network(tmp_path / "all.keras", 0, 1, 2)
    for _ in range(2):  # computed, then kept
        seen = see(text, [files["red"], broken, files["blue"]], tmp_path / "kept", say=said.append)
        assert seen.files == (files["red"], files["blue"])
    assert any("broken.png" in line for line in said)
    with pytest.raises(InputError, match="broken.png cannot be read"):
        find_neighbours([broken], files.values(), {"a": text}, say=said.append)


def test_neighbours_of_two_networks(tmp_path, files):
    networks = {
        "all": network(tmp_path / "all.keras", 0, 1, 2),
        "no red": network(tmp_path / "rest.keras", 1, 2),
    }
    found = find_neighbours([files["dark_red"]], files.values(), networks, k=2)
    assert found["network"].tolist() == ["all", "all", "no red", "no red"]
    assert found["rank"].tolist() == [1, 2, 1, 2]
    # without red dark_red is green
    assert [file.stem for file in found["file"]][::2] == ["red", "green"]
    cosine = 100 / np.hypot(100, 10)
    assert found["distance"].tolist()[::2] == pytest.approx([1 - cosine, 0])
    # a query that is not among the files, fewer files than neighbours, and groups
    some = [files["red"], files["green"]]
    groups = {files["red"]: "a", files["dark_red"]: "a"}
    alone = find_neighbours([files["dark_red"]], some, {"all": networks["all"]}, groups=groups)
    assert [file.stem for file in alone["file"]] == ["green"]


def test_a_sheet_has_a_row_for_each_query_and_network(tmp_path, files):
    networks = {"one": network(tmp_path / "a.keras", 0, 1, 2)}
    networks["two"] = networks["one"]
    found = find_neighbours([files["red"], files["blue"]], files.values(), networks, k=2)
    labels = {file: name for name, file in files.items()}
    image = Image.open(io.BytesIO(sheet(found, labels, "title")))
    columns, tile = 3, neighbours.plots.MOST_TILE
    assert columns * tile < image.width < (columns + 1) * tile and image.height > 4 * tile
    assert sheet(found)


def test_pictures_that_a_network_was_trained_with_are_left_out(files, monkeypatch):
    length = seen_pictures.LENGTH
    seen = {name: bytes.fromhex(sha256(file))[:length] for name, file in files.items()}
    of = {"a": frozenset([seen["red"]]), "b": frozenset([seen["blue"]]), "c": None}
    monkeypatch.setattr(neighbours, "named_network", lambda text: f"{text}.keras")
    monkeypatch.setattr(seen_pictures, "of_network", lambda spec: of[spec.file[0]])
    left = unseen(files.values(), ["a", "b"])
    assert [file.stem for file in left] == ["dark_red", "green"]
    with pytest.raises(InputError, match="c does not tell which pictures"):
        unseen(files.values(), ["c"])


def test_a_missing_file_is_named(tmp_path):
    text = network(tmp_path / "all.keras", 0, 1, 2)
    with pytest.raises(InputError, match="gone.png: No such file"):
        see(text, [tmp_path / "gone.png"])
