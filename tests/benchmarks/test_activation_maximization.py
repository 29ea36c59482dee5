"""The benchmark of optimized images on tiny networks."""

import contextlib
import sys
from types import SimpleNamespace

import pytest

from benchmarks import activation_maximization, ascents, channel_by_channel, compare
from benchmarks.compare import Compared
from benchmarks.peer_process import Peer

SIZE, LAYER = 16, "maps"


@pytest.fixture
def fake(tmp_path, monkeypatch, driver_code):
    """A peer of 10 ms an image-step that needs no installation."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "$FAKE" "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    monkeypatch.setenv("FAKE", driver_code)
    monkeypatch.setattr(activation_maximization, "install", lambda peer, folder: python)
    return Peer("fake", ("fake==1",), 4, batches=(1, 2), told=(2,))


def test_the_sides_of_a_peer_are_image_steps_a_second(fake, tmp_path):
    with contextlib.ExitStack() as running:
        sides = activation_maximization.peer_sides(fake, tmp_path, SIZE, 8, running)
        assert list(sides) == ["fake x 1", "fake x 2"]
        for side in sides.values():
            assert 20 < side() <= 100  # 10 ms each


@pytest.mark.parametrize("broken", ["install", "run"])
def test_a_peer_that_cannot_be_had_is_skipped_with_its_reason(
    fake, tmp_path, monkeypatch, capsys, broken
):
    if broken == "install":

        def install(peer, folder):
            raise ChildProcessError("no such version")

        monkeypatch.setattr(activation_maximization, "install", install)
    else:
        fake = Peer("fake", ("fake==1",), 4, batches=(13,))
    with contextlib.ExitStack() as running:
        assert activation_maximization.peer_sides(fake, tmp_path, SIZE, 1, running) == {}
    why = {"install": "no such version", "run": "ValueError: thirteen is refused"}[broken]
    assert capsys.readouterr().out.endswith(f"fake: skipped, {why}\n")


def test_claims_are_over_the_better_batch_and_the_own_precision():
    found = {
        "ours float32": [80.0, 90.0],
        "bare float32": [100.0, 100.0],
        "ours bfloat16": [120.0, 120.0],
        "bare bfloat16": [160.0, 150.0],
        "a x 1": [20.0, 10.0],
        "a x 8": [10.0, 15.0],
        "b x 1": [40.0, 30.0],
        "b x 8": [80.0, 90.0],
    }
    peers = [Peer("a", ("a==1",), 4), Peer("b", ("b==2",), 2, told=(8,))]
    claims = list(activation_maximization.speed_claims(found, peers, 8))
    prefix = "image-steps/s of ours over"
    assert claims == [
        Compared(f"{prefix} the bare network, float32, batch 8", (0.8, 0.9), 0.85),
        Compared(f"{prefix} the bare network, bfloat16, batch 8", (0.75, 0.8), 0.75),
        Compared(f"{prefix} a==1, float32", (4.0, 6.0), 4),
        Compared(f"{prefix} a==1, bfloat16", (6.0, 8.0), None),
        Compared(f"{prefix} b==2, float32", (2.0, 3.0), 2),
        Compared(f"{prefix} b==2, bfloat16", (3.0, 4.0), None),
        Compared(f"{prefix} b==2, float32, its batch of 8", (1.0, 1.0), None),
    ]


def test_hours_on_paper(tiny, monkeypatch, capsys):
    monkeypatch.setattr(
        activation_maximization.backend, "device_name", lambda: "CPU, 2 cores (jax)"
    )
    activation_maximization.print_hours(tiny, 8, 1, {"float32": 4096.0}, 112)
    line = capsys.readouterr().out  # a quarter of the pixels; 4 * 2048 / 1024 s
    assert "on paper, from 112 pixels: 1024 image-steps/s" in line
    assert "all 4 channels" in line and line.endswith("take 0.00 hours\n")


def test_the_whole_run_without_peers(tiny, monkeypatch, capsys):
    monkeypatch.setattr(
        activation_maximization.models, "load", lambda name, size: SimpleNamespace(model=tiny)
    )
    monkeypatch.setattr(activation_maximization, "LAYER", LAYER)
    monkeypatch.setattr(activation_maximization, "BOUNDS", {"float32": 0.85})
    monkeypatch.setattr(compare, "_print_setting", lambda: None)
    many = Compared("many channels", (3.0,), 10, at_least=False)
    monkeypatch.setattr(channel_by_channel, "claims", lambda *_: [many])
    flags = "--no_peers --batch 2 --steps 2 --rounds 2"
    assert activation_maximization.main([*flags.split(), "--size", str(SIZE)]) == 0
    printed = capsys.readouterr().out
    for text in ("ours float32:", "bare float32:", "over the bare network", "PASS many"):
        assert text in printed


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    assert activation_maximization.main(["--quick"]) == 0
    claims = 4 + ascents.has_bfloat16()
    assert capsys.readouterr().out.count("\nquick: ") == 1 + claims
