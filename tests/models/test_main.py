"""The command of models."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import models
from models.__main__ import main

SMALL = "MobileNet(alpha=0.25)"


def test_command_describes_and_converts(tmp_path, capsys):
    out = tmp_path / "out.keras"
    assert main([SMALL, "--input_size", "32"]) == 0
    assert "conv1" in capsys.readouterr().out
    assert main(["convert", SMALL, str(out), "--input_size", "32"]) == 0
    x = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    expected = models.load(SMALL, size=32).model.predict(x, verbose=0)
    np.testing.assert_allclose(
        models.load(str(out)).model.predict(x, verbose=0), expected, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["VGG91"], "no network 'VGG91'"),
        (["convert", SMALL, "out.h5"], "'out.h5' must end in .keras"),
        (["convert", SMALL, "nowhere/out.keras"], "no folder nowhere"),
        (["VGG19:no.h5"], "no weights file no.h5"),
        (["no.keras"], "no weights file no.keras"),
        (["no.keras:none"], "no weights file no.keras"),
        (["MobileNets"], "no network 'MobileNets' (did you mean MobileNet"),
        (["RijksVGG19Net:material"], "no weights of VGG19 for 'material' were released"),
        (["RijksXception:creators"], "no weights of Xception for 'creators' were released"),
        ([SMALL, "--input_size", "0"], "input_size is 0"),
        ([SMALL, "--input_size", "-3"], "input_size is -3"),
    ],
)
def test_a_mistake_is_one_line(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_files_of_another_origin_are_described_as_they_are(tmp_path, capsys):
    one, other = keras.Input((4,)), keras.Input((3,))
    outputs = [keras.layers.Dense(2)(one), keras.layers.Dense(2)(other)]
    keras.Model([one, other], outputs).save(tmp_path / "two.keras")
    assert main([str(tmp_path / "two.keras")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "input: N×4, N×3" in lines and "preprocessing: not known" in lines
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)).save(tmp_path / "own.keras")
    assert main([str(tmp_path / "own.keras"), "--input_size", "16"]) == 2
    error = capsys.readouterr().err
    assert "input_size is 16" in error and "takes pictures of 8 pixels" in error


@pytest.mark.parametrize(
    "spec", ["VGG91", "VGG19:no.h5", "no.keras", "RijksVGG19Net:material", "RijksXception:artists"]
)
def test_a_mistake_is_known_without_keras(spec, tmp_path):
    script = (
        "import sys\nfrom models.__main__ import main\ncode = main(sys.argv[1:])\n"
        "print(code, sorted({'tensorflow', 'keras', 'h5py'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    started = [sys.executable, "-c", script, spec]
    done = subprocess.run(started, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "2 []\n", done.stderr
