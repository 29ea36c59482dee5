"""One pass of pictures through networks, into memory or onto a disk, resumed."""

import io
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import backend, zoo
from models.errors import InputError
from transfer import inference
from transfer.progress import Progress

KILLED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from transfer import inference

folder = Path(sys.argv[1])
pictures = np.arange(40, dtype="float32").reshape(20, 2)
calls = 0

def function(indices):
    global calls
    calls += 1
    if calls == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"a": pictures[indices], "b": (pictures[indices] ** 2).sum(axis=1)}

paths = {"a": folder / "a.npy", "b": folder / "b.npy"}
inference.collect(
    function, inference.in_memory(20, 3), inference.OnDisk(paths, folder / "numbers.npy")
)
"""
PICTURES = np.arange(40, dtype="float32").reshape(20, 2)


class Store:
    """A store of pictures that are numbers, which may lose some."""

    def __init__(self, count, lost=0):
        self.labels = {"test": np.zeros(count, "int32")}
        self.pictures = np.arange(count - lost, dtype="float32")

    def dataset(self, split, size, batch_size, first=0, part=None):
        for start in range(first, len(self.pictures), batch_size):
            yield self.pictures[start : start + batch_size], None


def on_disk(folder):
    paths = {"a": folder / "a.npy", "b": folder / "b.npy"}
    return inference.OnDisk(paths, folder / "numbers.npy")


def outputs(indices):
    return {"a": PICTURES[indices], "b": (PICTURES[indices] ** 2).sum(axis=1)}


@pytest.mark.parametrize("batch_size", [1, 3, 20, 50])
def test_every_batch_is_of_one_size_and_every_picture_comes_once(batch_size):
    sizes = set()

    def function(indices):
        sizes.add(len(indices))
        return PICTURES[indices], indices

    values, indices = inference.collect(function, inference.in_memory(20, batch_size))
    np.testing.assert_array_equal(values, PICTURES)
    assert indices.tolist() == list(range(20)) and sizes == {min(batch_size, 20)}


def test_one_array_stays_one_array_and_other_nests_what_they_are():
    assert inference.collect(lambda i: i * 2, inference.in_memory(5, 2)).tolist() == [0, 2, 4, 6, 8]
    both = inference.collect(
        lambda i: {"first": {"x": i}, "second": (i, -i)}, inference.in_memory(3, 2)
    )
    assert both["first"]["x"].tolist() == [0, 1, 2] and both["second"][1].tolist() == [0, -1, -2]


def test_a_store_gives_every_picture_once_its_last_batch_partial():
    sizes = []
    scores = inference.collect(
        lambda x: sizes.append(len(x)) or x + 1, inference.stored(Store(7), "test", 8, 3)
    )
    assert scores.tolist() == [1, 2, 3, 4, 5, 6, 7] and sizes == [3, 3, 1]
    with pytest.raises(RuntimeError, match="6 of 7 pictures"):
        inference.collect(lambda x: x, inference.stored(Store(7, lost=1), "test", 8, 3))


def read(path):
    if "bad" in path.name:
        raise InputError(f"picture {path}: broken")
    return np.full((2, 2, 3), int(path.stem), "float32")


def test_files_that_cannot_be_read_are_said_and_left_out():
    paths = [Path(name) for name in ("0.png", "bad1.png", "2.png", "3.png", "bad4.png")]
    said, collector = [], inference.InMemory()
    means = inference.collect(
        lambda x: x.mean(axis=(1, 2, 3)), inference.files(paths, read, 2, said.append), collector
    )
    assert means.tolist() == [0, 2, 3] and collector.numbers.tolist() == [0, 2, 3]
    assert said == ["left out: picture bad1.png: broken", "left out: picture bad4.png: broken"]
    with pytest.raises(InputError, match=r"none of 1 pictures can be read, the first is bad1\.png"):
        inference.collect(lambda x: x, inference.files(paths[1:2], read, 2, said.append))
    assert list(inference.files(paths[1:2], read, 2, said.append, least=0)(0)) == []


def test_at_most_a_batch_of_files_is_read_ahead_and_all_come_in_order():
    begun, size, count = [threading.Event() for _ in range(9)], 2, 9

    def note(path):
        number = int(path.stem)
        begun[number].set()
        return np.full((1, 1, 3), number, np.uint8)

    source = inference.files([Path(f"{n}.png") for n in range(count)], note, size)(0)
    for expected in range(0, count, size):
        numbers, pictures = next(source)
        assert numbers.tolist() == list(range(expected, min(expected + size, count)))
        assert pictures[:, 0, 0, 0].tolist() == numbers.tolist()
        ahead = slice(expected + size, expected + 2 * size)  # read though nobody asked for them yet
        assert all(event.wait(timeout=60) for event in begun[ahead])
        assert not any(event.is_set() for event in begun[ahead.stop :])
    assert next(source, None) is None


def test_what_nobody_wants_is_not_read():
    read_paths = []

    def note(path):
        read_paths.append(path)
        return np.zeros((1, 1, 3))

    source = inference.files([Path(f"{n}.png") for n in range(1000)], note, 4)(0)
    next(source)
    source.close()
    assert len(read_paths) <= 8


def test_files_go_on_behind_the_last_that_was_collected(tmp_path):
    paths = [Path(name) for name in ("0.png", "bad1.png", "2.png", "3.png", "4.png")]
    files = [tmp_path / "values.npy", tmp_path / "numbers.npy"]
    asked = []

    def once(x):
        asked.append(x[:, 0, 0, 0].tolist())
        if len(asked) == 2:
            raise ZeroDivisionError
        return x.mean(axis=(1, 2, 3))

    for _ in range(2):
        try:
            found = inference.collect(
                once, inference.files(paths, read, 2, lambda line: None), inference.OnDisk(*files)
            )
        except ZeroDivisionError:
            assert len(np.load(files[0])) == 0  # unfinished
    # a batch ends at a multiple of its size, whatever cannot be read
    assert asked == [[0], [2, 3], [2, 3], [4]] and found.tolist() == [0, 2, 3, 4]
    assert np.load(files[1]).tolist() == [0, 2, 3, 4]


def test_on_disk_is_as_in_memory(tmp_path):
    whole = inference.collect(outputs, inference.in_memory(20, 3), on_disk(tmp_path))
    for name, array in outputs(np.arange(20)).items():
        assert isinstance(whole[name], np.memmap) and whole[name].dtype == np.float32
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), array)
    again = inference.collect(None, inference.in_memory(20, 3), on_disk(tmp_path))
    np.testing.assert_array_equal(again["a"], PICTURES)


def test_after_kill_9_the_pass_goes_on_where_it_was(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    asked = []

    def function(indices):
        asked.append(indices.tolist())
        return outputs(indices)

    whole = inference.collect(function, inference.in_memory(20, 3), on_disk(tmp_path))
    assert asked[0] == [9, 10, 11] and len(asked) == 4
    for name, array in outputs(np.arange(20)).items():
        np.testing.assert_array_equal(whole[name], array)


@pytest.mark.parametrize("torn", ["a.npy", "b.npy", "numbers.npy"])
@pytest.mark.parametrize("left", [10, 131, 150])
def test_torn_files_are_cut_to_whole_rows(tmp_path, torn, left):
    """Cut within the header, or within a row: what is whole in all files is kept."""
    collector = on_disk(tmp_path)
    for numbers, indices in inference.in_memory(9, 3)(0):
        collector.add(numbers, outputs(indices))
    with open(tmp_path / torn, "r+b") as file:
        file.truncate(left)
    again = on_disk(tmp_path)
    whole = inference.collect(outputs, inference.in_memory(20, 3), again)
    assert again.numbers.tolist() == list(range(20))
    np.testing.assert_array_equal(whole["a"], PICTURES)
    np.testing.assert_array_equal(whole["b"], outputs(np.arange(20))["b"])


def test_a_full_disk_raises_and_the_pass_goes_on_when_there_is_room(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_500_000)
    wide = np.random.default_rng(0).random((20, 10_000), "float32")
    files = small_disk / "wide.npy", small_disk / "numbers.npy"
    source = inference.in_memory(20, 3)
    with pytest.raises(OSError, match="No space left"):
        inference.collect(lambda i: wide[i], source, inference.OnDisk(*files))
    ballast.unlink()
    asked = []
    whole = inference.collect(
        lambda i: asked.append(i[0]) or wide[i], source, inference.OnDisk(*files)
    )
    assert asked[0] > 0 and np.array_equal(whole, wide)


def test_progress_counts_what_was_done_before(tmp_path):
    collector = on_disk(tmp_path)
    for numbers, indices in list(inference.in_memory(20, 5)(0))[:2]:
        collector.add(numbers, outputs(indices))
    out = io.StringIO()
    progress = Progress(20, "pictures", out=out, clock=lambda: 0.0)
    inference.collect(outputs, inference.in_memory(20, 5), on_disk(tmp_path), progress)
    lines = [line.partition(",")[0] for line in out.getvalue().splitlines()]
    assert lines == ["pictures: 10 of 20", "pictures: 15 of 20", "pictures: 20 of 20"]


def test_what_the_user_can_do_something_about_is_one_line():
    memory = "out of memory with batch_size 7 and pictures of 9 pixels"
    with pytest.raises(InputError, match=memory), inference.explained(7, 9):
        raise MemoryError("no room")
    store = SimpleNamespace(damaged=lambda: "picture 3 cannot be decoded")
    with pytest.raises(InputError, match="picture 3 cannot"), inference.explained(7, 9, store):
        raise tf.errors.InvalidArgumentError(None, None, "bad JPEG")


@pytest.mark.parametrize("store", [None, SimpleNamespace(damaged=lambda: None)])
def test_other_faults_pass_as_they_are(store):
    with pytest.raises(tf.errors.InvalidArgumentError), inference.explained(7, 9, store):
        raise tf.errors.InvalidArgumentError(None, None, "bad JPEG")
    with pytest.raises(KeyError), inference.explained(7, 9, store):
        raise KeyError("x")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_networks_take_whole_numbers_as_floats(policy, tmp_path):
    """uint8 of the pipeline, in every way that this project runs a network."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        own = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
        keras.Sequential([own[0], keras.layers.Conv2D(2, 3), *own[1:]]).save(tmp_path / "own.keras")
        for spec in ("MobileNet(alpha=0.25)", str(tmp_path / "own.keras")):
            model = zoo.build(spec, 3, 32)
            for run in (model.predict_on_batch, backend.forward(model)):
                np.testing.assert_array_equal(run(pixels), run(pixels.astype("float32")))
            scores, gradient = backend.input_gradient(model)(pixels, [0, 1])
            floats = backend.input_gradient(model)(pixels.astype("float32"), [0, 1])
            np.testing.assert_array_equal(gradient, floats[1])
            np.testing.assert_array_equal(scores, floats[0])
    finally:
        keras.mixed_precision.set_global_policy(before)


def small_memory(most, sizes):
    """A function of pictures with room for `most` of them; notes the sizes that it was asked."""

    def function(pictures):
        sizes.append(len(pictures))
        if len(pictures) > most:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")
        return {"a": pictures * 2, "b": pictures.sum(axis=1)}

    return function


def test_out_of_memory_is_answered_by_half_the_pictures_from_then_on(capsys):
    sizes = []
    pictures = PICTURES[:7]
    run = inference.halved(small_memory(3, sizes))
    for _ in range(2):
        found = run(pictures)
        np.testing.assert_array_equal(found["a"], pictures * 2)
        np.testing.assert_array_equal(found["b"], pictures.sum(axis=1))
    assert sizes == [7, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    assert capsys.readouterr().out == (
        "out of memory: going on with 4 pictures at a time\n"
        "out of memory: going on with 2 pictures at a time\n"
    )


@pytest.mark.parametrize(("most", "error"), [(0, "RESOURCE"), (9, "shapes differ")])
def test_no_room_for_one_picture_and_other_errors_are_raised(most, error):
    def wrong(pictures):
        raise ValueError("shapes differ")

    run = inference.halved(wrong if most else small_memory(most, []), say=lambda line: None)
    with pytest.raises((RuntimeError, ValueError), match=error):
        run(PICTURES)


def test_one_of_several_processes_takes_no_smaller_pieces(monkeypatch):
    monkeypatch.setattr(backend, "is_joined", lambda pictures: True)
    sizes = []
    with pytest.raises(RuntimeError, match="RESOURCE"):
        inference.halved(small_memory(3, sizes))(PICTURES[:7])
    assert sizes == [7]


def test_a_pass_goes_on_where_memory_ran_out():
    progress = Progress(20, "pictures", out=io.StringIO())
    function = small_memory(2, [])
    batches = inference.in_memory(20, 8)
    found = inference.collect(lambda i: function(PICTURES[i]), batches, progress=progress)
    np.testing.assert_array_equal(found["a"], PICTURES * 2)
    assert "out of memory: going on with 2 pictures at a time\n" in progress.out.getvalue()


@pytest.mark.parametrize(
    ("device", "free", "count"),
    [
        ("CPU, 2 cores (jax)", 10**9, 32),
        ("GPU NVIDIA H100 (jax)", 10**9, 256),
        ("GPU NVIDIA H100 (jax)", 2 * 4 * 15 * 100, 64),  # half of it holds 100
        ("CPU, 2 cores (jax)", 0, 1),
        ("GPU NVIDIA H100 (jax)", None, 32),
    ],
)
def test_pictures_at_a_time_are_a_power_of_two_that_fits(device, free, count, monkeypatch):
    monkeypatch.setattr(backend, "device_name", lambda: device)
    monkeypatch.setattr(backend, "free_memory", lambda: free)
    inputs = keras.Input((2, 2, 3))  # 12 numbers a picture, and 3 more
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    assert inference.pictures_at_a_time(model) == count


def test_a_network_inside_may_leave_its_size_open(monkeypatch):
    monkeypatch.setattr(backend, "device_name", lambda: "GPU NVIDIA H100 (jax)")
    monkeypatch.setattr(backend, "free_memory", lambda: 2 * 4 * 27 * 100)  # half of it holds 100
    inputs = keras.Input((None, None, 3))
    trunk = keras.Model(inputs, keras.layers.ReLU()(inputs))
    pictures = keras.Input((2, 2, 3))  # 12 numbers a picture, 12 of the ReLU, and 3 more
    model = keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(trunk(pictures)))
    assert inference.pictures_at_a_time(model) == 64


def test_a_network_of_any_size_is_given_as_many_pictures_as_a_cpu(monkeypatch):
    monkeypatch.setattr(backend, "device_name", lambda: "GPU NVIDIA H100 (jax)")
    monkeypatch.setattr(backend, "free_memory", lambda: 10**12)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    assert inference.pictures_at_a_time(model) == 32
