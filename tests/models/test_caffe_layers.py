import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.caffe_layers import LocalResponseNormalization

CAFFE = {"depth_radius": 2, "bias": 1.0, "alpha": 2e-5, "beta": 0.75}
LUCID = {"depth_radius": 5, "bias": 2.0, "alpha": 1e-4, "beta": 0.5}
ODD = {"depth_radius": 1, "bias": 0.5, "alpha": 0.3, "beta": 1.3}


def reference(x, depth_radius, bias, alpha, beta):
    """Krizhevsky et al. 2012, section 3.3, one channel at a time."""
    x = x.astype(np.float64)
    out = np.empty_like(x)
    for c in range(x.shape[-1]):
        near = x[..., max(0, c - depth_radius) : c + depth_radius + 1]
        out[..., c] = x[..., c] / (bias + alpha * (near**2).sum(-1)) ** beta
    return out


def drawn(*shape, scale=50.0, seed=0):
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32)


def test_value_by_hand():
    # squares 1, 4, 9: sums of neighbours 5, 14, 13; bias 1, alpha 1, beta 1
    layer = LocalResponseNormalization(depth_radius=1, bias=1.0, alpha=1.0, beta=1.0)
    found = keras.ops.convert_to_numpy(layer(np.float32([[1, 2, 3]])))
    np.testing.assert_allclose(found, [[1 / 6, 2 / 15, 3 / 14]], rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    channels=st.integers(1, 12),
    radius=st.integers(0, 8),
    beta=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    seed=st.integers(0, 99),
)
def test_is_the_formula(channels, radius, beta, seed):
    x = drawn(2, 3, 2, channels, scale=3.0, seed=seed)
    how = {"depth_radius": radius, "bias": 1.5, "alpha": 0.1, "beta": beta}
    found = keras.ops.convert_to_numpy(LocalResponseNormalization(**how)(x))
    np.testing.assert_allclose(found, reference(x, **how), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", [CAFFE, LUCID, ODD], ids=["caffe", "lucid", "odd"])
def test_is_tensorflows(how):
    tf = pytest.importorskip("tensorflow")
    x = drawn(2, 5, 4, 64)
    expected = tf.nn.local_response_normalization(x, **how).numpy()
    found = keras.ops.convert_to_numpy(LocalResponseNormalization(**how)(x))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_sums_in_float32(dtype):
    # 300 ** 2 is more than float16 holds
    x = keras.ops.cast(drawn(2, 3, 3, 16, scale=300.0), dtype)
    found = LocalResponseNormalization(**CAFFE, dtype=dtype)(x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    exact = reference(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")), **CAFFE)
    # one rounding of the result: 8 bits of bfloat16, 11 of float16
    step = 2.0**-8 if dtype == "bfloat16" else 2.0**-11
    found = keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))
    np.testing.assert_allclose(found, exact, rtol=1.01 * step, atol=1e-6)


def test_attributes_set_before_first_use_count():
    x = keras.Input((4, 4, 8))
    model = keras.Model(x, LocalResponseNormalization(name="norm")(x))
    for name, value in LUCID.items():
        setattr(model.get_layer("norm"), name, value)
    given = drawn(1, 4, 4, 8)
    expected = reference(given, **LUCID)
    np.testing.assert_allclose(model.predict(given, verbose=0), expected, rtol=1e-5)


def test_config_and_saved_file_hold_the_arguments(tmp_path):
    x = keras.Input((4, 4, 8))
    model = keras.Model(x, LocalResponseNormalization(**CAFFE, name="norm")(x))
    model.save(tmp_path / "norm.keras")
    opened = keras.models.load_model(tmp_path / "norm.keras", safe_mode=True)
    config = opened.get_layer("norm").get_config()
    assert {name: config[name] for name in CAFFE} == CAFFE
    given = drawn(1, 4, 4, 8)
    np.testing.assert_array_equal(opened.predict(given, verbose=0), model.predict(given, verbose=0))


def test_unknown_sizes_stay_unknown():
    x = keras.Input((None, None, 8))
    assert LocalResponseNormalization()(x).shape == (None, None, None, 8)
