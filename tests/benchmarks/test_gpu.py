"""The benchmark of a GPU: its arithmetic; tests/test_without_tensorflow.py runs the whole."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import gpu

HERE = "GPU NVIDIA H100 (jax)"


@pytest.mark.parametrize(
    ("device", "size", "bound"),
    [(HERE, 224, 1), (HERE, 64, None), ("CPU, 2 cores (jax)", 224, None)],
)
def test_hours_of_all_channels(tiny, monkeypatch, device, size, bound):
    monkeypatch.setattr(gpu.backend, "device_name", lambda: device)
    settings = SimpleNamespace(network="tiny", size=size)
    found = gpu.hours(tiny, settings, "float32", [4 * 2048 / 3600, 4 * 2048 / 1800])
    assert found.values == (1.0, 0.5) and found.bound == bound and not found.at_least
    assert found.claim.startswith(f"hours of all 4 channels of tiny at {size} pixels, 2048 steps")


def test_a_source_of_the_same_pictures_goes_on_where_it_was():
    pictures, labels = gpu.made_up(3, 8)
    assert pictures.shape == (3, 8, 8, 3) and pictures.dtype == np.uint8
    assert labels.min() >= 0 and labels.max() < gpu.CLASSES
    source = gpu.repeated(pictures, 3)
    assert [numbers.tolist() for numbers, _ in source(0)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [numbers[0] for numbers, _ in source(6)] == [6]


def test_without_a_gpu_it_says_so_and_ends(monkeypatch, capsys):
    monkeypatch.setattr(gpu.backend, "device_name", lambda: "CPU, 2 cores (jax)")
    assert gpu.main(["--quick"]) == 2
    said = capsys.readouterr()
    assert said.err == (
        "error: no GPU here: Keras computes on CPU, 2 cores (jax); nothing is measured\n"
    )
    assert "PASS" not in said.out


@pytest.mark.parametrize("name", ["steps", "passes"])
def test_one_step_cannot_be_measured(name, capsys):
    assert gpu.main([f"--{name}", "1"]) == 2
    assert capsys.readouterr().err == f"error: {name} is 1; it must be at least 2\n"
