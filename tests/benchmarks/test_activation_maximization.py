"""The benchmark of optimized images on tiny networks, and peers made of a few lines of Python."""

import contextlib
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks import activation_maximization, channel_by_channel, compare, peer_process
from benchmarks.bare_network import bare
from benchmarks.compare import Compared
from benchmarks.peer_process import Driver, Peer
from models.errors import InputError
from models.graph import cut

SIZE, LAYER = 16, "maps"
FAKE = """
import sys, time
from benchmarks.peers import serving
def prepare(size, batch):
    print("not an answer", size)
    if batch == 13:
        raise ValueError("thirteen is refused")
    return lambda steps: time.sleep(0.01 * steps * batch)
serving.serve(prepare)
"""


@pytest.fixture(scope="module")
def tiny():
    """A network of one convolution, 4 channels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(4, 3, name=LAYER)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A peer whose driver is FAKE, 10 ms an image-step, and which needs no installation."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "$FAKE" "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    monkeypatch.setenv("FAKE", FAKE)
    monkeypatch.setattr(activation_maximization, "install", lambda peer, folder: python)
    return Peer("fake", ("fake==1",), 4, batches=(1, 2), told=(2,))


def driver(tmp_path, batch):
    return Driver([sys.executable, "-c", FAKE, "128", str(batch)], tmp_path / "log.txt")


def test_a_driver_makes_the_steps_asked_for(tmp_path):
    process = driver(tmp_path, 2)
    try:
        assert 0.02 <= process.seconds(1) < process.seconds(15) < 3
        assert "not an answer 128" in (tmp_path / "log.txt").read_text()
    finally:
        process.close()
    assert process.process.poll() is not None


def test_a_driver_that_fails_says_why(tmp_path):
    with pytest.raises(ChildProcessError, match="ValueError: thirteen is refused"):
        driver(tmp_path, 13)


def test_a_driver_that_ended_between_two_requests_is_an_error(tmp_path):
    process = driver(tmp_path, 1)
    process.close()
    with pytest.raises((ChildProcessError, ValueError)):
        process.seconds(1)


def test_a_driver_that_never_answers_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(peer_process, "ANSWERING", 0.3)
    with pytest.raises(ChildProcessError, match="ended without a word"):
        Driver([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log.txt")


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
    assert capsys.readouterr().out == f"fake: skipped, {why}\n"


def test_installing_is_done_once_and_borrows_the_running_packages(tmp_path, monkeypatch, capsys):
    peer, calls = Peer("fake", ("fake==1", "other"), 4), []
    monkeypatch.setattr(
        peer_process.subprocess, "run", lambda command, **_: calls.append(command[5:])
    )
    python = peer_process.install(peer, tmp_path)
    assert peer_process.install(peer, tmp_path) == python and python.is_file()
    assert calls == [["install", "--quiet", "--no-deps", "fake==1", "other"]]
    (borrowed,) = tmp_path.glob("fake/lib/*/site-packages/running.pth")
    assert borrowed.read_text().strip() in [str(path) for path in sys.path]
    assert capsys.readouterr().out == f"fake: installing into {tmp_path / 'fake'}\n"
    peer_process.install(Peer("fake", ("fake==2",), 4), tmp_path)  # another version: made anew
    assert calls[1:] == [["install", "--quiet", "--no-deps", "fake==2"]]


def test_an_installation_that_fails_says_why_and_is_tried_again(tmp_path, monkeypatch):
    def run(command, **_):
        raise peer_process.subprocess.CalledProcessError(1, command, stderr="a\nno version\n\n")

    monkeypatch.setattr(peer_process.subprocess, "run", run)
    for _ in range(2):
        with pytest.raises(ChildProcessError, match="^no version$"):
            peer_process.install(Peer("fake", ("fake==1",), 4), tmp_path)


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


def test_the_bare_network_gives_the_gradient_to_the_pixels(tiny):
    """Of a convolution's mean, by hand: its summed kernel where every place sees the pixel."""
    gradient = bare(cut(tiny, [LAYER], (SIZE, SIZE)), LAYER, 2)(1)
    kernel, places = tiny.get_layer(LAYER).get_weights()[0], (SIZE - 2) ** 2
    for channel in range(2):
        expected = kernel[..., channel].sum((0, 1)) / places
        np.testing.assert_allclose(gradient[channel, 8, 8], expected, rtol=1e-4, atol=1e-7)


def test_a_backend_that_is_not_known_is_refused(tiny, monkeypatch):
    network = cut(tiny, [LAYER], (SIZE, SIZE))
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match="backend torch; accepted: tensorflow, jax"):
        bare(network, LAYER, 2)


def test_memory_and_traces_of_many_channels(tiny):
    seconds, grown, traces = channel_by_channel.after_first(tiny, LAYER, 4, 2, SIZE, 2)
    assert 0 < seconds < 60 and 0 <= grown < 200 and traces == 0


def test_many_channels_are_held_against_25_times_a_few(monkeypatch, capsys):
    measured = {8: (2.0, 1.0, 0), 200: (55.0, 30.0, 1)}
    monkeypatch.setattr(channel_by_channel, "after_first", lambda m, la, n, *_: measured[n])
    time, memory, traces = channel_by_channel.claims(None, LAYER, 1, SIZE, rounds=2)
    np.testing.assert_allclose(time.values, [10, 10])
    assert (memory.values, memory.passed()) == ((30.0, 30.0), True)
    assert (traces.values, traces.passed()) == ((1, 1), False)
    assert "27.50 times" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("device", "cpuinfo", "has"),
    [
        ("GPU NVIDIA H200 (jax)", "", True),
        ("CPU, 2 cores (jax)", "flags : sse4_2 amx_bf16 x", True),
        ("CPU, 2 cores (jax)", "flags : sse4_2 avx512f", False),
    ],
)
def test_bfloat16_is_measured_where_the_device_has_it(monkeypatch, tmp_path, device, cpuinfo, has):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(activation_maximization.device, "name", lambda: device)
    monkeypatch.setattr(activation_maximization, "Path", lambda _: tmp_path / "cpuinfo")
    assert activation_maximization.has_bfloat16() is has


def test_hours_on_paper(tiny, monkeypatch, capsys):
    monkeypatch.setattr(activation_maximization.device, "name", lambda: "CPU, 2 cores (jax)")
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
    monkeypatch.setattr(compare, "print_setting", lambda: None)
    many = Compared("many channels", (3.0,), 10, at_least=False)
    monkeypatch.setattr(channel_by_channel, "claims", lambda *_: [many])
    flags = "--no_peers --batch 2 --steps 2 --rounds 2"
    assert activation_maximization.main([*flags.split(), "--size", str(SIZE)]) == 0
    printed = capsys.readouterr().out
    for text in ("ours float32:", "bare float32:", "over the bare network", "PASS many"):
        assert text in printed
