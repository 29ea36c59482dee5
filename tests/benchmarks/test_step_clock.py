"""Steps of a training, timed without the first."""

from types import SimpleNamespace

from benchmarks import step_clock


def test_the_step_clock_leaves_the_first_step_out(monkeypatch):
    clock = iter([5.0, 9.0])
    monkeypatch.setattr(step_clock, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    watch = step_clock.StepClock()
    watch.on_epoch_begin(0)
    for batch in range(3):
        watch.on_train_batch_end(batch, {"loss": 1.0})
    watch.on_epoch_end(0)
    assert watch.seconds == 4.0
