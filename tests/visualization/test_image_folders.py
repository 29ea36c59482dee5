"""Folders of images that grow, and images that are taken from elsewhere instead of made."""

import contextlib
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
from transfer.result_folder import locked, unfinished
from visualization import channel_images, image_folders, render, shards
from visualization.channel_images import Settings
from visualization.image_folders import fill, find_held
from visualization.optvis import render as optvis_render
from visualization.shards import Shard

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


@pytest.fixture
def painted(monkeypatch):
    """The channels that were made, as grey images without an ascent."""
    made = []

    def paint(model, layer, channels, steps, **named):
        for channel in channels:
            image = np.full((16, 16, 3), channel / 255, "float32")
            made.append(channel)
            yield optvis_render.Rendered(layer, channel, image, np.zeros(steps), 0.5, None)

    monkeypatch.setattr(optvis_render, "render_channels", paint)
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


@pytest.mark.slow
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


# ---- parts


@pytest.fixture
def no_lag(monkeypatch):
    monkeypatch.setattr(shards, "LAG", 0.0)


def paint(folder, *seeds):
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def content(folder):
    """Name -> bytes of all files but the manifest, which tells command and time."""
    files = sorted(path for path in folder.iterdir() if path.name != "manifest.json")
    return {path.name: path.read_bytes() for path in files}


def part(asked, out, number, count):
    image_folders.make_part(asked, out, Shard(number, count), lambda line: None)


@pytest.mark.slow
def test_parts_are_joined_to_the_images_of_one_piece(network, tmp_path, ascents, no_lag):
    """In any order, one twice, one killed half-way, one empty; pictures scored at the end."""
    asked = settings(network, *range(6), batch=2, pictures=(paint(tmp_path / "seen", 0, 1),))
    image_folders.make(asked, tmp_path / "whole")
    ascents.clear()
    out, said = tmp_path / "out", []
    for number in (4, 2):
        part(asked, out, number, 4)
    with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
        patch.setattr(optvis_render, "render_channels", stops_after_one)
        part(asked, out, 3, 4)
    with pytest.raises(InputError, match="cannot be joined: missing in .*out.parts: part 3 of 4;"):
        image_folders.make(asked, out, said.append, joining=True)
    for number in (3, 2, 1):
        part(asked, out, number, 4)
    # 6 channels are 3 batches of 2: of four parts the first is empty
    assert ascents == [4, 5, 0, 1, 3] and not (tmp_path / "out.parts" / "1-of-4").exists()
    ascents.clear()
    image_folders.make(asked, out, said.append, joining=True)
    assert not ascents and content(out) == content(tmp_path / "whole")
    assert not (tmp_path / "out.parts").exists() and not unfinished(out).exists()
    image_folders.make_part(asked, out, Shard(2, 4), said.append)
    assert said[-1] == f"already finished: {out}" and not (tmp_path / "out.parts").exists()
    again = settings(network, *range(6), batch=2, steps=3)
    with pytest.raises(InputError, match=r"steps 2 \(now 3\)"):
        part(again, out, 1, 4)


def stops_after_one(*given, **named):
    yield next(TRUE_RENDER_CHANNELS(*given, **named))
    raise KeyboardInterrupt


def test_without_joining_what_is_missing_is_made(network, tmp_path, painted, no_lag):
    """Of parts of several numbers of parts, and of what an interrupted run in one piece left."""
    asked, said = settings(network, *range(6)), []
    true = optvis_render.render_channels

    def stops(*given, **named):
        yield next(true(*given, **named))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
        patch.setattr(optvis_render, "render_channels", stops)
        image_folders.make(asked, tmp_path / "out")
    part(asked, tmp_path / "out", 1, 3)
    part(asked, tmp_path / "out", 3, 3)
    part(asked, tmp_path / "out", 1, 2)
    assert painted == [0, 1, 4, 5, 2]
    image_folders.make(asked, tmp_path / "out", said.append)
    assert painted == [0, 1, 4, 5, 2, 3] and "missing: part 2 of 3; made here" in said
    assert channels_in(tmp_path) == {"out": [*range(6)]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"steps": 3}, "steps 2 .here 3"), ({"layer": "deep"}, "layer 'maps' .here 'deep'")],
)
def test_parts_of_another_run_are_refused(network, tmp_path, painted, changes, says):
    part(settings(network, *range(4)), tmp_path / "out", 1, 2)
    given = {"steps": 2, "size": 16, "batch": 1, "layer": "maps", **changes}
    other = Settings(str(network), channels=tuple(range(4)), **given)
    for make in (image_folders.make, lambda *given: part(*given, 2, 2)):
        with pytest.raises(InputError, match=f"1-of-2 holds images made with {says}"):
            make(other, tmp_path / "out")
    assert painted == [0, 1]
    assert [path.name for path in (tmp_path / "out.parts").iterdir()] == ["1-of-2"]


def test_a_network_of_random_weights_has_no_parts(tmp_path):
    for name in ("VGG16", "VGG16:none"):
        with pytest.raises(InputError, match=f"{name} has random weights, .* as VGG16:FILE"):
            part(Settings(name, "block1_conv1"), tmp_path / "out", 1, 2)


def test_a_damaged_part_is_not_taken(network, tmp_path, painted, no_lag):
    asked = settings(network, *range(4))
    for number in (1, 2):
        part(asked, tmp_path / "out", number, 2)
    image = tmp_path / "out.parts" / "2-of-2" / "maps_0003.png"
    image.write_bytes(image.read_bytes()[:-1])
    for joining in (False, True):
        with pytest.raises(InputError, match="maps_0003.png is not what manifest.json"):
            image_folders.make(asked, tmp_path / "out", joining=joining)
    assert not (tmp_path / "out").exists()


def test_a_part_that_another_process_makes_is_waited_for(network, tmp_path, painted, no_lag):
    asked, out, said = settings(network, *range(4)), tmp_path / "out", []
    part(asked, out, 1, 2)
    folder = tmp_path / "out.parts" / "2-of-2"
    unfinished(folder).mkdir()

    def say(line):
        said.append(line)
        if line == "waiting: part 2/2 is being made":
            holding.close()
            part(asked, out, 2, 2)

    with contextlib.ExitStack() as holding:
        holding.enter_context(locked(folder))
        image_folders.make(asked, out, say, joining=True)
    assert "waiting: part 2/2 is being made" in said and painted == [0, 1, 2, 3]
    assert channels_in(tmp_path) == {"out": [0, 1, 2, 3]}


def test_parts_by_default_have_about_a_hundred_channels(network, monkeypatch):
    assert image_folders.usual_parts(settings(network, *range(6))) == 1
    monkeypatch.setattr(shards, "CHANNELS_IN_PART", 4)
    assert image_folders.usual_parts(settings(network, *range(6))) == 2
