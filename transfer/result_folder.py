"""A result folder: whole or absent, found again, never mixed up, resumed; and files written whole.

A finished folder says in manifest.json how it was made and what decides its numbers, its identity.
An unfinished one lies beside it under a temporary name, its identity in identity.json.
"""

import codecs
import contextlib
import hashlib
import io
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
TEMPORARY = re.compile(r"\..+\.\d+|\.\d+-.+")  # names of open_whole and of models.weights.save
PARTIAL = re.compile(r"\.(.+)\.partial")  # names of unfinished folders
GOES_ON = "interrupted: the same command goes on from here"
# what a spreadsheet computes (OWASP, "CSV injection"), and such a text with apostrophes before it
FORMULA = re.compile(r"'*[=+\-@\t\r]")
# of a folder's name: file systems take 255 bytes, `.NAME.partial` is longer
NAME_BYTES, NAME_DIGITS = 200, 8
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and line ends


@contextlib.contextmanager
def result_folder(path, identity=None, worth=None, scratch=None, say=print, beside=None):
    """Find a finished result, or make it: under a temporary name, renamed when the block ends.

    A lock is held while the folder is made; a second process waits, then finds the result. The
    kernel frees the lock when its process ends, also after `kill -9`. A finished result is found
    without the lock, so it may lie on a read-only disk; what a killed process left in it is
    removed.

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
        beside: function (names of what differs) -> another path for a result of another identity
            than the one that is made, was left unfinished or lies at the path; or None to refuse.

    Yields:
        Result.

    Raises:
        InputError: the folder holds a result of another identity or other files, or another run
            left something of worth unfinished.
        OSError: the folder cannot be written.
        KeyboardInterrupt: the user's; it says so where the same call goes on from there.
    """
    with contextlib.ExitStack() as locks:
        result = Result(path, identity, worth, scratch, say, beside, locks)
        try:
            yield result
        except BaseException as error:
            if not result.finished:
                goes_on = result._abandon()
                if goes_on and isinstance(error, KeyboardInterrupt):
                    raise KeyboardInterrupt(GOES_ON) from None
            raise
        if not result.finished:
            result._finish()


class OtherRunError(InputError):
    """A folder belongs to a run of another identity; `differing`: set of the names that differ."""

    def __init__(self, message, differing):
        super().__init__(message)
        self.differing = differing


class Result:
    """A result folder that is finished or under way (see result_folder).

    finished: whether the result is there. final: Path of the finished folder. path: the same;
    while it is under way, of the temporary one, where an interrupted run of the same identity may
    have left something. about: dict, what the manifest says beside command, time, machine,
    versions and identity.
    """

    def __init__(self, path, identity, worth, scratch, say, beside, locks):
        self._identity = _as_json(identity)
        self._worth, self._scratch, self._say, self._locks = worth, scratch, say, locks
        self.about = {}
        while True:
            try:
                self._open(path)
                return
            except OtherRunError as other:
                locks.close()
                path = beside(other.differing) if beside else None
                if path is None:
                    raise

    def _open(self, path):
        self.final = named(path)
        self._partial = unfinished(self.final)
        self._locked = False
        if not self._find():
            self._lock()
            if not (self._find() or self._complete()):
                self._begin()

    def reopen(self):
        """Make a finished folder an unfinished one again, to appear whole with what is new in it.

        The manifest goes on to say how it was made; what `about` holds at the end is added.
        """
        self._lock()
        if self.final.exists():  # else another process reopened it and was interrupted
            shutil.rmtree(self._partial, ignore_errors=True)
            write_json(self.final / UNFINISHED, self._identity)
            os.replace(self.final, self._partial)
        self._begin()

    def _lock(self):
        if not self._locked:
            self._locks.enter_context(locked(self.final, self._before_waiting))
            self._locked = True

    def _before_waiting(self):
        try:
            made = _read_object(self._partial / UNFINISHED)
        except InputError:  # it has not begun, or is done
            made = self._identity
        if differing := _differing(made, self._identity):
            raise OtherRunError(
                f"another process is making {self.final} with "
                f"{_difference(made, self._identity)}; give another folder for the results",
                differing,
            )
        self._say(f"waiting: another process is writing {self.final}")

    def _find(self):
        """Whether a whole result of this identity is there; other content is an InputError."""
        made = _made_in(self.final, self._identity)
        if made is None:
            return False
        self.path, self.finished = self.final, True
        self.about = {key: value for key, value in made.items() if key not in ALWAYS}
        self._tidy()
        return True

    def _tidy(self):
        """Remove what a killed process left in the finished folder, unless one is at work there."""
        left = [path for path in self.final.glob(".*") if TEMPORARY.fullmatch(path.name)]
        left += [self.final / name for name in (UNFINISHED, self._scratch) if name]
        if not any(path.exists() for path in left):
            return
        alone = contextlib.nullcontext() if self._locked else locked(self.final)
        with contextlib.suppress(OSError, filelock.Timeout), alone:  # on a read-only disk it stays
            for path in left:
                _remove(path)

    def _complete(self):
        """Whether a run was killed when all but renaming was done; then that is done now."""
        manifest = self._partial / MANIFEST
        if not manifest.exists() or (self._partial / UNFINISHED).exists():
            return False
        if _differing(_identity_in(_read_object(manifest)), self._identity):
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
            made = _read_object(self._partial / UNFINISHED)
            difference, differing = (of(made, self._identity) for of in (_difference, _differing))
        except InputError:  # there is none, or it was killed before its first file was whole
            difference, differing = "no readable identity", {UNFINISHED}
        if differing and self._has_worth():
            raise OtherRunError(
                f"an interrupted run with {difference} lies in {self._partial}: finish it with its "
                "own settings, give another folder for the results, or remove it",
                differing,
            )
        if differing or self._worth is None:
            shutil.rmtree(self._partial)

    def _has_worth(self):
        return self._worth is not None and any(self._partial.glob(self._worth))

    def _abandon(self):
        """Leave what is of worth, and say whether there is any; else nothing."""
        kept = self._has_worth()
        if not kept:
            shutil.rmtree(self._partial, ignore_errors=True)
        return kept

    def _finish(self):
        manifest = self._partial / MANIFEST
        if manifest.exists():  # of a result that was opened again
            write_json(manifest, read_json(manifest) | self.about)
        else:
            write_json(manifest, _manifest(self._identity, self.about))
        # from here on nothing but _rename is left to do (see _complete)
        (self._partial / UNFINISHED).unlink()
        self._rename()
        self.path, self.finished = self.final, True

    def _rename(self):
        if self._scratch:
            shutil.rmtree(self._partial / self._scratch, ignore_errors=True)
        if self.final.exists():  # empty; not every system renames onto a folder
            self.final.rmdir()
        os.replace(self._partial, self.final)


def is_finished(path, identity):
    """Whether a result folder is whole, of this identity; nothing is made or locked.

    Raises:
        InputError: as result_folder, for a folder that holds something else.
    """
    return _made_in(named(path), _as_json(identity)) is not None


def _made_in(folder, identity):
    """The manifest of a whole result of this identity, or None; other content is an InputError."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; accepted: the name of a folder for the results")
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if not (folder / MANIFEST).exists():
        raise InputError(
            f"{folder} holds files but no finished run ({MANIFEST}); accepted: a folder that "
            "is absent or empty, or the result of this command"
        )
    made = _read_object(folder / MANIFEST)
    before = _identity_in(made)
    if differing := _differing(before, identity):
        raise OtherRunError(
            f"{folder} holds a finished run with {_difference(before, identity)}; give "
            "another folder for the results, or remove it",
            differing,
        )
    return made


def is_result(folder):
    """Whether a finished result lies right in a folder.

    A manifest.json of somebody else, as museums have them (IIIF), is none.
    """
    try:
        made = read_json(Path(folder) / MANIFEST)
    except InputError:
        return False
    return isinstance(made, dict) and made.keys() >= {*ALWAYS} - {"identity"}


def named(path):
    """The path with a name that a temporary one can be made of; `.`, `..` and links have none."""
    path = Path(path)
    return path.resolve() if path.name in ("", "..") or path.is_symlink() else path


def unfinished(path):
    """Where what is made for a result folder lies until it is whole."""
    return path.with_name(f".{path.name}.partial")


@contextlib.contextmanager
def locked(path, before_waiting=None):
    """Hold the lock of a result; without before_waiting, another holder is a filelock.Timeout.

    The lock's file is removed before the lock is freed, so that none is left; a process that has
    opened it by then is given a lock on a file without a name: filelock (3.24 and later) sees that
    and tries again. One that `kill -9` leaves stays until the same folder is made again; it does no
    harm, since the kernel has freed its lock, and git shows none (.gitignore).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # not thread_local: who holds it may release it in another thread than the one that took it
    lock = filelock.FileLock(path.parent / f".{path.name}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if before_waiting is None:
            raise
        before_waiting()
        lock.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file; filelock does, later
            os.unlink(lock.lock_file)
        lock.release()


def find_result(path, identity):
    """Where a result of this identity lies, finished or left unfinished, whatever its name.

    Args:
        path: of a result folder.
        identity: as for result_folder.

    Returns:
        Path of the result folder: `path`, or another in the same folder that has this identity,
        under a name that another version gave; `path` where there is none.
    """
    return _find_same(Path(path), identity) or Path(path)


def folder_for(path, identity=None):
    """Where a result is to lie: at the path, or where one of its identity lies, also unfinished.

    Args:
        path: of a result folder.
        identity: as for result_folder; None where it is not known, and so nothing of it is there.

    Returns:
        Path; None where something else has the path.
    """
    path = Path(path)
    found = None if identity is None else _find_same(path, identity)
    return found or (None if path.exists() or unfinished(path).exists() else path)


def _find_same(path, identity):
    """Path of the finished or unfinished result of this identity beside a path; or None."""
    identity = _as_json(identity)
    try:
        names = os.listdir(path.parent)
    except OSError:
        names = []
    begun = [found[1] for found in map(PARTIAL.fullmatch, names) if found]
    finished = [name for name in names if name[0] != "."]
    for name in (path.name, *sorted({*finished, *begun})):
        for file, inner in ((MANIFEST, _identity_in), (UNFINISHED, dict)):
            folder = path.with_name(name)
            with contextlib.suppress(InputError):
                made = _read_object((folder if file == MANIFEST else unfinished(folder)) / file)
                if not _differing(inner(made), identity):
                    return folder
    return None


def find_finished(path, identity):
    """Where a whole result of this identity lies, whatever its name; None where there is none.

    Args:
        path: of a result folder.
        identity: as for result_folder.
    """
    folder = find_result(path, identity)
    with contextlib.suppress(InputError):
        if not _differing(_identity_in(_read_object(folder / MANIFEST)), _as_json(identity)):
            return folder
    return None


def _as_json(identity):
    return json.loads(json.dumps(identity or {}, default=str))


def _identity_in(manifest):
    identity = manifest.get("identity", {})
    return identity if isinstance(identity, dict) else {"identity": identity}


def _read_object(path):
    """Read a JSON file that holds an object; else InputError."""
    made = read_json(path)
    if not isinstance(made, dict):
        raise InputError(
            f"{path} does not say how the folder was made; remove {path.parent} and make it again"
        )
    return made


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _differing(old, new):
    """The names of what differs between two identities."""
    # a weights file is its content, however its path is written and the file was packed
    deciding = [k for k in WEIGHTS if old.get(k) is not None and new.get(k) is not None][:1]
    passed_over = set(WEIGHTS).difference(deciding) if deciding else ()
    return {k for k in {**old, **new} if old.get(k) != new.get(k) and k not in passed_over}


def _difference(old, new):
    """What differs between two identities, as text; "" for none."""
    differing = _differing(old, new)
    keys = [key for key in {**old, **new} if key in differing]
    return ", ".join(f"{key} {old.get(key)!r} (now {new.get(key)!r})" for key in keys)


def _manifest(identity, about):
    """What made a folder: the command, when, where, versions, the identity, and what it says."""
    return {
        "command": command_line(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        **({"identity": identity} if identity else {}),
        **about,
    }


def command_line():
    """The command that runs this process: list of words."""
    return [os.path.basename(sys.executable), *sys.orig_argv[1:]]


def versions():
    """Versions of Python and of the packages that numbers depend on."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed


def check_place(path):
    """Refuse a path that cannot be a folder's, since a file is in its way: InputError."""
    above = next(place for place in (Path(path), *Path(path).absolute().parents) if place.exists())
    if not above.is_dir():
        raise InputError(f"{path} cannot be a folder: {above} is a file")


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


def write_csv(path, frame, missing=""):
    """Write a pandas DataFrame as a CSV file (see csv_bytes) whole or not at all."""
    write_bytes(path, csv_bytes(frame, missing))


def csv_bytes(frame, missing=""):
    """A pandas DataFrame, without its index, as the bytes of a CSV file that spreadsheets open.

    UTF-8 behind a byte order mark, without which Excel reads another encoding; lines end with CR
    LF (RFC 4180). A text that a spreadsheet would compute has an apostrophe before it, a control
    character that no cell can show is U+FFFD. read_csv gives the frame back, as text.

    Args:
        frame: its columns are the header; numbers are written so that they read back the same.
        missing: text of None and NaN.
    """
    safe = frame.copy()
    safe.columns = range(safe.shape[1])
    for number, (_, column) in enumerate(frame.items()):
        if column.dtype.kind not in "biuf":  # numbers as they are, -1 too
            cells = [_guarded(cell) if isinstance(cell, str) else cell for cell in column]
            safe[number] = type(column)(cells, safe.index, dtype=object)
    safe.columns = [_guarded(str(name)) for name in frame.columns]
    text = safe.to_csv(index=False, lineterminator="\r\n", na_rep=missing)
    return codecs.BOM_UTF8 + text.encode("utf-8", "backslashreplace")


def read_csv(path):
    """Read a CSV file that write_csv wrote; one of an earlier version, without mark, as it is.

    Returns:
        pandas DataFrame of text; without columns for an empty file.

    Raises:
        InputError: not a CSV file in UTF-8.
        FileNotFoundError: there is none.
    """
    import pandas as pd

    content = Path(path).read_bytes()
    if not content.strip():
        return pd.DataFrame()
    try:
        # not the first row as the header: pandas would number columns of one name
        rows = pd.read_csv(
            io.BytesIO(content), header=None, dtype=str, na_filter=False, skip_blank_lines=False
        )
    except ValueError as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    if content.startswith(codecs.BOM_UTF8):
        rows = rows.map(unguarded)
    rows.columns = rows.iloc[0].tolist()
    return rows.iloc[1:].reset_index(drop=True).astype(object)


def _guarded(text):
    text = UNPRINTABLE.sub("\ufffd", text)
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text):
    """A text without the apostrophe that keeps a spreadsheet from computing it (csv_bytes)."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def csv_sha256(path):
    """SHA-256 of a CSV file of ours without byte order mark and guards, as it was before them."""
    with open(path, "rb") as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            return sha256(path)
    text = read_csv(path).to_csv(index=False, lineterminator="\r\n")
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_json(path, value):
    """Write JSON whole or not at all, readable by a person."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_json(path):
    """Read a JSON file; a damaged one is an InputError naming it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON: {error}") from error


def file_sizes(folder):
    """What a folder's files are, those below it left out: dict name -> bytes, for Together.see."""
    files = [path for path in Path(folder).iterdir() if path.is_file() and path.name[0] != "."]
    return {path.name: path.stat().st_size for path in files}


def file_size(path):
    """Bytes of a file, for Together.see."""
    return Path(path).stat().st_size


def sha256(path):
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_text(text):
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_all(paths):
    """SHA-256 of files as a set: of their bytes, whatever their names and order."""
    return sha256_of_text("".join(sorted(map(sha256, paths))))


def short_name(text):
    """A safe_name of a length that file systems take: a long one ends in a digest instead."""
    name = safe_name(text)
    if len(name.encode()) <= NAME_BYTES:
        return name
    digest = sha256_of_text(name)[:NAME_DIGITS]
    start = name.encode()[: NAME_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{start}-{digest}"


def safe_name(text):
    """A folder name for a data set, column or network; names that would leave the folder raise."""
    name = "".join("_" if c in "/\\\0" or ord(c) < 32 else c for c in text.strip())
    if name.strip(".") == "" or name.startswith("."):
        raise InputError(f"{text!r} cannot name a folder; give a name that starts with a letter")
    return name
