"""Free memory of a machine and of a container with a limit."""

import pytest

from models import memory

MACHINE = 8_000_000 * 1024


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB available; returns limit(most, used, cached, group), which sets one."""
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "OF_PROCESS", tmp_path / "cgroup")

    def limit(most, used, cached, group="", names=("max", "current", "inactive_file")):
        folder = tmp_path / "groups" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"memory.{names[0]}").write_text(f"{most}\n")
        (folder / f"memory.{names[1]}").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cached}\n")

    return limit


@pytest.mark.parametrize("told", [None, "0::/\n", "0::/docker/4f/job\n", "0::/../beside\n"])
def test_the_smaller_of_machine_and_container(told, machine, tmp_path):
    """Its limit is in the folder of all groups; the paths of the machine are not there."""
    if told:
        (tmp_path / "cgroup").write_text(told)
    assert memory.free() == MACHINE
    machine(2_000_000_000, 1_500_000_000, 300_000_000)
    assert memory.free() == 800_000_000
    machine("max", 1_500_000_000, 0)
    assert memory.free() == MACHINE
    machine(1000, 2000, 0)
    assert memory.free() == 0


def test_the_least_of_the_groups_around_a_process(machine, tmp_path):
    """As SLURM and systemd set limits: on a group within others."""
    (tmp_path / "cgroup").write_text("0::/slurm/job_1/step\n")
    machine("max", 9_000_000_000, 0)
    machine(5_000_000_000, 1_000_000_000, 0, "slurm")
    machine("max", 900_000_000, 0, "slurm/job_1/step")
    assert memory.free() == 4_000_000_000
    machine(2_000_000_000, 900_000_000, 100_000_000, "slurm/job_1")
    assert memory.free() == 1_200_000_000
    machine(1, 1, 0, "slurm/job_2")
    assert memory.free() == 1_200_000_000
    machine(500_000_000, 900_000_000, 100_000_000, "slurm/job_1/step")
    assert memory.free() == 0


def test_version_1_of_control_groups(machine, tmp_path):
    told = "9:name=systemd:/\n4:cpu,memory:/slurm/job_1\n1:cpu:/a:b\n0::/\n"
    (tmp_path / "cgroup").write_text(told)
    names = ("limit_in_bytes", "usage_in_bytes", "total_inactive_file")
    machine(9223372036854771712, 1_000_000_000, 0, "memory", names)  # no limit
    assert memory.free() == MACHINE
    machine(2_000_000_000, 1_500_000_000, 300_000_000, "memory/slurm/job_1", names)
    assert memory.free() == 800_000_000
    machine(3_000_000_000, 2_900_000_000, 0, "memory/slurm", names)
    assert memory.free() == 100_000_000


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
