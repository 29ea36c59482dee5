"""The time of the steps of a training, without the first."""

import time

import keras


class StepClock(keras.callbacks.Callback):
    """Measures the seconds of an epoch without its first step."""

    def on_epoch_begin(self, epoch, logs=None):
        self.started = None

    def on_train_batch_end(self, batch, logs=None):
        if self.started is None:
            float(logs["loss"])  # a GPU has then finished the step
            self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.monotonic() - self.started


def epoch_seconds(model, steps, *data, **how):
    """Seconds that model.fit takes for steps 2 to `steps` of one epoch over the data."""
    clock = StepClock()
    model.fit(
        *data, steps_per_epoch=steps, callbacks=[clock], shuffle=False, verbose=0, epochs=1, **how
    )
    return clock.seconds
