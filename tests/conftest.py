"""What every test may ask for."""

import gc
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("any machine", deadline=None)  # two tests run at once
hypothesis.settings.load_profile("any machine")
# what JAX compiles for one test serves the next ones, also those in processes of their own
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), "art-jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# a test runs its programs once or twice: to make them fast takes longer than to run them slow
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def pytest_collection_finish():
    """Spare the garbage collector what was imported: Keras calls it before every training."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Begin with what waits for a queue more than it computes, so that it does not end alone."""
    items.sort(key=lambda item: item.path.name != "test_slurm.py")


def pytest_runtest_setup(item):
    """Draw alike whatever ran before: Keras takes the seeds that it is not given from here."""
    random.seed(0)


@pytest.fixture(scope="session")
def shared():
    """Return the folder of large real data kept outside the repository; skip where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


@pytest.fixture
def write_file(tmp_path):
    """Return write(data, name): a file of these bytes under the test's own folder; its path."""

    def write(data, name="picture.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a file system of 2 MB; skip where it cannot be mounted."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
