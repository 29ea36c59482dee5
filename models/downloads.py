"""Weights in Keras's cache: found there or downloaded, whole or absent, one process at a time.

keras.utils.get_file writes straight to a file's last name: a second process takes what is there by
then for the whole, and what a killed one left is taken for it ever after.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import filelock

from models.errors import InputError

LOCK = "art-transfer.lock"  # in the cache's folder; it stays, and does no harm there
PART = ".part"  # ends the name of a file that is not whole yet


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
def one_process():
    """While open, no other process downloads into Keras's cache: it waits here, or in fetch().

    Processes of one run on several machines do not wait: what one builds, others build with it.
    """
    from models import backend

    if backend.process_count() > 1:
        yield
        return
    with _alone(_cache()):
        yield


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
