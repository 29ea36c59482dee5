"""The command visualization.compare: its folder, its errors, its resumption, a real pair."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest
from PIL import Image

from tests.visualization import museum as small
from toy.collection import paint_collection
from transfer import inference
from transfer.result_folder import read_csv, unfinished
from visualization import change_pages, compare
from visualization.optvis import render as optvis_render

ROOT = Path(__file__).parents[2]
IMAGES = ("--steps", "2", "--size_of_images", "16")


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return small.save_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, networks):
    """(museum, result) with a yardstick and images, to look at."""
    folder = tmp_path_factory.mktemp("finished")
    museum = small.paint(folder / "museum")
    more = ("--yardstick", networks / "third.keras", "--optimize", "least-overlap:2", "joined:0,8")
    assert small.run(museum, networks, folder / "out", *more, *IMAGES) == 0
    return museum, folder / "out"


@pytest.fixture
def museum(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "museum")
    return tmp_path / "museum"


def numbers(path):
    """A table of ours, numbers as numbers."""
    table = read_csv(path)
    for name in table:
        as_numbers = pandas.to_numeric(table[name], errors="coerce")
        if as_numbers.notna().any():
            table[name] = as_numbers
    return table


def test_a_whole_folder(finished):
    _, out = finished
    assert {path.name for path in out.iterdir()} == {
        *("channels.csv", "layers.csv", "table_2.csv", "table_4.csv", "path_similarity.csv"),
        *("summary.md", "report.csv", "pictures.csv", "collection.json", "manifest.json"),
        *("index.html", "atlas", "figures", "images", "scores"),
    }
    drawn = {path.stem for path in (out / "figures").iterdir()}
    assert drawn == {
        *("cka_over_depth", "layer_maps", "overlap_5", "overlap_12", "entropy_before_after"),
        *(f"entropy_{k}_{key}" for k in (5, 12) for key in "ab"),
        *("overlap_and_change", "channels_1"),
    }
    assert {path.name for path in (out / "images" / "a").iterdir()} >= {"left", "right"}
    held = [{p.name for p in (out / "images" / key).rglob("*_0*.png")} for key in "abc"]
    assert held[0] == held[1] == held[2]
    layers, channels = numbers(out / "layers.csv"), numbers(out / "channels.csv")
    assert set(layers["layer"]) == {"first", "left", "right", "joined"}
    assert len(channels) == 6 + 4 + 5 and channels["image_change"].notna().sum() == len(
        list((out / "images" / "b").rglob("*_0*.png"))
    )
    assert channels["overlap_5_chance"][0] == pytest.approx(5 / 36)
    assert {"a_path_low", "b_path_high", "c_image_percentile"} <= set(channels)
    assert {"overlap_5_ac", "overlap_5_bc", "c_entropy_12"} <= set(channels)
    assert {"cka_debiased_bc", "kernel_relative_ac", "cka_floor"} <= set(layers)
    summary = (out / "summary.md").read_text(encoding="utf-8")
    said = ("overlap of the top 5, B and C", "36 pictures (train)", "18 (test)", "by chance")
    for text in (*said, "by their channels' scores"):
        assert text in summary
    assert "museum" in (out / "index.html").read_text(encoding="utf-8")


def test_the_same_command_finds_it(finished, networks, capsys):
    museum, out = finished
    made = (out / "manifest.json").read_bytes()
    yardstick = ("--yardstick", networks / "third.keras")
    assert small.run(museum, networks, out, *yardstick) == 0
    assert small.run(museum, networks, out, *yardstick, "--batch_size", "7") == 0
    assert capsys.readouterr().out.count("already finished") == 2
    assert (out / "manifest.json").read_bytes() == made
    for more, says in (
        ((), "networks {'a'"),
        ((*yardstick, "--statistic", "max"), "statistic 'mean_after_relu' (now 'max')"),
        ((*yardstick, "--part", "test"), "parts"),
        ((*yardstick, "--seed", "1"), "seed 0 (now 1)"),
        ((*yardstick, "--optimize", "left:all", "--steps", "3"), "steps 2 (here 3)"),
    ):
        assert small.run(museum, networks, out, *more) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1


@pytest.mark.slow
def test_images_are_added_without_a_pass(museum, networks, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert small.run(museum, networks, out) == 0
    before = {name: (out / name).read_bytes() for name in ("layers.csv", "scores/scores.h5")}
    assert not (out / "images").exists() and "image_change" not in numbers(out / "channels.csv")
    monkeypatch.setattr("transfer.inference.files", without_a_pass())
    more = ("--optimize", "left:0,2", *IMAGES)
    assert small.run(museum, networks, out, *more) == 0
    assert "adding images, no new pass" in capsys.readouterr().out
    channels = numbers(out / "channels.csv")
    known = channels[channels["image_change"].notna()]
    assert list(known["layer"]) == ["left", "left"] and list(known["channel"]) == [0, 2]
    assert {name: (out / name).read_bytes() for name in before} == before
    # and more of them, beside the first
    made = {path: path.read_bytes() for path in (out / "images").rglob("left_*.png")}
    assert small.run(museum, networks, out, "--optimize", "left:1", "right:4", *IMAGES) == 0
    channels = numbers(out / "channels.csv")
    assert channels["image_change"].notna().sum() == 4
    assert all(path.read_bytes() == content for path, content in made.items())
    capsys.readouterr()
    assert small.run(museum, networks, out, *more) == 0
    assert "already finished" in capsys.readouterr().out


def without_a_pass():
    """inference.files, which refuses to read pictures of the collection."""
    true = inference.files

    def files(paths, *given, **named):
        batches = true(paths, *given, **named)

        def checked(first):
            assert all("images" in Path(path).parts for path in paths), "a new pass"
            return batches(first)

        return checked

    return files


def test_images_made_elsewhere_are_taken(finished, museum, networks, tmp_path, monkeypatch):
    _, out = finished
    monkeypatch.setattr(optvis_render, "render_channels", no_ascent)
    more = [word for key in "ab" for word in (f"--optimized_{key}", out / "images" / key)]
    assert small.run(museum, networks, tmp_path / "out", *more, *IMAGES) == 0
    taken = {path.name for path in (tmp_path / "out" / "images").rglob("*_0*.png")}
    assert taken == {path.name for path in (out / "images").rglob("*_0*.png")}


def given_folders(a, b):
    return ("--optimized_a", a, "--optimized_b", b)


def claimed(folder, layer, *channels):
    """A folder that says it holds images of a layer, as visualization.render leaves it."""
    folder.mkdir()
    identity = {"layer": layer, "channels": channels, "steps": 2, "size": 16}
    (folder / "manifest.json").write_text(json.dumps({"identity": identity}))
    for channel in channels:
        (folder / f"{layer}_{channel:04d}.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("optimize", "says"),
    [
        ((), "at norm, left, right (a convolution's are of its batch normalisation"),
        (("--optimize", "first:0,3-5", "left:1"), "at norm:0,3-5, left:1 (a convolution's"),
        (("--optimize", "least-overlap:2"), "at norm:0-5, left:0-3, right:0-4 (a convolution's"),
    ],
)
def test_images_of_the_wrong_layer_are_refused_before_the_pass(
    museum, networks, tmp_path, capsys, optimize, says
):
    """Of the convolution, where the comparison looks at its batch normalisation."""
    made, out = claimed(tmp_path / "made", "first", 0, 1), tmp_path / "out"
    assert small.run(museum, networks, out, *given_folders(made, made), *optimize, *IMAGES) == 2
    error = capsys.readouterr().err
    assert f"optimized_a is {made}, which holds images of first:0-1; looked for: " in error
    assert says in error and error.count("\n") == 1
    assert not out.exists() and not unfinished(out).exists()


def test_folders_without_an_image_that_serves(finished, museum, networks, tmp_path, capsys):
    _, out = finished
    a, b = (out / "images" / key for key in "ab")
    empty, other = tmp_path / "empty", claimed(tmp_path / "other", "left", 3)
    empty.mkdir()
    made = (out / "manifest.json").read_bytes()
    yardstick = ("--yardstick", networks / "third.keras")
    for more, says in (
        (given_folders(a, empty), f"optimized_b is {empty}, which holds nothing of "),
        (given_folders(empty, b), f"optimized_a is {empty}, which holds nothing of "),
        (given_folders(empty, b), "looked for: images of A: "),
        ((*given_folders(a, other), "--optimize", "left:0"), "looked for: images of B: "),
        ((*given_folders(a, other), "--optimize", "left:0"), "at left:0 ("),
        (("--optimized_b", other), "accepted: the other network's folder too, or optimize"),
        (given_folders(b, a), "holds images made with weights_sha256 "),
    ):
        # of a result that is finished, and of one that is not
        for folder, third in ((out, yardstick), (tmp_path / "out", ())):
            assert small.run(museum, networks, folder, *third, *more, *IMAGES) == 2
            error = capsys.readouterr().err
            assert says in error and error.count("\n") == 1
        assert not unfinished(tmp_path / "out").exists()
    assert (out / "manifest.json").read_bytes() == made


def no_ascent(*given, **named):
    raise AssertionError("a new ascent")


def test_identical_networks(museum, networks, tmp_path):
    assert small.run(museum, networks, tmp_path / "out", *OPTIMIZED, after="before") == 0
    channels, layers = (numbers(tmp_path / "out" / f"{n}.csv") for n in ("channels", "layers"))
    for k in (5, 12):  # of a channel that fewer pictures excite, it is what they are / K
        expected = np.minimum(channels["a_firing"] / k, 1)
        assert channels[f"overlap_{k}"].to_numpy() == pytest.approx(expected.to_numpy())
    assert layers["cka_paper"].to_numpy() == pytest.approx(1)
    assert layers["cka_debiased"].to_numpy() == pytest.approx(1)
    assert (layers["kernel_distance"].dropna() == 0).all()
    assert channels["image_change"].dropna().to_numpy() == pytest.approx(0, abs=1e-6)


OPTIMIZED = ("--optimize", "left:0-1", *IMAGES)


def test_networks_without_a_layer_in_common(museum, networks, tmp_path, capsys):
    out = tmp_path / "out"
    assert small.run(museum, networks, out, after="other") == 0
    assert "no layer in common" in capsys.readouterr().out
    assert not (out / "index.html").exists() and not (out / "table_2.csv").exists()
    assert set(numbers(out / "channels.csv")["network"]) == {"a", "b"}
    summary = (out / "summary.md").read_text(encoding="utf-8")
    assert "no layer in common" in summary and "overlap of the top" not in summary
    assert "entropy of the top 5, B" in summary and "Order of layers" in summary
    assert {path.stem for path in (out / "figures").iterdir()} == {
        "layer_maps",
        *(f"entropy_{k}_{key}" for k in (5, 12) for key in "ab"),
    }
    assert small.run(museum, networks, out, *OPTIMIZED, after="other") == 2
    assert "no layer of the networks is compared" in capsys.readouterr().err


def test_all_layers_of_other_widths(museum, networks, tmp_path, capsys):
    """As MobileNets of two widths: CKA is told, and nothing of channels."""
    pixels = keras.Input((small.SIDE, small.SIDE, 3))
    x = keras.layers.Conv2D(3, 3, activation="relu", name="first")(pixels)
    x = keras.layers.Conv2D(7, 1, activation="relu", name="left")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(pixels, keras.layers.Dense(3, name="head")(x)).save(tmp_path / "wide.keras")
    shutil.copy(networks / "before.keras", tmp_path)
    out = tmp_path / "out"
    assert small.run(museum, tmp_path, out, after="wide") == 0
    assert "other numbers of them: first, left" in capsys.readouterr().out
    layers = numbers(out / "layers.csv")
    assert list(layers["layer"]) == ["first", "left"] and layers["cka_debiased"].notna().all()
    assert read_csv(out / "channels.csv").empty and not (out / "index.html").exists()
    assert {path.stem for path in (out / "figures").iterdir()} == {"layer_maps", "cka_over_depth"}
    summary = (out / "summary.md").read_text(encoding="utf-8")
    assert "| CKA, debiased, A and B |" in summary and "- overlap:" not in summary
    assert small.run(museum, tmp_path, out, after="wide") == 0
    assert "already finished" in capsys.readouterr().out
    assert small.run(museum, tmp_path, out, *OPTIMIZED, after="wide") == 2
    assert "no layer of the networks is compared channel by channel" in capsys.readouterr().err


def test_layers_by_a_map(museum, networks, tmp_path):
    table = tmp_path / "map.csv"
    table.write_text("before,after\nfirst,eins\njoined,verbunden\nleft,links\nright,rechts\n")
    out = tmp_path / "out"
    more = ("--layer_map", table, "--optimize", "left:0", *IMAGES)
    assert small.run(museum, networks, out, *more, after="other") == 0
    layers = numbers(out / "layers.csv")
    assert dict(zip(layers["layer"], layers["b_layer"], strict=True))["joined"] == "verbunden"
    assert (layers["cka_debiased"] > 0.5).all()
    assert [path.name for path in (out / "images" / "b").iterdir()] == ["links"]


def test_some_layers_of_a_map_of_all(museum, networks, tmp_path, capsys):
    table, out = tmp_path / "map.csv", tmp_path / "out"
    rows = ["before,after", "first,eins", "joined,verbunden", "left,links", "right,rechts"]
    table.write_text("\n".join(rows))
    more = ("--layer_map", table, "--layers", "joined")
    assert small.run(museum, networks, out, *more, after="other") == 0
    layers = numbers(out / "layers.csv")
    assert list(layers["layer"]) == ["left", "right", "joined"]
    assert list(layers["b_layer"]) == ["links", "rechts", "verbunden"]
    assert "has alone" not in capsys.readouterr().out
    # what no network has is refused as ever
    table.write_text("\n".join([*rows, "fourth,vier"]))
    assert small.run(museum, networks, tmp_path / "other", *more, after="other") == 2
    assert "layer_map names 'fourth'" in capsys.readouterr().err


def test_some_layers_only(museum, networks, tmp_path):
    out = tmp_path / "out"
    assert small.run(museum, networks, out, "--layers", "joined") == 0
    assert set(numbers(out / "layers.csv")["layer"]) == {"left", "right", "joined"}


@pytest.mark.parametrize("mapped", [False, True])
def test_branches_only(museum, networks, tmp_path, mapped):
    """None of them is passed by all that the network computes: then all are in a row."""
    table, out = tmp_path / "map.csv", tmp_path / "out"
    table.write_text("before,after\nleft,links\nright,rechts\n")
    more = ("--layer_map", table) if mapped else ("--layers", "left", "right")
    assert small.run(museum, networks, out, *more, after="other" if mapped else "after") == 0
    layers = numbers(out / "layers.csv")
    assert list(layers["layer"]) == ["left", "right"] and layers["cka_debiased"].notna().all()
    summary = (out / "summary.md").read_text(encoding="utf-8")
    assert "| 2 layers in a row |" in summary
    assert "Each of 2 layers in a row of A" in summary
    assert numbers(out / "table_4.csv")["museum, mean debiased CKA"].notna().all()


def test_one_class(tmp_path, networks, capsys):
    museum = small.paint(tmp_path / "museum", styles=("Cubism",))
    assert small.run(museum, networks, tmp_path / "out") == 0
    assert "entropy cannot be told" in capsys.readouterr().out
    assert not any("entropy" in n for n in numbers(tmp_path / "out" / "channels.csv"))
    assert "entropy: all pictures are of one class" in (tmp_path / "out/summary.md").read_text()
    assert small.run(museum, networks, tmp_path / "out", "--optimize", "entropy:2") == 2
    assert "no channel has the lowest entropy" in capsys.readouterr().err


def test_labels_missing(museum, networks, tmp_path, capsys):
    table = (museum / "table.csv").read_text().replace("work000,Cubism", "work000,")
    (museum / "table.csv").write_text(table.replace("work001,Rococo", "work001,unknown"))
    assert small.run(museum, networks, tmp_path / "out") == 0
    assert "label dropped: 2" in capsys.readouterr().out
    assert "label dropped: 2" in (tmp_path / "out" / "summary.md").read_text()
    assert "34 pictures (train)" in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize(
    ("more", "named", "says"),
    [
        ((), {"after": "large"}, "different sizes"),
        (("--layers", "fist"), {}, "no layer 'fist' among"),
        (("--layers", "head"), {}, "no convolution or concatenation of them 'head'"),
        (("--optimize", "third:1"), {}, "no layer 'third' is compared channel by channel"),
        (("--optimize", "left:4"), {}, "left has no channel 4"),
        (("--judge_layer", "nowhere", "--optimize", "left:0"), {}, "no layer 'nowhere'"),
    ],
)
def test_what_cannot_be_compared(museum, networks, tmp_path, capsys, more, named, says):
    out = tmp_path / "out"
    assert small.run(museum, networks, out, *more, *IMAGES, **named) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not out.exists() and not unfinished(out).exists()  # nothing was computed


@pytest.mark.parametrize(
    "more",
    [
        ("--judge_layer", "nowhere"),
        ("--judge_layer", "nowhere", "--optimize", "left:0"),
        ("--optimize", "nosuch:0"),
    ],
)
def test_a_slip_takes_no_finished_result_away(finished, networks, capsys, more):
    museum, out = finished
    made = (out / "manifest.json").read_bytes()
    more = ("--yardstick", networks / "third.keras", *more, *IMAGES)
    assert small.run(museum, networks, out, *more) == 2
    assert "no layer 'no" in capsys.readouterr().err
    assert (out / "manifest.json").read_bytes() == made and not unfinished(out).exists()


@pytest.mark.parametrize(
    ("k", "says"), [(("36",), "k is 36, and top sets come from 36 pictures"), (("0",), "k is 0")]
)
def test_fewer_pictures_than_k(museum, networks, tmp_path, capsys, k, says):
    assert compare.main([*small.words(museum, networks, tmp_path / "out"), "--k", *k]) == 2
    assert says in capsys.readouterr().err
    given = small.words(museum, networks, tmp_path / "out")
    del given[given.index("--k") :]
    assert compare.main(given) == 2  # neither 100 nor 1000
    assert "k is 100, and top sets come from 36" in capsys.readouterr().err
    assert not any("out" in path.name for path in tmp_path.iterdir())


def test_one_size_for_networks_of_different_ones(museum, networks, tmp_path):
    out = tmp_path / "out"
    assert small.run(museum, networks, out, "--input_size", "20", after="large") == 0
    made = json.loads((out / "manifest.json").read_text())
    assert made["identity"]["input_size"] == 20


def test_a_network_with_nan(museum, networks, tmp_path, capsys):
    """Of finite weights, which no file could be opened without."""
    model = small.network(change=0.2)
    kernel = model.get_layer("right").kernel
    kernel.assign(np.full(kernel.shape, 3e38, "float32"))
    model.save(tmp_path / "broken.keras")
    shutil.copy(networks / "before.keras", tmp_path)
    assert small.run(museum, tmp_path, tmp_path / "out", after="broken") == 2
    error = capsys.readouterr().err
    assert "broken.keras" in error and "'right'" in error and error.count("\n") == 1


def test_a_full_disk(museum, networks, small_disk, tmp_path, capsys, monkeypatch):
    """In the pass, and after it; what was computed is gone on with where there is room."""
    filler, out = small_disk / "filler", small_disk / "out"
    filler.write_bytes(b"x" * (2 * 2**20 - 60_000))
    for _ in range(2):
        assert small.run(museum, networks, out) == 2
        error = capsys.readouterr().err
        assert "No space left" in error and error.count("\n") == 1
        assert not out.exists()
        filler.unlink(missing_ok=True)
    assert (unfinished(out) / "scores" / "scores.h5").exists()
    shutil.copytree(unfinished(out), unfinished(tmp_path / "out"))
    monkeypatch.setattr("transfer.inference.files", without_a_pass())
    assert small.run(museum, networks, tmp_path / "out") == 0


@pytest.mark.slow
def test_a_picture_removed_between_pass_and_atlas(museum, networks, tmp_path, capsys, monkeypatch):
    true, removed = change_pages.write, museum / "jpg" / "work004.png"

    def write(*given):
        removed.unlink(missing_ok=True)
        true(*given)

    monkeypatch.setattr(change_pages, "write", write)
    out = tmp_path / "out"
    assert small.run(museum, networks, out) == 0
    assert "work004.png" in capsys.readouterr().out and (out / "index.html").exists()
    # the result is still found, and images are still added
    assert small.run(museum, networks, out) == 0
    printed = capsys.readouterr().out
    assert "1 pictures of the collection have been taken away" in printed
    assert "already finished" in printed
    assert small.run(museum, networks, out, *OPTIMIZED) == 0


SCRIPT = """
import os, signal, sys
from visualization import activations, change_pages, compare
from visualization.optvis import render
what, count = sys.argv[1], int(sys.argv[2])
module, name = {"pass": (activations, "_in_turn"), "image": (render, "render_channels"),
    "atlas": (change_pages, "write_atlas")}[what]
true, done = getattr(module, name), [0]
def dies(*given, **named):
    made = true(*given, **named)
    if what == "pass":
        def function(batch):
            done[0] += 1
            if done[0] > count:
                os.kill(os.getpid(), signal.SIGKILL)
            return made(batch)
        return function
    if what == "image":
        def rendered():
            for one in made:
                yield one
                done[0] += 1
                if done[0] > count:
                    os.kill(os.getpid(), signal.SIGKILL)
        return rendered()
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, dies)
activations.PART_PICTURES = 8
compare.main(sys.argv[3:])
"""


@pytest.mark.slow  # four processes
def test_killed_anywhere_it_goes_on(finished, museum, networks, tmp_path, monkeypatch):
    """kill -9 in the pass, between two images, in the atlas; then as if nothing had been."""
    out = tmp_path / "out"
    more = ("--yardstick", networks / "third.keras", "--optimize", "least-overlap:2", "joined:0,8")
    words = small.words(museum, networks, out, *more, *IMAGES, "--batch_size", "4")
    for what, count in (("pass", 5), ("image", 1), ("image", 1), ("atlas", 0)):
        command = [sys.executable, "-c", SCRIPT, what, str(count), *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
        assert not out.exists() and unfinished(out).exists()
    monkeypatch.setattr(optvis_render, "render_channels", no_ascent)
    monkeypatch.setattr(inference, "files", without_a_pass())
    assert compare.main(words) == 0
    assert not unfinished(out).exists()
    for name in ("channels.csv", "layers.csv", "table_2.csv"):
        ours, other = (read_csv(folder / name) for folder in (out, finished[1]))
        values, others = (t.apply(pandas.to_numeric, errors="coerce") for t in (ours, other))
        assert list(ours.columns) == list(other.columns)
        np.testing.assert_allclose(values, others, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "given",
    [
        ["--help"],
        ["--statistic", "median"],
        ["--optimize", "left"],
        ["--steps", "0"],
        ["--k", "0"],
        ["--images", "/no/such"],
        ["--column", "stile"],
        ["--split", "column=part"],
        ["--yardstick", "nowhere.keras"],
        ["--judge", "VGG91"],
        ["--layer_map", "/no/such.csv"],
        ["--optimized_a", "/no/such"],
        ["--input_size", "0"],
        ["--layers", "fist"],
        ["--out", "/proc/out"],
    ],
)
def test_help_and_slips_need_no_keras(museum, networks, tmp_path, given):
    words = [*small.words(museum, networks, tmp_path / "out"), *given]
    code = (
        "import sys\nfrom visualization import compare\n"
        f"try:\n    code = compare.main({words!r})\n"
        "except SystemExit as end:\n    code = end.code\n"
        "slow = {'keras', 'tensorflow', 'jax', 'pandas', 'matplotlib', 'sklearn', 'scipy'}\n"
        "print(code, sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    expected = 0 if given == ["--help"] else 2
    assert done.stdout.splitlines()[-1] == f"{expected} []", done.stdout + done.stderr


@pytest.mark.slow
def test_the_toy_networks(tmp_path):
    """The network that learnt natural pictures, and itself fine-tuned on the toy collection."""
    paint_collection(tmp_path / "toy", count=120)
    nature = f"MobileNet(alpha=0.25):{ROOT}/toy/mobilenet_0.25_64_nature.weights.h5"
    words = [nature, f"{ROOT}/toy/mobilenet_0.25_64_toy_artist.keras", "--input_size", "64"]
    words += ["--images", f"{tmp_path}/toy/jpg", "--labels", f"{tmp_path}/toy/metadata.csv"]
    words += ["--column", "material", "--k", "10", "--out", f"{tmp_path}/out"]
    words += ["--layers", "conv1", "conv_pw_3", "conv_dw_8", "conv_pw_13"]
    words += ["--optimize", "conv_pw_3:0", "--steps", "2", "--size_of_images", "32"]
    words += ["--names", "nature", "the toy's painters"]
    assert compare.main(words) == 0
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "the toy collection: nothing in it is real art" in summary
    assert summary.startswith("# What changed from A: nature to B: the toy's painters\n")
    layers = numbers(tmp_path / "out" / "layers.csv")
    assert len(layers) == 4 and layers["cka_debiased"].iloc[0] > layers["cka_debiased"].iloc[-1]
    # the map of a convolution is that after its batch normalisation: that is what images are of
    assert [path.name for path in (tmp_path / "out/images/a").iterdir()] == ["conv_pw_3_bn"]
    with Image.open(tmp_path / "out/images/a/conv_pw_3_bn/conv_pw_3_bn_0000.png") as image:
        assert image.size == (32, 32)
    assert keras.backend.backend() in summary
