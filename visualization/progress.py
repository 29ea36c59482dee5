"""How far an ascent is, and the time left.

A line for each image; on a terminal one that is written over as well, in a log one in a minute.
"""

import math
import sys
import time

import keras

EVERY = 0.5  # seconds between two looks on a terminal
SIGN_OF_LIFE = 60.0  # seconds without a line, in a log


class Progress(keras.callbacks.Callback):
    """Callback of render_channels that tells steps done and the time left.

    count: images to make. steps: of each. Call `begin` with the number of images at a time first.
    """

    def __init__(self, count, steps, out=None, clock=time.monotonic):
        super().__init__()
        self.count, self.steps = count, steps
        self.out = out or sys.stdout
        self.clock = clock
        self.finished = 0
        self.shown = clock()
        self.begin(1)

    def begin(self, batch):
        """Begin with so many images at a time, with those that are not finished."""
        self.batch, self.made, self.step = batch, self.finished, 0
        self.before, self.seconds, self.timed = None, 0.0, 0

    def on_train_begin(self, logs=None):
        self.before = None  # a fit's first step may compile and is not timed

    def on_train_batch_end(self, batch, logs=None):
        now = self.clock()
        if self.before is not None:
            self.seconds += now - self.before
            self.timed += 1
        self.before = now
        self.step += 1
        if self.step == self.steps:  # a run of an ascent is several fits
            self.made, self.step = min(self.made + self.batch, self.count), 0
        if now - self.shown >= (EVERY if self.out.isatty() else SIGN_OF_LIFE):
            self._look(now)

    def done(self, text):
        """Count an image as made, and say so."""
        self.finished += 1
        self.say(f"{self.finished} of {self.count}: {text}{self._left()}")

    def say(self, text):
        """Write a line of its own."""
        start = "\r\x1b[K" if self.out.isatty() else ""
        self.out.write(f"{start}{text}\n")
        self.out.flush()
        self.shown = self.clock()

    def _look(self, now):
        text = f"{self.finished} of {self.count} done, step {self.step} of {self.steps}"
        text += self._left()
        if not self.out.isatty():
            self.say(text)
            return
        self.shown = now
        self.out.write(f"\r{text}\x1b[K")
        self.out.flush()

    def _left(self):
        steps = math.ceil((self.count - self.made) / self.batch) * self.steps - self.step
        if not self.timed or not steps:
            return ""
        minutes, seconds = divmod(round(self.seconds / self.timed * steps), 60)
        hours, minutes = divmod(minutes, 60)
        return f", about {hours}:{minutes:02d}:{seconds:02d} left"
