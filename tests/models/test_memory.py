"""Free memory of a machine and of a container with a limit."""

import pytest

from models import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB available; returns limit(...), which puts it into a container."""
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)

    def limit(most, used, cached):
        (tmp_path / "memory.max").write_text(f"{most}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")

    return limit


def test_the_smaller_of_machine_and_container(machine):
    assert memory.free() == 8_000_000 * 1024
    machine(2_000_000_000, 1_500_000_000, 300_000_000)
    assert memory.free() == 800_000_000
    machine("max", 1_500_000_000, 0)
    assert memory.free() == 8_000_000 * 1024
    machine(1000, 2000, 0)
    assert memory.free() == 0


def test_other_systems_do_not_tell(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.free() is None


XML = """<nvidia_smi_log><gpu id="1">
<fb_memory_usage><total>8000 MiB</total><used>5000 MiB</used><free>3000 MiB</free></fb_memory_usage>
<bar1_memory_usage><total>256 MiB</total><free>254 MiB</free></bar1_memory_usage></gpu><gpu id="2">
<fb_memory_usage><total>8000 MiB</total><reserved>200 MiB</reserved><free>2000 MiB</free>
</fb_memory_usage></gpu></nvidia_smi_log>"""


@pytest.mark.parametrize(
    ("says", "free"),
    [(f"echo '{XML}'", 2000 * 2**20), ("echo '<free>[N/A]</free>'", None), ("exit 9", None)],
)
def test_the_gpu_with_the_fewest_of_those_in_use(says, free, monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{says}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert memory.free_on_gpu(2) == free
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8a")
    assert memory.free_on_gpu(2) == free
    assert memory.free_on_gpu(1) == free
    asked = ["-q -x -i 0,1", "-q -x -i 2,GPU-8a", "-q -x -i 2"]
    assert (tmp_path / "asked").read_text().splitlines() == asked


def test_no_driver_tells_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert memory.free_on_gpu(1) is None


def test_bytes_as_text():
    assert memory.shown(1_500_000_000) == "1.5 GB"
