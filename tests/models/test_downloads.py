"""Weights in Keras's cache, from a folder in place of a server, or one that answers in pieces."""

import threading
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from models import backend, downloads, weights
from models.errors import InputError

WHOLE = b"all of the weights"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "net.h5").write_bytes(WHOLE)
    return tmp_path / "server"


def check(path):
    if path.read_bytes() != WHOLE:
        raise InputError(f"{path} is cut")


def fetch(server):
    return downloads.fetch("net.h5", (server / "net.h5").as_uri(), "models", check)


def in_a_thread(action):
    """Start a function; returns (the thread, a list that will hold what it returned or raised)."""
    made = []

    def run():
        try:
            made.append(action())
        except Exception as error:
            made.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, made


def names(cache):
    return [path.name for path in cache.iterdir()]


def test_it_is_downloaded_once(cache, server):
    path = fetch(server)
    assert path == cache / "net.h5" and path.read_bytes() == WHOLE
    assert names(cache) == ["net.h5"]
    (server / "net.h5").unlink()
    assert fetch(server) == path


@pytest.mark.parametrize("name", ["net.h5", "net.h5.part"])
def test_what_a_killed_process_left_is_not_taken_for_the_file(name, cache, server):
    cache.mkdir(parents=True)
    (cache / name).write_bytes(WHOLE[:5])
    assert fetch(server).read_bytes() == WHOLE
    assert names(cache) == ["net.h5"]


def test_a_damaged_file_that_cannot_be_replaced_is_named(cache, server):
    cache.mkdir(parents=True)
    (cache / "net.h5").write_bytes(b"cut")
    (server / "net.h5").unlink()
    says = f"{cache}/net.h5 is damaged and could not be downloaded again .*it may be deleted"
    with pytest.raises(InputError, match=says):
        fetch(server)
    (cache / "net.h5").unlink()
    with pytest.raises(Exception, match="net.h5"):
        fetch(server)


def test_an_error_page_is_not_kept(cache, server):
    (server / "net.h5").write_bytes(b"an error page")
    with pytest.raises(InputError, match="is cut"):
        fetch(server)
    assert names(cache) == []


def test_a_second_process_waits_for_the_whole_file(cache, server, monkeypatch, capsys):
    begun, on = threading.Event(), threading.Event()
    times = []

    def in_pieces(name, _, cache_subdir, force_download):
        times.append(name)
        with open(f"{cache_subdir}/{name}", "wb") as file:
            file.write(WHOLE[:5])
            file.flush()
            begun.set()
            on.wait(120)
            file.write(WHOLE[5:])

    monkeypatch.setattr(keras.utils, "get_file", in_pieces)
    cache.mkdir(parents=True)
    first, one = in_a_thread(lambda: fetch(server))
    assert begun.wait(20)
    second, other = in_a_thread(lambda: fetch(server))
    said = ""
    while "waiting: another process" not in said and second.is_alive():
        second.join(0.05)
        said += capsys.readouterr().err
    assert second.is_alive() and "waiting: another process" in said
    on.set()
    first.join(20), second.join(20)
    assert one == other == [cache / "net.h5"] and len(times) == 1
    assert (cache / "net.h5").read_bytes() == WHOLE


def test_a_folder_that_cannot_be_written_is_replaced_as_keras_does(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(downloads.os, "access", lambda *_: False)
    monkeypatch.setattr(downloads.os.path, "isdir", lambda _: False)
    monkeypatch.setattr(downloads.tempfile, "gettempdir", lambda: str(tmp_path))
    assert downloads._cache() == tmp_path / ".keras"


def test_networks_of_keras_wait_for_one_another_and_name_a_cut_file(cache):
    def cut(**_):
        raise OSError("truncated file")

    model = SimpleNamespace(output=np.zeros((1, 1000)))
    spec = SimpleNamespace(construct=lambda **given: given, architecture="VGG16")
    lock = downloads._alone(downloads._cache())
    with lock:
        thread, made = in_a_thread(lambda: weights._imagenet(model, spec, 224))
        thread.join(0.5)
        assert thread.is_alive() and not made
    thread.join(20)
    assert made == [{"weights": "imagenet"}]
    spec.construct = cut
    with pytest.raises(InputError, match="one that was cut lies there and may be deleted"):
        weights._imagenet(model, spec, 224)


def test_processes_that_build_together_do_not_wait_for_one_another(cache, monkeypatch):
    monkeypatch.setattr(backend, "process_count", lambda: 2)
    with downloads._alone(downloads._cache()), downloads.one_process():
        pass
