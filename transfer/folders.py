"""Result folders that are whole or absent, and the manifest that says how each was made."""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from models.errors import InputError

PACKAGES = ("tensorflow", "keras", "jax", "numpy", "h5py", "pillow", "scikit-learn")
TEMPORARY = re.compile(r"\..+\.\d+")  # names of write_bytes


@contextlib.contextmanager
def locked(path, say=print):
    """Hold a lock on a folder's name while two processes could write it; the second one waits.

    The kernel frees the lock when its process ends, also after `kill -9`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.parent / f".{path.name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: another process is writing {path}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def whole(path, resume=False):
    """Write a folder under a temporary name and rename it when the block ends without error.

    Args:
        path: the folder to make; the caller holds its lock and has seen that it is absent or
            empty.
        resume: keep what an interrupted run left under the temporary name, and leave it there
            again on an error; otherwise it is removed.

    Yields:
        The temporary folder's Path.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    if not resume:
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, exist_ok=resume)
    _remove_torn_files(partial)
    try:
        yield partial
    except BaseException:
        if not resume:
            shutil.rmtree(partial, ignore_errors=True)
        raise
    os.replace(partial, path)


def _remove_torn_files(partial):
    """Remove what a process that was killed within write_bytes left."""
    for path in partial.rglob(".*"):
        if TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()


def write_text(path, text):
    """Write a UTF-8 text file whole or not at all; what UTF-8 cannot hold is escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path, content):
    """Write a file whole or not at all (temporary name, flushed to disk, renamed)."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value):
    """Write JSON whole or not at all, readable by a person."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_json(path):
    """Read a JSON file; a damaged one is an InputError naming it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON: {error}") from error


def sha256(path):
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_all(paths):
    """SHA-256 of files as a set: of their bytes, whatever their names and order."""
    return hashlib.sha256("".join(sorted(map(sha256, paths))).encode()).hexdigest()


def versions():
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def manifest(**inputs):
    """What made a folder: the command, when, where, versions, and the inputs given."""
    return {
        "command": [os.path.basename(sys.executable), *sys.orig_argv[1:]],
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        **inputs,
    }


def safe_name(text):
    """A folder name for a data set, column or network; names that would leave the folder raise."""
    name = "".join("_" if c in "/\\\0" or ord(c) < 32 else c for c in text.strip())
    if name.strip(".") == "" or name.startswith("."):
        raise InputError(f"{text!r} cannot name a folder; give a name that starts with a letter")
    return name
