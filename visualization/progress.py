"""How far an ascent is: a line that is written over on a terminal, else a line for each image."""

import sys
import time

import keras

EVERY = 0.5  # seconds between two looks on a terminal


class Progress(keras.callbacks.Callback):
    """Callback of render_channels that tells steps done and the time left.

    count: images to make. steps: of each.
    """

    def __init__(self, count, steps, out=None, clock=time.monotonic):
        super().__init__()
        self.count, self.steps = count, steps
        self.out = out or sys.stdout
        self.clock = clock
        self.batch = 1  # images at a time
        self.finished, self.made, self.step = 0, 0, 0
        self.started, self.shown, self.seconds = clock(), 0.0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.step = self.step % self.steps + 1  # a run of an ascent is several fits
        if self.out.isatty() and self.clock() - self.shown >= EVERY:
            self.shown = self.clock()
            self.out.write(f"\r{self._state()}\x1b[K")
            self.out.flush()

    def on_train_end(self, logs=None):
        if self.step < self.steps:
            return
        self.made = min(self.made + self.batch, self.count)
        self.seconds = self.clock() - self.started

    def done(self, text):
        """Count an image as made, and say so."""
        self.finished += 1
        self.say(f"{self.finished} of {self.count}: {text}{self._left()}")

    def say(self, text):
        """Write a line of its own."""
        start = "\r\x1b[K" if self.out.isatty() else ""
        self.out.write(f"{start}{text}\n")
        self.out.flush()

    def _state(self):
        return (
            f"{self.finished} of {self.count} done, step {self.step} of {self.steps}{self._left()}"
        )

    def _left(self):
        if not 0 < self.made < self.count:
            return ""
        seconds = self.seconds / self.made * (self.count - self.made)
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f", about {hours}:{minutes:02d}:{seconds:02d} left"
