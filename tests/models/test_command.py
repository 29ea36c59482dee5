"""What commands share: exit codes of mistakes, and a start of Keras without foreign lines."""

import contextlib
import gc
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.command import exit_code, start_keras, uncollected
from models.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("no file a\n  b"), 2, "error: no file a b\n"),
        (OSError("disk full"), 2, "error: disk full\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("interrupted after epoch 3"), 130, "interrupted after epoch 3\n"),
    ],
)
def test_a_users_mistake_is_one_line(error, code, said, capsys):
    @exit_code
    def main(argv=None):
        raise error

    assert main() == code
    assert capsys.readouterr().err == said


def test_what_goes_on_says_so(capsys):
    @exit_code(resumes=True)
    def main(argv=None):
        raise KeyboardInterrupt

    assert main() == 130
    assert capsys.readouterr().err == "interrupted: the same command goes on from here\n"


@pytest.mark.parametrize("interrupts", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_is_answered_as_an_interrupt_once(interrupts, capsys):
    """Interrupts are ignored in the background of a script, where SLURM runs a command."""
    kept = []

    @exit_code(resumes=True)
    def main(argv=None):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # SLURM's, and the script's that hands it on
            kept.append("an epoch")

    former, before = signal.signal(signal.SIGINT, interrupts), signal.getsignal(signal.SIGTERM)
    try:
        assert main() == 143
    finally:
        signal.signal(signal.SIGINT, former)
    said = "interrupted by SIGTERM: the same command goes on from here\n"
    assert capsys.readouterr().err == said and kept == ["an epoch"]
    assert signal.getsignal(signal.SIGTERM) is before


STARTING = """
import os, signal, sys
from models.command import exit_code, start_keras, uncollected

class Interrupting:
    # the user interrupts while Keras is imported, after foreign lines were written
    def find_spec(self, name, path=None, target=None):
        if name == 'keras':
            os.write(2, b'a foreign line')
            try:
                os.kill(os.getpid(), signal.NAME)
                for _ in range(10**6): pass
            except KeyboardInterrupt as error:
                HOW

@exit_code
def main(argv=None):
    sys.meta_path.insert(0, Interrupting())
    start_keras()

sys.exit(main())
"""


@pytest.mark.parametrize("how", ["raise", "raise ImportError('no module') from error", "pass"])
def test_an_interrupted_start_is_one_line_whatever_imports_make_of_it(how):
    done = start(STARTING.replace("HOW", how).replace("NAME", "SIGINT"))
    assert (done.returncode, done.stderr, done.stdout) == (130, "interrupted\n", "")


def test_a_start_that_sigterm_ends_is_one_line_too():
    how = "raise ImportError from error"
    done = start(STARTING.replace("HOW", how).replace("NAME", "SIGTERM"))
    assert (done.returncode, done.stderr, done.stdout) == (143, "interrupted by SIGTERM\n", "")


# found by Python when it starts: the user interrupts the import of one of our modules
INTERRUPTED_IMPORT = """
import sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "transfer.pictures":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.parametrize(
    ("words", "short"),
    [
        (["-m", "transfer.predict"], True),
        (["visualization/deep_viz.py"], True),
        (["-c", "import transfer.pictures"], False),  # a user's own script
    ],
)
def test_an_interrupt_before_main_is_one_line_of_a_command(words, short, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_IMPORT)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode != 0 and done.stdout == ""
    assert (done.stderr == "interrupted\n") is short
    assert ("Traceback" in done.stderr) is not short


def test_our_own_faults_keep_their_traceback():
    @exit_code
    def main(argv=None):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def start(code, backend="tensorflow"):
    environment = os.environ | {"KERAS_BACKEND": backend}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_keras_starts_without_foreign_lines(backend):
    done = start(
        "from models.command import start_keras; start_keras();"
        "import keras; keras.ops.convert_to_numpy(keras.ops.ones(3) + 1)",
        backend,
    )
    assert done.returncode == 0 and done.stderr == ""
    device, *warning = done.stdout.splitlines()
    assert device.startswith("device: ") and device.endswith(f"({backend})")
    assert all(line.startswith("WARNING: this machine has an NVIDIA GPU") for line in warning)


def test_lines_held_back_are_shown_where_the_start_fails():
    done = start(
        "import os, sys, types; from models import command\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'keras':\n"
        "            os.write(2, b'why it failed'); raise ImportError('no keras')\n"
        "sys.meta_path.insert(0, Broken()); command.start_keras()"
    )
    assert done.returncode != 0 and "why it failed" in done.stderr and "no keras" in done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_what_is_no_number_of_devices(text):
    with pytest.raises(InputError, match=f"devices is '{text}'; accepted: a whole number from 1"):
        start_keras(devices=text)


def test_another_backend_is_refused_before_it_is_imported(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(InputError, match="KERAS_BACKEND is torch; accepted: tensorflow, jax"):
        start_keras(say=None)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_more_devices_than_there_are_is_an_error_without_foreign_lines(backend):
    done = start(
        "from models.command import exit_code, start_keras\n"
        "import sys; sys.exit(exit_code(lambda argv: start_keras(devices='99'))([]))",
        backend,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"error: devices is 99; there (is|are) \d+: .+\n", done.stderr)


@pytest.mark.parametrize("fails", [False, True])
def test_what_imports_make_is_kept_from_the_garbage_collector(fails):
    before = gc.get_freeze_count()
    with contextlib.suppress(ImportError), uncollected():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
        if fails:
            raise ImportError
    assert gc.isenabled() and len(made) == 1000
    assert gc.get_freeze_count() == before if fails else gc.get_freeze_count() >= before + 1000
