"""The command visualization.render: its folder, its errors, its resumption."""

import csv
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from models import backend, memory
from transfer import plots
from transfer.pictures import read_all
from visualization import render, sheet, side_by_side
from visualization.optvis import render as optvis_render

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Two convolutions; channel 2 of the second overflows for any picture."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(pixels)
    second = keras.layers.Conv2D(6, 3, strides=2, name="second")
    keras_model = keras.Model(pixels, second(x))
    kernel, bias = second.get_weights()
    kernel[..., 2] = bias[2] = 3e38  # finite: a file that holds NaN is not opened
    second.set_weights([kernel, bias])
    path = tmp_path_factory.mktemp("network") / "own.keras"
    keras_model.save(path)
    return path


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        Image.new("RGB", (20, 30), colour).save(folder / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


def command(network, out, *flags):
    given = {"--layer": "second", "--channels": "1,3-4", "--steps": "3", "--size": "16"}
    given |= dict(zip(flags[::2], flags[1::2], strict=True))
    return [str(network), "--out", str(out), *(word for pair in given.items() for word in pair)]


def test_a_whole_folder(network, pictures, tmp_path, capsys):
    out = tmp_path / "results" / "second"
    assert render.main(command(network, out, "--pictures", str(pictures), "--batch", "2")) == 0
    printed = capsys.readouterr().out
    assert "left out: picture" in printed and "broken.jpg" in printed
    assert sorted(path.name for path in out.iterdir()) == [
        "contact_sheet.png",
        "manifest.json",
        "scores.csv",
        *(f"second_000{c}.{end}" for c in (1, 3, 4) for end in ("json", "png")),
    ]
    record = json.loads((out / "second_0003.json").read_text())
    assert len(record["scores"]) == 3 and record["not_finite_from_step"] is None
    with Image.open(out / "second_0003.png") as image:
        assert image.size == (16, 16) and image.mode == "RGB"
    rows = list(csv.DictReader(io.StringIO((out / "scores.csv").read_text("utf-8-sig"))))
    assert [row["channel"] for row in rows] == ["1", "3", "4"]
    # what the command says of the pictures is what the network gives
    model = keras.models.load_model(network)
    scores = [
        float(np.mean(model(array[None])[..., 3]))
        for _, array in read_all(sorted(pictures.glob("*.png")), 16)
    ]
    assert record["best_picture_score"] == pytest.approx(max(scores), rel=1e-4)
    assert record["best_picture"].endswith(f"{int(np.argmax(scores))}.png")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["identity"]["channels"] == [1, 3, 4]
    assert render.main(command(network, out)) == 0
    assert "already finished" in capsys.readouterr().out
    assert render.main(command(network, out, "--steps", "4")) == 2
    assert "steps 3 (now 4)" in capsys.readouterr().err


def test_a_channel_without_a_number_stops_and_the_rest_goes_on(network, tmp_path, capsys):
    assert render.main(command(network, tmp_path / "out", "--channels", "all")) == 0
    printed = capsys.readouterr().out
    assert "channel 2: score none; STOPPED" in printed and "6 of 6: channel 5" in printed
    record = json.loads((tmp_path / "out" / "second_0002.json").read_text())
    assert record["not_finite_from_step"] == 0 and record["scores"] == [None] * 3


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["VGG19", "--layr", "x"],
        command("VGG19", "out", "--steps", "0"),
        command("VGG99", "out"),
        command("VGG19:none.h5", "out"),
        command("VGG19", "out", "--pictures", "/no/such"),
        command("VGG19", "out", "--size", "200000"),
        command("VGG19", "/proc/out"),
        command("VGG19", "out", "--shard", "5/4"),
    ],
)
def test_help_and_slips_need_no_keras(words):
    """Keras and what else is slow to import come after the flags have been read."""
    code = (
        "import sys\nfrom visualization import render\n"
        f"try:\n    render.main({words!r})\nexcept SystemExit:\n    pass\n"
        "slow = {'keras', 'tensorflow', 'jax', 'pandas', 'matplotlib', 'sklearn'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--layer", "secnd"), "near it: second"),
        (("--channels", "6"), "no channel 6; accepted: 0 to 5"),
        (("--channels", "4-2"), "accepted: e.g. 52,60-63"),
        (("--channels", ""), "accepted: e.g. 52,60-63"),
        (("--size", "3"), "cannot be run at 3x3"),
        (("--steps", "0"), "steps is 0"),
        (("--seed", "-1"), "seed is -1"),
        (("--seed", "5000000000"), "seed is 5000000000; accepted: 0 to 2147483647"),
        (("--spectrum", "x"), "spectrum is for param maco"),
        (("--pictures", "/no/such"), "no picture or folder /no/such"),
        (("--shard", "0/4"), "shard is '0/4'; accepted: I/N"),
        (("--shard", ""), "shard is ''; accepted: I/N"),
        (("--shard", "a/b"), "shard is 'a/b'; accepted: I/N"),
    ],
)
def test_bad_input_is_one_line(flags, says, network, tmp_path, capsys):
    assert render.main(command(network, tmp_path / "out", *flags)) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_sizes_that_memory_does_not_hold(network, tmp_path, capsys, monkeypatch):
    """Known at once for the image alone, for the network once it is open; both say what fits."""
    monkeypatch.setattr(memory, "free", lambda: 1e9)
    monkeypatch.setattr(backend, "free_memory", lambda: 1e9)
    for size, of in (("60000", "at least 216 GB"), ("3900", "at least 1.")):
        assert render.main(command(network, tmp_path / "out", "--size", size)) == 2
        error = capsys.readouterr().err
        assert f"size is {size}" in error and of in error and error.count("\n") == 1
        assert "1 GB are free; accepted here: size up to about" in error
    words = command(network, tmp_path / "out", "--size", "1000", "--batch", "100")
    assert render.main(words) == 2
    assert "accepted here: batch up to" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_an_interrupt_goes_on_only_from_what_is_done(network, tmp_path, capsys, monkeypatch):
    def first(*given, **named):
        yield from itertools.islice(true(*given, **named), 1)
        raise KeyboardInterrupt

    def none(*given, **named):
        raise KeyboardInterrupt

    true = optvis_render.render_channels
    for stops, said in ((none, "interrupted\n"), (first, "the same command goes on from here\n")):
        monkeypatch.setattr(optvis_render, "render_channels", stops)
        assert render.main(command(network, tmp_path / "out", "--batch", "1")) == 130
        assert capsys.readouterr().err.endswith(said)


def test_models_that_cannot_be_rendered(tmp_path, capsys):
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    keras.Model([one, two], keras.layers.Add(name="sum")([one, two])).save(tmp_path / "two.keras")
    assert render.main(command(tmp_path / "two.keras", tmp_path / "out", "--layer", "sum")) == 2
    assert "has 2 inputs; accepted: a functional or sequential model of one input" in (
        capsys.readouterr().err
    )
    flat = keras.Input((12,))
    keras.Model(flat, keras.layers.Dense(4, name="dense")(flat)).save(tmp_path / "dense.keras")
    words = command(tmp_path / "dense.keras", tmp_path / "out", "--layer", "dense")
    assert render.main(words) == 2
    error = capsys.readouterr().err
    assert "takes (None, 12); accepted: (N, height, width, 3)" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(network, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert render.main(command(network, tmp_path / "file" / "out")) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.slow
def test_kill_9_and_the_same_command_goes_on(network, tmp_path, capsys):
    out = tmp_path / "out"
    words = command(network, out, "--batch", "1", "--steps", "40")
    again = [sys.executable, "-m", "visualization.render", *words]
    partial = out.with_name(".out.partial")
    with subprocess.Popen(again, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        for _ in range(1200):
            if any(partial.glob("*.json")) and (partial / "second_0001.json").exists():
                break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    made = (partial / "second_0001.json").stat().st_mtime_ns
    assert render.main(words) == 0
    assert "going on: " in capsys.readouterr().out
    assert (out / "second_0001.json").stat().st_mtime_ns == made


def test_an_empty_folder_is_used(network, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    assert render.main(command(network, tmp_path / "out")) == 0
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert render.main(command(network, Path("."))) == 0
    for folder in ("out", "here"):
        assert (tmp_path / folder / "manifest.json").exists()


def test_a_folder_of_something_else_is_left_alone(network, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").write_text("mine")
    assert render.main(command(network, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "holds files but no finished run" in error and error.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["diary.txt"]


def test_what_kill_9_left_is_not_published(network, tmp_path, capsys):
    """Killed within the write of a file, and between the last clean-up and the folder's rename."""
    out, partial = tmp_path / "out", tmp_path / ".out.partial"
    torn, mark = ".second_0001.png.4711", "identity.json"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plots, "contact_sheet", interrupted)
        assert render.main(command(network, out)) == 130
    (partial / torn).write_bytes(b"half")
    assert (partial / mark).exists()
    assert render.main(command(network, out)) == 0
    assert not {torn, mark} & {path.name for path in out.iterdir()}
    out.rename(partial)
    assert render.main(command(network, out)) == 0
    assert "already finished" in capsys.readouterr().out and not (out / mark).exists()
    assert sheet.main([str(out), "--out", str(tmp_path / "sheet.png")]) == 0


def interrupted(tiles):
    raise KeyboardInterrupt


def test_a_layer_in_parts(network, tmp_path, capsys):
    """What is made of them is what is made in one piece; more is in test_image_folders."""
    one, two = tmp_path / "one", tmp_path / "two"
    assert render.main([*command(network, two), "--parts"]) == 0
    assert capsys.readouterr().out == "1\n"
    for out, *more in ((one,), (two, "--shard", "1/1"), (two, "--join")):
        assert render.main([*command(network, out), *more]) == 0
    for path in one.glob("*.[jp]*"):
        same = (two / path.name).read_bytes() == path.read_bytes()
        assert same or path.name == "manifest.json"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.fixture
def two_devices(monkeypatch):
    """Two devices, whose processes run in this one, one after another; the words of each."""
    ran = []

    def run(module, commands, say):
        assert module == "visualization.render"
        ran.extend(commands.values())
        return {name: (render.main(words), "") for name, words in commands.items()}

    monkeypatch.setattr(side_by_side, "count_devices", {"2": 2, "all": 2}.__getitem__)
    monkeypatch.setattr(side_by_side, "run", run)
    return ran


def test_devices_make_a_part_each(network, tmp_path, two_devices, monkeypatch):
    def paint(model, layer, channels, steps, **named):
        for channel in channels:
            image = np.zeros((16, 16, 3), "float32")
            yield optvis_render.Rendered(layer, channel, image, np.zeros(steps), 0.5, None)

    monkeypatch.setattr(optvis_render, "render_channels", paint)
    out = tmp_path / "out"
    words = [*command(network, out, "--channels", "all", "--batch", "2"), "--devices", "all"]
    # of a part of a cluster's they make parts, which are joined with the others
    assert render.main([*words, "--shard", "2/3"]) == 0
    assert [ran[-3:] for ran in two_devices] == [["1", "--shard", f"{n}/6"] for n in (3, 4)]
    assert [path.name for path in (tmp_path / "out.parts").iterdir()] == ["4-of-6"]
    two_devices.clear()
    assert render.main(words) == 0
    assert [ran[-4:] for ran in two_devices] == [
        ["--devices", "1", "--shard", f"{number}/2"] for number in (1, 2)
    ]
    assert len(list(out.glob("*.png"))) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    two_devices.clear()
    assert render.main(words) == 0 and not two_devices  # it is finished


def test_what_becomes_of_devices_that_fail(network, tmp_path, capsys, two_devices, monkeypatch):
    words = [*command(network, tmp_path / "out"), "--devices", "2"]
    for ended, says in (
        ({"1/2": (2, "no layer"), "2/2": (2, "no layer")}, "error: no layer\n"),
        ({"1/2": (0, ""), "2/2": (-9, "")}, "error: not made: part 2/2 (signal 9) ; the others"),
    ):
        monkeypatch.setattr(side_by_side, "run", lambda *given, ended=ended: ended)
        assert render.main(words) == 2
        assert capsys.readouterr().err.startswith(says)

    def interrupt(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(side_by_side, "run", interrupt)
    assert render.main(words) == 130
    assert capsys.readouterr().err == "interrupted\n" and not any(tmp_path.iterdir())


@pytest.mark.slow  # four processes that start Keras
def test_devices_as_processes(network, tmp_path):
    """On two virtual devices of JAX."""
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    words = command(network, tmp_path / "out", "--channels", "all", "--batch", "2")
    done = subprocess.run(
        [sys.executable, "-m", "visualization.render", *words, "--devices", "all"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[1/2] part 1/2: 2 of 6 channels" in done.stdout
    assert "[2/2] part 2/2: 4 of 6 channels" in done.stdout
    assert len(list((tmp_path / "out").glob("second_*.png"))) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "layer"),
    [
        ("VGG19", "block5_conv4"),
        ("ResNet50", "conv5_block3_out"),
        ("MobileNet(alpha=0.25)", "conv_pw_6_relu"),
    ],
)
def test_networks_of_the_zoo(model, layer, tmp_path):
    """Random weights: there is no network here to fetch others from."""
    flags = ("--layer", layer, "--channels", "0,3", "--steps", "2", "--size", "64")
    assert render.main(command(model, tmp_path / "out", *flags)) == 0
    for channel in (0, 3):
        record = json.loads((tmp_path / "out" / f"{layer}_000{channel}.json").read_text())
        assert np.isfinite(record["scores"]).all() and record["not_finite_from_step"] is None
        with Image.open(tmp_path / "out" / f"{layer}_000{channel}.png") as image:
            assert image.size == (64, 64) and np.std(image) > 0


def test_half_as_many_where_memory_runs_out(network, tmp_path, capsys, monkeypatch):
    asked, true = [], optvis_render.render_channels

    def scarce(model, layer, channels, steps, param_f, **how):
        asked.append(param_f()().shape[0])
        if asked[-1] > 1:
            raise MemoryError
        return true(model, layer, channels, steps, param_f=param_f, **how)

    monkeypatch.setattr(optvis_render, "render_channels", scarce)
    assert render.main(command(network, tmp_path / "out")) == 0
    assert asked == [3, 1] and "1 images at a time" in capsys.readouterr().out


def test_maco_and_its_spectrum(network, pictures, tmp_path):
    out = tmp_path / "out"
    words = command(network, out, "--param", "maco", "--channels", "0")
    assert render.main([*words, "--spectrum", str(pictures / "0.png")]) == 0
    assert (out / "second_0000.png").exists()


# run before the command: no finder knows TensorFlow
WITHOUT_TENSORFLOW = """
import runpy, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "tensorflow":
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
runpy.run_module("visualization.render", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_runs_on_jax_where_tensorflow_is_not_installed(network, tmp_path):
    made = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *command(network, tmp_path / "out")],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert "(jax)" in made.stdout
    assert len(list((tmp_path / "out").glob("second_*.png"))) == 3
