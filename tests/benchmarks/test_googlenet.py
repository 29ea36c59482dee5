"""GoogLeNet against bare layers, small."""

import keras
import numpy as np
import pytest

from benchmarks import googlenet
from models.inception_v1 import GoogLeNet

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the peer is TensorFlow's own normalisation"
)


@pytest.mark.slow  # XLA compiles both networks
@on_tensorflow
def test_the_peer_is_the_same_network_and_both_are_timed(capsys):
    ours, peer = GoogLeNet(input_shape=(32, 32, 3)), googlenet.bare(32)
    peer.set_weights(ours.get_weights())
    pictures = np.random.default_rng(0).normal(0, 60, (2, 32, 32, 3)).astype("float32")
    a, b = ours.predict_on_batch(pictures), peer.predict_on_batch(pictures)
    np.testing.assert_allclose(a, b, rtol=1e-4)
    found = list(googlenet.speeds(ours, peer, pictures, rounds=1))
    assert [(c.bound, c.at_least, len(c.values)) for c in found] == [(0.95, True, 1)] * 2
    assert capsys.readouterr().out.count("pictures/s") == 4


@on_tensorflow
def test_sizes_that_the_peer_does_not_take(capsys):
    assert googlenet.main(["--size", "100"]) == 2
    assert "multiple of 32" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        googlenet.main(["--batch", "0"])


@on_tensorflow
@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    assert googlenet.main(["--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 3
