import json
import os
import signal
import subprocess
import sys
import time

import pytest

from models.command import exit_code
from models.errors import InputError
from transfer import folders

WRITER = """
import sys, time
from transfer import folders
with folders.locked(sys.argv[1], say=lambda text: print(text, flush=True)):
    print("locked", flush=True)
    with folders.whole(sys.argv[1]) as partial:
        folders.write_text(partial / "a.txt", "half")
        print("writing", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def start(path, seconds):
    command = [sys.executable, "-c", WRITER, str(path), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_folder_is_whole_or_absent(tmp_path):
    with folders.whole(tmp_path / "run") as partial:
        folders.write_text(partial / "a.txt", "é")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "a.txt").read_text(encoding="utf-8") == "é"
    with pytest.raises(ZeroDivisionError), folders.whole(tmp_path / "other") as partial:
        folders.write_text(partial / "a.txt", "half")
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_resumed_folder_keeps_what_was_there(tmp_path):
    with pytest.raises(ZeroDivisionError), folders.whole(tmp_path / "run", resume=True) as partial:
        folders.write_text(partial / "epoch1", "done")
        raise ZeroDivisionError
    assert not (tmp_path / "run").exists()
    with folders.whole(tmp_path / "run", resume=True) as partial:
        assert (partial / "epoch1").read_text() == "done"
    assert (tmp_path / "run" / "epoch1").exists()


def test_resumed_folder_loses_what_a_killed_write_left(tmp_path):
    inner = tmp_path / ".run.partial" / "inner"
    inner.mkdir(parents=True)
    for name in (".a.png.123", "a.123", ".hidden"):
        (inner / name).write_text("")
    with folders.whole(tmp_path / "run", resume=True):
        pass
    assert {path.name for path in (tmp_path / "run" / "inner").iterdir()} == {"a.123", ".hidden"}


def test_kill_9_leaves_no_folder_and_no_lock(tmp_path):
    process = start(tmp_path / "run", 60)
    assert process.stdout.readline() + process.stdout.readline() == "locked\nwriting\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run").exists()
    again = start(tmp_path / "run", 0)
    assert again.communicate(timeout=60)[0] == "locked\nwriting\n"
    assert (tmp_path / "run" / "a.txt").exists()


def test_second_process_waits_for_the_first(tmp_path):
    first = start(tmp_path / "run", 1.5)
    assert first.stdout.readline() == "locked\n"
    began = time.monotonic()
    second = start(tmp_path / "run", 0)
    assert second.stdout.readline().startswith("waiting: another process is writing")
    assert second.stdout.readline() == "locked\n"
    first.wait()
    assert time.monotonic() - began > 0.5
    second.wait()


def test_text_is_replaced_whole_on_a_full_disk(tmp_path, small_disk):
    path = small_disk / "history.csv"
    folders.write_text(path, "good")
    with pytest.raises(OSError, match="No space left"):
        folders.write_text(path, "x" * 3_000_000)
    assert path.read_text() == "good"
    assert [p.name for p in small_disk.iterdir()] == ["history.csv"]


@pytest.mark.parametrize("text", ["..", ".", "", "  ", ".hidden", "../.."])
def test_names_that_leave_the_folder(text):
    with pytest.raises(InputError):
        folders.safe_name(text)


def test_names_that_need_mending():
    assert folders.safe_name("type/genre\n") == "type_genre"
    assert folders.safe_name("Naïve (Primitivism), “x”") == "Naïve (Primitivism), “x”"
    assert os.sep not in folders.safe_name("a/b\\c\0d")


def test_manifest_is_json(tmp_path):
    folders.write_json(tmp_path / "m.json", folders.manifest(seed=1, csv=tmp_path))
    read = folders.read_json(tmp_path / "m.json")
    assert read["seed"] == 1 and "keras" in read["versions"] and read["command"]
    (tmp_path / "m.json").write_text('{"seed": ')
    with pytest.raises(InputError, match=r"m\.json"):
        folders.read_json(tmp_path / "m.json")


def test_sha256_of_known_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert folders.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("no\nfile"), 2), (OSError(28, "No space left"), 2)]
)
def test_exit_code_of_a_users_mistake(capsys, error, code):
    @exit_code
    def main(argv):
        raise error

    assert main([]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_exit_code_leaves_our_faults_alone():
    @exit_code
    def main(argv):
        json.loads("{")  # a ValueError that no user caused

    with pytest.raises(ValueError, match="property name"):
        main([])


def test_sha256_of_all_is_of_the_content(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (tmp_path / name for name in "abc")
    assert folders.sha256_of_all([a, b]) == folders.sha256_of_all([b, c])
    assert folders.sha256_of_all([a, b]) != folders.sha256_of_all([a])
