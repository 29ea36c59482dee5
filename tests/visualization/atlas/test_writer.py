"""The files of an atlas: what is there, how large, when, and what cannot be written."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.made_up_atlas import Sizes, made_up_atlas
from models.errors import InputError
from visualization.atlas import Channel, Layer, Picture, Side, write_atlas

NONE = Side(np.array([], int), np.array([]))


def quiet(line):
    """Say nothing."""


def read(path):
    """What a data script calls its function with."""
    text = path.read_text(encoding="utf-8")
    return json.loads(f"[{text[text.index('(') + 1 : text.rindex(')')]}]")


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_every_picture_is_there_once_and_small(made, written):
    (columns,) = read(written / "atlas" / "pictures.js")
    assert sorted(columns["title"]) == sorted(picture.title for picture in made.pictures)
    # from the folder that all have in common
    assert sorted(columns["file"]) == [f"<b>{number}.png" for number in range(8)]
    lost = columns["file"].index("<b>7.png")
    assert columns["problem"][lost].startswith("No such file")
    thumbs = {name for name in files(written) if "thumbs" in name}
    assert thumbs == {f"atlas/thumbs/0/{number}.jpg" for number in range(8) if number != lost}
    for name in thumbs:
        with Image.open(written / name) as image:
            assert (image.format, image.size) == ("JPEG", (40, 30))
    about, overview = read(written / "atlas" / "overview.js")
    assert about["lost"] == [lost] and overview["images"] == [3, 0, 0, 0, 2]
    images = [name for name in files(written) if "/images/" in name]
    names = ("0/0-after", "0/0-before", "1/53-after")
    assert images == [f"atlas/images/{name}.jpg" for name in names]


def test_a_layers_script_holds_its_top_sets(written):
    number, rows = read(written / "atlas" / "layers" / "1.js")
    assert number == 1 and len(rows) == 2
    (columns,) = read(written / "atlas" / "pictures.js")
    before, after = rows[0]
    assert [columns["file"][place] for place in before["pictures"]] == [
        f"<b>{picture}.png" for picture in (3, 4, 5, 7)
    ]
    assert before["scores"] == [10, 9, 8, 7] and before["whole"] == "0000"
    assert after["whole"] == "111" and after["boxes"] == [500, 0, 500, 500] * 3
    assert before["numbers"] == {"path similarity": 0.25, "score of the image": None}


def test_large_pictures_become_small_and_images_of_any_kind_jpeg(tmp_path, write_file):
    rng = np.random.default_rng(0)
    path = tmp_path / "large.tif"
    Image.fromarray(rng.integers(0, 256, (900, 300, 3), np.uint8)).save(path)
    image = tmp_path / "image.png"
    Image.fromarray(rng.integers(0, 256, (224, 224, 3), np.uint8)).save(image)
    one = Side(np.array([0]), np.array([1.0]), image=image)
    other = replace(one, image=image.read_bytes())
    write_atlas(atlas_of([Channel(9, one, other)], [Picture(path, "", "")]), tmp_path, say=quiet)
    with Image.open(tmp_path / "atlas" / "thumbs" / "0" / "0.jpg") as thumb:
        assert thumb.size == (53, 160)
    made = [tmp_path / "atlas" / "images" / "0" / f"9-{when}.jpg" for when in ("before", "after")]
    assert made[0].read_bytes() == made[1].read_bytes()
    with Image.open(made[0]) as small:
        assert (small.format, small.size) == ("JPEG", (128, 128))


def atlas_of(channels, pictures, layers=None):
    """An Atlas of one layer, or of layers."""
    from visualization.atlas import Atlas

    layers = [Layer("conv1", {}, channels)] if layers is None else layers
    return Atlas("t", "b", "a", ("one", "two"), tuple(pictures), layers, 1)


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    pictures = [Picture(tmp_path / "broken.jpg", "", "")]
    pictures += [Picture(tmp_path / f"gone{number}.jpg", "", "") for number in range(8)]
    side = Side(np.arange(9), np.ones(9), image=b"no image")
    said = []
    write_atlas(atlas_of([Channel(0, side, NONE)], pictures), tmp_path / "out", say=said.append)
    layer, images, shown = said
    assert layer == "atlas: layer conv1, 1 channels"
    assert images.startswith("atlas: 1 optimized images cannot be read")
    assert "conv1:0-before: not a picture" in images
    assert shown.startswith("atlas: 9 pictures cannot be read, shown as empty frames: broken.jpg")
    assert shown.endswith("gone3.jpg: No such file or directory; and 4 more")
    assert read(tmp_path / "out" / "atlas" / "overview.js")[0]["lost"] == list(range(9))
    assert read(tmp_path / "out" / "atlas" / "overview.js")[1]["images"] == [0]


def test_pictures_that_no_channel_has_are_left_out(tmp_path, made):
    side = Side(np.array([5]), np.array([1.0]))
    write_atlas(atlas_of([Channel(0, side, NONE)], made.pictures), tmp_path, say=quiet)
    assert read(tmp_path / "atlas" / "pictures.js")[0]["title"] == [made.pictures[5].title]
    assert [name for name in files(tmp_path) if "thumbs" in name] == ["atlas/thumbs/0/0.jpg"]


def test_layers_are_taken_one_by_one_and_channels_some_at_a_time(tmp_path):
    """The layer before is on disk when the next one is asked for."""
    written, taken = tmp_path / "atlas" / "layers", []

    def channels():
        for number in range(200):
            taken.append(number)
            yield Channel(number, NONE, NONE)

    def layers():
        yield Layer("first", {}, channels())
        assert (written / "0.js").exists() and len(taken) == 200
        assert not (tmp_path / "index.html").exists()
        yield Layer("second", {}, [])

    write_atlas(atlas_of([], [], layers()), tmp_path, say=quiet)
    assert (written / "1.js").exists() and (tmp_path / "index.html").exists()


def test_index_comes_last_and_another_writing_replaces_all(tmp_path, made, write_file):
    def failing():
        yield made.layers[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atlas(replace(made, layers=failing()), tmp_path, say=quiet)
    assert not (tmp_path / "index.html").exists()
    write_atlas(made, tmp_path, say=quiet)
    first = files(tmp_path)
    (tmp_path / "summary.md").write_text("of the command")
    write_atlas(replace(made, layers=made.layers[:1]), tmp_path, say=quiet)
    assert set(files(tmp_path)) < {*first, "summary.md"}  # nothing of the second layer is left
    assert "summary.md" in files(tmp_path) and "atlas/layers/1.js" not in files(tmp_path)


def test_another_ones_folder_is_left_alone(tmp_path, made):
    (tmp_path / "atlas").mkdir()
    (tmp_path / "atlas" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than an atlas"):
        write_atlas(made, tmp_path, say=quiet)
    assert files(tmp_path) == ["atlas/thesis.tex"]


def test_nothing_of_one_name_twice_and_at_least_a_layer(tmp_path):
    twice = [Channel(1, NONE, NONE), Channel(1, NONE, NONE)]
    with pytest.raises(InputError, match="layer conv1 has channel 1 twice"):
        write_atlas(atlas_of(twice, []), tmp_path / "a", say=quiet)
    layers = [Layer("conv1", {}, []), Layer("conv1", {}, [])]
    with pytest.raises(InputError, match="two layers are named 'conv1'"):
        write_atlas(atlas_of([], [], layers), tmp_path / "b", say=quiet)
    with pytest.raises(InputError, match="no layers"):
        write_atlas(atlas_of([], [], []), tmp_path / "c", say=quiet)


def test_a_full_disk_leaves_no_page(small_disk, tmp_path):
    made = made_up_atlas(tmp_path / "pictures", Sizes(2, 300, 40, 20))
    with pytest.raises(OSError, match="No space left"):
        write_atlas(made, small_disk, say=quiet)
    assert not (small_disk / "index.html").exists()


def test_progress_counts_pictures(tmp_path, made):
    calls = []

    class Report:
        def __init__(self, count, what):
            calls.append((count, what))

        def advance(self):
            calls.append(1)

    write_atlas(made, tmp_path, progress=Report, say=quiet)
    assert calls == [(8, "pictures in the atlas"), *[1] * 8]


def test_a_file_name_that_is_no_text_is_shown_all_the_same(tmp_path):
    name = b"\xe9t\xe9.png".decode("utf-8", "surrogateescape")
    Image.new("RGB", (9, 9)).save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(tmp_path / name)
    side = Side(np.array([0]), np.array([1.0]))
    made = atlas_of([Channel(0, side, NONE)], [Picture(tmp_path / name, "", "")])
    write_atlas(made, tmp_path / "out", say=quiet)
    assert read(tmp_path / "out" / "atlas" / "pictures.js")[0]["file"] == [name]
    assert (tmp_path / "out" / "atlas" / "thumbs" / "0" / "0.jpg").exists()


def test_the_whole_folder_would_stay_under_300_mb(tmp_path):
    """Real sizes of a small one, times what 5,000 pictures and 6,000 channels are more."""
    sizes = Sizes(layers=3, channels=30, pictures=300, k=100)
    made = made_up_atlas(tmp_path / "pictures", sizes)
    write_atlas(made, tmp_path / "out", say=quiet)
    size = {
        kind: sum(path.stat().st_size for path in (tmp_path / "out" / "atlas").glob(pattern))
        for kind, pattern in {
            "pictures": "thumbs/*/*",
            "images": "images/*/*",
            "layers": "layers/*",
            "names": "pictures.js",
            "overview": "overview.js",
            "page": "*.*s",
        }.items()
    }
    by_picture = (size["pictures"] + size["names"]) / sizes.pictures
    by_channel = (size["images"] + size["layers"] + size["overview"]) / sizes.channels
    assert by_picture > 2_000 and by_channel > 5_000  # all were found
    assert 5000 * by_picture + 6000 * by_channel + size["page"] < 300e6
    # what the first paint waits for
    assert size["overview"] / sizes.channels * 6000 < 2e6
    shards = {re.sub(r"/[^/]*$", "", name) for name in files(tmp_path / "out") if "thumbs" in name}
    assert len(shards) == 3
