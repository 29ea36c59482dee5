"""Mutations of a good old Keras file: loaded or one InputError, in bounded time and memory.

FUZZ_EXAMPLES sets the number of inputs.
"""

import faulthandler
import os
import resource
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.importers import keras_hdf5
from tests.models.importers import keras2_files

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
HANG = 20  # seconds; a good file takes milliseconds
# the file has 17 kB; hypothesis itself grows with the number of examples
GROWTH = (64 if EXAMPLES <= 200 else 256) << 20


def mutate(data, changes):
    """Apply (kind, where, value) to bytes: a byte set, a run cut, spliced, or a number replaced."""
    data = bytearray(data)
    for kind, where, value in changes:
        at = where % max(len(data), 1)
        if kind == "byte":
            data[at : at + 1] = bytes([value % 256])
        elif kind == "cut":
            del data[at : at + value % 64]
        elif kind == "end":
            del data[at:]
        elif kind == "splice":
            start = value % max(len(data), 1)
            data[at : at + 40] = data[start : start + 40]
        else:
            at -= at % 8  # an address or a length, which HDF5 aligns
            data[at : at + 8] = (value % (1 << 64)).to_bytes(8, "little")
    return bytes(data)


KINDS = st.sampled_from(["byte", "byte", "splice", "number", "cut", "end"])
VALUES = st.sampled_from([0, 1, 255, 1 << 31, 1 << 40, (1 << 64) - 1]) | st.integers(0, 20_000)
CHANGES = st.lists(st.tuples(KINDS, st.integers(0, 1 << 15), VALUES), min_size=1, max_size=12)


def test_mutated_files(tmp_path):
    network = keras2_files.small_network()
    good = keras2_files.write(tmp_path / "good.h5", keras2_files.small_layers())
    data = good.read_bytes()
    path = tmp_path / "mutated.h5"
    outcomes = {"loaded": 0, "refused": 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES <= 200,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(CHANGES)
    def one(changes):
        path.write_bytes(mutate(data, changes))
        faulthandler.dump_traceback_later(HANG, exit=True, file=sys.__stderr__)
        try:
            keras_hdf5.load(path, network)
            outcomes["loaded"] += 1
        except InputError as error:
            outcomes["refused"] += 1
            assert "\n" not in str(error)
        finally:
            faulthandler.cancel_dump_traceback_later()

    keras_hdf5.load(good, network)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(outcomes, f"{grown >> 20} MiB more")
    assert sum(outcomes.values()) >= EXAMPLES
    assert min(outcomes.values()) > 0
    assert grown < GROWTH
