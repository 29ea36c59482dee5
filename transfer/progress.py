"""How far long work is, and the time left: a bar on a terminal, lines elsewhere."""

import math
import sys
import time

EVERY = 0.5  # seconds between two looks on a terminal
SIGN_OF_LIFE = 60.0  # seconds without a line, in a log
BAR = 20  # letters


class Progress:
    """Tells how many of `count` things are made, and from the pace when the rest will be.

    Things of one step each are counted with `advance`: a bar on a terminal, elsewhere a line for
    the first ones, then one each tenth. Things that take many steps, some at a time, are counted
    by steps (`begin` says how many at a time) and announced with `done`, a line for each.

    Args:
        count: things to make.
        what: their name, e.g. `pictures stored`; None for those announced with `done`.
        steps: of each.
        unit: name of those announced with `done`, e.g. `epochs`.
        out: text stream; the standard output by default.
        clock: () -> seconds.
    """

    def __init__(self, count, what=None, steps=1, unit="", out=None, clock=time.monotonic):
        self.count, self.what, self.steps, self.unit = count, what, steps, unit
        self.out = out or sys.stdout
        self.clock = clock
        self.finished = 0
        self.shown = clock()
        self.begin(1)

    def begin(self, batch):
        """Begin with so many things at a time, with those that are not finished."""
        self.batch, self.made, self.step = batch, self.finished, 0
        self.before, self.seconds, self.timed = None, 0.0, 0

    def pause(self):
        """Leave the next step out of the pace: it compiles, or other work comes before it."""
        self.before = None

    def advance(self, steps=1):
        """Count steps (of the batch) as made."""
        now = self.clock()
        if self.before is not None:
            self.seconds += now - self.before
            self.timed += steps
        self.before = now
        before, self.step = self.made, self.step + steps
        if self.step >= self.steps:
            self.made = min(self.made + self.batch * (self.step // self.steps), self.count)
            self.step %= self.steps
        if self.what:
            self.finished = self.made
        if self._is_due(now, before):
            self._look(now)

    def keras_callback(self):
        """A callback for keras.Model.fit that counts every step; the first one may compile."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: self.pause(),
            on_train_batch_end=lambda batch, logs: self.advance(),
        )

    def done(self, text):
        """Count a thing as made, and say so."""
        self.finished += 1
        self.say(f"{self.finished} of {self.count}: {text}{self._left()}")

    def say(self, text):
        """Write a line of its own."""
        self.clear()
        self.out.write(f"{text}\n")
        self.out.flush()
        self.shown = self.clock()

    def clear(self):
        """Take the bar off a terminal's line, so that something else can be written there."""
        if self.out.isatty():
            self.out.write("\r\x1b[K")
            self.out.flush()

    def _is_due(self, now, before):
        if self.what and not before and self.made:  # it has begun
            return True
        if self.out.isatty():
            return now - self.shown >= EVERY or self._is_last(before)
        tenth = self.what and self.made * 10 // self.count > before * 10 // self.count
        return tenth or now - self.shown >= SIGN_OF_LIFE

    def _is_last(self, before):
        return self.what and before < self.made == self.count

    def _look(self, now):
        text = self._text() + self._left()
        if not self.out.isatty() or (self.what and self.made == self.count):
            self.say(text)
            return
        self.shown = now
        self.out.write(f"\r{text}\x1b[K")
        self.out.flush()

    def _text(self):
        if not self.what:
            many = f"{self.count} {self.unit}".strip()
            return f"{self.finished} of {many} done, step {self.step} of {self.steps}"
        if not self.out.isatty():
            return f"{self.what}: {self.made} of {self.count}"
        full = BAR * self.made // self.count
        return f"{self.what}: [{'=' * full}{' ' * (BAR - full)}] {self.made} of {self.count}"

    def _left(self):
        steps = math.ceil((self.count - self.made) / self.batch) * self.steps - self.step
        if not self.timed or not steps:
            return ""
        left = round(self.seconds / self.timed * steps)
        if not left and not self.out.isatty():  # a bar stays as wide as it was
            return ""
        minutes, seconds = divmod(left, 60)
        hours, minutes = divmod(minutes, 60)
        return f", about {hours}:{minutes:02d}:{seconds:02d} left"
