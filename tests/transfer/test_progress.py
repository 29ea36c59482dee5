"""Things done and time left, on a terminal and in a log."""

import io

import keras
import numpy as np
import pytest

from transfer.progress import Progress


class Clock:
    """Seconds that pass where a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


def fit(shown, clock, steps, seconds, first=0.0):
    """A fit of so many steps; `first`: seconds more for the first, which is compiled."""
    shown.pause()
    for step in range(steps):
        clock.now += seconds + (first if step == 0 else 0)
        shown.advance()


def test_time_left_within_the_only_batch(clock):
    out = Terminal()
    shown = Progress(4, steps=10, out=out, clock=clock)
    shown.begin(4)
    fit(shown, clock, 3, 2.0, first=100.0)  # of two fits
    assert out.getvalue().split("\r")[-1] == ("0 of 4 done, step 3 of 10, about 0:00:14 left\x1b[K")
    fit(shown, clock, 6, 2.0, first=100.0)
    assert out.getvalue().split("\r")[-1].startswith("0 of 4 done, step 9 of 10, about 0:00:02")


def test_time_left_over_batches_the_last_not_full(clock):
    out = io.StringIO()
    shown = Progress(5, steps=10, out=out, clock=clock)
    shown.begin(2)
    fit(shown, clock, 10, 1.0)
    shown.done("channel 7")
    shown.done("channel 8")
    fit(shown, clock, 10, 1.0)
    shown.done("channel 9")
    shown.done("channel 10")
    fit(shown, clock, 10, 1.0)
    shown.done("channel 11")
    assert out.getvalue().splitlines() == [
        "1 of 5: channel 7, about 0:00:20 left",
        "2 of 5: channel 8, about 0:00:20 left",
        "3 of 5: channel 9, about 0:00:10 left",
        "4 of 5: channel 10, about 0:00:10 left",
        "5 of 5: channel 11",
    ]


def test_time_left_after_memory_ran_out(clock):
    out = Terminal()
    shown = Progress(4, steps=10, out=out, clock=clock)
    shown.begin(4)
    fit(shown, clock, 7, 8.0)
    shown.begin(2)
    fit(shown, clock, 3, 1.0)
    assert out.getvalue().split("\r")[-1].startswith("0 of 4 done, step 3 of 10, about 0:00:17")
    fit(shown, clock, 7, 1.0)
    shown.done("channel 1")
    assert "1 of 4: channel 1, about 0:00:10 left" in out.getvalue()


def test_a_log_shows_life_once_a_minute(clock):
    out = io.StringIO()
    shown = Progress(1, steps=1000, out=out, clock=clock)
    shown.begin(1)
    fit(shown, clock, 150, 1.0)
    assert out.getvalue().splitlines() == [
        "0 of 1 done, step 60 of 1000, about 0:15:40 left",
        "0 of 1 done, step 120 of 1000, about 0:14:40 left",
    ]


def test_a_log_has_a_line_each_tenth(clock):
    out = io.StringIO()
    shown = Progress(200, "pictures", out=out, clock=clock)
    for count in [7] * 28 + [4]:
        clock.now += 0.7
        shown.advance(count)
    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "pictures: 7 of 200"  # at once, then tenths
    assert lines[1] == "pictures: 21 of 200, about 0:00:18 left"
    assert lines[-1] == "pictures: 200 of 200"


def test_a_log_does_not_tell_less_than_a_second(clock):
    out = io.StringIO()
    shown = Progress(10, "pictures", out=out, clock=clock)
    for _ in range(3):
        clock.now += 0.01
        shown.advance()
    assert out.getvalue().splitlines() == [f"pictures: {count} of 10" for count in (1, 2, 3)]


def test_a_terminal_has_a_bar_in_one_line(clock):
    out = Terminal()
    shown = Progress(20, "pictures", out=out, clock=clock)
    for _ in range(20):
        clock.now += 1.0
        shown.advance()
    looks = out.getvalue().split("\r")
    assert looks[10] == "pictures: [==========          ] 10 of 20, about 0:00:10 left\x1b[K"
    assert out.getvalue().endswith(f"\r\x1b[Kpictures: [{'=' * 20}] 20 of 20\n")
    assert out.getvalue().count("\n") == 1


def test_the_first_batch_is_told_at_once(clock):
    for out in (Terminal(), io.StringIO()):
        shown = Progress(5000, "pictures read", out=out, clock=clock)
        shown.advance(32)
        assert "pictures read: " in out.getvalue() and "32 of 5000" in out.getvalue()


def test_the_steps_of_a_fit_are_counted(clock):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    shown = Progress(1, steps=4, out=io.StringIO(), clock=clock)
    x = np.zeros((6, 2), "float32")
    model.fit(x, x[:, :1], batch_size=2, verbose=0, callbacks=[shown.keras_callback()])
    assert shown.step == 3
