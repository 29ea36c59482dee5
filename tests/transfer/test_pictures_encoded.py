"""Stored bytes of pictures, decoded by TensorFlow and compared with pixels known beforehand."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import pictures

# Four flat quarters, 32x48 (height, width): JPEG keeps flat blocks within a few grey levels.
QUARTERS = np.zeros((32, 48, 3), np.uint8)
QUARTERS[:16, :24] = 200, 40, 40
QUARTERS[:16, 24:] = 40, 180, 60
QUARTERS[16:, :24] = 50, 60, 190
QUARTERS[16:, 24:] = 230, 220, 90
JPEG_ERROR = 6  # grey levels


def rgb():
    return Image.fromarray(QUARTERS)


def saved(image, kind, **options):
    if kind == "JPEG":  # 4:4:4, or colours would bleed over the quarters' edges
        options = {"quality": 95, "subsampling": 0, **options}
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def decoded(data):
    """The stored bytes as TensorFlow's own decoder for their kind reads them."""
    import tensorflow as tf

    decode = tf.io.decode_jpeg if data[:2] == b"\xff\xd8" else tf.io.decode_png
    return decode(data, channels=3).numpy().astype(int)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_plain_files_are_stored_byte_for_byte(write_file, mode, kind):
    image = rgb().convert(mode)
    options = {"exif": exif(1)} if mode == "RGB" else {}
    data = saved(image, kind, **options)
    path = write_file(data, "any.bin")
    assert pictures.encoded(path) == data
    error = np.abs(decoded(data) - np.asarray(image.convert("RGB"), int)).max()
    assert error <= (JPEG_ERROR if kind == "JPEG" else 0)


def half_clear(mode):
    image = rgb().convert(mode)
    alpha = np.full(QUARTERS.shape[:2], 255, np.uint8)
    alpha[:, :24] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def on_white(pixels):
    pixels = pixels.copy()
    pixels[:, :24] = 255
    return pixels


GREY = np.asarray(rgb().convert("L").convert("RGB"))
PALETTE = rgb().quantize(4, dither=Image.Dither.NONE)
CLEAR_INDEX = PALETTE.getpixel((0, 0))
ON_WHITE_PALETTE = QUARTERS.copy()
ON_WHITE_PALETTE[:16, :24] = 255
WORDS = (np.asarray(rgb().convert("L")).astype(np.uint16)) * 257
LOSSLESS = {
    "RGBA PNG": (saved(half_clear("RGB"), "PNG"), on_white(QUARTERS)),
    "grey and alpha PNG": (saved(half_clear("L"), "PNG"), on_white(GREY)),
    "RGBA WebP": (saved(half_clear("RGB"), "WEBP", lossless=True), on_white(QUARTERS)),
    "RGBA TIFF": (saved(half_clear("RGB"), "TIFF"), on_white(QUARTERS)),
    "palette": (saved(PALETTE, "PNG"), QUARTERS),
    "palette, clear": (saved(PALETTE, "PNG", transparency=CLEAR_INDEX), ON_WHITE_PALETTE),
    "RGB, clear": (saved(rgb(), "PNG", transparency=(200, 40, 40)), ON_WHITE_PALETTE),
    "GIF": (saved(PALETTE, "GIF"), QUARTERS),
    "GIF, clear": (saved(PALETTE, "GIF", transparency=CLEAR_INDEX), ON_WHITE_PALETTE),
    "16-bit PNG": (saved(Image.fromarray(WORDS), "PNG"), GREY),
    "16-bit TIFF": (saved(Image.fromarray(WORDS), "TIFF"), GREY),
    "32-bit TIFF of 16 bits": (saved(Image.fromarray(WORDS.astype(np.int32)), "TIFF"), GREY),
    "1-bit": (saved(rgb().convert("1", dither=0), "PNG"), (GREY > 127) * 255),
    "BMP": (saved(rgb(), "BMP"), QUARTERS),
    "TIFF": (saved(rgb(), "TIFF", compression="tiff_lzw"), QUARTERS),
    "TIFF, turned": (saved(rgb(), "TIFF", exif=exif(6)), np.rot90(QUARTERS, -1)),
    "PNG, turned": (saved(rgb(), "PNG", exif=exif(3)), np.rot90(QUARTERS, 2)),
    "PNG without its end": (saved(rgb(), "PNG")[:-12], QUARTERS),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_other_files_become_png_with_exactly_the_right_pixels(write_file, kind):
    data, pixels = LOSSLESS[kind]
    path = write_file(data)
    assert pictures.inspect(path).problem is None
    stored = pictures.encoded(path)
    assert stored[:8] == b"\x89PNG\r\n\x1a\n" and stored != data
    np.testing.assert_array_equal(decoded(stored), pixels)


def test_16_bit_greys_are_scaled_not_clipped(write_file):
    ramp = np.arange(0, 65536, 257, np.uint16).reshape(16, 16)
    stored = pictures.encoded(write_file(saved(Image.fromarray(ramp), "PNG")))
    np.testing.assert_array_equal(decoded(stored)[..., 0].ravel(), np.arange(256))


def test_partly_transparent_pixels_are_mixed_with_white(write_file):
    image = Image.new("RGBA", (4, 4), (100, 0, 200, 51))  # a fifth: 255 + (c - 255) / 5
    stored = pictures.encoded(write_file(saved(image, "PNG")))
    assert decoded(stored)[0, 0].tolist() == [224, 204, 244]


# EXIF 2.3, tag 0x0112: what stands the stored picture upright.
UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_jpegs_turned_by_exif_are_stored_upright_as_fine_jpeg(write_file, orientation):
    stored = pictures.encoded(write_file(saved(rgb(), "JPEG", exif=exif(orientation))))
    with Image.open(io.BytesIO(stored)) as image:
        assert image.format == "JPEG" and not image.getexif()
        assert image.layer[0][1:3] == (1, 1)  # 4:4:4: luma is not sampled finer than colour
    upright = UPRIGHT[orientation](QUARTERS.astype(int))
    assert np.abs(decoded(stored) - upright).max() <= JPEG_ERROR


def test_cmyk_jpegs_become_rgb_jpegs(write_file):
    stored = pictures.encoded(write_file(saved(rgb().convert("CMYK"), "JPEG")))
    assert stored[:2] == b"\xff\xd8"
    with Image.open(io.BytesIO(stored)) as image:
        assert image.mode == "RGB"
    assert np.abs(decoded(stored) - QUARTERS).max() <= JPEG_ERROR


def test_damaged_exif_does_not_cost_the_picture(write_file):
    data = saved(rgb(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09broken")
    path = write_file(data)
    assert pictures.inspect(path).problem is None
    assert pictures.encoded(path) == data


def test_a_jpeg_with_previews_counts_as_one_picture(write_file):
    data = saved(rgb(), "MPO", save_all=True, append_images=[rgb().reduce(4)])
    path = write_file(data)
    assert pictures.inspect(path).problem is None
    assert decoded(pictures.encoded(path)).shape == QUARTERS.shape


def test_smaller_copies_inside_a_tiff_are_not_pages(write_file):
    small = rgb().reduce(2)
    small.encoderinfo = {"tiffinfo": {254: 1}}
    path = write_file(saved(rgb(), "TIFF", save_all=True, append_images=[small]))
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert pictures.inspect(path).problem is None
    assert decoded(pictures.encoded(path)).shape == QUARTERS.shape


WHOLE = [
    saved(rgb(), "JPEG", exif=exif(6)),
    saved(rgb().convert("L"), "JPEG", progressive=True),
    saved(rgb(), "PNG"),
    saved(rgb().quantize(8), "PNG"),
    saved(rgb(), "BMP"),
    saved(rgb(), "TIFF"),
    saved(rgb(), "WEBP"),
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_inspect_passes_tensorflow_can_decode(tmp_path_factory, data):
    """Bytes overwritten or cut off anywhere: no file is passed that would stop a training."""
    whole = data.draw(st.sampled_from(WHOLE))
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 2))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: len(whole) - data.draw(st.integers(0, 40))]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    if pictures.inspect(path).problem is None:
        pixels = decoded(pictures.encoded(path))
        assert pixels.ndim == 3 and pixels.shape[2] == 3
    else:
        with pytest.raises(InputError):
            pictures.encoded(path)
