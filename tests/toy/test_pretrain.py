"""The toy network: the shipped weights, the command that trains them."""

import keras
import numpy as np
import pytest

from toy import pretrain
from toy.nature import render_pictures

MAX_WEIGHTS_BYTES = 4 * 2**20  # what the repository may carry


@pytest.mark.slow
def test_the_shipped_weights_are_small_load_and_tell_natural_pictures_apart():
    assert pretrain.WEIGHTS.stat().st_size <= MAX_WEIGHTS_BYTES
    body = keras.applications.MobileNet(
        input_shape=(64, 64, 3), alpha=0.25, include_top=False, weights=None
    )
    body.load_weights(pretrain.WEIGHTS)
    pictures, labels = render_pictures(400, seed=11)  # a seed the network was not trained on
    features = body.predict(pictures / np.float32(127.5) - 1, verbose=0).mean(axis=(1, 2))
    near = np.stack([features[:300][labels[:300] == k].mean(axis=0) for k in range(20)])
    distances = ((features[300:, None] - near) ** 2).sum(axis=2)
    assert np.mean(distances.argmin(axis=1) == labels[300:]) > 0.5  # chance is 0.05


class FullDisk:
    """A trunk whose weights are cut off in the middle of writing."""

    def save_weights(self, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")


def test_weights_cut_off_while_writing_leave_the_old_file(tmp_path):
    path = tmp_path / "toy.weights.h5"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        pretrain.save_trunk(FullDisk(), path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
