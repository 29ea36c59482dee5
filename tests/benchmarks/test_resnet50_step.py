"""The benchmark of a training step, its peer made up."""

import sys

import pytest

from benchmarks import resnet50_step
from models import zoo

TINY = ["--size", "32", "--batch", "2", "--steps", "1", "--rounds", "2"]


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """Networks as they are built: MobileNets in ResNet50's place, which compile in a second."""
    whole, made = zoo.build, []

    def build(spec, *how):
        made.append(whole(zoo.parse("MobileNet(alpha=0.25)"), *how))
        return made[-1]

    monkeypatch.setattr(zoo, "build", build)
    return made


@pytest.mark.slow  # compiles two training steps
def test_ours_is_told_over_theirs_without_a_bound(monkeypatch, driver_code, tmp_path, capsys):
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "$FAKE" "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    monkeypatch.setenv("FAKE", driver_code)
    monkeypatch.setattr(resnet50_step, "install", lambda peer, folder: python)
    assert resnet50_step.main([*TINY, "--peers", str(tmp_path / "peers")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "no bound" in line]
    assert len(lines) == 2 and all("over torchvision's in float32" in line for line in lines)


@pytest.mark.slow  # compiles a training step
def test_a_step_trains_and_leaves_normalisation_alone(built):
    run = resnet50_step.ours(32, 2, "float32")
    before = [weight.numpy() for weight in built[0].weights]
    run(1)
    moved = {
        w.path for w, b in zip(built[0].weights, before, strict=True) if (w != b).numpy().any()
    }
    assert any("conv" in path for path in moved) and not any("_bn" in path for path in moved)
