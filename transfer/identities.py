"""What decides a result's numbers, its identity, kept beside it: found again, never mixed up.

A finished folder has its identity in manifest.json; an unfinished one, which lies under the
temporary name of transfer.folders.whole, in identity.json.
"""

import os
import shutil

from models.errors import InputError
from transfer import folders

UNFINISHED = "identity.json"


def finished(folder, identity):
    """Whether a whole result of this identity is there; of another one, or other files: InputError.

    An empty folder is as good as none.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return False
    if not (folder / "manifest.json").exists():
        raise InputError(
            f"{folder} holds files but no finished run (manifest.json); accepted: a folder that is "
            "absent or empty, or the result of this command"
        )
    difference = _difference(_identity(folder / "manifest.json"), identity)
    if difference:
        raise InputError(
            f"{folder} holds a finished run with {difference}; give another folder for the "
            "results, or remove it"
        )
    return True


def _identity(manifest):
    """The identity in a manifest; {} in one of a result that has none."""
    return folders.read_json(manifest).get("identity", {})


def reopen(folder, identity):
    """Make a finished folder an unfinished one again, to appear whole with what is new in it.

    Args:
        folder: the result folder, finished.
        identity: its own; an unfinished folder beside it is of the same (forget_other_run).
    """
    partial = _unfinished(folder)
    shutil.rmtree(partial, ignore_errors=True)
    sign(folder, identity)
    os.replace(folder, partial)


def _unfinished(folder):
    return folder.with_name(f".{folder.name}.partial")


def forget_other_run(folder, identity, worth):
    """Remove what another run left unfinished here.

    Args:
        folder: the result folder.
        identity: of the run that is about to begin.
        worth: path or pattern below the unfinished folder; where it exists there, the other run
            is not removed.

    Raises:
        InputError: another run left something of worth.
    """
    partial = _unfinished(folder)
    try:
        difference = _difference(folders.read_json(partial / UNFINISHED), identity)
    except InputError:  # there is none, or it was killed before its first file was whole
        difference = "no readable identity"
    if difference and any(partial.glob(str(worth))):
        raise InputError(
            f"an interrupted run with {difference} lies in {partial}: finish it with its own "
            "settings, give another folder for the results, or remove it"
        )
    if difference:
        shutil.rmtree(partial, ignore_errors=True)


def sign(partial, identity):
    """Say in an unfinished folder whose it is."""
    folders.write_json(partial / UNFINISHED, identity)


def unsign(folder):
    """Remove the mark from a finished folder, whose manifest holds the identity.

    It is there where `whole` has just made the folder, or a process was killed after that.
    """
    (folder / UNFINISHED).unlink(missing_ok=True)


def _difference(old, new):
    # a weights file is its content, however its path is written
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k) and k != "weights"]
    if old.get("weights_sha256") is None and old.get("weights") != new.get("weights"):
        keys.append("weights")
    return ", ".join(f"{key} {old.get(key)!r} (now {new.get(key)!r})" for key in keys)
