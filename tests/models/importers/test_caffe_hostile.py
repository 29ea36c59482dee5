"""The Caffe importer on hostile files: an InputError or a result, quickly, within bounds.

FUZZ_EXAMPLES sets how many files each fuzz test tries (10,000 were tried in all before release).
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.importers import caffe
from tests.models.importers.caffe_files import blob, caffemodel, field, varint

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
SECONDS = 5  # for a file of a few hundred bytes, on a busy machine
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ARRAYS = {"conv1": [np.ones((2, 3, 3, 3)), np.ones(2)], "relu1": [], "fc8": [np.ones((2, 2))]}
SEEDS = [
    caffemodel(ARRAYS),
    caffemodel(ARRAYS, "V1", old=True),
    caffemodel(ARRAYS, "V0", old=True, packed=False),
    blob(np.ones((1, 3, 4, 4))),
]
POSITIONS = st.integers(0, max(map(len, SEEDS)))
MUTATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), POSITIONS, st.integers(1, 255)),
        st.tuples(st.just("cut"), POSITIONS, POSITIONS),
        st.tuples(st.just("splice"), POSITIONS, POSITIONS, POSITIONS),
        st.tuples(st.just("insert"), POSITIONS, st.binary(max_size=12)),
        st.tuples(st.just("insert"), POSITIONS, st.integers(0, 2**64 - 1).map(varint)),
    ),
    min_size=1,
    max_size=4,
)
NUMBERS = st.sampled_from([0, 1, 2, 3, 9, 54, -1, 2**31, 2**32 + 1, 2**62, 2**63])
LEAVES = st.one_of(
    st.tuples(st.integers(1, 12), NUMBERS).map(lambda pair: field(*pair)),
    st.tuples(st.integers(1, 12), st.binary(max_size=64)).map(lambda pair: field(*pair)),
    st.lists(NUMBERS, max_size=6).map(lambda shape: field(7, b"".join(map(varint, shape)))),
    st.integers(0, 60).map(lambda count: field(5, bytes(4 * count))),
    st.sampled_from(list(SEEDS)),
)
# messages in messages, with the field numbers of nets, layers and blobs
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(
        st.sampled_from([1, 2, 5, 6, 7, 8, 50, 100]), st.lists(inner, max_size=4)
    ).map(lambda pair: field(pair[0], b"".join(pair[1]))),
    max_leaves=12,
)


def mutated(data, mutations):
    data = bytearray(data)
    for what, position, *how in mutations:
        if what == "flip" and data:
            data[position % len(data)] ^= how[0]
        elif what == "cut":
            del data[position : position + how[0]]
        elif what == "splice":
            data[position:position] = data[how[0] : how[1]]
        elif what == "insert":
            data[position:position] = how[0]
    return bytes(data)


@pytest.fixture(scope="module")
def network():
    pixels = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(2, 3, name="conv1")(pixels)
    return keras.Model(pixels, keras.layers.Dense(2, name="fc8", use_bias=False)(x))


def use(path, data, network):
    """Give the bytes to every function of the importer: each answers or raises InputError."""
    path.write_bytes(data)
    started = time.monotonic()
    for function in (caffe.read, caffe.classes, caffe.mean, lambda path: caffe.load(path, network)):
        try:
            result = function(path)
        except InputError as error:
            assert "\n" not in str(error) and len(str(error)) < 5000
        else:
            if isinstance(result, dict):
                # what came out was in the file: nothing is made up from a claimed shape
                numbers = sum(array.size for arrays in result.values() for array in arrays)
                assert 4 * numbers <= len(data)
    assert time.monotonic() - started < SECONDS


@fuzz
@given(st.sampled_from(SEEDS), MUTATIONS)
def test_mutated_files(tmp_path, network, seed, mutations):
    use(tmp_path / "net", mutated(seed, mutations), network)


@fuzz
@given(st.lists(TREES, max_size=4).map(b"".join))
def test_hostile_structures(tmp_path, network, data):
    use(tmp_path / "net", data, network)


SIZE = 4_000_000
LARGE = {
    "empty layers": field(100, b"") * (SIZE // 3),
    "empty blobs": field(100, field(7, b"") * (SIZE // 2)),
    "empty V1 blobs": field(2, field(6, b"") * (SIZE // 2)),
    "named layers": b"".join(field(100, field(1, str(number))) for number in range(SIZE // 12)),
    "long name": field(100, field(1, b"\xff" * SIZE) + field(7, field(5, b"1"))),
    "dimensions": field(100, field(7, field(7, field(1, b"\1" * SIZE)))),
    "claimed size": field(100, field(7, field(7, field(1, varint(2**40))))),
    "small numbers": field(100, field(7, b"\x2d\0\0\0\0" * (SIZE // 5))),
    "claimed length": b"\xa2\x06" + varint(2**31 - 1) + bytes(SIZE),
    "groups": b"\x0b" * SIZE,
    "long number": b"\xff" * SIZE,
    "unknown fields": b"\x78\1" * (SIZE // 2),
}
MEASURE = """
import sys
from models.errors import InputError
from models.importers import caffe
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
for function in (caffe.read, caffe.classes, caffe.mean):
    try:
        function(sys.argv[1])
    except InputError as error:
        assert len(str(error)) < 5000
    else:
        raise SystemExit("nothing was refused")
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("what", LARGE)
def test_memory_and_time_are_bounded(what, tmp_path):
    path = tmp_path / "net"
    path.write_bytes(LARGE[what])
    command = [sys.executable, "-c", MEASURE, str(path)]
    root = Path(caffe.__file__).parents[2]
    # 20 s: what a stalled machine needs to import NumPy; the reading takes below 1 s
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    # 16 times for empty messages (see caffe_messages), the file itself, what Python keeps free
    assert int(done.stdout) < 20 * SIZE
