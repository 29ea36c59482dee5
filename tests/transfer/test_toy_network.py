"""The toy network: natural pictures, the shipped weights, the command that trains them."""

from collections import Counter

import keras
import numpy as np
import pytest

from transfer.toy import pretrain
from transfer.toy.__main__ import main
from transfer.toy.nature import CLASSES, DRAWINGS, nature_picture, nature_pictures

MAX_WEIGHTS_BYTES = 4 * 2**20  # what the repository may carry


def test_natural_pictures_are_balanced_and_the_same_again():
    pictures, labels = nature_pictures(2 * len(CLASSES), seed=4)
    assert pictures.shape == (2 * len(CLASSES), 64, 64, 3) and pictures.dtype == np.uint8
    assert set(Counter(labels.tolist()).values()) == {2} and len(DRAWINGS) == 20
    np.testing.assert_array_equal(pictures[7], nature_picture(7, 4))
    later, _ = nature_pictures(3, seed=4, first=7)
    np.testing.assert_array_equal(later[0], pictures[7])
    assert (pictures.reshape(len(pictures), -1).std(axis=1) > 3).all()


def test_the_shipped_weights_are_small_load_and_tell_natural_pictures_apart():
    assert pretrain.WEIGHTS.stat().st_size <= MAX_WEIGHTS_BYTES
    body = keras.applications.MobileNet(
        input_shape=(64, 64, 3), alpha=0.25, include_top=False, weights=None
    )
    body.load_weights(pretrain.WEIGHTS)
    pictures, labels = nature_pictures(400, seed=11)  # a seed the network was not trained on
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


@pytest.mark.slow  # builds and compiles a real training step
def test_pretraining_writes_weights_that_load(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pretrain, "HELD_OUT", 20)  # fewer: the rest of the command is as it is
    path = tmp_path / "new" / "toy.weights.h5"
    assert main(["pretrain", str(path), "--pictures", "32", "--steps", "1", "--seed", "3"]) == 0
    assert "seed 3" in capsys.readouterr().out
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    body = pretrain.trunk()
    before = body.get_weights()[0].copy()
    body.load_weights(path)
    assert (body.get_weights()[0] != before).any()


@pytest.mark.parametrize(
    "arguments", [["x.h5"], ["x.weights.h5", "--pictures", "31"], ["x.weights.h5", "--steps", "0"]]
)
def test_pretraining_refuses_what_it_cannot_do(tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not list(tmp_path.iterdir())
