"""The most memory that a process of its own takes."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

SAMPLE = 0.02  # seconds between two looks at a process's memory
ROOT = Path(__file__).resolve().parents[1]


def peak_memory(code, *arguments, own=False):
    """Peak resident memory in MB (10^6 bytes) of a fresh Python process that runs `code`.

    Sampled from outside: getrusage of a child begins at its parent's peak on Linux.

    Args:
        code: Python.
        arguments: its sys.argv[1:].
        own: leave out pages of mapped files, which the system takes back when it needs them; on
            Linux what is left is RssAnon.

    Raises:
        subprocess.CalledProcessError: the process failed.
    """
    command = [sys.executable, "-c", code, *map(str, arguments)]
    # not a pipe, which holds 64 kB: nobody reads it before the process ends
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(command, cwd=ROOT, stderr=told) as process,
    ):
        watched, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            memory = watched.memory_info()
            peak = max(peak, memory.rss - (memory.shared if own else 0))
            time.sleep(SAMPLE)
        told.seek(0)
        errors = told.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return peak / 1e6
