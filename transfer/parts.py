"""Which rows of every batch a process reads, where several processes compute it together."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """The rows of one process among several, each with as many devices.

    Of a batch that all devices divide it is one contiguous piece, of any other the whole: that is
    computed by each of them.

    process: 0 to processes - 1. devices: of all processes. filled: whether a batch that they do not
    divide is filled up until they do, by its last row again, as for a pass whose outputs are cut.
    """

    process: int = 0
    processes: int = 1
    devices: int = 1
    filled: bool = False

    @property
    def is_whole(self):
        """Whether it is all rows of every batch."""
        return self.processes == 1

    def rows(self, count):
        """Places of the rows in a batch of `count` that this process reads: int array."""
        if count % self.devices == 0 or self.filled:
            own = -(-count // self.devices) * self.devices // self.processes
            return np.minimum(np.arange(self.process * own, (self.process + 1) * own), count - 1)
        return np.arange(count)

    def cut(self, order, batch_size):
        """What this process reads of a pass, in pieces whose batches are of one size.

        Args:
            order: int tensor of a known length, numbers of the pictures as they come.
            batch_size: of all batches but the last, which may be smaller.

        Yields:
            (int tensor, its batch size).
        """
        import tensorflow as tf

        count = order.shape[0]
        whole = count - count % batch_size
        for piece, size in ((order[:whole], batch_size), (order[whole:], count % batch_size)):
            if piece.shape[0]:
                places = self.rows(size)
                own = tf.gather(tf.reshape(piece, (-1, size)), places, axis=1)
                yield tf.reshape(own, [-1]), len(places)


WHOLE = Part()


def part_of(together):
    """The Part that this process reads.

    Args:
        together: models.machines.Together.
    """
    from models import backend  # which needs Keras, as no store does

    return Part(together.process, together.processes, backend.devices_in_use())
