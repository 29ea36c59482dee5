"""Results found again, and never mixed up."""

import pytest

from models.errors import InputError
from transfer import folders, identities

IDENTITY = {"steps": 3, "weights": "a.h5", "weights_sha256": "0"}


def test_finished(tmp_path):
    out = tmp_path / "out"
    assert not identities.finished(out, IDENTITY)
    out.mkdir()
    folders.write_json(out / "manifest.json", {"identity": IDENTITY})
    assert identities.finished(out, IDENTITY)
    assert identities.finished(out, IDENTITY | {"weights": "elsewhere/a.h5"})
    with pytest.raises(InputError, match=r"out holds a finished run with steps 3 \(now 4\)"):
        identities.finished(out, IDENTITY | {"steps": 4})


def test_unfinished_work_is_only_removed_where_it_is_worth_nothing(tmp_path):
    out, partial = tmp_path / "out", tmp_path / ".out.partial"
    partial.mkdir()
    identities.sign(partial, IDENTITY)
    identities.forget_other_run(out, IDENTITY, "*.png")
    assert partial.exists()
    (partial / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"steps 3 \(now 4\) lies in"):
        identities.forget_other_run(out, IDENTITY | {"steps": 4}, "*.png")
    (partial / "a.png").unlink()
    identities.forget_other_run(out, IDENTITY | {"steps": 4}, "*.png")
    assert not partial.exists()


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "out").mkdir()
    assert not identities.finished(tmp_path / "out", IDENTITY)
    (tmp_path / "out" / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files but no finished run"):
        identities.finished(tmp_path / "out", IDENTITY)


def test_reopened(tmp_path):
    out, partial = tmp_path / "out", tmp_path / ".out.partial"
    for folder in (out, partial):
        folder.mkdir()
    (partial / "old").write_bytes(b"")
    folders.write_json(out / "manifest.json", {"identity": IDENTITY})
    identities.reopen(out, IDENTITY)
    assert not out.exists()
    assert {path.name for path in partial.iterdir()} == {"manifest.json", "identity.json"}
    with folders.whole(out, resume=True):
        pass
    identities.unsign(out)
    assert identities.finished(out, IDENTITY)
    identities.unsign(out)  # as after a run that was not killed
