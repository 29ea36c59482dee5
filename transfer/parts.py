"""Which rows of every batch a process reads, where several processes and devices compute it.

A batch is filled up to rows that the devices divide, by its last picture again; the network cuts
what was filled up off before anything is computed (transfer.train), so that no number depends on it.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """The rows of a process among several, each with as many devices: one contiguous piece.

    process: 0 to processes - 1. devices: of all processes.
    """

    process: int = 0
    processes: int = 1
    devices: int = 1

    @property
    def is_whole(self):
        """Whether it is all rows of a batch, as they are."""
        return self.devices == 1

    def filled(self, count, batch_size):
        """Rows of the batches of a pass, and to how many they are filled up.

        Args:
            count: pictures of a pass.
            batch_size: of all batches but the last, which may be smaller.

        Returns:
            dict: rows filled up, all unlike -> rows.
        """
        sizes = {self._up(batch_size): batch_size} if count >= batch_size else {}
        if last := count % batch_size:
            filled = self._up(last)
            # a size alone tells what is to be cut off
            sizes[filled + self.devices * (filled in sizes)] = last
        return sizes

    def _up(self, rows):
        return -(-rows // self.devices) * self.devices

    def rows(self, filled, rows):
        """Places in a batch of `rows` that this process reads: int array, the last one repeated."""
        own = filled // self.processes
        return np.minimum(np.arange(self.process * own, (self.process + 1) * own), rows - 1)

    def cut(self, order, batch_size):
        """What this process reads of a pass, in pieces whose batches are of one size.

        Args:
            order: int tensor of a known length, numbers of the pictures as they come.
            batch_size: of all batches but the last.

        Yields:
            (int tensor, its batch size).
        """
        import tensorflow as tf

        count = order.shape[0]
        whole = count - count % batch_size
        for filled, rows in self.filled(count, batch_size).items():
            piece = order[:whole] if rows == batch_size else order[whole:]
            places = self.rows(filled, rows)
            batches = tf.reshape(piece, (-1, rows))
            yield tf.reshape(tf.gather(batches, places, axis=1), [-1]), len(places)


WHOLE = Part()
