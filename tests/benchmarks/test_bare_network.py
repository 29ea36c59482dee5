"""The gradient of the bare network by hand."""

import keras
import numpy as np
import pytest

from benchmarks.bare_network import bare
from models.errors import InputError
from models.graph import cut

SIZE, LAYER = 16, "maps"


def test_the_bare_network_gives_the_gradient_to_the_pixels(tiny):
    """Of a convolution's mean, by hand: its summed kernel where every place sees the pixel."""
    gradient = bare(cut(tiny, [LAYER], (SIZE, SIZE)), LAYER, 2)(1)
    kernel, places = tiny.get_layer(LAYER).get_weights()[0], (SIZE - 2) ** 2
    for channel in range(2):
        expected = kernel[..., channel].sum((0, 1)) / places
        np.testing.assert_allclose(gradient[channel, 8, 8], expected, rtol=1e-4, atol=1e-7)


def test_a_backend_that_is_not_known_is_refused(tiny, monkeypatch):
    network = cut(tiny, [LAYER], (SIZE, SIZE))
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match="backend torch; accepted: tensorflow, jax"):
        bare(network, LAYER, 2)
