"""Variants of pictures against crops worked out by hand, and what decides them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import pictures, variants
from transfer.variants import AUGMENTATIONS, Augmentation, augment, draws, middle

LARGE = np.arange(300 * 256 * 3).reshape(300, 256, 3).astype(np.uint8)
MIDST = 0.5 + 1e-9  # drawn: not mirrored, and nothing shifted


def drawn(name, picture, size, *numbers):
    variant = np.zeros((size, size, 3), np.uint8)
    variants.draw(variant, picture, AUGMENTATIONS[name], numbers)
    return variant


def test_the_table_is_the_papers():
    """Gonthier et al. 2020, appendix A; Cetinic et al. 2018, sections 3.2 and 3.3."""
    assert list(AUGMENTATIONS) == ["none", "flip_shift", "crop", "mirror_crop"]
    sides = {name: each.stored_side(224) for name, each in AUGMENTATIONS.items()}
    assert sides == {"none": 224, "flip_shift": 224, "crop": 256, "mirror_crop": 253}
    assert AUGMENTATIONS["mirror_crop"].stored_side(227) == 256
    assert AUGMENTATIONS["flip_shift"].shift * 224 == 28
    assert [each.mirrored for each in AUGMENTATIONS.values()] == [False, True, False, True]
    assert [n for n, each in AUGMENTATIONS.items() if each.keeps_proportion] == ["crop"]
    assert [n for n, each in AUGMENTATIONS.items() if not each.changes] == ["none"]
    # 112 * 256 / 224 = 128 and 64 * 256 / 227 = 72.2
    assert AUGMENTATIONS["crop"].stored_side(112) == 128
    assert AUGMENTATIONS["mirror_crop"].stored_side(64) == 72


def test_crops_are_cut_where_they_are_drawn():
    np.testing.assert_array_equal(drawn("crop", LARGE, 224, 0, 0, 0), LARGE[:224, :224])
    # 300 - 224 = 76 and 256 - 224 = 32: 77 and 33 places
    last = drawn("crop", LARGE, 224, 0, 1 - 2**-53, 1 - 2**-53)
    np.testing.assert_array_equal(last, LARGE[76:, 32:])
    cut = drawn("crop", LARGE, 224, 0, 10.5 / 77, 20.5 / 33)
    np.testing.assert_array_equal(cut, LARGE[10:234, 20:244])


def test_mirrored_crops():
    square = LARGE[:256]
    cut = drawn("mirror_crop", square, 227, 0.49, 29.5 / 30, 3.5 / 30)
    np.testing.assert_array_equal(cut, square[29:256, 3:230][:, ::-1])
    cut = drawn("mirror_crop", square, 227, 0.5, 29.5 / 30, 3.5 / 30)
    np.testing.assert_array_equal(cut, square[29:256, 3:230])


@pytest.mark.parametrize("mirror", [0.0, 0.5])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (-2, 1), (1, -2), (2, 2), (-1, -1)])
def test_shifts_repeat_the_border(mirror, down, right):
    """What each pixel shows, by its own place: the nearest that is in the picture."""
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    places = [np.clip(np.arange(16) - by, 0, 15) for by in (down, right)]
    expected = picture[np.ix_(*places)]
    expected = expected[:, ::-1] if mirror < 0.5 else expected
    by = [(moved + 2.5) / 5 for moved in (down, right)]  # 16 / 8 = 2: five places
    np.testing.assert_array_equal(drawn("flip_shift", picture, 16, mirror, *by), expected)


def test_what_is_drawn_is_even():
    """2000 draws: half are mirrored, every place comes, none outside."""
    table = draws(3, 0, 2000)
    assert table.min() >= 0 and table.max() < 1
    assert abs((table[:, 0] < 0.5).mean() - 0.5) < 0.045  # four standard deviations
    tops = np.bincount((table[:, 1] * 30).astype(int), minlength=30)
    assert len(tops) == 30 and tops.min() > 30  # 67 on average, four deviations are 32
    assert abs(np.corrcoef(table.T)[np.triu_indices(3, 1)]).max() < 0.09


def test_draws_are_the_raw_bits_of_philox():
    """As they were when this was written: they decide the pixels of every finished training."""
    bits = np.random.Philox(key=np.array([42, 7], np.uint64)).random_raw(3)
    np.testing.assert_array_equal(draws(42, 7, 1)[0], (bits >> np.uint64(11)) * 2.0**-53)
    assert draws(42, 7, 2).tolist() == DRAWN


DRAWN = [
    [0.649420079613736, 0.8848813535936771, 0.5537339411764371],
    [0.9529724189339113, 0.41318058559510695, 0.5359267877784117],
]


@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 10**6), count=st.integers(1, 50))
def test_a_draw_depends_on_seed_epoch_and_number_alone(seed, epoch, count):
    table = draws(seed, epoch, count)
    np.testing.assert_array_equal(draws(seed, epoch, count + 7)[:count], table)
    assert (draws(seed + 1, epoch, count) != table).all()
    assert (draws(seed, epoch + 1, count) != table).all()


def test_any_order_of_pictures_gives_the_same_variants():
    how, rng = AUGMENTATIONS["crop"], np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (20 + n, 18, 3), np.uint8) for n in range(6)]
    whole = augment(pictures, range(6), how, 16, 5, 2)
    assert whole.shape == (6, 16, 16, 3) and whole.dtype == np.uint8
    order = [4, 0, 5]
    some = augment([pictures[n] for n in order], order, how, 16, 5, 2)
    np.testing.assert_array_equal(some, whole[order])
    assert (augment(pictures, range(6), how, 16, 5, 3) != whole).any()
    assert augment([], [], how, 16, 5, 3).shape == (0, 16, 16, 3)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_a_picture_that_is_too_small_is_refused(name):
    small = np.zeros((20, 30, 3), np.uint8)
    with pytest.raises(InputError, match=f"{name} gives squares of 24 pixels.* 30 x 20; accepted"):
        augment([small], [0], AUGMENTATIONS[name], 24, 0, 0)


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match="'flips'; accepted: none, flip_shift, crop, mirror_crop"):
        variants.named("flips")
    assert variants.named("crop") is AUGMENTATIONS["crop"]


def test_a_test_sees_the_middle():
    np.testing.assert_array_equal(middle(LARGE[:256], 227), LARGE[14:241, 14:241])
    np.testing.assert_array_equal(middle(LARGE, 224), LARGE[38:262, 16:240])
    assert middle(LARGE[:256], 256).shape == (256, 256, 3)


def test_none_changes_nothing():
    square = LARGE[:256]
    for name in ("none", "flip_shift"):
        np.testing.assert_array_equal(drawn(name, square, 256, MIDST, MIDST, MIDST), square)
    assert not Augmentation("own", "nothing").changes


@pytest.mark.parametrize(
    ("name", "places"),
    [
        (None, None),
        ("flip_shift", None),
        # 32 of 28 * 256 / 224; the middle 28 of 32 x 64
        ("crop", (slice(2, 30), slice(18, 46))),
    ],
)
def test_a_file_is_read_as_it_is_tested(tmp_path, name, places):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = variants.read(tmp_path / "wide.png", 28, name)
    assert found.shape == (28, 28, 3) and found.dtype == np.float32
    if name == "crop":
        np.testing.assert_array_equal(found, pixels[places])
    else:
        np.testing.assert_array_equal(found, pictures.read(tmp_path / "wide.png", 28))


def test_a_file_for_an_augmentation_that_there_is_not(tmp_path):
    with pytest.raises(InputError, match="augmentation is 'twirl'"):
        variants.read(tmp_path / "wide.png", 28, "twirl")


def test_what_was_tested_on_the_middle_is_told():
    def trained(name, augmentation):
        return SimpleNamespace(spec=name, augmentation=augmentation)

    several = [trained(name, name) for name in ("none", "flip_shift", "crop")]
    assert list(variants.lines_on_whole([*several, trained("VGG19", None)])) == [
        "crop was tested on the middle of pictures; here it sees all of each"
    ]
