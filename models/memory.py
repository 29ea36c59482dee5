"""How much memory is free on this machine, known without Keras, so that it can be asked first."""

import os
import re
import subprocess
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
# which control groups this process is in, of a container or of a job, and where these are
OF_PROCESS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# what a group may use, what it does, and how much of that is files read before; in cgroup's
# version 1, where no limit is a number beyond any memory, and in version 2
FIRST = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
SECOND = ("memory.max", "memory.current", "inactive_file")
# of a GPU, in what nvidia-smi tells as XML
FREE = re.compile(r"<fb_memory_usage>(?:(?!</fb_memory_usage>).)*<free>(\d+) MiB", re.DOTALL)


def free():
    """Bytes that a process may still use of the machine's, its container's or its job's memory.

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
    """What is left of the least limit of the control groups around this process; None without."""
    left = [
        room
        for top, path, names in _groups()
        for folder in (path, *path.parents)
        if (room := _left(top / folder, *names)) is not None
    ]
    return min(left, default=None)


def _groups():
    """Yield (folder of all groups, this process's below it, names of what is read there).

    A container without a name space of its own is told paths of the machine, which are not there:
    its own limit is in the folder of all groups, to which one comes in any case.
    """
    try:
        lines = OF_PROCESS.read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, kinds, path = line.split(":", 2)
        below = Path(path.lstrip("/"))
        below = Path() if ".." in below.parts else below  # a group beside the container's
        if not kinds:
            yield GROUPS, below, SECOND
        elif "memory" in kinds.split(","):
            yield GROUPS / "memory", below, FIRST


def _left(folder, limit, used, cached):
    """What is left of one group's limit, or None without one."""
    try:
        most = int((folder / limit).read_text())  # the word `max` without a limit
        told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return most - int((folder / used).read_text()) + int(told.get(cached, 0))
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
