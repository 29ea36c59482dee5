"""Peers installed once and run as processes: peers of a few lines of Python."""

import sys

import pytest

from benchmarks import peer_process
from benchmarks.peer_process import Driver, Peer


@pytest.fixture
def driver(tmp_path, driver_code):
    """Return driver(batch): a Driver that logs into tmp_path."""

    def driver(batch):
        command = [sys.executable, "-c", driver_code, "128", str(batch)]
        return Driver(command, tmp_path / "log.txt")

    return driver


def test_a_driver_makes_the_steps_asked_for(tmp_path, driver):
    process = driver(2)
    try:
        assert 0.02 <= process.seconds(1) < process.seconds(15) < 3
        assert "not an answer 128" in (tmp_path / "log.txt").read_text()
    finally:
        process.close()
    assert process.process.poll() is not None


def test_a_driver_that_fails_says_why(driver):
    with pytest.raises(ChildProcessError, match="ValueError: thirteen is refused"):
        driver(13)


def test_a_driver_that_ended_between_two_requests_is_an_error(driver):
    process = driver(1)
    process.close()
    with pytest.raises((ChildProcessError, ValueError)):
        process.seconds(1)


def test_a_driver_that_never_answers_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(peer_process, "ANSWERING", 0.3)
    with pytest.raises(ChildProcessError, match="ended without a word"):
        Driver([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log.txt")


def test_installing_is_done_once_and_borrows_the_running_packages(tmp_path, monkeypatch, capsys):
    peer, calls = Peer("fake", ("fake==1", "other"), 4), []
    monkeypatch.setattr(
        peer_process.subprocess, "run", lambda command, **_: calls.append(command[5:])
    )
    python = peer_process.install(peer, tmp_path)
    assert peer_process.install(peer, tmp_path) == python and python.is_file()
    assert calls == [["install", "--quiet", "--no-deps", "fake==1", "other"]]
    (borrowed,) = tmp_path.glob("fake/lib/*/site-packages/running.pth")
    assert borrowed.read_text().strip() in [str(path) for path in sys.path]
    assert capsys.readouterr().out == f"fake: installing into {tmp_path / 'fake'}\n"
    peer_process.install(Peer("fake", ("fake==2",), 4), tmp_path)  # another version: made anew
    assert calls[1:] == [["install", "--quiet", "--no-deps", "fake==2"]]


def test_an_installation_that_fails_says_why_and_is_tried_again(tmp_path, monkeypatch):
    def run(command, **_):
        raise peer_process.subprocess.CalledProcessError(1, command, stderr="a\nno version\n\n")

    monkeypatch.setattr(peer_process.subprocess, "run", run)
    for _ in range(2):
        with pytest.raises(ChildProcessError, match="^no version$"):
            peer_process.install(Peer("fake", ("fake==1",), 4), tmp_path)
