"""Weights in Keras's cache: found there or downloaded, whole or absent, one process at a time.

keras.utils.get_file writes straight to a file's last name: a second process takes what is there by
then for the whole, and what a killed one left is taken for it ever after.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import filelock

from models.errors import InputError

LOCK = "art-transfer.lock"  # in the cache's folder; it stays, and does no harm there
PART = ".part"  # ends the name of a file that is not whole yet
MD5_DIGITS = 32  # Keras tells hashes apart by their length
BLOCK = 1 << 20  # bytes read at once


def fetch(name, url, folder, check):
    """Find a file in Keras's cache or download it; a damaged one is downloaded again.

    Args:
        name: of the file.
        url: where it is downloaded from.
        folder: of the cache, e.g. `models`.
        check: called with a Path; raises InputError or OSError where that is not the whole file.

    Returns:
        Path of the file.

    Raises:
        InputError: a damaged file that could not be downloaded again, or what was downloaded is
            not what `check` accepts.
        Exception: what keras.utils.get_file raises without a network.
    """
    cache = _cache()
    path = cache / folder / name
    if not _is_whole(path, check):
        with _alone(cache):
            if not _is_whole(path, check):  # nobody downloaded it while this process waited
                _download(path, url, check)
    return path


@contextlib.contextmanager
def whole_weights():
    """While open, networks of keras.applications find and download their weights by fetch()."""
    # what they call has no public name: keras.utils.get_file is the same function, not its place
    from keras.src.utils import file_utils

    def get_file(fname, origin, cache_subdir="models", file_hash=None):
        return str(fetch(fname, origin, cache_subdir, lambda path: _check(path, file_hash)))

    before = file_utils.get_file
    file_utils.get_file = get_file
    try:
        yield
    finally:
        file_utils.get_file = before


def _cache():
    """The folder in which keras.utils.get_file keeps files, found as it does."""
    spare = Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir(), ".keras")
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    if os.access(home, os.W_OK):
        return home
    spare.mkdir(exist_ok=True)
    return spare


@contextlib.contextmanager
def _alone(cache):
    """Hold the lock of the cache; the kernel frees it when its process ends, also if killed."""
    lock = filelock.FileLock(cache / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"waiting: another process is downloading into {cache}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_whole(path, check):
    try:
        check(path)
    except (InputError, OSError):
        return False
    return True


def _download(path, url, check):
    """Download a file under another name and rename it once it is found whole."""
    import keras

    part = path.with_name(path.name + PART)
    try:
        # forced: what a killed process left under this name is not taken for the file
        keras.utils.get_file(part.name, url, cache_subdir=str(path.parent), force_download=True)
        check(part)
        os.replace(part, path)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        if not path.exists():
            raise
        raise InputError(
            f"{path} is damaged and could not be downloaded again ({error}); it may be deleted"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _check(path, expected):
    """Refuse what is no whole HDF5 file, or has another hash than Keras knows of it, if any."""
    import h5py

    with h5py.File(path, "r"):  # an OSError where it was cut
        pass
    if expected is None:
        return
    kind = "md5" if len(expected) == MD5_DIGITS else "sha256"
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise InputError(f"{path} is another file: its {kind} is not {expected}")
