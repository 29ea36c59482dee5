"""How much memory is free on this machine, known without Keras, so that it can be asked first."""

import os
import re
import subprocess
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
# of a container: what it may use, what it does, and how much of that is files read before
GROUP = Path("/sys/fs/cgroup")
# of a GPU, in what nvidia-smi tells as XML
FREE = re.compile(r"<fb_memory_usage>(?:(?!</fb_memory_usage>).)*<free>(\d+) MiB", re.DOTALL)


def free():
    """Bytes that a process may still use of the machine's or its container's memory.

    Returns:
        int; None where it is not known (not on Linux).
    """
    try:
        lines = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    allowed = _allowed()
    return available if allowed is None else max(0, min(available, allowed))


def _allowed():
    """What is left of a container's limit, or None without one."""
    try:
        limit = int((GROUP / "memory.max").read_text())  # the word `max` without a limit
        used = int((GROUP / "memory.current").read_text())
        told = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        return limit - used + int(told.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def free_on_gpu(count):
    """Bytes that are free on the NVIDIA GPU that has the fewest of those in use.

    Args:
        count: how many are in use: the first of those that this process may see.

    Returns:
        int; None where its driver's tool, nvidia-smi, is not there or does not tell.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(count)]
    command = ["nvidia-smi", "-q", "-x", "-i", ",".join(names[:count])]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    free = FREE.findall(told.stdout)
    return min(map(int, free)) * 2**20 if free else None


def shown(count):
    """A number of bytes as text, e.g. `1.5 GB`."""
    return f"{count / 1e9:.3g} GB"
