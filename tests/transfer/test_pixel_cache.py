"""The file of decoded pictures: whole or absent, checked, within its bounds, given up in a line."""

import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from transfer import pixel_cache
from transfer.pixel_cache import PixelCache

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (8, 8 + n, 3), np.uint8) for n in range(4)]
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from transfer.pixel_cache import PixelCache
cache = PixelCache(Path(sys.argv[1]), 4, 192, 10**6)
assert not cache.begin()
for number in range(3):
    cache.keep(number, np.zeros((8, 8, 3), np.uint8))
print("three kept", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def no_margin(monkeypatch):
    """Test disks are small."""
    monkeypatch.setattr(pixel_cache, "KEPT_FREE", 0)


@pytest.fixture
def said():
    return []


@pytest.fixture
def open_cache(tmp_path, said):
    def opened(path=tmp_path / "pixels" / "train-square-8-a.pixels", most=10**6, count=4):
        return PixelCache(path, count, 192, most, said.append)

    return opened


def fill(cache, numbers=range(4)):
    for number in numbers:
        cache.keep(number, PICTURES[number])


def refuse(number):
    raise AssertionError(f"picture {number} was decoded")


def check(cache, numbers=(3, 0, 2, 1, 0)):
    for number, found in zip(numbers, cache.stored(numbers, refuse), strict=True):
        np.testing.assert_array_equal(found, PICTURES[number])


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_pictures_kept_in_any_order_are_found(open_cache, said):
    cache = open_cache()
    assert not cache.begin()
    fill(cache, [2, 0, 3])
    assert not cache.begin() and not cache.path.exists()  # a second pass before all are there
    fill(cache, [0, 1])
    assert cache.begin() and files(cache.path.parent) == [cache.path.name]
    check(cache)
    other = open_cache()
    assert other.begin()
    check(other)
    assert said == []
    assert cache.path.stat().st_size == sum(p.size for p in PICTURES) + 4 * 32 + 32


def test_while_one_writes_others_go_without(open_cache, said):
    first, second = open_cache(), open_cache()
    assert not first.begin() and not second.begin()
    fill(second)
    assert not second.begin() and not first.path.exists()
    fill(first)
    assert second.begin() and first.begin()
    check(second)
    assert said == []


def test_threads_may_keep_at_once(open_cache):
    cache = open_cache()
    cache.begin()
    threads = [threading.Thread(target=fill, args=(cache, [n, 3 - n])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.begin()
    check(cache)


def test_a_pass_over_a_part_reads_but_does_not_write(open_cache):
    cache = open_cache()
    assert not cache.begin(whole=False)
    fill(cache)
    assert not cache.path.parent.exists()
    cache.begin()
    fill(cache)
    assert open_cache().begin(whole=False)


def test_nothing_stays_of_a_cache_that_goes_unfinished(open_cache):
    cache = open_cache()
    folder = cache.path.parent
    cache.begin()
    fill(cache, [1, 2])
    assert len(files(folder)) == 2  # the lock and the temporary file
    del cache
    gc.collect()
    assert files(folder) == []


def test_a_killed_process_leaves_nothing_that_is_read(open_cache, said):
    cache = open_cache()
    command = [sys.executable, "-c", KILLED, str(cache.path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "three kept\n"
        assert not cache.begin()  # it holds the lock
        fill(cache)
        assert not cache.path.exists()
        process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    assert len(files(cache.path.parent)) == 2
    assert not cache.begin()
    fill(cache)
    assert cache.begin() and files(cache.path.parent) == [cache.path.name]
    check(cache)
    assert said == []


@pytest.mark.parametrize("damage", ["cut", "emptied", "end", "places", "other"])
def test_a_damaged_file_is_made_again(open_cache, said, damage):
    cache = open_cache()
    cache.begin()
    fill(cache)
    whole = cache.path.read_bytes()
    if damage == "other":  # of another number of pictures
        other = open_cache(cache.path.with_name("other"), count=2)
        other.begin()
        fill(other, [0, 1])
        os.replace(other.path, cache.path)
    else:
        left = {"cut": len(whole) // 2, "emptied": 0}.get(damage, len(whole))
        broken = bytearray(whole[:left])
        if damage in ("end", "places"):
            broken[-1 if damage == "end" else -60] ^= 1
        cache.path.write_bytes(broken)
    again = open_cache()
    assert not again.begin()
    assert len(said) == 1 and f"pixel cache {cache.path} is damaged (" in said[0]
    fill(again)
    assert again.begin() and cache.path.read_bytes() == whole and len(said) == 1


def test_a_file_that_is_cut_while_it_is_mapped_is_made_again(open_cache, said):
    """Reading on in it would end the process with SIGBUS."""
    cache = open_cache()
    cache.begin()
    fill(cache)
    assert cache.begin()
    os.truncate(cache.path, 0)
    assert not cache.begin()
    assert said == [
        f"pixel cache {cache.path} is damaged (cut short while in use): it is made again"
    ]
    fill(cache)
    assert cache.begin()
    check(cache)
    cache.path.unlink()  # what is mapped stays whole
    assert cache.begin()
    check(cache)


def test_a_damaged_picture_is_decoded_and_the_file_removed(open_cache, said):
    cache = open_cache()
    cache.begin()
    fill(cache)
    broken = bytearray(cache.path.read_bytes())
    broken[3] ^= 1
    broken[PICTURES[0].size] ^= 1
    cache.path.write_bytes(broken)
    again = open_cache()
    assert again.begin()
    found = again.stored([3, 0, 1], lambda n: PICTURES[n])
    for number, pixels in zip([3, 0, 1], found, strict=True):
        np.testing.assert_array_equal(pixels, PICTURES[number])
    assert len(said) == 1 and "not as they were written): it is removed" in said[0]
    assert not cache.path.exists()
    assert not open_cache().begin()


@pytest.mark.parametrize("most", [4 * 192 - 1, 900])
def test_more_than_is_allowed_is_given_up(open_cache, said, most):
    """At once where squares are too many; else when the pictures turn out to be wide."""
    cache = open_cache(most=most)
    for _ in range(2):
        assert not cache.begin()
        fill(cache)
    assert len(said) == 1 and "left of what is allowed; pictures are decoded in every" in said[0]
    assert files(cache.path.parent) == []


def test_what_is_allowed_is_for_all_files_of_a_store(open_cache, said):
    first = open_cache(most=1900)
    first.begin()
    fill(first)
    second = open_cache(first.path.with_name("val-square-8-a.pixels"), most=1900)
    assert not second.begin()
    fill(second)
    assert len(said) == 1 and "val-square-8-a.pixels" in said[0]
    assert files(first.path.parent) == [first.path.name]


def test_files_of_other_pixels_are_removed(open_cache):
    folder = open_cache().path.parent
    folder.mkdir()
    for name in ("train-square-8-b.pixels", "test-square-9-a.pixels", "of somebody else"):
        (folder / name).touch()
    cache = open_cache()
    cache.begin()
    fill(cache)
    assert files(folder) == ["of somebody else", "test-square-9-a.pixels", cache.path.name]


def test_a_full_disk_is_one_line(open_cache, said, small_disk, monkeypatch):
    """Found out before, and where another fills the disk, when the file is written."""
    path = small_disk / "pixels" / "train-square-8-a.pixels"
    cache = open_cache(path, count=40_000, most=10**9)
    assert not cache.begin()
    assert len(said) == 1 and "no room on the disk for 0.00768 GB" in said[0]
    path = path.with_name("val-square-8-a.pixels")
    cache = open_cache(path)
    cache.begin()
    cache.keep(0, PICTURES[0])
    cache.keep(1, np.zeros((1000, 1000, 3), np.uint8))
    assert len(said) == 2 and "No space left on device; pictures are decoded" in said[1]
    assert files(path.parent) == [] and not cache.begin()


def test_a_full_disk_at_the_end_is_one_line(open_cache, said, small_disk):
    cache = open_cache(small_disk / "pixels" / "train-square-8-a.pixels")
    cache.begin()
    fill(cache, [0, 1, 2])
    with open(small_disk / "filler", "wb", buffering=0) as file, pytest.raises(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
        raise OSError("full")
    fill(cache, [3])
    assert len(said) == 1 and "No space left on device" in said[0]
    assert files(cache.path.parent) == [] and not cache.begin()


def test_a_read_only_folder_is_one_line_and_a_file_in_it_is_read(open_cache, said, small_disk):
    path = small_disk / "pixels" / "train-square-8-a.pixels"
    cache = open_cache(path)
    cache.begin()
    fill(cache)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    again = open_cache(path)
    assert again.begin()
    check(again)
    other = open_cache(path.with_name("val-square-8-a.pixels"))
    for _ in range(2):
        assert not other.begin()
        fill(other)
    assert len(said) == 1
    assert said[0].endswith("Read-only file system; pictures are decoded in every epoch")


def test_a_file_in_the_way_is_one_line(open_cache, said, tmp_path):
    (tmp_path / "pixels").touch()
    cache = open_cache()
    assert not cache.begin()
    assert len(said) == 1 and "no pixel cache" in said[0]


def test_a_disk_without_locks_is_one_line(open_cache, said, monkeypatch):
    def refuse(lock, timeout):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(pixel_cache.filelock.FileLock, "acquire", refuse)
    cache = open_cache()
    for _ in range(2):
        assert not cache.begin()
        fill(cache)
    assert len(said) == 1 and "support flock; pictures are decoded in every epoch" in said[0]


def test_all_pictures_at_once_where_they_are_of_one_size(open_cache):
    squares = [picture[:, :8] for picture in PICTURES]
    cache = open_cache()
    cache.begin()
    for number in (2, 0, 3, 1):
        cache.keep(number, squares[number])
    assert cache.begin()
    pixels, rows = cache.table()
    assert rows.tolist() == [1, 3, 0, 2] and not pixels.flags.owndata
    np.testing.assert_array_equal(pixels[rows], squares)
    again = open_cache()
    assert again.begin() and again.table() is None  # not looked at yet
    again.stored(range(4), refuse)
    np.testing.assert_array_equal(again.table()[0], pixels)


def test_pictures_of_several_sizes_are_no_table(open_cache):
    cache = open_cache()
    cache.begin()
    fill(cache)
    assert cache.begin() and cache.table() is None
