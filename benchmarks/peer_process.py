"""Peers in environments of their own: installed once from PyPI, run as processes on request."""

import os
import subprocess
import sys
import sysconfig
import threading
import venv
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import say

ROOT = Path(__file__).resolve().parents[1]
INSTALLING = 3600  # seconds that an installation may take
ANSWERING = 900  # seconds that an answer may take; the first is after compilation


@dataclass(frozen=True)
class Peer:
    """A package to measure against."""

    name: str  # of its driver benchmarks/peers/NAME.py
    requirements: tuple  # for pip, itself first, with the version
    bound: float  # of ours over it
    batches: tuple = (1, 8)  # sizes to run it at
    told: tuple = ()  # batches that are printed, but do not count for the bound
    # to install with all that the requirements depend on; else only themselves, on top of the
    # running Python's packages (its TensorFlow, its NumPy)
    whole: bool = False


def install(peer, folder):
    """Make the peer's environment in `folder`/NAME where it is not there yet.

    Args:
        peer: Peer.
        folder: pathlib.Path of all environments.

    Returns:
        pathlib.Path of its Python.

    Raises:
        ChildProcessError: it cannot be installed.
    """
    home = folder / peer.name
    python = home / "bin" / "python"
    stamp, wanted = home / "installed.txt", "\n".join((sys.prefix, *peer.requirements))
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    say(f"{peer.name}: installing into {home}")
    venv.create(home, clear=True, symlinks=True)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    command += [*([] if peer.whole else ["--no-deps"]), *peer.requirements]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALLING)
    except subprocess.CalledProcessError as error:
        raise ChildProcessError(_last_line(error.stderr)) from error
    except subprocess.TimeoutExpired as error:
        raise ChildProcessError(f"not installed after {INSTALLING} s") from error
    within = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", "posix_prefix", within))
    # only now, so that pip does not take packages of the running Python for the peer's own
    (packages / "running.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    stamp.write_text(wanted)
    return python


class Driver:
    """A peer's process: makes steps on request, and waits in between.

    Args:
        command: list of str, ending in the driver's arguments size and batch.
        log: pathlib.Path for what it prints on standard error.

    Raises:
        ChildProcessError: it does not get ready.
    """

    def __init__(self, command, log):
        # with several processes on a GPU, TensorFlow may not take all its memory
        own = {"KERAS_BACKEND": "tensorflow", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | own,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._answer("ready")

    def seconds(self, steps):
        """How long so many steps took, as the driver says: float."""
        try:
            print("steps", steps, file=self.process.stdin, flush=True)
        except BrokenPipeError as error:
            raise ChildProcessError(_last_line(self.log.read_text())) from error
        return float(self._answer("seconds"))

    def close(self):
        """End the process."""
        self.process.kill()
        self.process.communicate()

    def _answer(self, word):
        limit = threading.Timer(ANSWERING, self.process.kill)
        limit.start()
        line = self.process.stdout.readline()
        limit.cancel()
        if not line.startswith(word):
            self.close()
            raise ChildProcessError(_last_line(self.log.read_text()))
        return line.removeprefix(word).strip()


def _last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it ended without a word"
