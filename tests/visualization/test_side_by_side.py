"""Processes side by side: their lines, how they end, interrupts, the device that each sees."""

import os
import signal
import threading
import time

import pytest

from models.errors import InputError
from visualization import side_by_side

MODULE = """
import os, signal, sys, time
print("begins on", os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
what, *more = sys.argv[1:]
if what == "fails":
    print("error: no such layer", file=sys.stderr)
    sys.exit(2)
if what == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "waits":
    signal.signal(signal.SIGTERM, lambda *given: (print("kept", flush=True), sys.exit(143)))
    open(more[0], "w").close()
    time.sleep(600)
print("done", *more)
"""


@pytest.fixture
def said(tmp_path, monkeypatch):
    """The lines that are said; the module `parts_of_it` is there to be run."""
    (tmp_path / "parts_of_it.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return []


def run(said, **commands):
    return side_by_side.run("parts_of_it", commands, said.append)


def test_each_on_its_device_and_all_lines_are_named(said, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    ended = run(said, first=["makes", "1 2"], second=["makes", "3"])
    assert ended == {"first": (0, ""), "second": (0, "")}
    assert sorted(said) == [
        "[first] begins on 0",
        "[first] done 1 2",
        "[second] begins on 1",
        "[second] done 3",
    ]


def test_of_devices_that_are_given_each_has_one(said, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c")
    run(said, first=["makes"], second=["makes"])
    assert {"[first] begins on GPU-a", "[second] begins on GPU-b"} <= set(said)


def test_gpus_that_are_hidden_stay_hidden(said, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    run(said, first=["makes"], second=["makes"])
    assert {"[first] begins on ", "[second] begins on "} <= set(said)


def test_what_was_started_ends_where_the_next_cannot_be(said, monkeypatch, tmp_path):
    start, started = side_by_side._start, []

    def start_one(*given):
        if started:
            raise OSError("too many processes")
        started.append(start(*given))
        return started[0]

    monkeypatch.setattr(side_by_side, "_start", start_one)
    with pytest.raises(OSError, match="too many processes"):
        run(said, first=["waits", str(tmp_path / "begun")], second=["makes"])
    assert started[0].poll() is not None


def test_one_that_fails_or_dies_ends_no_other(said):
    ended = run(said, a=["fails"], b=["makes"], c=["dies"])
    assert ended == {"a": (2, "no such layer"), "b": (0, ""), "c": (-9, "")}
    assert "[b] done" in said and "[a] ended with exit code 2; the others go on" in said
    assert "[c] ended with signal 9; the others go on" in said
    assert not any("error" in line for line in said)


@pytest.fixture
def interruptible():
    """Interrupts are answered, also where the tests run in the background of a script."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def test_an_interrupt_reaches_all_once_and_is_raised_when_they_have_ended(
    said, tmp_path, interruptible
):
    files = [tmp_path / name for name in "ab"]

    def interrupt():
        while not all(file.exists() for file in files):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(said, a=["waits", str(files[0])], b=["waits", str(files[1])])
    assert said.count("[a] kept") == said.count("[b] kept") == 1
    assert not any("the others go on" in line for line in said)


@pytest.mark.slow  # a process that starts Keras; of devices that are there, see test_render
def test_devices_are_counted_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    with pytest.raises(InputError, match="^devices is 4; there are 3"):
        side_by_side.count_devices("4")
