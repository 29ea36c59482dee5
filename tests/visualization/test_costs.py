"""What is told before anything is made: counted by hand, timed by steps of a known length."""

import keras
import numpy as np
import pytest

from tests.visualization import museum as small
from visualization import compare, costs, render
from visualization.channel_images import Settings
from visualization.image_folders import make_part
from visualization.shards import Shard


@pytest.fixture(autouse=True)
def seconds(monkeypatch):
    """Every measured step takes 2 seconds; the steps that were to be measured."""
    steps = []

    def measure(step):
        steps.append(step)
        return 2.0

    monkeypatch.setattr(costs, "measure", measure)
    return steps


@pytest.fixture
def network(tmp_path):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(6, 3, name="maps")(pixels)
    keras.Model(pixels, maps).save(tmp_path / "own.keras")
    return tmp_path / "own.keras"


def told(text):
    """What -> what is said of it, of lines `what: that`."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def test_images(network, tmp_path, capsys, seconds):
    museum = small.paint(tmp_path / "museum", count=9)
    words = [str(network), "--layer", "maps", "--channels", "all", "--out", str(tmp_path / "out")]
    words += ["--steps", "10", "--size", "16", "--batch", "2", "--pictures", str(museum / "jpg")]
    settings = Settings(str(network), "maps", steps=10, size=16, batch=2)
    make_part(settings, tmp_path / "out", Shard(3, 3))
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert render.main([*words, "--dry-run"]) == 0
    said = told(capsys.readouterr().out)
    assert said["channels"] == "6 of maps, of which 4 have no image yet"
    assert said["steps"] == "10 of 2 images of 16 x 16 pixels at a time"
    # 2 batches of 10 steps of 2 s; 8 pictures in 2 s, of which there are 9
    assert said["time"] == "about 40 s, 2 s a step"
    assert said["pictures"] == "about 2 s, 0.25 s each, without reading them"
    assert said["parts"] == "1 by default, about 1 min each"
    assert said["memory"].startswith("about ") and "GB" in said["memory"]
    assert sorted(tmp_path.rglob("*")) == before
    assert np.isfinite(seconds[0]()) and seconds[1]().shape == (8, 6)
    costs.of_images(settings, tmp_path / "out", devices=2)
    said = told(capsys.readouterr().out)
    assert said["time"] == "about 20 s on 2 devices together, 2 s a step"
    assert render.main([*words, "--dry-run", "--steps", "11"]) == 2
    assert "steps 10 (here 11)" in capsys.readouterr().err


def test_a_comparison(tmp_path, capsys, seconds):
    networks = small.save_networks(tmp_path / "networks")
    museum = small.paint(tmp_path / "museum")
    more = ("--batch_size", "10", "--optimize", "entropy:3", "joined:0,8", "left:all")
    more += ("--steps", "5", "--size_of_images", "16", "--dry-run")
    before = sorted(tmp_path.rglob("*"))
    assert compare.main(small.words(museum, networks, tmp_path / "out", *more)) == 0
    printed = capsys.readouterr().out
    said = told(printed)
    # of 60 pictures 36 are of the part train and 18 of test
    assert said["pictures"] == "at most 54, 16 x 16 pixels, 10 at a time"
    assert said["pass"] == "at most 11 s, 0.2 s a picture, without reading it"
    assert said["parts"] == "1 by default, at most 11 s each"
    # 3 + 2 + 4 channels are 2 batches of 8; 5 steps of 2 s in each of two networks
    assert said["images"] == (
        "at most 9 channels in each network, 5 steps of 16 x 16 pixels, at most 40 s"
    )
    assert printed.count("3 convolutions, 15 channels") == 2
    assert [scores.shape for scores, _, _ in seconds[0]()] == [(10, 15)] * 2
    assert sorted(tmp_path.rglob("*")) == before


def test_of_a_comparison_that_is_made_the_pass_is_done(tmp_path, capsys):
    networks = small.save_networks(tmp_path / "networks")
    museum = small.paint(tmp_path / "museum")
    (tmp_path / "out" / "scores").mkdir(parents=True)
    (tmp_path / "out" / "scores" / "scores.h5").touch()
    assert compare.main(small.words(museum, networks, tmp_path / "out", "--dry-run")) == 0
    printed = capsys.readouterr().out
    assert "the pass of the pictures is done" in printed and "a picture" not in printed
