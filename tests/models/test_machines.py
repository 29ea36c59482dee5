"""Several processes that meet on this machine: numbers, variables, agreement, and every end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models import machines
from models.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
HERE = socket.gethostname()
# what SLURM 22.05 sets in a task of `srun --nodes=2 --ntasks=2`
TASK = {
    "SLURM_JOB_ID": "4100",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
}


def at_once(count, act, port=None):
    """What act(together) gives or raises in each of so many processes, here threads; a list."""
    port, outcomes = port or machines.free_port(), [None] * count

    def run(number):
        try:
            place = machines.Place("localhost", port, count, number)
            with machines.met(place, say=lambda line: None) as together:
                outcomes[number] = act(together)
        except InputError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def meet(*place, say=print):
    """Meet as the process of a Place, and leave at once."""
    with machines.met(machines.Place("localhost", *place), say):
        pass


def test_a_place_is_what_was_told():
    place = machines.find_place("node1:12345", 4, 2, {})
    assert place == machines.Place("node1", 12345, 4, 2)
    assert place.address == "node1:12345"
    assert machines.find_place("node1:12345", 2, 1, TASK).port == 12345  # rather than SLURM's


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("node1", 2, 0), "coordinator is 'node1'; accepted: HOST:PORT"),
        ((":12345", 2, 0), "coordinator is ':12345'"),
        (("[fd00::1]:12345", 2, 0), "of IPv6 a name, not an address"),
        (("node1:x", 2, 0), "coordinator is 'node1:x'"),
        (("node1:70000", 2, 0), "port 70000; accepted: 1 to 65535"),
        (("node1:12345", 2, 2), "process is 2; accepted: 0 to 1"),
        (("node1:12345", 2, -1), "process is -1; accepted: 0 to 1"),
        (("node1:12345", 0, 0), "processes is 0"),
        (("node1:12345", 2, None), "process missing"),
        ((None, 2, 1), "coordinator missing"),
        ((None, None, 1), "coordinator and processes missing"),
    ],
)
def test_a_place_that_cannot_be_is_refused(told, said):
    with pytest.raises(InputError) as error:
        machines.find_place(*told, {})
    assert said in str(error.value)


def test_a_step_of_slurm_with_several_tasks_is_a_place():
    place = machines.find_place(environ=TASK)
    # of job 4100, step 0: 61440 + 4100 % 4096
    assert place == machines.Place("node07", 61444, 2, 1)
    other = machines.find_place(environ={**TASK, "SLURM_STEP_ID": "1"})
    assert other.port != place.port


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"},  # a script of sbatch -n 2
        {**TASK, "SLURM_STEP_NUM_TASKS": "1"},
    ],
)
def test_elsewhere_in_slurm_a_process_is_alone(environ):
    assert machines.find_place(environ=environ) is None


def test_one_process_may_be_wished_in_a_step():
    assert machines.find_place(processes=1, environ=TASK) is None


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("node[001-015],big2", "node001"),
        ("node[007,9-15]", "node007"),
        ("rack[1-2]n5", "rack1n5"),
        ("a-b-3,c", "a-b-3"),
    ],
)
def test_the_first_host_of_a_list(nodes, first):
    assert machines.first_host(nodes) == first


def test_a_list_of_hosts_with_two_of_numbers_is_refused():
    with pytest.raises(InputError, match="nodes are rack.*; such names need coordinator"):
        machines.first_host("rack[1-2]n[3-4]")


def test_only_jax_computes_over_several_processes(tmp_path):
    here = {"KERAS_HOME": str(tmp_path)}
    machines.check_backend({**here, "KERAS_BACKEND": "jax"})
    for environ in (here, {**here, "KERAS_BACKEND": "tensorflow"}):
        with pytest.raises(InputError, match="KERAS_BACKEND=jax, and it is tensorflow"):
            machines.check_backend(environ)
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    machines.check_backend(here)


def test_alone_all_is_agreed():
    with machines.met(None) as together:
        assert together.first
        together.agree(seed=3)
        together.wait()
        assert together.tell(lambda: (1, 2)) == [1, 2]  # as JSON has it


def test_all_have_what_process_0_makes():
    made = at_once(3, lambda together: together.tell(lambda: {"process": together.process}))
    assert made == [{"process": 0}] * 3


def test_what_differs_is_named_in_all():
    def act(together):
        together.agree(seed=1, keras="3")
        together.agree(seed=1, keras="4" if together.process == 2 else "3")

    outcomes = at_once(3, act)
    for error in outcomes:
        assert str(error) == (
            f"process 2 ({HERE}) does not go with the others: keras is '4', in process 0 ({HERE}) "
            "'3'; all need the same versions, code, command and data"
        )


def test_numbers_that_cannot_be_are_sent_away():
    port, told = machines.free_port(), []

    def act(together):
        if together.first:  # a second process 1, and one that was told another number of them
            for processes, process in ((2, 1), (3, 2)):
                with pytest.raises(InputError) as error:
                    meet(port, processes, process)
                told.append(str(error.value))
        together.wait()

    assert at_once(2, act, port) == [None, None]
    assert f"process 1 is there already, on {HERE}" in told[0]
    assert "processes is 3 here, and 2 in process 0" in told[1]


def test_who_speaks_of_something_else_is_passed_over():
    port = machines.free_port()

    def disturb():
        for content in (b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b'{"process": 1}\n', b""):
            with machines.reach("localhost", port, time.monotonic() + 10) as connection:
                connection.sendall(content)

    threading.Thread(target=disturb).start()
    assert at_once(2, lambda together: together.tell(lambda: 5), port) == [5, 5]


def test_a_process_0_that_does_not_come_is_told(monkeypatch):
    monkeypatch.setattr(machines, "MEETING", 0.2)
    port = machines.free_port()
    with pytest.raises(InputError, match=rf"does not answer at localhost:{port} within 0 s \(Conn"):
        meet(port, 2, 1)
    with pytest.raises(InputError, match="coordinator has host no.such.host"):
        machines.reach("no.such.host", port, time.monotonic())


def test_a_process_that_does_not_come_is_told(monkeypatch):
    monkeypatch.setattr(machines, "MEETING", 0.5)
    lines = []
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at port {port}: Address already in"):
            meet(port, 3, 0, say=lines.append)
    with pytest.raises(InputError, match=f"of 3 processes 1, 2 did not come to localhost:{port}"):
        meet(port, 3, 0, say=lines.append)
    assert lines == [f"localhost:{port}: waiting for 2 more process(es)"]


def test_those_that_came_hear_who_did_not(monkeypatch):
    monkeypatch.setattr(machines, "MEETING", 2.0)
    port = machines.free_port()
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(meet, port, 3, number, say=print) for number in (0, 1)]
        first, other = (str(one.exception()) for one in both)
    assert f"of 3 processes 2 did not come to localhost:{port}" in first
    assert other.startswith("process 0 of 3 (") and first in other


@pytest.mark.parametrize("value", ["", "seed is 1, in process 0 (node1) 2"])
def test_the_last_word_and_the_end_may_come_at_once(value, monkeypatch):
    """As where this process had no time: all is there before its thread begins to read."""
    ends, read, ended = [], threading.Event(), machines.Together._ended
    monkeypatch.setattr(machines.os, "_exit", ends.append)
    monkeypatch.setattr(machines.Together, "_ended", lambda *given: (ended(*given), read.set()))
    with socket.create_server(("localhost", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours = server.accept()[0]
    theirs.sendall(json.dumps({"value": value, "over": True}).encode() + b"\n")
    theirs.shutdown(socket.SHUT_WR)
    together = machines.Together(machines.Place("node1", 12345, 2, 1))
    together.add(0, machines._Line(ours, "node1"))
    assert read.wait(60)
    if value:
        with pytest.raises(InputError, match="seed is 1"):
            together.agree(seed=1)
    else:
        together.leave()
    theirs.close()
    assert ends == []


def test_a_file_is_waited_for_until_it_is_the_right_one(tmp_path, monkeypatch):
    """A disk that lags, as others see it: first nothing, then an earlier file, then the right."""
    path = tmp_path / "history.csv"
    looks = iter([FileNotFoundError, 3, 7])

    def mark(_):
        if threading.current_thread() is first:
            return 7
        look = next(looks)
        if look is FileNotFoundError:
            raise look
        return look

    first = None

    def act(together):
        nonlocal first
        if together.first:
            first = threading.current_thread()
        together.wait()
        together.see(path, mark)

    assert at_once(2, act) == [None, None]
    assert next(looks, None) is None


def test_a_file_that_is_never_seen_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(machines, "VISIBLE", 0.3)

    def act(together):
        together.see(tmp_path / "a", lambda path: together.process)

    both = at_once(2, act)
    assert f"{tmp_path / 'a'} is not seen on {HERE} as process 0 wrote it" in str(both[1])
    assert "shared disk" in str(both[0])  # process 0, which waits for it, has the reason too


def test_a_relay_hides_the_end_of_a_connection():
    with socket.create_server(("", 0)) as server:
        port = machines.relay("localhost", server.getsockname()[1])
        with socket.create_connection(("localhost", port), timeout=5) as near:
            far = server.accept()[0]
            near.sendall(b"there")
            assert far.recv(9) == b"there"
            far.sendall(b"and back")
            assert near.recv(9) == b"and back"
            far.close()
            near.settimeout(0.2)
            with pytest.raises(TimeoutError):
                near.recv(9)


SCRIPT = """
import sys, time
from models import machines
from models.command import exit_code
from models.errors import InputError

machines.GRACE = 0.5

@exit_code
def main(argv):
    port, number = map(int, argv)
    with machines.met(machines.Place("localhost", port, 3, number), say=lambda line: None) as all:
        all.wait()
        print("met", flush=True)
        if number == 1 and sys.stdin.readline().startswith("fail"):
            raise InputError("no picture 7")
        time.sleep(60)

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def three():
    """Three processes of SCRIPT that have met, to be ended."""
    port = machines.free_port()
    kept = dict(os.environ, PYTHONPATH=str(ROOT))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(port), str(number)],
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    assert [process.stdout.readline() for process in started] == ["met\n"] * 3
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("victim", [0, 2])
def test_a_death_ends_all_with_a_line(three, victim):
    three[victim].send_signal(signal.SIGKILL)
    for number, process in enumerate(three):
        if number != victim:
            _, said = process.communicate(timeout=20)
            assert process.returncode == machines.GONE
            assert said == (
                f"error: process {victim} of 3 ({HERE}) ended without a word: killed, or its "
                "machine or the net between is gone; start the same command again in all "
                "processes: it goes on from the last epoch\n"
            )


def test_a_failure_is_told_to_all(three):
    three[1].stdin.write("fail\n")
    three[1].stdin.flush()
    said = [process.communicate(timeout=20)[1] for process in three]
    assert [process.returncode for process in three] == [machines.GONE, 2, machines.GONE]
    assert said[1] == "error: no picture 7\n"
    for text in said[0], said[2]:
        assert text.startswith(f"error: process 1 of 3 ({HERE}) ended: no picture 7; start the")


def test_an_interrupt_is_told_to_all(three):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("these tests, and so their processes, are run where interrupts are ignored")
    three[2].send_signal(signal.SIGINT)
    said = [process.communicate(timeout=20)[1] for process in three]
    assert [process.returncode for process in three] == [machines.GONE, machines.GONE, 130]
    assert "process 2 of 3" in said[0]
    assert "it was interrupted" in said[0]
