"""Picture files found, checked, encoded and read; every kind of bad file is really made.

Stored bytes are decoded by TensorFlow and compared with pixels known beforehand.
"""

import hashlib
import io
import os
import struct
import subprocess
import sys
import threading
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from transfer import pictures, tables
from transfer.result_folder import result_folder

ROOT = Path(__file__).resolve().parents[2]


def noise(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 48, 3), np.uint8))


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# ---- finding


def test_pictures_are_found_in_subfolders_sorted_without_hidden_files(write_file, tmp_path):
    for name in (
        "b.JPG",
        "a/é'\" 1.TiFF",
        "a/z.webp",
        ".x.jpg",
        "._b.JPG",
        ".git/c.png",
        "note.txt",
    ):
        write_file(b"x", name)
    (tmp_path / "folder.jpg").mkdir()
    assert pictures.find_pictures(tmp_path) == ["a/z.webp", "a/é'\" 1.TiFF", "b.JPG"]


def test_links_to_folders_are_followed_once_and_real_places_win(write_file, tmp_path):
    write_file(b"x", "real/one.jpg")
    elsewhere = tmp_path / "elsewhere"
    write_file(b"x", "elsewhere/two.jpg")
    collection = tmp_path / "collection"
    collection.mkdir()
    (tmp_path / "real").rename(collection / "z_real")
    (collection / "a_link").symlink_to(collection / "z_real")
    (collection / "outside").symlink_to(elsewhere)
    (collection / "z_real" / "loop").symlink_to(collection)
    (collection / "self.jpg").symlink_to(collection / "self.jpg")
    (collection / "gone.jpg").symlink_to(tmp_path / "missing.jpg")
    assert pictures.find_pictures(collection) == ["outside/two.jpg", "z_real/one.jpg"]


def test_results_below_a_folder_are_no_pictures_of_it(write_file, tmp_path, write_run):
    write_file(b"x", "one.jpg")
    write_file(b'{"@context": "http://iiif.io/api/presentation/2/context.json"}', "b/manifest.json")
    write_file(b"x", "b/two.jpg")
    run = tmp_path / "results" / "rijks" / "artist" / "VGG19" / "fine_tuning"
    with result_folder(run) as result:
        (result.path / "mistakes.png").write_bytes(b"x")
    write_run(tmp_path / "results" / "rijks" / "artist" / "VGG19" / "random")
    assert tables.main([str(tmp_path / "results")]) == 0
    assert list(tmp_path.glob("results/tables/*.png")) and (run / "mistakes.png").exists()
    assert pictures.find_pictures(tmp_path) == ["b/two.jpg", "one.jpg"]
    # asked for by itself, a result is a folder as any other: its pictures may well be looked at
    assert pictures.find_pictures(run) == ["mistakes.png"]
    assert pictures.holds_results(tmp_path / "results")
    assert not pictures.holds_results(tmp_path / "b")


def test_a_pattern_chooses_and_what_cannot_be_read_is_told(write_file, tmp_path):
    for name in ("a00.jpg", "thumbs/a00.jpg", "deep/er/b.TIF", "c.avif", "deep/d.HEIC", "note.txt"):
        write_file(b"x", name)
    found = pictures.search(tmp_path)
    assert found.names == pictures.find_pictures(tmp_path) and found.passed_over == []
    assert found.unusable == {"c.avif": "avif", "deep/d.HEIC": "heic"}
    found = pictures.search(tmp_path, "deep/*")
    assert found.names == ["deep/er/b.TIF"] and found.passed_over == ["a00.jpg", "thumbs/a00.jpg"]
    assert pictures.find_pictures(tmp_path, "*.TIF") == ["deep/er/b.TIF"]
    with pytest.raises(InputError, match="'x', which fits none of the 3 .* 'a00.jpg'"):
        pictures.find_pictures(tmp_path, "x")


def test_a_subfolder_or_file_that_cannot_be_opened_ends_no_pass(write_file, tmp_path, monkeypatch):
    for name in ("a.jpg", "locked/b.jpg", "bad.jpg"):
        write_file(b"x", name)
    listdir, look = os.listdir, Path.stat

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(
        os, "listdir", lambda p: refuse(p) if Path(p).name == "locked" else listdir(p)
    )
    monkeypatch.setattr(
        Path, "stat", lambda p, **how: refuse(p) if p.name == "bad.jpg" else look(p, **how)
    )
    found = pictures.search(tmp_path)
    assert found.names == ["a.jpg"]
    assert found.unusable == dict.fromkeys(
        ["bad.jpg", "locked"], "cannot be read: Permission denied"
    )


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError(), ValueError("odd"), OSError(5, "x")]
)
def test_whatever_a_decoder_raises_is_a_problem_of_one_file(write_file, monkeypatch, error):
    path = write_file(saved(noise(), "PNG"))

    def broken(*arguments, **options):
        raise error

    monkeypatch.setattr(Image, "open", broken)
    assert pictures.inspect(path).problem
    said = []
    assert list(pictures.read_all([path], 8, said.append)) == [] and len(said) == 1


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        pictures.find_pictures(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no file ending in jpg"):
        pictures.find_pictures(tmp_path)


# ---- bad files

SHORT_JPEG = saved(noise(), "JPEG")[:-60]
BAD = {
    "zero bytes": (b"", "zero bytes"),
    "text": (b"this is no picture", "not a picture"),
    "truncated JPEG": (SHORT_JPEG, "truncated"),
    "truncated progressive JPEG": (saved(noise(1), "JPEG", progressive=True)[:-500], "truncated"),
    "truncated PNG": (saved(noise(1), "PNG")[:-3000], "truncated"),
    "header only": (saved(noise(), "PNG")[:20], "Truncated"),
    "animated GIF": (
        saved(noise(), "GIF", save_all=True, append_images=[noise(1), noise(2)]),
        "3 frames",
    ),
    "animated PNG": (saved(noise(), "PNG", save_all=True, append_images=[noise(1)]), "2 frames"),
    "two pages": (saved(noise(), "TIFF", save_all=True, append_images=[noise()]), "2 frames"),
    "100000x100000 pixels": (huge_png(100_000), "too large.*10000000000 pixels"),
    "a million and one": (saved(Image.new("L", (1, 1_000_001)), "PNG"), "too large: .*1000001"),
    "float": (saved(Image.new("F", (9, 9), 0.5), "TIFF"), "floating-point"),
    "32 bits": (saved(Image.new("I", (9, 9), 70_000), "TIFF"), "32-bit"),
    "AVIF": (b"\0\0\0\x20ftypavif" + bytes(40), "AVIF, a format that cannot be read"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC, a format that cannot be read"),
    "PostScript": (saved(noise(), "EPS"), "not a picture"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_a_short_reason_and_never_stored(kind, write_file):
    data, reason = BAD[kind]
    path = write_file(data)
    found = pictures.inspect(path)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert len(found.problem) < 120 and "\n" not in found.problem
    with pytest.raises(InputError, match=reason) as raised:
        pictures.encoded(path)
    assert str(raised.value) == f"picture {path}: {found.problem}"


def test_a_missing_file_is_a_problem_for_inspect_and_an_error_for_encoded(tmp_path):
    assert pictures.inspect(tmp_path / "a.jpg") == ("", "cannot be read: No such file or directory")
    with pytest.raises(FileNotFoundError):
        pictures.encoded(tmp_path / "a.jpg")


def test_large_scans_below_twice_pillows_limit_pass_without_a_warning(write_file):
    path = write_file(saved(noise(), "PNG"))
    code = (
        "import sys; from PIL import Image; from transfer import pictures;"
        f"Image.MAX_IMAGE_PIXELS = {48 * 64} * int(sys.argv[1]) // 10;"
        "print(pictures.inspect(sys.argv[2]).problem)"
    )
    said = []
    for tenths in (6, 4):  # 1.7 times the limit, then 2.5 times
        command = [sys.executable, "-W", "error", "-c", code, str(tenths), str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        said.append(done.stdout.strip())
    assert said[0] == "None" and "too large" in said[1]


# ---- many files


def test_inspect_all_keeps_the_order_and_reports_every_picture(write_file, tmp_path):
    kinds = [saved(noise(), "JPEG"), b"", saved(noise(), "PNG"), SHORT_JPEG]
    names = [f"{i:02}.jpg" for i in range(24)]
    for i, name in enumerate(names):
        write_file(kinds[i % 4], name)
    said = []
    found = pictures.inspect_all(tmp_path, names, lambda done, total: said.append((done, total)))
    assert found == [pictures.inspect(tmp_path / name) for name in names]
    assert [bool(i.problem) for i in found[:4]] == [False, True, False, True]
    assert said == [(i, 24) for i in range(1, 25)]


def test_an_interrupt_leaves_the_waiting_pictures_undone(tmp_path, monkeypatch):
    opened, gate = [], threading.Event()

    def slow(path):
        opened.append(path)
        if len(opened) > 1:
            gate.wait(0.05)
        return pictures.Inspection("", None)

    def interrupt(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "inspect", slow)
    with pytest.raises(KeyboardInterrupt):
        pictures.inspect_all(tmp_path, [f"{i}.jpg" for i in range(1000)], interrupt)
    assert len(opened) < 500  # of 1000; all that had started come to their end


def test_names_come_back_as_the_file_system_holds_them(write_file, tmp_path):
    name = unicodedata.normalize("NFD", "Boëtius 'line\nbreak\".jpg")
    write_file(saved(noise(), "JPEG"), name)
    assert pictures.find_pictures(tmp_path) == [name]
    assert pictures.inspect_all(tmp_path, [name])[0].problem is None


# ---- stored bytes

# Four flat quarters, 32x48 (height, width): JPEG keeps flat blocks within a few grey levels.
QUARTERS = np.zeros((32, 48, 3), np.uint8)
QUARTERS[:16, :24] = 200, 40, 40
QUARTERS[:16, 24:] = 40, 180, 60
QUARTERS[16:, :24] = 50, 60, 190
QUARTERS[16:, 24:] = 230, 220, 90
JPEG_ERROR = 6  # grey levels


def rgb():
    return Image.fromarray(QUARTERS)


def fine(image, kind, **options):
    """saved(), JPEGs as 4:4:4, or colours would bleed over the quarters' edges."""
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0, **options}
    return saved(image, kind, **options)


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
    data = fine(image, kind, **options)
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
    "RGBA PNG": (fine(half_clear("RGB"), "PNG"), on_white(QUARTERS)),
    "grey and alpha PNG": (fine(half_clear("L"), "PNG"), on_white(GREY)),
    "RGBA WebP": (fine(half_clear("RGB"), "WEBP", lossless=True), on_white(QUARTERS)),
    "RGBA TIFF": (fine(half_clear("RGB"), "TIFF"), on_white(QUARTERS)),
    "palette": (fine(PALETTE, "PNG"), QUARTERS),
    "palette, clear": (fine(PALETTE, "PNG", transparency=CLEAR_INDEX), ON_WHITE_PALETTE),
    "RGB, clear": (fine(rgb(), "PNG", transparency=(200, 40, 40)), ON_WHITE_PALETTE),
    "GIF": (fine(PALETTE, "GIF"), QUARTERS),
    "GIF, clear": (fine(PALETTE, "GIF", transparency=CLEAR_INDEX), ON_WHITE_PALETTE),
    "16-bit PNG": (fine(Image.fromarray(WORDS), "PNG"), GREY),
    "16-bit TIFF": (fine(Image.fromarray(WORDS), "TIFF"), GREY),
    "32-bit TIFF of 16 bits": (fine(Image.fromarray(WORDS.astype(np.int32)), "TIFF"), GREY),
    "1-bit": (fine(rgb().convert("1", dither=0), "PNG"), (GREY > 127) * 255),
    "BMP": (fine(rgb(), "BMP"), QUARTERS),
    "TIFF": (fine(rgb(), "TIFF", compression="tiff_lzw"), QUARTERS),
    "TIFF, turned": (fine(rgb(), "TIFF", exif=exif(6)), np.rot90(QUARTERS, -1)),
    "PNG, turned": (fine(rgb(), "PNG", exif=exif(3)), np.rot90(QUARTERS, 2)),
    "PNG without its end": (fine(rgb(), "PNG")[:-12], QUARTERS),
    "PNG with a long end": (fine(rgb(), "PNG")[:-12] + b"\1\0\0\0IEND\xaeB`\x82", QUARTERS),
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
    stored = pictures.encoded(write_file(fine(Image.fromarray(ramp), "PNG")))
    np.testing.assert_array_equal(decoded(stored)[..., 0].ravel(), np.arange(256))


def test_partly_transparent_pixels_are_mixed_with_white(write_file):
    image = Image.new("RGBA", (4, 4), (100, 0, 200, 51))  # a fifth: 255 + (c - 255) / 5
    stored = pictures.encoded(write_file(fine(image, "PNG")))
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
    stored = pictures.encoded(write_file(fine(rgb(), "JPEG", exif=exif(orientation))))
    with Image.open(io.BytesIO(stored)) as image:
        assert image.format == "JPEG" and not image.getexif()
        assert image.layer[0][1:3] == (1, 1)  # 4:4:4: luma is not sampled finer than colour
    upright = UPRIGHT[orientation](QUARTERS.astype(int))
    assert np.abs(decoded(stored) - upright).max() <= JPEG_ERROR


def test_cmyk_jpegs_become_rgb_jpegs(write_file):
    stored = pictures.encoded(write_file(fine(rgb().convert("CMYK"), "JPEG")))
    assert stored[:2] == b"\xff\xd8"
    with Image.open(io.BytesIO(stored)) as image:
        assert image.mode == "RGB"
    assert np.abs(decoded(stored) - QUARTERS).max() <= JPEG_ERROR


def test_damaged_exif_does_not_cost_the_picture(write_file):
    data = fine(rgb(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09broken")
    path = write_file(data)
    assert pictures.inspect(path).problem is None
    assert pictures.encoded(path) == data
    # nor does it bring a line of Pillow's to the terminal
    script = "import sys; from transfer import pictures; pictures.encoded(sys.argv[1])"
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stderr == b""


def test_a_turn_is_made_though_the_exif_is_damaged_behind_it(write_file):
    tags = exif(6)
    tags[0x013B] = "an artist whose name is cut"
    path = write_file(fine(rgb(), "JPEG", exif=tags.tobytes()[:-20]))
    upright = UPRIGHT[6](QUARTERS.astype(int))
    assert np.abs(decoded(pictures.encoded(path)) - upright).max() <= JPEG_ERROR


def test_a_jpeg_with_previews_counts_as_one_picture(write_file):
    data = fine(rgb(), "MPO", save_all=True, append_images=[rgb().reduce(4)])
    path = write_file(data)
    assert pictures.inspect(path).problem is None
    assert decoded(pictures.encoded(path)).shape == QUARTERS.shape


def test_smaller_copies_inside_a_tiff_are_not_pages(write_file):
    small = rgb().reduce(2)
    small.encoderinfo = {"tiffinfo": {254: 1}}
    path = write_file(fine(rgb(), "TIFF", save_all=True, append_images=[small]))
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert pictures.inspect(path).problem is None
    assert decoded(pictures.encoded(path)).shape == QUARTERS.shape


WHOLE = [
    fine(rgb(), "JPEG", exif=exif(6)),
    fine(rgb().convert("L"), "JPEG", progressive=True),
    fine(rgb(), "PNG"),
    fine(rgb().quantize(8), "PNG"),
    fine(rgb(), "BMP"),
    fine(rgb(), "TIFF"),
    fine(rgb(), "WEBP"),
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


# ---- arrays


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_a_picture_of_two_halves(name, tmp_path):
    pixels = np.zeros((64, 64, 3), "uint8")
    pixels[:32] = 200, 100, 50
    Image.fromarray(pixels).save(tmp_path / name)
    read = pictures.read(tmp_path / name, 16)
    assert read.shape == (16, 16, 3) and read.dtype == np.float32
    assert np.abs(read[:7] - (200, 100, 50)).max() < 8 and read[9:].max() < 8


def test_half_the_size_is_the_mean_of_four(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    means = pixels.reshape(16, 2, 16, 2, 3).mean((1, 3))
    np.testing.assert_allclose(pictures.read(tmp_path / "a.png", 16), means, atol=0.5)


@pytest.mark.parametrize("factor", [3, 5])
def test_far_smaller_is_the_mean_of_all(factor, tmp_path):
    """No pixel is passed over, as interpolation between neighbours would."""
    pixels = np.random.default_rng(0).integers(0, 256, (8 * factor, 8 * factor, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    means = pixels.reshape(8, factor, 8, factor, 3).mean((1, 3))
    np.testing.assert_allclose(pictures.read(tmp_path / "a.png", 8), means, atol=0.501)


def test_pixels_are_whole_numbers_halves_to_the_even_one(tmp_path):
    """Means of two: 0.5, 1, 1.5, 3."""
    row = np.array([1, 0, 2, 0, 3, 0, 6, 0], "uint8")
    Image.fromarray(np.tile(row[None, :, None], (8, 1, 3))).save(tmp_path / "a.png")
    stored, read = pictures.stored(tmp_path / "a.png", 4), pictures.read(tmp_path / "a.png", 4)
    assert stored.dtype == np.uint8 and read.dtype == np.float32
    assert stored[0, :, 0].tolist() == read[0, :, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((40, 60), (16, 24)), ((60, 41), (23, 16)), ((10, 20), (16, 32)), ((2, 100), (16, 512))],
)
def test_proportion_is_kept_but_for_what_is_far_too_long(shape, expected, tmp_path):
    """60 / 41 * 16 = 23.4; 2 x 100 would be 16 x 800, 32 times 16 are allowed."""
    Image.new("RGB", shape[::-1], (9, 8, 7)).save(tmp_path / "a.png")
    read = pictures.stored(tmp_path / "a.png", 16, keeps_proportion=True)
    assert read.shape == (*expected, 3) and (read == (9, 8, 7)).all()


def test_a_large_scan_in_proportion_is_decoded_at_a_fraction(tmp_path):
    """Of 400 x 640, at a quarter 100 x 160, the mean of every 4 x 4 pixels is near."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (25, 40, 3), "uint8").repeat(16, 0).repeat(16, 1)
    Image.fromarray(coarse).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    read = pictures.stored(tmp_path / "a.jpg", 100, keeps_proportion=True)
    assert read.shape == (100, 160, 3)
    means = coarse.reshape(100, 4, 160, 4, 3).mean((1, 3))
    assert np.abs(read - means).mean() < 3


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_picture_is_named(data, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(data)
    with pytest.raises(InputError, match=r"picture .*bad\.jpg: "):
        pictures.read(tmp_path / "bad.jpg", 8)
    with pytest.raises(InputError, match=r"picture .*absent\.jpg: "):
        pictures.read(tmp_path / "absent.jpg", 8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    for number, name in enumerate(["b.png", "a.png", "inner/c.png"]):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_files_and_folders_stand_for_their_pictures(folder):
    files = [folder / "b.png", folder / "a.png"]
    assert pictures.find_files(files) == files
    names = [path.relative_to(folder).as_posix() for path in pictures.find_files([folder])]
    assert names == ["a.png", "b.png", "broken.png", "inner/c.png"]
    (folder / "empty").mkdir()
    for paths in ([], [folder / "absent"], [folder / "empty"]):
        with pytest.raises(InputError):
            pictures.find_files(paths)


def test_files_of_a_folder_that_cannot_be_read_are_counted(folder):
    said = []
    for name in ("x.heic", "inner/y.HEIC", "z.avif"):
        (folder / name).write_bytes(b"x")
    pictures.find_files([folder, folder / "inner", folder / "a.png"], said.append)
    assert said == [
        f"{folder} holds files that cannot be read: .heic (2), .avif (1); they are left out",
        f"{folder / 'inner'} holds files that cannot be read: .heic (1); they are left out",
    ]


def test_what_cannot_be_read_is_left_out_and_said(folder):
    said = []
    files = pictures.find_files([folder])
    arrays = dict(pictures.read_all(files, 4, said.append))
    assert [path.name for path in arrays] == ["a.png", "b.png", "c.png"]
    assert [array[0, 0, 0] for array in arrays.values()] == [1, 0, 2]
    assert {(array.shape, array.dtype.name) for array in arrays.values()} == {
        ((4, 4, 3), "float32")
    }
    assert len(said) == 1 and "broken.png" in said[0]


def test_white_is_no_more_than_255(tmp_path):
    """The mean over an area of white comes out as 255.00002 where it is not clipped."""
    Image.new("RGB", (300, 200), "white").save(tmp_path / "white.png")
    assert pictures.read(tmp_path / "white.png", 64).max() == 255


# ---- thumbnails


@pytest.mark.parametrize(("size", "small"), [((800, 400), (80, 40)), ((30, 900), (3, 80))])
def test_thumbnails_keep_the_proportion_and_the_colour(write_file, size, small):
    source = write_file(saved(Image.new("RGB", size, (200, 40, 10)), "JPEG", quality=95))
    made = pictures.thumbnail(source, 80)
    assert (made.size, made.mode) == (small, "RGB")
    np.testing.assert_allclose(np.asarray(made), [[(200, 40, 10)] * small[0]] * small[1], atol=3)
    assert pictures.thumbnail(source.read_bytes(), 80).tobytes() == made.tobytes()


def test_a_small_picture_is_not_enlarged(write_file):
    assert pictures.thumbnail(write_file(saved(noise(), "PNG")), 80).size == (48, 64)


def test_a_turned_picture_has_an_upright_thumbnail(write_file):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    data = saved(Image.new("RGB", (400, 200), "red"), "JPEG", exif=exif)
    assert pictures.thumbnail(write_file(data), 100).size == (50, 100)


def test_no_thumbnail_of_what_is_broken(write_file, tmp_path):
    data = saved(noise(), "JPEG")
    with pytest.raises(InputError, match="broken"):
        pictures.thumbnail(write_file(data[: len(data) // 2]), 80)
    with pytest.raises(InputError, match="zero bytes"):
        pictures.thumbnail(b"", 80)
    with pytest.raises(FileNotFoundError):
        pictures.thumbnail(tmp_path / "gone.jpg", 80)


def test_a_jpeg_has_no_metadata():
    image = noise()
    image.info["comment"] = b"where the picture was taken"
    data = pictures.jpeg(image, 80)
    assert b"taken" not in data and Image.open(io.BytesIO(data)).size == image.size
