"""Networks that are filled are not drawn first, and what is not filled is seen."""

import keras
import numpy as np
import pytest

from models import initializers, zoo

SMALL = "MobileNet(alpha=0.25)"


def kernel():
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    return np.asarray(layer.kernel)


def test_kernels_are_infinite_while_open_and_drawn_afterwards():
    with initializers.undrawn_kernels():
        assert np.isinf(kernel()).all()
    with pytest.raises(RuntimeError), initializers.undrawn_kernels():
        raise RuntimeError
    assert np.isfinite(kernel()).all()


@pytest.mark.parametrize("spec", [SMALL, "EfficientNetB0", "GoogLeNet"])
def test_no_network_is_left_with_what_was_not_drawn(spec):
    trunk = zoo.trunk(zoo.parse(spec), 32)
    assert any(np.isinf(np.asarray(weight)).any() for weight in trunk.weights)
    model = zoo.build(spec, 2, 32)
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)
