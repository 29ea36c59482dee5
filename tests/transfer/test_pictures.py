"""Finding and checking picture files; every kind of bad file is really made."""

import hashlib
import io
import struct
import subprocess
import sys
import threading
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from transfer import pictures

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
    "float": (saved(Image.new("F", (9, 9), 0.5), "TIFF"), "floating-point"),
    "32 bits": (saved(Image.new("I", (9, 9), 70_000), "TIFF"), "32-bit"),
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
