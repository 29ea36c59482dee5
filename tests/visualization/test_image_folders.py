"""Folders of images that grow, and images that are taken from elsewhere instead of made."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.network import load
from transfer.result_folder import unfinished
from visualization import channel_images, image_folders, render
from visualization.channel_images import Settings
from visualization.image_folders import fill, find_held
from visualization.optvis import render as optvis_render

TRUE_RENDER_CHANNELS = optvis_render.render_channels


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(6, 3, name="maps")(pixels)
    maps = keras.layers.Conv2D(4, 3, name="deep")(maps)
    path = tmp_path_factory.mktemp("network") / "own.keras"
    keras.Model(pixels, maps).save(path)
    return path


@pytest.fixture
def ascents(monkeypatch):
    """The channels that were optimized, in order."""
    made = []

    def counted(model, layer, channels, *given, **named):
        made.extend(channels)
        yield from TRUE_RENDER_CHANNELS(model, layer, channels, *given, **named)

    monkeypatch.setattr(optvis_render, "render_channels", counted)
    return made


def settings(network, *channels, **changes):
    given = {"steps": 2, "size": 16, "batch": 1, **changes}
    return Settings(str(network), "maps", channels, **given)


def model(network):
    return load(str(network)).model


def channels_in(folder):
    return {held.folder.name: sorted(held.channels) for held in find_held(folder)}


def test_a_folder_grows(network, tmp_path, ascents):
    out = tmp_path / "maps"
    fill([(settings(network, 1, 4), out)], model(network))
    before = {path.name: path.read_bytes() for path in out.glob("maps_*")}
    fill([(settings(network, 0, 4), out)], model(network))
    assert ascents == [1, 4, 0]
    assert channels_in(tmp_path) == {"maps": [0, 1, 4]}
    assert json.loads((out / "manifest.json").read_text())["identity"]["channels"] == [0, 1, 4]
    assert {name: (out / name).read_bytes() for name in before} == before
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]
    fill([(settings(network, 0), out)], model(network))
    assert ascents == [1, 4, 0] and channels_in(tmp_path) == {"maps": [0, 1, 4]}


def test_it_is_what_the_command_makes(network, tmp_path):
    """Begun by either, found by the other."""
    words = [str(network), "--layer", "maps", "--channels", "2,3", "--steps", "2", "--size", "16"]
    assert render.main([*words, "--out", str(tmp_path / "by_command")]) == 0
    fill([(settings(network, 2, 3), tmp_path / "filled")], model(network))
    for name in ("maps_0002.json", "maps_0003.png", "scores.csv"):
        assert (tmp_path / "filled" / name).read_bytes() == (
            tmp_path / "by_command" / name
        ).read_bytes()
    assert render.main([*words, "--out", str(tmp_path / "filled")]) == 0


def test_what_is_given_is_taken(network, tmp_path, ascents):
    given = tmp_path / "elsewhere" / "deep"
    fill([(settings(network, 0, 2), given / "maps")], model(network))
    ascents.clear()
    alone = [(settings(network, 2, 5), tmp_path / "maps")]
    fill(alone, model(network), find_held(given.parent))
    assert ascents == [5] and sorted(find_held(tmp_path / "maps")[0].channels) == [2, 5]
    taken = tmp_path / "maps" / "maps_0002.png"
    assert taken.read_bytes() == (given / "maps" / "maps_0002.png").read_bytes()


@pytest.mark.parametrize(
    ("changes", "says"), [({"steps": 3}, "steps 2 .here 3"), ({"seed": 1}, "seed 0 .here 1")]
)
def test_images_of_other_settings_are_refused(network, tmp_path, changes, says):
    fill([(settings(network, 0), tmp_path / "given")], model(network))
    for given in ((tmp_path / "given",), ()):
        out = tmp_path / "maps" if given else tmp_path / "given"
        with pytest.raises(InputError, match=f"given holds images made with {says}"):
            fill([(settings(network, 0, **changes), out)], model(network), find_held(tmp_path))
    assert channels_in(tmp_path) == {"given": [0]}


def test_images_of_another_network_are_refused(network, tmp_path):
    fill([(settings(network, 0), tmp_path / "given")], model(network))
    other = model(network)
    other.set_weights([2 * array for array in other.get_weights()])
    with pytest.raises(InputError, match="images made with weights_sha256"):
        fill([(settings(network, 0), tmp_path / "maps")], other, find_held(tmp_path))


@pytest.mark.parametrize("asked", [(0, 1, 2), (1, 4)])
def test_interrupted_it_goes_on_even_with_other_channels(network, tmp_path, monkeypatch, asked):
    out = tmp_path / "maps"
    fill([(settings(network, 5), out)], model(network))
    made = []

    def stops(model, layer, channels, *given, **named):
        made.extend(channels)
        yield from itertools.islice(
            TRUE_RENDER_CHANNELS(model, layer, channels, *given, **named), 1
        )
        raise KeyboardInterrupt

    monkeypatch.setattr(optvis_render, "render_channels", stops)
    with pytest.raises(KeyboardInterrupt):
        fill([(settings(network, 0, 1, 2), out)], model(network))
    assert sorted(find_held(unfinished(out))[0].channels) == [0, 5] and not out.exists()
    made.clear()
    monkeypatch.setattr(
        optvis_render,
        "render_channels",
        lambda *given, **named: made.extend(given[2]) or TRUE_RENDER_CHANNELS(*given, **named),
    )
    fill([(settings(network, *asked), out)], model(network))
    assert made == [channel for channel in asked if channel]
    assert channels_in(tmp_path) == {"maps": sorted({0, 5, *asked})}


def test_killed_between_two_files_it_goes_on(network, tmp_path, monkeypatch):
    """After the images lie in the unfinished folder, before the finished one is removed."""
    out = tmp_path / "maps"
    fill([(settings(network, 5), out)], model(network))
    monkeypatch.setattr(channel_images, "make", lambda *given: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr(image_folders, "shutil", SimpleNamespace(rmtree=lambda path: None))
    with pytest.raises(OSError):
        fill([(settings(network, 0), out)], model(network))
    monkeypatch.undo()
    assert out.exists() and unfinished(out).exists()
    fill([(settings(network, 0), out)], model(network))
    assert channels_in(tmp_path) == {"maps": [0, 5]} and not unfinished(out).exists()


def layers_of(network, folder, *wanted, **changes):
    """What fill takes, of pairs of a layer and channels, with a batch that holds them all."""
    given = {"steps": 2, "size": 16, **changes}
    return [(Settings(str(network), n, c, **given), folder / n) for n, c in wanted]


def test_layers_with_few_images_share_an_ascent(network, tmp_path, ascents):
    wanted = (("maps", (1, 4)), ("deep", (0, 1, 3)))
    fill(layers_of(network, tmp_path / "both", *wanted), model(network))
    assert ascents == [("maps", 1), ("maps", 4), ("deep", 0), ("deep", 1), ("deep", 3)]
    # a layer alone has an ascent of its own
    fill(layers_of(network, tmp_path / "alone", ("deep", (1, 3))), model(network))
    assert ascents[5:] == [1, 3]
    for path in (tmp_path / "alone").rglob("*_0*.json"):
        together = tmp_path / "both" / path.relative_to(tmp_path / "alone")
        ours, other = (channel_images.read_record(file) for file in (together, path))
        assert ours.scores == pytest.approx(other.scores, rel=1e-4)
        images = [
            np.asarray(Image.open(file.with_suffix(".png")), int) for file in (together, path)
        ]
        assert np.abs(images[0] - images[1]).max() <= 1  # of 255: backends add in other orders


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ((2, 3, 3, 1), [[0, 1, 2], [3]]),
        ((9, 1, 1), [[0], [1, 2]]),
        ((0, 5, 0, 4), [[1], [3]]),
        ((0, 0), []),
    ],
)
def test_what_fits_into_a_batch_is_together(monkeypatch, counts, groups):
    monkeypatch.setattr(optvis_render, "most_at_a_time", lambda: 8)
    monkeypatch.setattr(channel_images, "left_in", lambda job, folder: [None] * job.count)
    own = SimpleNamespace(batch=None)
    jobs = [
        (SimpleNamespace(count=c, settings=own, n=n), Path(str(n))) for n, c in enumerate(counts)
    ]
    found = image_folders._batches(jobs)
    assert [[job.n for job, _ in group] for group in found] == groups
