"""Result folders: whole or absent, found again, never mixed up, resumed."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import InputError
from transfer import result_folder as folders
from transfer.result_folder import result_folder

IDENTITY = {"steps": 3, "weights": "a.h5", "weights_sha256": "0"}
ROOT = Path(__file__).parents[2]
WRITER = """
import sys, time
from transfer.result_folder import result_folder, write_text
say = lambda text: print(text, flush=True)
with result_folder(sys.argv[1], {"steps": 3}, worth="*.txt", say=say) as result:
    say("finished" if result.finished else "begun with " + str(len(list(result.path.iterdir()))))
    if not result.finished:
        write_text(result.path / "a.txt", "half")
        say("writing")
        time.sleep(float(sys.argv[2]))
"""


def start(path, seconds):
    command = [sys.executable, "-c", WRITER, str(path), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def make(path, identity=IDENTITY, files=("a.txt",), **options):
    """Make a result folder, the files in it and then an error if `error` is among them."""
    with result_folder(path, identity, **options) as result:
        if not result.finished:
            for name in files:
                if name == "error":
                    raise ZeroDivisionError
                folders.write_text(result.path / name, name)
    return result


def interrupt(path, identity=IDENTITY, files=("a.txt",), **options):
    with pytest.raises(ZeroDivisionError):
        make(path, identity, [*files, "error"], **options)


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_folder_is_whole_or_absent(tmp_path):
    with result_folder(tmp_path / "run", IDENTITY) as result:
        folders.write_text(result.path / "a.txt", "é")
        assert not (tmp_path / "run").exists() and not result.finished
    assert result.finished and result.path == tmp_path / "run"
    assert (tmp_path / "run" / "a.txt").read_text(encoding="utf-8") == "é"
    assert names(tmp_path / "run") == {"a.txt", "manifest.json"}
    interrupt(tmp_path / "other")
    assert names(tmp_path) == {"run"}  # no lock is left either


def test_a_finished_result_is_found_with_what_its_manifest_says(tmp_path):
    with result_folder(tmp_path / "run", IDENTITY) as result:
        result.about["device"] = "CPU"
    again = make(tmp_path / "run")
    assert again.finished and again.path == tmp_path / "run" and again.about == {"device": "CPU"}
    read = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert list(read) == ["command", "finished", "machine", "versions", "identity", "device"]
    assert read["identity"] == IDENTITY and "keras" in read["versions"] and read["command"]


def test_another_identity_is_refused_and_named(tmp_path):
    make(tmp_path / "out")
    assert make(tmp_path / "out", IDENTITY | {"weights": "elsewhere/a.h5"}).finished
    with pytest.raises(InputError, match=r"out holds a finished run with steps 3 \(now 4\)"):
        make(tmp_path / "out", IDENTITY | {"steps": 4})
    with pytest.raises(InputError, match=r"weights_sha256 '0' \(now '1'\)"):
        make(tmp_path / "out", IDENTITY | {"weights_sha256": "1"})
    with pytest.raises(InputError, match=r"weights 'a\.h5' \(now 'imagenet'\)"):
        make(tmp_path / "out", {"steps": 3, "weights": "imagenet", "weights_sha256": None})
    without = {"weights": "imagenet", "weights_sha256": None}
    make(tmp_path / "named", without)
    with pytest.raises(InputError, match=r"weights 'imagenet' \(now 'none'\)"):
        make(tmp_path / "named", without | {"weights": "none"})


def test_weights_are_what_is_in_the_file(tmp_path):
    """Packed anew they have other bytes; a result that says less is compared by what it says."""
    make(tmp_path / "old")
    now = IDENTITY | {"weights_identity": "7"}
    assert make(tmp_path / "old", now).finished
    make(tmp_path / "new", now)
    assert make(tmp_path / "new", now | {"weights_sha256": "1", "weights": "b.h5"}).finished
    with pytest.raises(InputError, match=r"with weights_identity '7' \(now '8'\);"):
        make(tmp_path / "new", now | {"weights_identity": "8", "weights": "b.h5"})


def test_an_identity_is_compared_as_json_holds_it(tmp_path):
    make(tmp_path / "out", {"sizes": (1, 2), "path": tmp_path})
    assert make(tmp_path / "out", {"sizes": [1, 2], "path": str(tmp_path)}).finished


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "out").mkdir()
    assert make(tmp_path / "out").finished
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="diary.txt is a file; accepted: the name of a folder"):
        make(tmp_path / "mine" / "diary.txt")
    with pytest.raises(InputError, match="holds files but no finished run"):
        make(tmp_path / "mine")
    assert names(tmp_path / "mine") == {"diary.txt"}
    assert names(tmp_path) == {"out", "mine"}  # nor is a lock left beside it


def test_a_folder_whose_name_says_it_all_needs_no_identity(tmp_path):
    make(tmp_path / "digest", None)
    assert make(tmp_path / "digest", None).finished
    assert "identity" not in folders.read_json(tmp_path / "digest" / "manifest.json")
    old = tmp_path / "made_before"
    old.mkdir()
    folders.write_json(old / "manifest.json", {"seconds": 3.0})
    assert make(old, None).about == {"seconds": 3.0}


def test_the_same_run_goes_on_with_what_is_of_worth(tmp_path):
    interrupt(tmp_path / "run", files=["epoch1"], worth="epoch*")
    assert not (tmp_path / "run").exists()
    with result_folder(tmp_path / "run", IDENTITY, worth="epoch*") as result:
        assert (result.path / "epoch1").read_text() == "epoch1"
    assert names(tmp_path / "run") == {"epoch1", "manifest.json"}


@pytest.mark.parametrize("worth", [None, "*.png"])
def test_what_is_worth_nothing_is_not_kept(tmp_path, worth):
    interrupt(tmp_path / "run", files=["epoch1"], worth=worth)
    assert not (tmp_path / ".run.partial").exists()


def test_a_killed_run_without_worth_begins_anew(tmp_path):
    (tmp_path / ".run.partial").mkdir()
    folders.write_json(tmp_path / ".run.partial" / "identity.json", IDENTITY)
    (tmp_path / ".run.partial" / "left").write_text("")
    make(tmp_path / "run")
    assert names(tmp_path / "run") == {"a.txt", "manifest.json"}


def test_unfinished_work_is_only_removed_where_it_is_worth_nothing(tmp_path):
    out, partial = tmp_path / "out", tmp_path / ".out.partial"
    interrupt(out, files=["a.png"], worth="*.png")
    with pytest.raises(InputError, match=r"steps 3 \(now 4\) lies in .*\.out\.partial"):
        make(out, IDENTITY | {"steps": 4}, worth="*.png")
    (partial / "a.png").unlink()
    make(out, IDENTITY | {"steps": 4}, worth="*.png")
    assert names(out) == {"a.txt", "manifest.json"} and not partial.exists()


@pytest.mark.parametrize("identity", [None, '{"steps'])
def test_unfinished_work_of_an_unknown_run_is_kept(tmp_path, identity):
    partial = tmp_path / ".out.partial"
    partial.mkdir()
    (partial / "a.png").write_text("")
    if identity:
        (partial / "identity.json").write_text(identity)
    with pytest.raises(InputError, match="with no readable identity lies in"):
        make(tmp_path / "out", worth="*.png")
    assert (partial / "a.png").exists()


def test_scratch_is_kept_for_resumption_and_removed_at_the_end(tmp_path):
    options = {"worth": "epochs/history.csv", "scratch": "epochs"}
    with (
        pytest.raises(ZeroDivisionError),
        result_folder(tmp_path / "run", IDENTITY, **options) as result,
    ):
        (result.path / "epochs").mkdir()
        folders.write_text(result.path / "epochs" / "history.csv", "1")
        raise ZeroDivisionError
    with result_folder(tmp_path / "run", IDENTITY, **options) as result:
        assert (result.path / "epochs" / "history.csv").exists()
    assert names(tmp_path / "run") == {"manifest.json"}


def test_a_run_killed_before_the_renaming_is_finished(tmp_path):
    partial = tmp_path / ".run.partial"
    (partial / "epochs").mkdir(parents=True)
    folders.write_json(partial / "manifest.json", {"identity": IDENTITY})
    (partial / "a.txt").write_text("made")
    result = make(tmp_path / "run", worth="*.txt", scratch="epochs")
    assert result.finished and (tmp_path / "run" / "a.txt").read_text() == "made"
    assert names(tmp_path / "run") == {"a.txt", "manifest.json"}


def test_what_a_killed_write_left_is_removed(tmp_path):
    inner = tmp_path / ".run.partial" / "inner"
    inner.mkdir(parents=True)
    folders.write_json(inner.parent / "identity.json", IDENTITY)
    for name in (".a.png.123", "a.123", ".hidden"):
        (inner / name).write_text("")
    make(tmp_path / "run", worth="inner/*")
    assert names(tmp_path / "run" / "inner") == {"a.123", ".hidden"}


def test_a_finished_folder_opened_again(tmp_path):
    with result_folder(tmp_path / "out", IDENTITY) as result:
        result.about |= {"device": "CPU", "pictures": None}
    made = folders.read_json(tmp_path / "out" / "manifest.json")
    with result_folder(tmp_path / "out", IDENTITY, worth="*") as result:
        result.reopen()
        assert not result.finished and not (tmp_path / "out").exists()
        folders.write_text(result.path / "b.txt", "new")
        result.about["pictures"] = 4
    assert names(tmp_path / "out") == {"manifest.json", "b.txt"}
    assert folders.read_json(tmp_path / "out" / "manifest.json") == made | {"pictures": 4}


def test_a_folder_opened_again_and_interrupted_keeps_its_manifest(tmp_path):
    make(tmp_path / "out")
    made = folders.read_json(tmp_path / "out" / "manifest.json")
    with (
        pytest.raises(ZeroDivisionError),
        result_folder(tmp_path / "out", IDENTITY, worth="*.txt") as result,
    ):
        result.reopen()
        raise ZeroDivisionError
    assert not (tmp_path / "out").exists()
    with result_folder(tmp_path / "out", IDENTITY, worth="*.txt") as result:
        assert not result.finished and (result.path / "a.txt").exists()
        result.about["pictures"] = 4
    assert folders.read_json(tmp_path / "out" / "manifest.json") == made | {"pictures": 4}


def test_the_current_folder_and_a_link_are_named(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make(".")
    assert (tmp_path / "here" / "manifest.json").exists()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    make(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "manifest.json").exists()


def test_another_run_goes_beside(tmp_path):
    """Beside a finished one and an interrupted one; both are found and gone on with afterwards."""
    asked = []

    def beside(differing):
        asked.append(differing)
        return tmp_path / f"run,{len(asked)}" if len(asked) < 3 else None

    make(tmp_path / "run")
    made = make(tmp_path / "run", IDENTITY | {"steps": 4}, beside=beside)
    assert made.final == tmp_path / "run,1" and asked == [{"steps"}]
    interrupt(tmp_path / "run,2", IDENTITY | {"steps": 5}, worth="*.txt")
    with pytest.raises(InputError, match=r"steps 5 \(now 6\) lies in .*\.run,2\.partial"):
        make(tmp_path / "run", IDENTITY | {"steps": 6}, worth="*.txt", beside=beside)
    assert names(tmp_path) == {"run", "run,1", ".run,2.partial"}


def test_a_result_is_found_under_another_name(tmp_path):
    make(tmp_path / "old name")
    assert folders.find_result(tmp_path / "run", IDENTITY) == tmp_path / "old name"
    other = IDENTITY | {"steps": 4}
    assert folders.find_result(tmp_path / "run", other) == tmp_path / "run"
    interrupt(tmp_path / "interrupted", other, worth="*.txt")
    assert folders.find_result(tmp_path / "run", other) == tmp_path / "interrupted"
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "manifest.json").write_text("[]")
    assert folders.find_result(tmp_path / "run", IDENTITY) == tmp_path / "old name"
    assert folders.find_result(tmp_path / "nowhere" / "run", IDENTITY).name == "run"


def test_a_whole_result_is_found_or_none(tmp_path):
    assert folders.find_finished(tmp_path / "run", IDENTITY) is None
    interrupt(tmp_path / "run", IDENTITY, worth="*.txt")
    assert folders.find_finished(tmp_path / "run", IDENTITY) is None
    make(tmp_path / "old name", IDENTITY | {"steps": 4})
    other = folders.find_finished(tmp_path / "run", IDENTITY | {"steps": 4})
    assert other == tmp_path / "old name"


@pytest.mark.parametrize("content", ["[]", "7", '{"identity": []}', "{"])
def test_a_manifest_that_says_nothing_is_one_line(tmp_path, content):
    make(tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="run") as raised:
        make(tmp_path / "run")
    assert "\n" not in str(raised.value)


def test_an_interrupt_says_whether_the_same_call_goes_on(tmp_path):
    for name, said in (("a.txt", folders.GOES_ON), ("b.png", "")):
        with (
            pytest.raises(KeyboardInterrupt) as raised,
            result_folder(tmp_path / "run", IDENTITY, worth="*.txt") as result,
        ):
            folders.write_text(result.path / name, "half")
            raise KeyboardInterrupt
        assert str(raised.value) == said
        folders._remove(tmp_path / ".run.partial")


def test_what_kills_left_in_a_finished_folder_is_removed(tmp_path, monkeypatch):
    make(tmp_path / "run")

    def litter():
        for name in (".521-model.keras", ".a.txt.99", "identity.json", "epochs/history.csv"):
            path = tmp_path / "run" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("left")

    litter()
    assert make(tmp_path / "run", scratch="epochs").finished
    assert names(tmp_path / "run") == {"a.txt", "manifest.json"} and names(tmp_path) == {"run"}
    litter()
    with folders.locked(tmp_path / "run"):  # as another process that opens it again
        assert make_elsewhere(tmp_path / "run").returncode == 0
    assert (tmp_path / "run" / "identity.json").exists()


def make_elsewhere(path):
    """Find the result of IDENTITY in a process of its own."""
    script = "import sys; from tests.transfer.test_result_folder import make; from pathlib import "
    script += "Path; assert make(Path(sys.argv[1]), scratch='epochs').finished"
    return subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=False)


CONTENDER = """
import os, sys, time
from pathlib import Path
from transfer import result_folder as folders
folder = Path(sys.argv[1])
for turn in range(60):
    with folders.locked(folder / "run", lambda: None):
        os.mkdir(folder / "held")  # fails where two hold the lock
        time.sleep(0.002)
        os.rmdir(folder / "held")
print("done")
"""


def test_no_lock_is_left_and_no_two_processes_hold_one(tmp_path):
    command = [sys.executable, "-c", CONTENDER, str(tmp_path)]
    jobs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "123"]
    assert [job.communicate(timeout=100)[0] for job in jobs] == ["done\n"] * 3
    assert not names(tmp_path)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_git_shows_nothing_that_kill_9_leaves(tmp_path):
    """In a clone, with a result folder of any name; and the lock is in nobody's way."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    killed = start(tmp_path / "mine", 30)
    assert killed.stdout.readline() + killed.stdout.readline() == "begun with 1\nwriting\n"
    killed.kill()
    killed.wait()
    assert {".mine.lock", ".mine.partial"} <= names(tmp_path)
    status = ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, capture_output=True, check=True).stdout == b"?? .gitignore\n"
    assert start(tmp_path / "mine", 0).communicate(timeout=100)[0] == "begun with 2\nwriting\n"
    assert names(tmp_path) == {".git", ".gitignore", "mine"}


def test_a_refused_folder_has_no_lock(tmp_path):
    (tmp_path / ".run.partial").mkdir()
    (tmp_path / ".run.partial" / "a.txt").write_text("")
    with pytest.raises(InputError, match="no readable identity"):
        make(tmp_path / "run", worth="*.txt")
    assert names(tmp_path) == {".run.partial"}


def test_another_identity_does_not_wait_for_the_one_that_is_made(tmp_path):
    first = start(tmp_path / "run", 30)
    assert first.stdout.readline() + first.stdout.readline() == "begun with 1\nwriting\n"
    with pytest.raises(InputError, match=r"another process is making .*run with steps 3 \(now 4"):
        make(tmp_path / "run", {"steps": 4})
    assert make(tmp_path / "run", {"steps": 4}, beside=lambda _: tmp_path / "other").finished
    first.kill()
    first.wait()


def test_kill_9_leaves_what_the_next_run_goes_on_with(tmp_path):
    process = start(tmp_path / "run", 60)
    assert process.stdout.readline() + process.stdout.readline() == "begun with 1\nwriting\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run").exists()
    again = start(tmp_path / "run", 0)
    assert again.communicate(timeout=60)[0] == "begun with 2\nwriting\n"
    assert names(tmp_path / "run") == {"a.txt", "manifest.json"}


def test_second_process_waits_for_the_first_and_finds_its_result(tmp_path):
    first = start(tmp_path / "run", 1.5)
    assert first.stdout.readline() == "begun with 1\n"
    began = time.monotonic()
    second = start(tmp_path / "run", 0)
    assert second.stdout.readline().startswith("waiting: another process is writing")
    assert second.stdout.readline() == "finished\n"
    first.wait()
    assert time.monotonic() - began > 0.5
    second.wait()


def test_one_process_may_wait_and_open_again(tmp_path):
    """The lock that was waited for is the lock that reopening needs."""
    process = start(tmp_path / "run", 1.5)
    assert process.stdout.readline() == "begun with 1\n"
    with result_folder(tmp_path / "run", {"steps": 3}, worth="*.txt") as result:
        assert result.finished
        result.reopen()
    process.wait()
    assert names(tmp_path / "run") == {"a.txt", "manifest.json"}


def test_a_finished_result_is_found_on_a_read_only_disk(small_disk):
    make(small_disk / "run")
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    assert make(small_disk / "run").finished
    with pytest.raises(OSError, match="Read-only"):
        make(small_disk / "other")
    with pytest.raises(InputError, match=r"other cannot be written: Read-only"):
        folders.check_writable(small_disk / "deep" / "other")


def test_a_place_that_can_be_written_stays_as_it_was(tmp_path):
    folders.check_writable(tmp_path / "deep" / "run")
    assert not list(tmp_path.iterdir())


def test_leftovers_on_a_read_only_disk_are_left(small_disk):
    make(small_disk / "run")
    (small_disk / "run" / "identity.json").write_text("{}")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert make(small_disk / "run").finished


def test_a_file_is_no_place_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(InputError, match=r"cannot be a folder: .*file is a file"):
            folders.check_place(path)
    folders.check_place(tmp_path / "a" / "b")


def test_a_full_disk_leaves_no_result(small_disk):
    with (
        pytest.raises(OSError, match="No space left"),
        result_folder(small_disk / "run", IDENTITY) as result,
    ):
        folders.write_text(result.path / "a.txt", "x" * 3_000_000)
    assert not (small_disk / "run").exists()


def test_text_is_replaced_whole_on_a_full_disk(small_disk):
    path = small_disk / "history.csv"
    folders.write_text(path, "good")
    with pytest.raises(OSError, match="No space left"):
        folders.write_text(path, "x" * 3_000_000)
    assert path.read_text() == "good"
    assert [p.name for p in small_disk.iterdir()] == ["history.csv"]


def test_csv_of_a_frame(tmp_path):
    frame = pd.DataFrame(
        {"name": ['a "b", c', None, "\ud800é"], "value": [0.1, 1 / 3, float("nan")]}
    )
    folders.write_csv(tmp_path / "a.csv", frame)
    text = '\ufeffname,value\r\n"a ""b"", c",0.1\r\n,0.3333333333333333\r\n\\ud800é,\r\n'
    assert (tmp_path / "a.csv").read_bytes() == text.encode()
    folders.write_csv(tmp_path / "a.csv", frame[["value"]], missing="nan")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines == ["value", "0.1", "0.3333333333333333", "nan"]


FORMULAS = ["=cmd()", "+1", "-2", "@SUM(A1)", "\tx", "\rx", "'=1", "''-", "'@"]
HARMLESS = ["'s-Gravenhage", "'", "''", "a=b", " =1", "", "1+1", "é"]


def test_no_text_reaches_a_spreadsheet_as_a_formula(tmp_path):
    cells = FORMULAS + HARMLESS
    numbers = [-1.5 - number for number in range(len(cells))]
    mixed = [-1, "-1", None] + [""] * (len(cells) - 3)
    frame = pd.DataFrame({"=title": cells, "number": numbers, "mixed": mixed})
    folders.write_csv(tmp_path / "a.csv", frame)
    with open(tmp_path / "a.csv", encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=title", "number", "mixed"]
    assert [row[0] for row in rows] == [f"'{text}" for text in FORMULAS] + HARMLESS
    assert [float(row[1]) for row in rows] == numbers
    assert [row[2] for row in rows[:3]] == ["-1", "'-1", ""]
    read = folders.read_csv(tmp_path / "a.csv")
    assert read["=title"].tolist() == cells and read["mixed"].tolist()[:3] == ["-1", "-1", ""]
    assert [folders.unguarded(f"'{text}") for text in FORMULAS] == FORMULAS
    assert [folders.unguarded(text) for text in HARMLESS] == HARMLESS


# any text but surrogates, which UTF-8 cannot hold, and control characters
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n\r"))
HARD = st.text("'=+-@\t\r\n\",;a \ufeff")


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(
            st.lists(TEXT | HARD, min_size=width, max_size=width), min_size=1, max_size=4
        )
    )
)
def test_any_table_of_text_reads_back(rows):
    header, *cells = rows
    frame = pd.DataFrame(cells, columns=header, dtype=object)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        folders.write_csv(path, frame)
        read = folders.read_csv(path)
        plain = frame.to_csv(index=False, lineterminator="\r\n").encode()
        assert folders.csv_sha256(path) == hashlib.sha256(plain).hexdigest()
    assert [list(read.columns), *read.values.tolist()] == rows


@example("\x00\x1f\x7f\x85\x9b")
@given(st.text())
def test_control_characters_never_reach_a_csv(text):
    written = folders.csv_bytes(pd.DataFrame({"a": [text]}, dtype=object)).decode("utf-8-sig")
    assert not [c for c in written if unicodedata.category(c) == "Cc" and c not in "\t\r\n"]


def test_a_csv_of_an_earlier_version_is_read_as_it_is(tmp_path):
    (tmp_path / "a.csv").write_bytes("id,label\n'=1,é\n".encode())
    assert folders.read_csv(tmp_path / "a.csv").values.tolist() == [["'=1", "é"]]
    assert folders.csv_sha256(tmp_path / "a.csv") == folders.sha256(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"")
    assert folders.read_csv(tmp_path / "a.csv").empty
    for damaged in (b"a\n1,2,3\n", b"a\n\xff\n", b'a\n"1\n'):
        (tmp_path / "a.csv").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.csv: not a CSV file"):
            folders.read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["..", ".", "", "  ", ".hidden", "../.."])
def test_names_that_leave_the_folder(text):
    with pytest.raises(InputError):
        folders.safe_name(text)


def test_names_that_need_mending():
    assert folders.safe_name("type/genre\n") == "type_genre"
    assert folders.safe_name("Naïve (Primitivism), “x”") == "Naïve (Primitivism), “x”"
    assert os.sep not in folders.safe_name("a/b\\c\0d")


def test_damaged_json_is_named(tmp_path):
    folders.write_json(tmp_path / "m.json", {"csv": tmp_path})
    assert folders.read_json(tmp_path / "m.json") == {"csv": str(tmp_path)}
    (tmp_path / "m.json").write_text('{"seed": ')
    with pytest.raises(InputError, match=r"m\.json"):
        folders.read_json(tmp_path / "m.json")


def test_sha256_of_known_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert folders.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_sha256_of_all_is_of_the_content(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (tmp_path / name for name in "abc")
    assert folders.sha256_of_all([a, b]) == folders.sha256_of_all([b, c])
    assert folders.sha256_of_all([a, b]) != folders.sha256_of_all([a])


def test_digest_of_a_text_is_that_of_a_file_of_it(write_file):
    """The published example of FIPS 180-2."""
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert folders.sha256_of_text("abc") == known
    assert folders.sha256(write_file(b"abc")) == known
