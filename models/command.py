"""One exit code for a user's mistakes, for every command, and a quiet start of Keras."""

import contextlib
import functools
import gc
import importlib.util
import json
import logging
import os
import signal
import sys
import tempfile
import threading

from models.errors import InputError

BACKENDS = ("tensorflow", "jax")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def exit_code(main=None, *, resumes=False):
    """Decorate a command's `main(argv)` so that a user's mistake is one line and exit code 2.

    InputError and OSError (missing file, full or read-only disk) are printed on stderr as
    `error: ...`; any other exception is a fault of ours and keeps its traceback. An interrupt by
    the user gives 130, the shell's own code for it; SIGTERM, which SLURM sends before it kills, is
    answered as an interrupt is, and gives 143.

    Args:
        main: the function; None where the decorator is called with what follows.
        resumes: the same command goes on where it was interrupted, and says so. Where that depends
            on how far it was, the command raises KeyboardInterrupt with the line to say instead.
    """
    if main is None:
        return functools.partial(exit_code, resumes=resumes)
    interrupted = "interrupted: the same command goes on from here" if resumes else "interrupted"

    @functools.wraps(main)
    def guarded(argv=None):
        ended = _Ended()
        try:
            with ended:
                return main(argv) or 0
        except (InputError, OSError) as error:
            print("error: " + " ".join(str(error).split()), file=sys.stderr)
            return 2
        except KeyboardInterrupt as interrupt:
            text = str(interrupt) or interrupted
            if ended.told:
                text = text.replace("interrupted", "interrupted by SIGTERM", 1)
            print(text, file=sys.stderr)
            return 143 if ended.told else 130

    return guarded


class _Ended:
    """While open, SIGTERM is an interrupt; `told`: whether it came.

    Only the first one: SLURM may send it to a process and to the script that hands it on, and what
    is being kept must not be disturbed.
    """

    def __enter__(self):
        self.told, self.former = False, None
        if threading.current_thread() is threading.main_thread():  # only there can it be caught
            self.former = signal.signal(signal.SIGTERM, self._end)

    def _end(self, number, frame):
        if self.told:
            return
        self.told = True
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):  # it may know what imports make of it, see _Interruptible
            interrupt(number, frame)
        raise KeyboardInterrupt  # also where interrupts are ignored, as in a script's background

    def __exit__(self, kind, error, traceback):
        if self.former is not None:
            signal.signal(signal.SIGTERM, self.former)


def shorten_interrupts():
    """Make an interrupt one line while a command of ours is still being imported, before its main.

    Anywhere else, as in a script or a notebook that imports these packages, nothing changes.
    """
    former = sys.excepthook

    def told(kind, error, frames):
        if issubclass(kind, KeyboardInterrupt) and frames and _is_command(frames.tb_frame):
            print("interrupted", file=sys.stderr)
        else:
            former(kind, error, frames)

    sys.excepthook = told


def _is_command(frame):
    """Whether the first frame of a program runs a module of ours, by `-m` or by its file."""
    path = frame.f_code.co_filename
    if "runpy" in path:
        path = os.path.join(ROOT, *str(frame.f_locals.get("mod_name", "")).split("."))
    inside = os.path.relpath(os.path.abspath(path), ROOT).split(os.sep)
    return len(inside) > 1 and inside[0] in ("models", "transfer", "visualization", "papers", "toy")


def start_keras(say=print, devices=None, together=None):
    """Import Keras and its backend, and say which device computes; say=None: nothing is said.

    TensorFlow writes lines of its own while it starts, whatever TF_CPP_MIN_LOG_LEVEL says: they
    are held back, and shown only where the start fails. TensorFlow, which decodes pictures, is
    kept off the GPU where another backend computes there.

    Args:
        say: called with each line.
        devices: how many devices compute together, as text: a whole number or `all`; None: one.
        together: models.machines.Together, of the processes that do, each with as many devices.

    Raises:
        InputError: no such devices; another backend of Keras than BACKENDS.
        KeyboardInterrupt: the user interrupted the start, whatever the imports made of it.
    """
    wanted = read_devices(devices)
    if (name := chosen_backend()) not in BACKENDS:
        raise InputError(f"KERAS_BACKEND is {name}; accepted: {', '.join(BACKENDS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # later notes of TensorFlow's
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # see backend.share_gpus
    refused = None
    with _HeldBack(), _Interruptible(), uncollected():
        from models import backend

        if importlib.util.find_spec("tensorflow"):
            backend.keep_pipeline_on_cpu()
        backend.share_gpus()
        try:
            if together and together.processes > 1:
                backend.join(together)
                wanted = wanted or 1
            backend.use_devices(wanted)
        except InputError as error:  # no fault that needs what was held back
            refused = error
        device = backend.device_name()
        warning = backend.device_warning()
    if refused:
        raise refused
    # what it says of compiling for several networks in one process is no fault
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if say:
        say(f"device: {device}")
    if say and warning:
        say(warning)


def chosen_backend(environ=os.environ):
    """The backend that Keras will take, by its own rules, without importing it: str."""
    folder = environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    if name := environ.get("KERAS_BACKEND"):
        return name
    try:
        with open(os.path.join(folder, "keras.json"), encoding="utf-8") as file:
            return json.load(file)["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"  # Keras's default


def read_devices(text):
    """How many devices a text wants: int, `all` or None.

    Raises:
        InputError: another text.
    """
    if text is None or text == "all":
        return text
    if not text.isdecimal() or int(text) == 0:
        raise InputError(f"devices is {text!r}; accepted: a whole number from 1, or all")
    return int(text)


def import_keras():
    """Import Keras from Python as quietly as commands do; nothing happens where it is imported."""
    if "keras" not in sys.modules and sys.stderr is not None:
        start_keras(say=None)


class _Interruptible:
    """Lets the user interrupt a block that may swallow or rename the interrupt, as imports do."""

    def __enter__(self):
        self.interrupted = False
        self.former = None
        if threading.current_thread() is threading.main_thread():  # only there can it be caught
            self.former = signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, number, frame):
        self.interrupted = True
        raise KeyboardInterrupt

    def __exit__(self, kind, error, traceback):
        if self.former is not None:
            signal.signal(signal.SIGINT, self.former)
        if self.interrupted:
            raise KeyboardInterrupt from None


@contextlib.contextmanager
def uncollected():
    """Keep the garbage collector off the millions of objects that a block makes to stay.

    It looks for garbage among them again and again while TensorFlow is imported, a fifth of that
    time, and would again whenever Keras calls it, as before every training.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()


class _HeldBack:
    """Holds back what is written to stderr, by C++ too; shows it where the block fails."""

    def __enter__(self):
        sys.stderr.flush()
        self.stderr = os.dup(2)
        self.file = tempfile.TemporaryFile()
        os.dup2(self.file.fileno(), 2)

    def __exit__(self, kind, error, traceback):
        sys.stderr.flush()
        os.dup2(self.stderr, 2)
        os.close(self.stderr)
        if kind and not issubclass(kind, KeyboardInterrupt):
            self.file.seek(0)
            os.write(2, self.file.read())
        self.file.close()
