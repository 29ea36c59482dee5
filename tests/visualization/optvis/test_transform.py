"""Transforms between two steps: exact places, draws of their own, one resampling."""

import keras
import numpy as np
import pytest
from keras import ops

from models.errors import InputError
from visualization.optvis import transform
from visualization.optvis.transform import resample

SIZE = 12, 16


def array(tensor):
    return ops.convert_to_numpy(tensor)


def images(n=2, channels=3, seed=0):
    return np.random.default_rng(seed).random((n, *SIZE, channels)).astype("float32")


def applied(transforms, given, seed=0):
    return array(transform.compose(transforms)(given, [[seed, i] for i in range(len(given))]))


def test_a_list_is_compiled_once_however_often_it_is_composed():
    lists = [transform.standard_transforms, list(transform.standard_transforms)]
    before = transform.merged.cache_info().misses
    for one in lists:
        transform.compose(one)
    assert transform.merged.cache_info().misses <= before + 1


def test_the_draws_of_an_image_depend_on_its_seed_only():
    given = images(3)
    composed = transform.compose(
        [*transform.standard_transforms, lambda images: images, transform.jitter(3)]
    )
    together = array(composed(given, [[1, 5], [2, 5], [3, 5]]))
    alone = array(composed(given[1:2], [[2, 5]]))
    np.testing.assert_array_equal(together[1:2], alone)
    later = array(composed(given[1:2], [[2, 6]]))
    assert abs(later - alone).max() > 0.01


def rotation(degrees, scale=1.0, shift=(0, 0)):
    """Matrix from output to input of an enlarged image turned counterclockwise."""
    c, s = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
    return np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1]], "float32")


def ramps():
    """One image whose channels are x, y and 1, from the middle, in pixels."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype("float32")
    ones = np.ones_like(x)
    return np.stack([x - (SIZE[1] - 1) / 2, y - (SIZE[0] - 1) / 2, ones], axis=-1)[None]


@pytest.mark.parametrize(
    "nothing",
    [[], [transform.jitter(0)], [transform.random_scale([1])], [transform.random_rotate([0])]],
)
def test_nothing_is_the_identity(nothing):
    np.testing.assert_array_equal(applied(nothing, images()), images())


def test_jitter_is_an_exact_shift_and_covers_its_range():
    given = images(100)
    moved = applied([transform.pad(4, "constant", 0.25), transform.jitter(4)], given)
    wide = np.pad(given, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=0.25)
    places = []
    for one, padded in zip(moved, wide, strict=True):
        crops = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(one, padded[y : y + SIZE[0], x : x + SIZE[1]])
        ]
        assert len(crops) == 1
        places += crops
    assert {y for y, _ in places} == {x for _, x in places} == set(range(5))
    assert len(set(places)) > 15


def test_scale_and_rotation_of_ramps():
    inner = (slice(3, -3), slice(5, -5))
    larger = applied([transform.random_scale([1.1])], ramps())[0]
    np.testing.assert_allclose(larger[inner], (ramps()[0] / [1.1, 1.1, 1])[inner], atol=1e-5)
    turned = applied([transform.random_rotate([10])], ramps())[0]
    expected = ramps()[0] @ rotation(10).T
    np.testing.assert_allclose(turned[inner], expected[inner], atol=1e-5)
    radians = applied([transform.random_rotate([np.radians(10)], units="radians")], ramps())[0]
    np.testing.assert_allclose(radians, turned, atol=1e-5)


def test_a_quarter_turn_is_counterclockwise():
    square = images()[:, :, :12]
    np.testing.assert_allclose(
        applied([transform.random_rotate([90])], square), np.rot90(square, 1, (1, 2)), atol=1e-5
    )


def test_draws_are_each_images_own_and_cover_the_lists():
    uniforms = np.linspace(0, 1, 1000, endpoint=False, dtype="float32")[:, None]
    _, _, scale, rotate, _ = transform.standard_transforms
    scales = 1 / array(scale.matrix(uniforms, SIZE))[:, 0, 0]
    np.testing.assert_allclose(np.unique(scales.round(4)), np.arange(0.9, 1.11, 0.02), atol=1e-4)
    matrices = array(rotate.matrix(uniforms, SIZE))
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])).round().astype(int)
    counts = np.unique(angles, return_counts=True)
    assert list(counts[0]) == list(range(-10, 11))
    np.testing.assert_allclose(counts[1] / 1000, np.where(counts[0] == 0, 6, 1) / 26, atol=2e-3)
    same = np.repeat(images(1), 8, axis=0)
    moved = applied(transform.standard_transforms, same)
    assert all(np.abs(moved[0] - other).max() > 0.01 for other in moved[1:])
    np.testing.assert_array_equal(applied(transform.standard_transforms, same), moved)
    assert np.abs(applied(transform.standard_transforms, same, seed=1) - moved).max() > 0.01


def test_a_list_is_one_resampling_by_the_product(monkeypatch):
    seen = []

    def watched(images, matrices, size, fill, stretch):
        seen.append((size, fill, stretch))
        return resample(images, matrices, size, fill, stretch)

    monkeypatch.setattr(transform, "resample", watched)
    applied(transform.standard_transforms, images())
    widest = np.cos(np.radians(10)) + np.sin(np.radians(10))
    assert seen == [(SIZE, 0.5, pytest.approx(1.1 * widest))]
    merged = applied([transform.random_scale([1.2]), transform.random_rotate([20])], images())
    product = np.stack([rotation(20, 1.2)] * 2)
    expected = array(resample(images(), ops.convert_to_tensor(product), SIZE, 0.5, 2.0))
    np.testing.assert_allclose(merged, expected, atol=1e-5)
    seen.clear()
    applied([transform.jitter(1), lambda given: given * 0.5, transform.jitter(1)], images())
    assert len(seen) == 2
    assert applied([lambda given: given * 0.5], images()).max() <= 0.5


def test_crop_and_pad_are_about_the_middle():
    found = applied([transform.crop_or_pad_to(9, 19)], images())
    assert found.shape == (2, 9, 19, 3)
    np.testing.assert_array_equal(found[:, :, 1:17], images()[:, 1:10])  # as TensorFlow rounds
    np.testing.assert_array_equal(found[:, :, [0, 17, 18]], 0.5)


def test_mirrored_borders():
    given = images(20)
    moved = applied([transform.pad(3, "REFLECT"), transform.jitter(6)], given)
    wide = np.pad(given, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    for one, padded in zip(moved, wide, strict=True):
        crops = [padded[y : y + 12, x : x + 16] for y in range(7) for x in range(7)]
        assert any(np.array_equal(one, crop) for crop in crops)


def test_opacity_is_collapsed_on_backgrounds_of_their_own():
    clear, solid = images(2, 4), images(2, 4)
    clear[..., 3], solid[..., 3] = 0, 1
    np.testing.assert_array_equal(
        applied([transform.collapse_alpha_random()], solid), solid[..., :3]
    )
    first, second = applied([transform.collapse_alpha_random()], clear)
    assert first.std() > 0.05 and np.abs(first - second).max() > 0.1
    with pytest.raises(InputError, match="accepted: 4"):
        applied([transform.collapse_alpha_random()], images())


def jacobian(stretch, matrix):
    """Matrix of the resampling of one 5 x 6 image to 6 x 5, and that of its gradient."""
    basis = np.eye(30, dtype="float32").reshape(30, 5, 6, 1)
    matrices = ops.convert_to_tensor(np.repeat(matrix[None], 30, axis=0))
    forward = array(resample(basis, matrices, (6, 5), 0.0, stretch)).reshape(30, 30)

    class Weights(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.image = self.add_weight(shape=(30, 5, 6, 1), initializer="zeros")
            self.built = True

        def call(self, inputs=None):
            return resample(ops.convert_to_tensor(self.image), matrices, (6, 5), 0.0, stretch)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = Weights()

        def call(self, inputs):
            upstream = np.eye(30, dtype="float32").reshape(30, 6, 5, 1)
            self.add_loss(-ops.sum(self.inner() * upstream))
            return ops.zeros_like(inputs)

    model = Model()
    model.compile(optimizer=keras.optimizers.SGD(1.0))
    model.fit(np.zeros((1, 1)), np.zeros((1, 1)), verbose=0)  # one step: weights = gradient
    return forward, array(model.inner.image).reshape(30, 30)


@pytest.mark.parametrize("degrees, scale, stretch", [(10, 1.1, 1.28), (-40, 1.5, 2.2)])
def test_the_gradient_is_the_exact_adjoint(degrees, scale, stretch):
    forward, gradient = jacobian(stretch, rotation(degrees, scale, (0.3, -1.2)))
    np.testing.assert_allclose(gradient, forward.T, atol=1e-5)
    assert np.count_nonzero(forward) > 60


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: transform.pad(-1),
        lambda: transform.pad(2, "edge"),
        lambda: transform.pad(2, constant_value="uniform"),
        lambda: transform.jitter(1.5),
        lambda: transform.random_scale([]),
        lambda: transform.random_scale([0]),
        lambda: transform.random_rotate(["10"]),
        lambda: transform.random_rotate([1], units="turns"),
        lambda: transform.crop_or_pad_to(0, 4),
        lambda: transform.collapse_alpha_random(-1),
        lambda: transform.compose(["jitter"]),
    ],
)
def test_bad_arguments_are_named(wrong):
    with pytest.raises(InputError, match="accepted"):
        wrong()
