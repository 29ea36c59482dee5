"""Many channels against a few, on a tiny network."""

import numpy as np

from benchmarks import channel_by_channel

SIZE, LAYER = 16, "maps"


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
