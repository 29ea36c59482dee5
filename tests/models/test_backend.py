"""What keras.ops lacks: passes, gradients, transforms, draws, devices; on every backend alike."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import backend, memory
from models.errors import InputError

layers = keras.layers


@pytest.fixture(scope="module")
def linear():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dropout(0.5)(layers.Dense(3, use_bias=False)(inputs)))


def rows(n):
    return np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)


def test_forward(linear):
    x = rows(5)
    assert_allclose(backend.forward(linear)(x), x @ linear.get_weights()[0], rtol=1e-5)


def test_gradient_of_a_linear_network_is_its_kernel(linear):
    (kernel,) = linear.get_weights()
    x, targets = rows(3), [2, 0, backend.PREDICTED]
    scores, found = backend.input_gradient(linear)(x, targets)
    targets[2] = (x[2] @ kernel).argmax()
    assert_allclose(found, kernel.T[targets], rtol=1e-6)
    assert_allclose(scores, (x @ kernel)[np.arange(3), targets], rtol=1e-5)


def test_weights_are_read_at_every_call():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(inputs))
    gradient = backend.input_gradient(model)
    assert_allclose(gradient(rows(2), [0, 0])[1], 1)
    model.set_weights([5 * w for w in model.get_weights()])
    assert_allclose(gradient(rows(2), [0, 0])[1], 5)


def test_compiled_once_for_a_shape():
    traced = []

    class Counting(layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape)
            return inputs

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(Counting()(inputs)))
    gradient = backend.input_gradient(model)
    traced.clear()
    for _ in range(3):
        gradient(rows(2), [0, 1])
    assert len(traced) == 1
    gradient(rows(3), [0, 1, 0])
    assert len(traced) == 2


def test_prepare_sums_over_samples(linear):
    """Two samples of each row, x and 3 x: the gradients are 1 and 3 times the kernel's."""

    def twice(x, factors):
        return keras.ops.reshape(x[:, None] * factors[None, :, None], (-1, 4))

    (kernel,) = linear.get_weights()
    run = backend.input_gradient(linear, twice)
    scores, found = run(rows(2), [0, 0, 1, 2], np.array([1, 3], np.float32))
    assert scores.shape == (4,)
    expected = np.stack([4 * kernel[:, 0], kernel[:, 1] + 3 * kernel[:, 2]])
    assert_allclose(found, expected, rtol=1e-5)


def test_a_score_that_no_input_reaches_has_the_gradient_zero():
    inputs = keras.Input((4,))
    nothing = layers.Dense(1)(keras.ops.stop_gradient(inputs))
    scores, found = backend.input_gradient(keras.Model(inputs, nothing))(rows(2), [0, 0])
    assert_array_equal(found, 0)


@pytest.mark.parametrize("size", [(4, 6), (5, 8), (1, 2)])
def test_inverse_real_fft2_equals_numpys_for_any_spectrum(size):
    # also for one that no real image has, as an optimized spectrum is
    draw = np.random.default_rng(0).normal(size=(2, 3, size[0], size[1] // 2 + 1))
    real, imaginary = draw.astype("float32")
    found = backend.inverse_real_fft2(real, imaginary, size)
    expected = np.fft.irfft2(real + 1j * imaginary, size)
    assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-6)


def test_fused_functions_made_one_after_another_raise_no_warning(caplog):
    for factor in range(6):
        double = backend.fused(lambda x, factor=factor: factor * x)
        assert_array_equal(double(np.ones(3, "float32")), factor)
    assert "retracing" not in caplog.text


def test_another_backend_is_refused(monkeypatch, linear):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match="KERAS_BACKEND=torch .*accepted: tensorflow, jax"):
        backend.input_gradient(linear)


def uniform(count, seeds):
    return keras.ops.convert_to_numpy(backend.uniform(count, np.array(seeds, np.int32)))


def test_standard_normal():
    draw = [
        keras.ops.convert_to_numpy(backend.standard_normal((100, 50), np.array(seed, np.int32)))
        for seed in ([0, 0], [0, 0], [0, 1], [1, 0])
    ]
    assert_array_equal(draw[0], draw[1])
    for other in draw[2:]:
        assert abs(np.corrcoef(draw[0].ravel(), other.ravel())[0, 1]) < 0.05
    assert abs(draw[0].mean()) < 0.05 and abs(draw[0].std() - 1) < 0.05
    assert draw[0].dtype == np.float32


def test_uniform_rows_have_the_distribution_and_are_independent():
    rows = uniform(5000, [[0, 0], [0, 1], [1, 0], [2**31 - 1, 7]])
    assert rows.min() >= 0 and rows.max() < 1
    np.testing.assert_allclose(rows.mean(axis=1), 1 / 2, atol=0.02)
    np.testing.assert_allclose(rows.var(axis=1), 1 / 12, atol=0.01)
    apart = np.corrcoef(rows) - np.eye(4)
    assert abs(apart).max() < 0.06


@pytest.mark.parametrize("others", [[], [[9, 9]], [[9, 9], [0, 0], [7, 1]]])
def test_a_row_depends_on_its_own_seed_only(others):
    assert_array_equal(uniform(6, [*others, [3, 5]])[-1], uniform(6, [[3, 5]])[0])


def test_cores_and_memory():
    assert backend.cores() >= 1
    free = backend.free_memory()
    assert free is None or free > 1e6


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (ResourceExhaustedError("anything"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), True),
        (ValueError("shapes differ"), False),
    ],
)
def test_out_of_memory(error, expected):
    assert backend.is_out_of_memory(error) is expected


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own GPUs")
def test_a_gpu_that_nothing_shows_brings_no_warning(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    for is_there in (False, True):
        monkeypatch.setattr(backend, "_has_nvidia_gpu", lambda found=is_there: found)
        warning = backend.device_warning()
        assert (warning or "").startswith("WARNING: this machine has an NVIDIA GPU") is is_there
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert backend.device_warning() is None


class Gpu:
    """A GPU of JAX with so many bytes in use of those that it took, and a limit."""

    device_kind, platform = "NVIDIA H100", "gpu"

    def __init__(self, stats):
        self.memory_stats = lambda: stats


@pytest.mark.parametrize(
    ("stats", "driver", "free"),
    [
        ([{"bytes_limit": 80, "bytes_in_use": 30}], None, 50),
        ([{"bytes_limit": 80, "bytes_in_use": 30, "pool_bytes": 40}], 15, 25),
        ([{"bytes_limit": 80, "bytes_in_use": b} for b in (5, 60)], 90, 20),
        ([{"bytes_limit": 80, "bytes_in_use": 30}], 10, 0),
        ([None], 90, None),
    ],
)
def test_free_memory_of_jaxs_gpus_is_that_of_the_fullest(stats, driver, free, monkeypatch):
    jax = pytest.importorskip("jax")
    gpus = [Gpu(each) for each in stats]
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: gpus)
    # one more is there and full, and not in use
    monkeypatch.setattr(jax, "local_devices", lambda: [*gpus, Gpu({"bytes_limit": 0})])
    monkeypatch.setattr(backend, "devices_in_use", lambda: len(gpus))
    monkeypatch.setattr(memory, "free_on_gpu", {len(gpus): driver}.get)
    assert backend.free_memory() == free


@pytest.mark.parametrize(("driver", "free"), [(50, 70), (None, None)])
def test_free_memory_of_tensorflows_gpus_counts_what_it_took_and_left(driver, free, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(backend, "_tensorflow_gpus", lambda: ["NVIDIA H100"])
    monkeypatch.setattr(memory, "free_on_gpu", {1: driver}.get)
    taken = {"current": 10, "peak": 30}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", lambda device: taken)
    assert backend.free_memory() == free


def test_gpus_are_shared_unless_a_script_has_taken_them(monkeypatch):
    import tensorflow as tf

    asked = []

    def grow(gpu, how):
        asked.append((gpu, how))
        if gpu == "taken":
            raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["taken", "new"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    backend.share_gpus()
    assert asked == [("taken", True), ("new", True)]
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    backend.share_gpus()
    assert len(asked) == 2


@pytest.fixture
def several(monkeypatch):
    """A machine of two such devices and a third, of which none is ever used."""
    for name in ("_tensorflow_devices", "_jax_devices_here"):
        monkeypatch.setattr(backend, name, lambda: ["H100", "H100", "T4"])
    monkeypatch.setattr(backend, "_names", lambda devices: list(devices))
    used = []
    monkeypatch.setattr(backend, "_mirror", used.append)
    monkeypatch.setattr(backend, "_shard", used.append)
    return used


@pytest.mark.parametrize(
    ("wanted", "used"), [(None, 0), (1, 0), (2, 2), (3, 3), ("all", 3)], ids=str
)
def test_as_many_devices_as_are_wanted(several, wanted, used):
    backend.use_devices(wanted)
    assert [len(devices) for devices in several] == [used] * bool(used)


def test_more_devices_than_there_are(several):
    with pytest.raises(InputError, match="devices is 4; there are 3: 2 x H100, T4$"):
        backend.use_devices(4)
    assert not several


@pytest.mark.parametrize(
    ("batch_size", "count", "near"),
    [(8, 4, None), (7, 1, None), (10, 4, "8 or 12"), (3, 4, "4"), (7, 2, "6 or 8")],
)
def test_batches_that_devices_do_not_divide_are_told(monkeypatch, batch_size, count, near):
    monkeypatch.setattr(backend, "devices_in_use", lambda: count)
    line = backend.undivided(batch_size)
    assert line is None if near is None else f"batch_size {near} can be divided" in line


@pytest.mark.parametrize("rows_given", [1, 3, 4, 9])
def test_rows_are_filled_up_for_the_devices_and_cut_again(monkeypatch, rows_given):
    monkeypatch.setattr(backend, "devices_in_use", lambda: 4)
    seen = []
    forward = backend._in_equal_parts(lambda x, y: (seen.append(len(x)), {"sum": x + y})[1])
    x = rows(rows_given)
    assert_array_equal(forward(x, x)["sum"], 2 * x)
    assert seen == [-(-rows_given // 4) * 4]


def test_with_one_device_nothing_is_changed(linear):
    backend.use_devices(1)
    assert backend.devices_in_use() == 1
    assert backend.spread(linear) is linear and backend.spread_batches(linear) is linear
    with backend.one_device():
        assert backend.devices_in_use() == 1
    backend.clear_session()
    assert backend.devices_in_use() == 1
