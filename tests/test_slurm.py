"""job.sh in the queue of a real SLURM: two nodes on this machine, started and stopped here.

Debian's slurm-wlm and munge, as root, without systemd. One node says that it has a GPU and 60 GB,
whatever this machine has; the other has no GPU.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import pytest

from papers.waves import Line, write_plan
from toy.collection import paint_collection
from visualization import render

ROOT = Path(__file__).parents[1]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PATIENCE = 600  # seconds until something that must happen has happened, on a busy machine
CONF = """
ClusterName=tests
SlurmUser=root
SlurmdUser=root
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd_%n.log
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
NodeName=gpu NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 \\
RealMemory=60000 Gres=gpu:1
NodeName=cpu NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=16000
PartitionName=all Nodes=gpu,cpu Default=YES MaxTime=INFINITE State=UP
"""
GRES = "NodeName=gpu Name=gpu File=/dev/null\n"  # a device file must be there
TOLD = "interrupted by SIGTERM: the same command goes on from here"
ENDS = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT")


def until(ready, what):
    """Wait until ready() is true, and return it; fail with what was waited for."""
    limit = time.monotonic() + PATIENCE
    while not (found := ready()):
        assert time.monotonic() < limit, f"waited {PATIENCE} s for {what()}"
        time.sleep(0.2)
    return found


class Slurm:
    """The commands of a SLURM that runs, as a user gives them; `environment` is the user's."""

    def __init__(self, folder):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        self.environment = kept | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}

    def __call__(self, *words, cwd=None, **variables):
        """What a command prints, stripped."""
        environment = self.environment | variables
        done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def shown(self, job):
        """What SLURM says of a job: dict."""
        return dict(re.findall(r"(\w+)=(\S*)", self("scontrol", "show", "--oneliner", "job", job)))

    def wait(self, job, *states):
        """Wait until a job is in one of the states; return what SLURM says of it."""
        until(
            lambda: self.shown(job)["JobState"] in (*states, *ENDS),
            lambda: f"job {job} to be {' or '.join(states)}: {self.shown(job)}",
        )
        shown = self.shown(job)
        assert shown["JobState"] in states, shown
        return shown

    def say(self, job):
        """Print a line of SLURM's own about a job, for who reads the tests' log."""
        shown = self.shown(job)
        names = ("JobState", "ExitCode", "Restarts", "NodeList", "TresPerNode", "TRES", "RunTime")
        print(f"job {job}:", *(f"{name}={shown.get(name, '')}" for name in names))


@contextlib.contextmanager
def running(*words, **how):
    """A program in the foreground of a process of its own, ended at the end."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, **quiet, **how)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count):
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def munge(folder):
    """Words that start munged with a key, socket and files of its own."""
    own = folder / "munge"
    own.mkdir(mode=0o755)
    (own / "key").write_bytes(os.urandom(1024))
    (own / "key").chmod(0o400)
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
    flags = [f"--{flag}={own / name}" for flag, name in (files | {"seed-file": "seed"}).items()]
    return ["munged", "--foreground", "--force", *flags]  # force: the user is root


@pytest.fixture(scope="module")
def slurm():
    """Return a Slurm of two nodes, `gpu` and `cpu`, stopped and removed at the end."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        pytest.skip(f"no SLURM here: {', '.join(missing)} not found (slurm-wlm and munge have it)")
    if os.geteuid():
        pytest.skip("a SLURM of one's own needs root")
    with tempfile.TemporaryDirectory(prefix="slurm") as name, contextlib.ExitStack() as daemons:
        folder = Path(name)
        folder.chmod(0o755)  # munged's socket is for everybody
        host = socket.gethostname().split(".")[0]
        conf = CONF.format(folder=folder, host=host, ports=free_ports(3))
        (folder / "slurm.conf").write_text(conf)
        (folder / "gres.conf").write_text(GRES)
        (folder / "state").mkdir()
        cluster = Slurm(folder)
        how = {"env": cluster.environment | {"PATH": path}}
        daemons.enter_context(running(*munge(folder), **how))
        until(lambda: (folder / "munge" / "socket").exists(), lambda: "munged")
        daemons.enter_context(running("slurmctld", "-D", **how))
        for node in ("gpu", "cpu"):
            daemons.enter_context(running("slurmd", "-D", "-N", node, **how))

        def idle():
            words = ["sinfo", "--noheader", "--format=%D %T"]
            done = subprocess.run(words, env=how["env"], capture_output=True, text=True)
            return done.stdout.split() == ["2", "idle"]

        until(idle, lambda: f"two idle nodes; logs: {logs(folder)}")
        yield cluster
        cluster("scancel", "--user=root")
        until(lambda: not cluster("squeue", "--noheader"), lambda: cluster("squeue"))


def logs(folder):
    return "\n".join(path.read_text() for path in folder.glob("*.log"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Return a folder with what git gives, to submit job.sh in: links to it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("job.sh", "models", "transfer", "visualization", "papers", "toy"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def small(checkout, tmp_path):
    """Return a checkout of one's own with 60 toy pictures and a tiny network, tiny.keras."""
    folder = tmp_path / "small"
    shutil.copytree(
        checkout, folder, symlinks=True, ignore=lambda *_: {"collections", "results", "datasets"}
    )
    paint_collection(folder / "few", count=60)
    pixels = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(
        keras.layers.Rescaling(1 / 255)(pixels)
    )
    keras.Model(pixels, maps).save(folder / "tiny.keras")
    return folder


EXPERIMENT = (
    "python -m transfer.experiment --dataset_name few --challenge type --ANN tiny.keras "
    "--metadata_path few/metadata.csv --jpg_images_path few/jpg --results_path results "
    "--datasets_path datasets --tl_mode fine_tuning --input_size 32 --min_pictures 10"
)


def logged(folder, job, pattern, number=1):
    """Wait until a job's log has so many matches of a pattern; return the last."""
    log = folder / f"slurm-{job}.out"

    def found():
        matches = [*re.finditer(pattern, text(), flags=re.M)]
        return matches[number - 1 :][-1:]

    def text():
        return log.read_text() if log.exists() else ""

    match = until(found, lambda: f"{number} times {pattern!r} in {text()}")[0]
    print(f"job {job} wrote: {match[0].splitlines()[-1]}")
    return match


@pytest.mark.slow
def test_the_unedited_job_is_cancelled_goes_on_and_ends_with_the_table(slurm, checkout):
    refused = "sbatch --nodelist=cpu job.sh 2>&1 || true"
    assert "not available" in slurm("bash", "-c", refused, cwd=checkout)
    first = slurm("sbatch", "--parsable", "job.sh", cwd=checkout)
    logged(checkout, first, r"^== .*fine_tuning\n(.*\n)*?epoch 1 of ")
    slurm("scancel", first)
    slurm.wait(first, "CANCELLED")
    slurm.say(first)
    before = logged(checkout, first, rf"^{TOLD}$")
    done = re.findall(r"^epoch (\d+) of", before.string.split("fine_tuning\n")[1], flags=re.M)
    again = slurm("sbatch", "--parsable", "job.sh", cwd=checkout)
    shown = slurm.wait(again, "COMPLETED")
    slurm.say(again)
    assert shown["NodeList"] == "gpu"
    assert shown["TresPerNode"] == "gres:gpu:1" and "mem=50G" in shown["TRES"]
    assert logged(checkout, again, r"^continuing after epoch (\d+)$")[1] == done[-1]
    assert logged(checkout, again, r"^already finished: .*off_the_shelf$")
    table = logged(checkout, again, r"^## toy: artist \(toy collection\)\n(.*\n)*\| MobileNet.*\|$")
    # a node without a GPU finds the same results
    words = ("sbatch", "--parsable", "--gres=none", "--mem=8G", "--nodelist=cpu", "job.sh")
    other = slurm(*words, cwd=checkout)
    shown = slurm.wait(other, "COMPLETED")
    slurm.say(other)
    assert shown["NodeList"] == "cpu"
    assert table[0] in (checkout / f"slurm-{other}.out").read_text()


@pytest.mark.slow
def test_an_array_of_four_parts_and_the_task_behind_them_give_one_run(slurm, small, monkeypatch):
    layer = keras.models.load_model(small / "tiny.keras").layers[-1].name
    words = ["tiny.keras", "--layer", layer, "--channels", "all", "--steps", "3", "--size", "32"]
    words += ["--batch", "1", "--pictures", "few/jpg", "--out"]
    command = ["python", "-m", "visualization.render", *words, "parts"]
    asked = {"SBATCH_GRES": "none", "SBATCH_MEM_PER_NODE": "2G"}
    said = slurm("./job.sh", "--array", "4", *command, cwd=small, **asked)
    made, joined = re.fullmatch(r"job (\d+): tasks 1-4\njob (\d+): tasks 0", said).groups()
    for task in (*(f"{made}_{number}" for number in range(1, 5)), f"{joined}_0"):
        slurm.wait(task, "COMPLETED")
        slurm.say(task)
    monkeypatch.chdir(small)
    assert render.main([*words, "whole"]) == 0
    files = sorted(path.name for path in (small / "whole").iterdir())
    assert files == sorted(path.name for path in (small / "parts").iterdir())
    for name in set(files) - {"manifest.json"}:
        assert (small / "parts" / name).read_bytes() == (small / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_a_job_whose_time_is_over_goes_on_by_itself(slurm, small):
    """Also a task of an array, told to end by hand; epochs without end."""
    command = f"{EXPERIMENT} --epochs 1000000 --patience 0"
    script = (small / "job.sh").read_text()
    begin = script.index('if [ "$dataset_name"')
    (small / "job.sh").unlink()
    (small / "job.sh").write_text(f"{script[:begin]}run {command}\n")
    (small / "job.sh").chmod(0o755)
    job = slurm("sbatch", "--parsable", "--gres=none", "--mem=4G", "job.sh", cwd=small)
    logged(small, job, r"^epoch 1 of ")
    # the time is over in 75 seconds, of which job.sh wants 60; SLURM looks every 30 seconds
    slurm("scontrol", "update", f"JobId={job}", "EndTime=now+75")
    told_to_end(slurm, small, job)
    goes_on(slurm, small, job)
    slurm("scancel", job)
    slurm.wait(job, "CANCELLED")
    slurm.say(job)
    log = logged(small, job, f"^{TOLD}$", 2).string
    # cancelled by the user, it stays out of the queue
    assert log.count("goes back into the queue") == 1 and slurm("squeue", "--noheader") == ""
    write_plan([Line(1, 1, (), command)], small / "plan.csv")
    asked = {"SBATCH_GRES": "none", "SBATCH_MEM_PER_NODE": "4G"}
    said = slurm("./job.sh", "--array", "plan.csv", cwd=small, **asked)
    task = f"{re.fullmatch(r'job ([0-9]+): tasks 1', said)[1]}_1"
    assert int(logged(small, task, r"^continuing after epoch (\d+)$")[1]) == last_epoch(small, job)
    logged(small, task, r"^epoch (\d+) of ")
    slurm("scancel", "--batch", "--signal=TERM", task)
    told_to_end(slurm, small, task)
    slurm("scancel", task)
    slurm.wait(task, "CANCELLED")
    slurm.say(task)


def last_epoch(folder, job):
    """The last epoch that a job's log tells as finished."""
    return int(logged(folder, job, r"^epoch (\d+) of ")[1])


def told_to_end(slurm, folder, job):
    """Wait until a job was told to end and went back into the queue; return its log."""
    logged(folder, job, r"^the time is over: job \S+ goes back into the queue and goes on")
    slurm.wait(job, "PENDING")
    slurm.say(job)
    log = (folder / f"slurm-{job}.out").read_text()
    assert f"{TOLD}\n" in log
    return log


def goes_on(slurm, folder, job):
    """Let a job begin again in the queue, and wait until an epoch more is done."""
    kept = last_epoch(folder, job)
    # not in two minutes, as SLURM has it, but when slurmd takes a job of that number again
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now+3", "TimeLimit=60")
    slurm.wait(job, "RUNNING")
    assert int(logged(folder, job, r"^continuing after epoch (\d+)$")[1]) == kept
    logged(folder, job, rf"^epoch {kept + 1} of ")
