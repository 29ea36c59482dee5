"""HDF5 files that are damaged or made to harm, read through the importer of old Keras files."""

import resource

import pytest

from models.errors import InputError
from models.importers import keras_hdf5
from tests.models.importers import keras2_files


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
