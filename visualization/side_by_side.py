"""One command as several processes, each on one device of this machine; their lines, named.

For work that needs no talking between devices. A process that ends with an error ends no other.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

from models.command import ROOT
from models.errors import InputError

# asked in a process of its own: TensorFlow takes all memory of the GPUs that it has counted
COUNT = """
import sys
from models.command import exit_code, start_keras

@exit_code
def main(words):
    start_keras(say=None, devices=words[0])
    from models import backend
    print(backend.devices_in_use())

sys.exit(main(sys.argv[1:]))
"""
VISIBLE = (
    "CUDA_VISIBLE_DEVICES"  # NVIDIA's: the GPUs that a process sees, names with commas between
)
ERROR = "error: "  # what a line of models.command.exit_code begins with
ENDING = 60  # seconds in which an interrupted process keeps what it has


def count_devices(wanted):
    """How many devices are meant, as models.command.start_keras counts them.

    Args:
        wanted: a whole number, or `all`, as text.

    Raises:
        InputError: another text, or fewer devices.
    """
    command = [sys.executable, "-c", COUNT, wanted]
    asked = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    if asked.returncode:
        raise InputError(_reason(asked.stderr.splitlines()) or f"devices is {wanted}: not counted")
    return int(asked.stdout.split()[-1])


def run(module, commands, say=print):
    """Run a module several times at once, each on the device of its place.

    Args:
        module: as `python -m` takes it.
        commands: dict, name of each process, by which its lines begin -> its words.
        say: called with each line, by several threads.

    Returns:
        dict name -> (exit code, below 0 the number of a signal; the error that it said, or "").

    Raises:
        KeyboardInterrupt: the user's, when all processes have ended.
    """
    processes, readers = {}, []
    said, ending = {name: [] for name in commands}, threading.Event()
    try:
        for place, (name, words) in enumerate(commands.items()):
            processes[name] = _start(module, words, place)
            given = (name, processes[name], said[name], say, ending)
            readers.append(threading.Thread(target=_hand_on, args=given, daemon=True))
            readers[-1].start()
        for process in processes.values():
            process.wait()
    except BaseException:
        ending.set()
        raise
    finally:
        _end(processes.values())
        for reader in readers:
            reader.join(ENDING)
    return {name: (one.wait(), _reason(said[name])) for name, one in processes.items()}


def _start(module, words, place):
    """A process of a module, on the device of a place."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        env=_environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # an interrupt at the keyboard is handed on by this process, once
    )


def _hand_on(name, process, lines, say, ending):
    """Say each line of a process but its error, and keep it; and that it failed, if by itself."""
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if not line.startswith(ERROR):
            say(f"[{name}] {lines[-1]}")
    code = process.wait()
    if code and not ending.is_set():
        say(f"[{name}] ended with {told(code)}; the others go on")


def told(code):
    """An exit code as text: `exit code 2`, `signal 9`."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _end(processes):
    """Tell those that still run to end, as an interrupt does, and wait until they have."""
    left = [process for process in processes if process.poll() is None]
    for process in left:
        process.send_signal(signal.SIGTERM)  # not SIGINT, which a script's background ignores
    for process in left:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDING)
        process.kill()


def _reason(lines):
    """The error in the last lines of a command, or "" where it said none."""
    found = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return found[-1] if found else ""


def _environment(place=None):
    """The environment of a process that finds this code, and sees the device of a place alone."""
    before = os.environ.get("PYTHONPATH")
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [ROOT, before]))}
    visible = os.environ.get(VISIBLE)
    if place is not None and visible != "":  # which hides all GPUs
        given[VISIBLE] = str(place) if visible is None else visible.split(",")[place]
    return given
