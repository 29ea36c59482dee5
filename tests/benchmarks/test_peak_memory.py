"""The peak memory of small processes."""

import subprocess

import pytest

from benchmarks.peak_memory import peak_memory


def test_peak_memory_sees_what_was_given_back():
    hold = "import sys, time; x = b'1' * int(sys.argv[1]); time.sleep(0.3); del x; time.sleep(0.1)"
    more = peak_memory(hold, 150_000_000) - peak_memory(hold, 0)
    assert 140 < more < 160


def test_peak_memory_of_a_failing_process_is_an_error():
    with pytest.raises(subprocess.CalledProcessError) as error:
        peak_memory("import time; time.sleep(0.1); raise SystemExit('broken')")
    assert b"broken" in error.value.stderr


def test_a_process_may_say_more_than_a_pipe_holds():
    assert peak_memory("import sys; sys.stderr.write('x' * 200_000)") > 0
    with pytest.raises(subprocess.CalledProcessError) as error:
        peak_memory("raise SystemExit('broken' * 20_000)")
    assert len(error.value.stderr) > 120_000


def test_own_memory_leaves_mapped_files_out(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"1" * 100_000_000)
    mapped = "import mmap, sys, time; f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, "
    mapped += "access=mmap.ACCESS_READ); [m[i] for i in range(0, len(m), 4096)]; time.sleep(0.2)"
    assert peak_memory(mapped, path) > 100
    assert peak_memory(mapped, path, own=True) < 50
