"""A result folder: whole or absent, found again, never mixed up, resumed; and files written whole.

A finished folder says in manifest.json how it was made and what decides its numbers, its identity.
An unfinished one lies beside it under a temporary name, its identity in identity.json.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import filelock

from models.errors import InputError

MANIFEST = "manifest.json"
UNFINISHED = "identity.json"
PACKAGES = ("tensorflow", "keras", "jax", "numpy", "h5py", "pillow", "scikit-learn")
# what a manifest says of every result; the rest is Result.about
ALWAYS = ("command", "finished", "machine", "versions", "identity")
# of an identity: what says which weights a network had; the first that both have decides
WEIGHTS = ("weights_identity", "weights_sha256", "weights")
TEMPORARY = re.compile(r"\..+\.\d+")  # names of open_whole


@contextlib.contextmanager
def result_folder(path, identity=None, worth=None, scratch=None, say=print):
    """Find a finished result, or make it: under a temporary name, renamed when the block ends.

    A lock is held while the folder is made; a second process waits, then finds the result. The
    kernel frees the lock when its process ends, also after `kill -9`. A finished result is found
    without the lock, so it may lie on a read-only disk.

    Args:
        path: the folder to make or find; an empty one is as good as none.
        identity: everything that decides the numbers, a dict that JSON can hold; None where the
            folder's name says it all (a digest). Of the keys in WEIGHTS one counts: a file is its
            content, however its path is written.
        worth: pattern of what is worth keeping of a run that ends early, below the unfinished
            folder. With it, the same run finds there what an interrupted one left; without it,
            every run begins with an empty folder.
        scratch: path, below the folder, of what only a resumed run needs; removed at the end.
        say: called with one line where another process is waited for.

    Yields:
        Result.

    Raises:
        InputError: the folder holds a result of another identity or other files, or another run
            left something of worth unfinished.
        OSError: the folder cannot be written.
    """
    with contextlib.ExitStack() as locks:
        result = Result(path, identity, worth, scratch, say, locks)
        try:
            yield result
        except BaseException:
            if not result.finished:
                result._abandon()
            raise
        if not result.finished:
            result._finish()


class Result:
    """A result folder that is finished or under way (see result_folder).

    finished: whether the result is there. path: Path of the folder; while it is under way, of the
    temporary one, where an interrupted run of the same identity may have left something. about:
    dict, what the manifest says beside command, time, machine, versions and identity.
    """

    def __init__(self, path, identity, worth, scratch, say, locks):
        self._final = _named(path)
        self._partial = self._final.with_name(f".{self._final.name}.partial")
        self._identity = json.loads(json.dumps(identity or {}, default=str))
        self._worth, self._scratch, self._say, self._locks = worth, scratch, say, locks
        self._locked = False
        self.about = {}
        if not self._find():
            self._lock()
            if not (self._find() or self._complete()):
                self._begin()

    def reopen(self):
        """Make a finished folder an unfinished one again, to appear whole with what is new in it.

        The manifest goes on to say how it was made; what `about` holds at the end is added.
        """
        self._lock()
        if self._final.exists():  # else another process reopened it and was interrupted
            shutil.rmtree(self._partial, ignore_errors=True)
            write_json(self._final / UNFINISHED, self._identity)
            os.replace(self._final, self._partial)
        self._begin()

    def _lock(self):
        if not self._locked:
            self._locks.enter_context(_locked(self._final, self._say))
            self._locked = True

    def _find(self):
        """Whether a whole result of this identity is there; other content is an InputError."""
        folder = self._final
        if folder.is_file():
            raise InputError(f"{folder} is a file; accepted: the name of a folder for the results")
        if not folder.exists() or not any(folder.iterdir()):
            return False
        if not (folder / MANIFEST).exists():
            raise InputError(
                f"{folder} holds files but no finished run ({MANIFEST}); accepted: a folder that "
                "is absent or empty, or the result of this command"
            )
        made = read_json(folder / MANIFEST)
        difference = _difference(made.get("identity", {}), self._identity)
        if difference:
            raise InputError(
                f"{folder} holds a finished run with {difference}; give another folder for the "
                "results, or remove it"
            )
        self.path, self.finished = folder, True
        self.about = {key: value for key, value in made.items() if key not in ALWAYS}
        return True

    def _complete(self):
        """Whether a run was killed when all but renaming was done; then that is done now."""
        manifest = self._partial / MANIFEST
        if not manifest.exists() or (self._partial / UNFINISHED).exists():
            return False
        if _difference(read_json(manifest).get("identity", {}), self._identity):
            return False
        self._rename()
        return self._find()

    def _begin(self):
        self._forget_other_run()
        self._partial.mkdir(parents=True, exist_ok=True)
        for path in self._partial.rglob(".*"):  # left by a process killed within open_whole
            if TEMPORARY.fullmatch(path.name) and path.is_file():
                path.unlink()
        write_json(self._partial / UNFINISHED, self._identity)
        self.path, self.finished = self._partial, False

    def _forget_other_run(self):
        """Remove what another run left unfinished here; InputError where that is of worth."""
        if not self._partial.exists():
            return
        try:
            difference = _difference(read_json(self._partial / UNFINISHED), self._identity)
        except InputError:  # there is none, or it was killed before its first file was whole
            difference = "no readable identity"
        if difference and self._has_worth():
            raise InputError(
                f"an interrupted run with {difference} lies in {self._partial}: finish it with its "
                "own settings, give another folder for the results, or remove it"
            )
        if difference or self._worth is None:
            shutil.rmtree(self._partial)

    def _has_worth(self):
        return self._worth is not None and any(self._partial.glob(self._worth))

    def _abandon(self):
        if not self._has_worth():
            shutil.rmtree(self._partial, ignore_errors=True)

    def _finish(self):
        manifest = self._partial / MANIFEST
        if manifest.exists():  # of a result that was opened again
            write_json(manifest, read_json(manifest) | self.about)
        else:
            write_json(manifest, _manifest(self._identity, self.about))
        # from here on nothing but _rename is left to do (see _complete)
        (self._partial / UNFINISHED).unlink()
        self._rename()
        self.path, self.finished = self._final, True

    def _rename(self):
        if self._scratch:
            shutil.rmtree(self._partial / self._scratch, ignore_errors=True)
        if self._final.exists():  # empty; not every system renames onto a folder
            self._final.rmdir()
        os.replace(self._partial, self._final)


def _named(path):
    """The path with a name that a temporary one can be made of; `.`, `..` and links have none."""
    path = Path(path)
    return path.resolve() if path.name in ("", "..") or path.is_symlink() else path


@contextlib.contextmanager
def _locked(path, say):
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.parent / f".{path.name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say(f"waiting: another process is writing {path}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _difference(old, new):
    """What differs between two identities, as text; "" for none."""
    # a weights file is its content, however its path is written and the file was packed
    deciding = [k for k in WEIGHTS if old.get(k) is not None and new.get(k) is not None][:1]
    passed_over = set(WEIGHTS).difference(deciding) if deciding else ()
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k) and k not in passed_over]
    return ", ".join(f"{key} {old.get(key)!r} (now {new.get(key)!r})" for key in keys)


def _manifest(identity, about):
    """What made a folder: the command, when, where, versions, the identity, and what it says."""
    return {
        "command": [os.path.basename(sys.executable), *sys.orig_argv[1:]],
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        **({"identity": identity} if identity else {}),
        **about,
    }


def versions():
    """Versions of Python and of the packages that numbers depend on."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed


def check_writable(path):
    """Refuse, before any work, a path that cannot be written later: InputError. Makes nothing."""
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def open_whole(path):
    """Write a file whole or not at all (temporary name, flushed to disk, renamed).

    Yields:
        Binary file to write into.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path, content):
    """Write a file whole or not at all."""
    with open_whole(path) as file:
        file.write(content)


def write_text(path, text):
    """Write a UTF-8 text file whole or not at all; what UTF-8 cannot hold is escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_csv(path, frame, line_end="\n", missing=""):
    """Write a pandas DataFrame, without its index, as a CSV file whole or not at all.

    Args:
        path: of the file.
        frame: its columns are the header; numbers are written so that they read back the same.
        line_end: of every row; RFC 4180 has "\\r\\n".
        missing: text of None and NaN.
    """
    write_text(path, frame.to_csv(index=False, lineterminator=line_end, na_rep=missing))


def read_csv(path):
    """Read a CSV file that write_csv wrote; a DataFrame of text."""
    import pandas

    return pandas.read_csv(path, dtype=object, keep_default_na=False, encoding="utf-8-sig")


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


def safe_name(text):
    """A folder name for a data set, column or network; names that would leave the folder raise."""
    name = "".join("_" if c in "/\\\0" or ord(c) < 32 else c for c in text.strip())
    if name.strip(".") == "" or name.startswith("."):
        raise InputError(f"{text!r} cannot name a folder; give a name that starts with a letter")
    return name
