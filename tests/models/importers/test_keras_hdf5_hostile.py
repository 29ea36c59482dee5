"""Files that are damaged or made to harm: one InputError each."""

import resource

import h5py
import numpy as np
import pytest

from models.errors import InputError
from models.importers import keras_hdf5
from tests.models.importers import keras2_files


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.h5"
    return keras2_files.write(path, keras2_files.small_layers())


@pytest.fixture(scope="module")
def network():
    return keras2_files.small_network()


def changed(path, change):
    with h5py.File(path, "a") as file:
        change(file)
    return path


def replace(kernel):
    """A change: `kernel(group)` makes another dense_1/kernel:0 in its group."""

    def change(file):
        group = file["dense_1/dense_1"]
        del group["kernel:0"]
        kernel(group)

    return change


def never_written(group, layout):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if layout == "chunked":
        made.set_chunk((1024, 1024))
    space = h5py.h5s.create_simple((1 << 20, 1 << 20))
    h5py.h5d.create(group.id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, made)


def elsewhere(group):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_external(b"/etc/passwd", 0, 48)
    space = h5py.h5s.create_simple((4, 3))
    h5py.h5d.create(group.id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, made)


def virtual(group):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4, 3), "f4")
    group.create_virtual_dataset("kernel:0", layout)


def shared_arrays(file):
    """One array under many names: 600 times 4 KB out of a file of some 50 KB."""
    group = file.create_group("many")
    first = group.create_dataset("w0", data=np.zeros(1000, "f4"))
    for number in range(1, 600):
        group[f"w{number}"] = first
    group.attrs["weight_names"] = np.array([f"w{n}".encode() for n in range(600)])
    file.attrs["layer_names"] = np.array([b"many"])


def cyclic(file):
    file["loop"] = file["/"]
    file.attrs["layer_names"] = np.array([b"/".join([b"loop"] * 5000)])


def names_of(value):
    def change(file):
        file.attrs["layer_names"] = value

    return change


NAMES = [name.encode() for name, _ in keras2_files.small_layers()]
HOSTILE = {
    "soft link": (
        replace(lambda g: g.__setitem__("kernel:0", h5py.SoftLink("/conv1/conv1/bias:0"))),
        "not followed",
    ),
    "external link": (
        replace(lambda g: g.__setitem__("kernel:0", h5py.ExternalLink("/tmp/other.h5", "/x"))),
        "not followed",
    ),
    "external storage": (replace(elsewhere), "not stored in one piece"),
    "virtual": (replace(virtual), "not stored in one piece"),
    "empty chunks": (replace(lambda g: never_written(g, "chunked")), "not stored in one piece"),
    "never written": (replace(lambda g: never_written(g, "whole")), "claims the shape"),
    "compressed": (
        replace(lambda g: g.create_dataset("kernel:0", data=np.zeros((4, 3)), compression="gzip")),
        "not stored in one piece",
    ),
    "text": (replace(lambda g: g.create_dataset("kernel:0", data=b"x")), "not float16"),
    "group": (replace(lambda g: g.create_group("kernel:0")), "not a dataset"),
    "no kernel": (replace(lambda g: None), "there is no"),
    "shared arrays": (shared_arrays, "claim more"),
    "cyclic group": (cyclic, "weight_names"),
    "empty name": (names_of(np.array([b"", b"conv1"])), "there is no"),
    "dots": (names_of(np.array([b"./conv1"])), "there is no"),
    "root": (names_of(np.array([b"/conv1"])), "there is no"),
    "twice": (names_of(np.array([*NAMES, b"conv1"])), "same name"),
    "numbers": (names_of(np.arange(3)), "fixed-length"),
    "one name": (names_of(np.bytes_(b"conv1")), "not a list"),
    "variable length": (names_of(["conv1", "dense_1"]), "fixed-length"),
    "latin 1": (names_of(np.array([b"conv\xff"])), "utf-8"),
    "no names": (lambda file: file.attrs.__delitem__("layer_names"), "layer_names"),
    "theano": (lambda file: file.attrs.__setitem__("backend", b"theano"), "Theano"),
    "theano, fixed": (
        lambda file: file.attrs.__setitem__("backend", np.bytes_(b"theano")),
        "Theano",
    ),
    "backend": (lambda file: file.attrs.__setitem__("backend", 3), "not a string"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_one_error(case, good, network, tmp_path):
    change, message = HOSTILE[case]
    path = tmp_path / "hostile.h5"
    path.write_bytes(good.read_bytes())
    keras_hdf5.load(path, network)  # it is good before the change
    before = [np.array(w) for w in network.weights]
    changed(path, change)
    with pytest.raises(InputError, match=message) as caught:
        keras_hdf5.load(path, network)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n", b"PK\3\4" + bytes(100), bytes(9999)])
def test_another_format_is_an_error(data, tmp_path):
    path = tmp_path / "other.h5"
    path.write_bytes(data)
    for function in (keras_hdf5.read, keras_hdf5.classes, keras_hdf5.layers):
        with pytest.raises(InputError, match="not a readable HDF5 file"):
            function(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no weights file"):
        keras_hdf5.read(tmp_path / "absent.h5")


@pytest.mark.parametrize("size", [0, 1 << 63, (1 << 64) - 16, (1 << 64) - 1])
def test_a_heap_that_makes_the_library_loop_is_refused(size, good, tmp_path):
    """HDF5 1.14.6 never returns from such heaps: object 0 of size 0, sizes that wrap around."""
    data = bytearray(good.read_bytes())
    heap = data.find(b"GCOL\x01")
    assert heap > 0 and data[heap + 16] == 1  # the first object: the name of the backend
    if size == 0:
        data[heap + 16 : heap + 18] = bytes(2)
    data[heap + 24 : heap + 32] = size.to_bytes(8, "little")
    path = tmp_path / "loop.h5"
    path.write_bytes(data)
    with pytest.raises(InputError, match="heap"):
        keras_hdf5.read(path)


def test_a_string_is_not_allocated_as_long_as_it_claims(good, tmp_path):
    """HDF5 1.14.6 would fill 4 GB before it looks at the heap; only the heap itself is read."""
    data = bytearray(good.read_bytes())
    claim = len(b"tensorflow").to_bytes(4, "little") + data.find(b"GCOL\x01").to_bytes(8, "little")
    at = data.find(claim)
    assert at > 0
    data[at : at + 4] = b"\xff" * 4
    path = tmp_path / "long.h5"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(keras_hdf5.read(path)) == 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB


@pytest.mark.parametrize(
    ("at", "value"), [(48, 96), (40, 1 << 40), (24, 8), (13, 0x0404), (8, 9)], ids=str
)
def test_a_superblock_that_claims_what_is_not_there_is_refused(at, value, good, tmp_path):
    """A driver block, a later end, another base, short addresses, an unknown version."""
    data = bytearray(good.read_bytes())
    assert data[8] == 0, "the addresses above are those of version 0"
    width = {13: 2, 8: 1}.get(at, 8)
    data[at : at + width] = value.to_bytes(width, "little")
    path = tmp_path / "superblock.h5"
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a readable HDF5 file: (it|unknown version)"):
        keras_hdf5.read(path)
