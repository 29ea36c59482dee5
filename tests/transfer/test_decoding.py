"""Pictures as networks are given them."""

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer import decoding


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_a_picture_of_two_halves(name, tmp_path):
    pixels = np.zeros((64, 64, 3), "uint8")
    pixels[:32] = 200, 100, 50
    Image.fromarray(pixels).save(tmp_path / name)
    read = decoding.read(tmp_path / name, 16)
    assert read.shape == (16, 16, 3) and read.dtype == np.float32
    assert np.abs(read[:7] - (200, 100, 50)).max() < 8 and read[9:].max() < 8


def test_half_the_size_is_the_mean_of_four(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    means = pixels.reshape(16, 2, 16, 2, 3).mean((1, 3))
    np.testing.assert_allclose(decoding.read(tmp_path / "a.png", 16), means, atol=1e-3)


@pytest.mark.parametrize("factor", [3, 5])
def test_far_smaller_is_the_mean_of_all(factor, tmp_path):
    """No pixel is passed over, as interpolation between neighbours would."""
    pixels = np.random.default_rng(0).integers(0, 256, (8 * factor, 8 * factor, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    means = pixels.reshape(8, factor, 8, factor, 3).mean((1, 3))
    np.testing.assert_allclose(decoding.read(tmp_path / "a.png", 8), means, atol=1e-3)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_picture_is_named(data, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"picture .*bad\.jpg: "):
        decoding.read(tmp_path / "bad.jpg", 8)
    with pytest.raises(InputError, match=r"picture .*absent\.jpg: "):
        decoding.read(tmp_path / "absent.jpg", 8)
