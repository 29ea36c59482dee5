"""HDF5 files read within bounds: strings of variable length; files damaged or made to harm."""

import faulthandler
import io
import os
import re
import resource
import struct
import sys
import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.importers import hdf5, keras_hdf5
from tests.models.importers import keras2_files

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.h5"
    return keras2_files.write(path, keras2_files.small_layers())


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


@pytest.fixture(scope="module")
def variable(tmp_path_factory):
    path = tmp_path_factory.mktemp("variable") / "variable.h5"
    return keras2_files.write(path, keras2_files.small_layers(), variable=True)


def heaps(data):
    """Addresses of a file's string heaps."""
    return [found.start() for found in re.finditer(b"GCOL\x01", data)]


def references(data):
    """Places of the references to strings in a file: length, address, number."""
    addresses = [re.escape(heap.to_bytes(8, "little")) for heap in heaps(data)]
    places = [found.start() - 4 for found in re.finditer(b"|".join(addresses), data)]
    read = [hdf5.REFERENCE.unpack_from(data, place) for place in places]
    # elsewhere the same bytes are another address
    return [
        place
        for place, (length, _, number) in zip(places, read, strict=True)
        if 0 < length < 1 << 16 and 0 < number < 1 << 16
    ]


def damaged(variable, tmp_path, *changes):
    """Return a copy of a file with numbers replaced: (place, width, value)."""
    data = bytearray(variable.read_bytes())
    for place, width, value in changes:
        data[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    path = tmp_path / "damaged.h5"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", [{}, {"libver": "latest"}, {"track_order": True}])
def test_strings_of_variable_length_are_those_that_h5py_reads(how, tmp_path):
    names = ["conv", "é" * 70, "x", "a/b:0", *map(str, range(700))]
    path = tmp_path / "names.h5"
    with h5py.File(path, "w", **how) as file:
        for number in range(6):  # in several blocks of the header
            file.attrs[f"other{number}"] = "text" * number
        file.attrs["names"] = names
        file.attrs["padded"] = ["", "b", ""]
        group = file.create_group("group")
        group.attrs["names"] = names[::-1]
        group.attrs["config"] = "{" * 70_000  # a heap of its own
        group.attrs["fixed"] = np.bytes_(b"fixed")
    with hdf5.opened(path) as file:
        assert file.names(file.root, "names") == names
        assert file.names(file.root, "padded") == ["", "b", ""]
        inner = file.find(file.root, "group")
        assert file.names(inner, "names") == names[::-1]
        assert file.text(inner, "config") == b"{" * 70_000
        assert file.text(inner, "fixed") == b"fixed" and file.text(inner, "none") is None
        with pytest.raises(InputError, match="'names' is not a string"):
            file.text(inner, "names")


def test_names_that_are_stored_elsewhere_are_refused(tmp_path):
    """More than eight attributes lie in a heap of another kind, which Keras never writes."""
    path = tmp_path / "dense.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(20):
            file.attrs[f"layer_names{number}"] = ["a", "b"]
    with pytest.raises(InputError, match="does not lie in the header of its group"):
        keras_hdf5.read(path)


REFERENCE = {
    "into no heap": (4, 8, 8, "there is none where a string is said to lie"),
    "behind the file": (4, 8, 1 << 40, "reaches beyond the file"),
    "before the file": (4, 8, -8, "reaches beyond the file"),
    "to no object": (12, 4, 77, "has no object 77"),
    "to free space": (12, 4, 0, "has no object 0"),
}


@pytest.mark.parametrize("case", REFERENCE)
def test_a_reference_to_no_string_is_refused(case, variable, tmp_path):
    at, width, value, message = REFERENCE[case]
    place = references(variable.read_bytes())[0]
    with pytest.raises(InputError, match=message):
        keras_hdf5.read(damaged(variable, tmp_path, (place + at, width, value)))


@pytest.mark.parametrize("size", [0, 8, 1 << 40, (1 << 64) - 1])
def test_a_heap_that_is_shorter_or_longer_than_its_file_is_refused(size, variable, tmp_path):
    heap = heaps(variable.read_bytes())[0]
    with pytest.raises(InputError, match="heap"):
        keras_hdf5.read(damaged(variable, tmp_path, (heap + 8, 8, size)))


def test_one_string_under_many_names_cannot_take_more_than_the_file(tmp_path):
    """40,000 references of 16 bytes to one string of 30,000: 1.2 GB out of 0.7 MB."""
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for number in range(20):
            file.attrs[f"layer_names{number}"] = ["x" * 30_000 if not number else "y"] * 2000
    data = bytearray(path.read_bytes())
    places = references(bytes(data))
    first = data[places[0] : places[0] + 16]
    assert int.from_bytes(first[:4], "little") == 30_000 and len(places) > 30_000
    for place in places:
        data[place : place + 16] = first
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="claim more"):
        keras_hdf5.read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024  # kB


def test_headers_that_lead_back_to_themselves_end(variable, tmp_path):
    """A continuation of an object header that is the header: read once more, then refused."""
    data = variable.read_bytes()
    with h5py.File(variable) as file:
        header = h5py.h5o.get_info(file["conv1"].id).addr
    size = int.from_bytes(data[header + 8 : header + 12], "little")
    headers = hdf5.Headers(variable, io.BytesIO(_looped(data, header, size)), len(data))
    with pytest.raises(InputError, match="headers and string heaps claim more"):
        headers.attributes(header)


def _looped(data, header, size):
    """The file with the first message of a header made a continuation to the whole header."""
    message = struct.pack("<HHBxxxQQ", hdf5.CONTINUED, 16, 0, header + 16, size)
    return data[: header + 16] + message + data[header + 16 + len(message) :]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 200,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["reference", "heap", "header"]),
            st.integers(0, 500),
            st.integers(0, 40),
            st.sampled_from([1, 2, 4, 8]),
            st.sampled_from([0, 1, 8, 16, 255, 1 << 31, 1 << 40, -1, -8, -16])
            | st.integers(0, 20_000),
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_damaged_references_heaps_and_headers(variable, tmp_path, changes, cut):
    """Loaded names or one InputError, in time and with what the file has."""
    data = variable.read_bytes()
    with h5py.File(variable) as file:
        groups = [file, *file.values()]
        headers = [h5py.h5o.get_info(group.id).addr for group in groups]
    places = {
        "reference": references(data),
        "header": [header + 8 * n for header in headers for n in range(40)],
        "heap": [heap + 8 * n for heap in heaps(data) for n in range(100)],
    }
    numbers = [
        (places[kind][index % len(places[kind])] + offset % 16, width, value)
        for kind, index, offset, width, value in changes
    ]
    path = damaged(variable, tmp_path, *numbers)
    if cut:
        path.write_bytes(path.read_bytes()[: len(data) * 3 // 4])
    faulthandler.dump_traceback_later(20, exit=True, file=sys.__stderr__)
    tracemalloc.start()
    try:
        names = keras_hdf5.layers(path)
        event("read")
        assert sum(map(len, names)) <= len(data)
    except InputError as error:
        event("refused")
        assert "\n" not in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        faulthandler.cancel_dump_traceback_later()
    # what is read, what is made of it, and h5py's own
    assert peak < 20 * len(data)
