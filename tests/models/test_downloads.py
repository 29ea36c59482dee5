"""Weights in Keras's cache, from a folder in place of a server, or one that answers in pieces."""

import hashlib
import importlib
import threading

import keras
import numpy as np
import pytest

from models import downloads, zoo
from models.errors import InputError

SMALL = "MobileNet(alpha=0.25)"
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
            on.wait(20)
            file.write(WHOLE[5:])

    monkeypatch.setattr(keras.utils, "get_file", in_pieces)
    cache.mkdir(parents=True)
    first, one = in_a_thread(lambda: fetch(server))
    assert begun.wait(20)
    second, other = in_a_thread(lambda: fetch(server))
    second.join(0.5)
    assert second.is_alive() and "waiting: another process" in capsys.readouterr().err
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


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_file_is_told_by_the_hash_that_keras_knows(kind, tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save(tmp_path / "net.h5")
    digest = hashlib.new(kind, (tmp_path / "net.h5").read_bytes()).hexdigest()
    downloads._check(tmp_path / "net.h5", digest)
    with pytest.raises(InputError, match=f"is another file: its {kind} is not 0"):
        downloads._check(tmp_path / "net.h5", "0" * len(digest))


def test_a_cut_file_of_imagenets_is_downloaded_again(cache, tmp_path, monkeypatch):
    name = "mobilenet_2_5_128_tf_no_top.h5"
    shape = {"alpha": 0.25, "weights": None, "input_shape": (128, 128, 3), "include_top": False}
    source = keras.applications.MobileNet(**shape)
    source.save(tmp_path / name)
    module = "keras.src.applications.mobilenet"
    monkeypatch.setattr(f"{module}.BASE_WEIGHT_PATH", f"{tmp_path.as_uri()}/")
    before = keras.utils.get_file
    cache.mkdir(parents=True)
    (cache / name).write_bytes((tmp_path / name).read_bytes()[:100_000])
    model = zoo.build(f"{SMALL}:imagenet", 2, 128)
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)
    assert names(cache) == [name]
    assert importlib.import_module(module).file_utils.get_file is before
    (cache / name).write_bytes(b"cut")
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name} is damaged and could not be downloaded again"):
        zoo.build(f"{SMALL}:imagenet", 2, 128)
