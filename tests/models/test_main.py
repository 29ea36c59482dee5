"""The command of models."""

import numpy as np

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
    assert main(["convert", SMALL, str(tmp_path / "out.h5")]) == 2
    assert main(["VGG91"]) == 2
    assert "VGG91" in capsys.readouterr().err
