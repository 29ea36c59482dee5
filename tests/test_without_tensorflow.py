"""What reads no picture files runs on JAX where TensorFlow is not installed."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import importlib.util, sys

import models
from benchmarks import gpu
from visualization import render

assert importlib.util.find_spec("tensorflow") is None
words = "tiny.keras --layer maps --channels all --out out --size 32 --steps 2"
assert render.main(words.split()) == 0
network = models.load("MobileNet(alpha=0.25)", 32)
assert network.model.output_shape == (None, 1000), network.model.output_shape
words = "--quick --cpu --ANN tiny.keras --network tiny.keras --layer maps --last maps"
assert gpu.main(words.split()) == 0
assert "tensorflow" not in sys.modules
"""


@pytest.fixture
def without_tensorflow(tmp_path):
    """Return the environment of a Python that has every package here but TensorFlow, and JAX."""
    pytest.importorskip("jax")
    links = tmp_path / "packages"
    links.mkdir()
    for package in Path(keras.__file__).parents[1].iterdir():
        if not package.name.startswith("tensorflow"):
            (links / package.name).symlink_to(package)
    path = f"{ROOT}{os.pathsep}{links}"
    return os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": path}


@pytest.mark.slow
def test_networks_images_and_the_benchmark_of_a_gpu(without_tensorflow, tmp_path):
    pixels = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(2, 3, name="maps")(keras.layers.Rescaling(1 / 255)(pixels))
    keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(maps)).save(tmp_path / "tiny.keras")
    words = [sys.executable, "-S", "-c", SCRIPT]  # -S: without the packages installed here
    done = subprocess.run(
        words, cwd=tmp_path, env=without_tensorflow, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "contact_sheet.png").exists()
    lines = [line for line in done.stdout.splitlines() if line.startswith("quick: ")]
    measured = (
        "over the bare step",
        "over the bare forward pass",
        "over the bare network",
        "hours",
    )
    for what in measured:
        assert any(what in line for line in lines), (what, done.stdout)
