"""Seconds of a step, and how a time is said."""

import pytest

from transfer import step_seconds


def test_the_least_behind_the_first_counts(monkeypatch):
    now, took = [0.0], iter([50.0, 3.0, 2.0])

    def step():
        now[0] += next(took)

    monkeypatch.setattr(step_seconds.time, "perf_counter", lambda: now[0])
    assert step_seconds.measure(step) == 2
    assert next(took, None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "60 min"), (5400, "1.5 h")],
)
def test_a_time_as_text(seconds, text):
    assert step_seconds.shown(seconds) == text
