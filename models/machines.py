"""Several processes, on as many machines, that train as one: they meet, agree, and end together.

Process 0 listens; the others come to it and stay connected. Over these connections goes what
they agree on, and by them a death is noticed: the kernel closes those of a process that dies.
What they compute together goes through JAX's runtime (models.backend.join).
"""

import atexit
import contextlib
import json
import os
import queue
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass

from models.command import chosen_backend
from models.errors import InputError

MEETING = 300.0  # seconds in which all must have come: JAX's own limit of its start
VISIBLE = 120.0  # seconds in which a file that another machine wrote must be seen
SILENT = 30  # seconds without a sign of a machine that may have lost its power or its net
GRACE = 10.0  # seconds in which a process that another one's failure ends may end by itself
GONE = 75  # exit code of a process that ends because another did: sysexits.h's "try again"
PAUSE = 0.3  # seconds between two tries
LONGEST = 1 << 24  # bytes of a message
PORTS = range(61440, 65536)  # where SLURM's steps meet; JAX takes the same
KNOWN = (InputError, OSError)  # what a command says in one line
STEP = ("SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_JOB_ID")


@dataclass(frozen=True)
class Place:
    """Which of several processes this one is.

    host, port: where process 0 listens. processes: how many there are. process: 0 to processes - 1.

    Raises:
        InputError: numbers that cannot be.
    """

    host: str
    port: int
    processes: int
    process: int

    def __post_init__(self):
        if not 0 <= self.process < self.processes:
            raise InputError(
                f"process is {self.process}; accepted: 0 to {self.processes - 1}, each once, since "
                f"processes is {self.processes}"
            )
        if not 0 < self.port < 65536:
            raise InputError(f"coordinator has port {self.port}; accepted: 1 to 65535")

    @property
    def address(self):
        """Where process 0 listens, as text."""
        return f"{self.host}:{self.port}"


def find_place(coordinator=None, processes=None, process=None, environ=os.environ):
    """Which of several processes this one is, as it was told or as SLURM says it.

    Args:
        coordinator: HOST:PORT, where process 0 listens.
        processes: how many there are; 1 for this one alone, also in a step of SLURM.
        process: number of this one, from 0.
        environ: variables; those of a step (srun) count, those of a job's script (sbatch) do not.

    Returns:
        Place; None of a process alone.

    Raises:
        InputError: something is missing or cannot be.
    """
    if processes is not None and processes < 1:
        raise InputError(f"processes is {processes}; it must be above 0")
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    if processes == 1 and coordinator is None and not process:
        return None
    if all(value is None for value in given.values()):
        return _place_in_step(environ)
    if missing := [name for name, value in given.items() if value is None]:
        raise InputError(
            f"{' and '.join(missing)} missing; several processes need all three: coordinator "
            "(HOST:PORT of process 0), processes (how many), process (which, from 0)"
        )
    host, port = _host_and_port(coordinator)
    place = Place(host, port, processes, process)
    return place if processes > 1 else None


def _host_and_port(text):
    host, colon, port = text.rpartition(":")
    if not colon or not host or ":" in host or not port.isdecimal():
        raise InputError(
            f"coordinator is {text!r}; accepted: HOST:PORT, the machine of process 0 and a port "
            "that is free there, e.g. node1:12345; of IPv6 a name, not an address"
        )
    return host, int(port)


def _place_in_step(environ):
    """The Place in a step of SLURM with several tasks; None elsewhere."""
    nodes, tasks, process, job = map(environ.get, STEP)
    if None in (nodes, tasks, process, job) or int(tasks) < 2:
        return None
    # a job's steps may run at once
    number = int(job) + 97 * int(environ.get("SLURM_STEP_ID", 0))
    return Place(first_host(nodes), PORTS[number % len(PORTS)], int(tasks), int(process))


def first_host(nodes):
    """The first host of SLURM's list of them, e.g. `node[007-9,12],big1` -> `node007`.

    Raises:
        InputError: names with two lists of numbers, as of racks and nodes.
    """
    name, numbers, rest = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\])?([^,]*)", nodes).groups()
    if "[" in rest:
        raise InputError(f"nodes are {nodes}; such names need coordinator, processes and process")
    return name + (numbers or "") + rest


def check_backend(environ=os.environ):
    """InputError where Keras computes on something that does not go over several processes.

    It is asked before Keras is imported, so that nobody waits for the others in vain.
    """
    name = chosen_backend(environ)
    if name != "jax":
        raise InputError(
            f"several processes need KERAS_BACKEND=jax, and it is {name}: Keras 3 does not train "
            "over several processes there (its maintainers name JAX for it)"
        )


class Together:
    """Processes that met, as one of them sees the others; alone, it agrees with itself.

    process, processes: which this is, and of how many. runtime: whether what they compute together
    has begun, so that one which fails must not wait for the others.
    """

    def __init__(self, place=None):
        self.place = place
        self.process, self.processes = (place.process, place.processes) if place else (0, 1)
        self.runtime = False
        self._lines = {}  # to the others: of process 0 to all of them, of these to process 0
        self._over = False
        # of the process itself: what it writes there may be held back, as while Keras starts
        self._stderr = os.dup(2) if place else None

    @property
    def first(self):
        """Whether this is process 0, which writes and prints."""
        return self.process == 0

    def tell(self, make):
        """What process 0 makes, in all of them; the others wait for it.

        Args:
            make: () -> what JSON can hold; called in process 0 alone.
        """
        if not self.first:
            return self.hear()
        value = _as_json(make())
        for line in self._lines.values():
            line.send(value=value)
        return value

    def hear(self):
        """What process 0 tells, in another one."""
        return self._lines[0].receive()

    def wait(self):
        """Wait until all are here."""
        self.agree()

    def agree(self, **values):
        """Make sure that all have the same values, which JSON can hold.

        Raises:
            InputError: in all of them, naming what differs and where.
        """
        if differing := self._compare(values):
            raise InputError(differing)

    def _compare(self, values, last=False):
        """What differs, "" for nothing. Where something does, and at the last time, all end.

        They know it before anybody can be gone: nobody is to be told that another one ended.
        """
        if not self.first:
            self._lines[0].send(value=[socket.gethostname(), _as_json(values)])
            return self._lines[0].receive()
        told = {number: line.receive() for number, line in self._lines.items()}
        differing = _differing(_as_json(values), told)
        self._over = last or differing != ""
        for line in self._lines.values():
            line.send(value=differing, over=self._over)
        return differing

    def begin(self):
        """Begin to compute together: the port of this machine that leads to JAX's runtime."""
        port = self.tell(free_port)
        self.runtime = True
        return port if self.first else relay(self.place.host, port)

    def see(self, path, mark):
        """Wait until a file or folder that process 0 has made is seen here as it is there.

        Args:
            path: of it, the same for all.
            mark: (path) -> what JSON can hold, by which the right one is known, e.g. its size;
                OSError or InputError, where it is not to be seen.

        Raises:
            InputError: it is not seen in VISIBLE seconds.
        """
        if self.processes == 1:
            return
        wanted, until = self.tell(lambda: mark(path)), time.monotonic() + VISIBLE
        while not self.first and _seen(path, mark) != wanted:
            if time.monotonic() > until:
                raise InputError(
                    f"{path} is not seen on {socket.gethostname()} as process 0 wrote it, after "
                    f"{VISIBLE:.0f} s; all processes need the same folder, on a shared disk"
                )
            _seen(path.parent, os.listdir)  # a network's disk looks again
            time.sleep(0.1)

    def add(self, number, line):
        """Take up the connection to another process."""
        self._lines[number] = line
        line.read(self._end_well, lambda said: self._ended(number, line, said))

    def _end_well(self):
        self._over = True

    def leave(self):
        """End well, all at once."""
        self._compare({}, last=True)

    def fail(self, reason):
        """End because of a failure here: the others are told the reason, unless they know it."""
        if not self._over:
            self._over = True
            text = f"process {self.process} of {self.processes} ({socket.gethostname()}) ended"
            self._warn(f"{text}: {reason}")

    def _warn(self, text, but=None):
        for line in self._lines.values():
            if line is not but:
                with contextlib.suppress(OSError):
                    line.send(failed=text)

    def _ended(self, number, line, said):
        """End this process, since another one did; in a thread of the connection to it."""
        if self._over:
            return
        text = said or (
            f"process {number} of {self.processes} ({line.host}) ended without a word: killed, or "
            "its machine or the net between is gone"
        )
        if self.first:
            self._warn(text, but=line)
        if said:  # what failed there may fail here, and say so better
            line.end(text)
            time.sleep(GRACE)
            if self._over:
                return
        sys.stdout.flush()
        again = "start the same command again in all processes: it goes on from the last epoch"
        os.write(self._stderr, f"error: {text}; {again}\n".encode())
        os._exit(GONE)  # nothing else ends a thread that waits for another machine


ALONE = Together()


def _as_json(value):
    return json.loads(json.dumps(value, default=str))


def _differing(values, told):
    """What differs between the values of process 0 and of the others, as text; "" for nothing."""
    for number, (host, others) in sorted(told.items()):
        names = [n for n in {**values, **others} if values.get(n) != others.get(n)]
        if names:
            own = f"in process 0 ({socket.gethostname()})"
            parts = [f"{n} is {others.get(n)!r}, {own} {values.get(n)!r}" for n in names]
            return (
                f"process {number} ({host}) does not go with the others: {'; '.join(parts[:5])}; "
                "all need the same versions, code, command and data"
            )
    return ""


def _seen(path, mark):
    try:
        return mark(path)
    except (OSError, InputError):
        return None


@contextlib.contextmanager
def met(place, say=print):
    """Meet the other processes, and end with them.

    Args:
        place: Place; None of a process alone.
        say: called with one line, in process 0, where the others are waited for.

    Yields:
        Together.

    Raises:
        InputError: the others do not come or answer in MEETING seconds, or one came with this
            number, or the port is taken.
    """
    if place is None:
        yield ALONE
        return
    together = Together(place)
    try:
        (_gather if together.first else _come)(place, together, say)
        yield together
        together.leave()
    except BaseException as error:
        try:
            if not isinstance(error, (*KNOWN, KeyboardInterrupt, SystemExit)):
                time.sleep(GRACE)  # it may come of a death: the connections tell more clearly
        finally:
            together.fail(_in_words(error))
        if together.runtime:
            # JAX's runtime would wait for the others at the end, and then abort this process
            atexit.register(_end_now, _code(error))
        raise


def _in_words(error):
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    text = " ".join(str(error).split())
    return text if isinstance(error, KNOWN) else f"{type(error).__name__}: {text}"


def _code(error):
    """The exit code that an error gives, see models.command.exit_code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, KNOWN) else 1


def _end_now(code):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Line:
    """The connection to another process: messages, JSON in lines, both ways."""

    def __init__(self, connection, host=""):
        self.host = host
        self._connection, self._file = connection, connection.makefile("rb")
        self._values = queue.SimpleQueue()
        self._sending = threading.Lock()
        connection.settimeout(GRACE)  # for the first messages
        _notice_silence(connection)

    def send(self, **message):
        content = json.dumps(message).encode() + b"\n"
        with self._sending:
            self._connection.sendall(content)

    def message(self):
        """The next message, a dict; OSError or ValueError where there is none or it is foreign."""
        content = self._file.readline(LONGEST)
        message = json.loads(content)
        if not isinstance(message, dict):
            raise ValueError("a message is an object")
        return message

    def receive(self):
        """The next value, after read; InputError where the other process ended with a reason."""
        value = self._values.get()
        if isinstance(value, InputError):
            raise value
        return value

    def end(self, reason):
        """Let whoever waits for a value have an InputError with this reason."""
        self._values.put(InputError(reason))

    def read(self, over, ended):
        """Read on in a thread; over() before the last value, ended(what the other said or None)."""
        self._connection.settimeout(None)

        def on():
            try:
                while "failed" not in (message := self.message()):
                    if message.get("over"):
                        over()
                    self._values.put(message["value"])
            except (OSError, ValueError, KeyError):
                message = {"failed": None}
            ended(message["failed"])

        threading.Thread(target=on, daemon=True).start()


def _notice_silence(connection):
    """Let the kernel end a connection whose other end was silent for SILENT seconds."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    values = {"TCP_KEEPIDLE": SILENT // 3, "TCP_KEEPINTVL": SILENT // 6, "TCP_KEEPCNT": 4}
    for name, value in {**values, "TCP_USER_TIMEOUT": SILENT * 1000}.items():
        if hasattr(socket, name):  # not every system has all of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _gather(place, together, say):
    """Process 0: wait until all others have come."""
    try:
        server = socket.create_server(("", place.port))
    except OSError as error:
        raise InputError(
            f"process 0 cannot listen at port {place.port}: {error.strerror}"
        ) from error
    come, until = queue.SimpleQueue(), time.monotonic() + MEETING
    threading.Thread(target=_welcome, args=(server, place, come), daemon=True).start()
    missing = set(range(1, place.processes))
    say(f"{place.address}: waiting for {place.processes - 1} more process(es)")
    while missing:
        try:
            number, line = come.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            names = ", ".join(map(str, sorted(missing)))
            raise InputError(
                f"of {place.processes} processes {names} did not come to {place.address} within "
                f"{MEETING:.0f} s; start the same command in each, with its own process number"
            ) from None
        missing.remove(number)
        together.add(number, line)


def _welcome(server, place, come):
    """Answer those who come, also later; the first of each number is taken up."""
    hosts = {0: socket.gethostname()}
    while True:
        line = _Line(server.accept()[0])
        try:
            said = line.message()
            number, line.host = int(said["process"]), str(said["host"])
            refused = _refused(number, said["processes"], place, hosts)
            line.send(**({"refused": refused} if refused else {"host": hosts[0]}))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # nothing of ours
        if not refused:
            hosts[number] = line.host
            come.put((number, line))


def _refused(number, processes, place, hosts):
    """Why a process that comes is sent away, as text; None for one that is wanted."""
    if processes != place.processes:
        return f"processes is {processes} here, and {place.processes} in process 0"
    if number in hosts:
        return f"process {number} is there already, on {hosts[number]}; accepted: a number for each"
    return None


def _come(place, together, _):
    """Any other process: come to process 0."""
    until = time.monotonic() + MEETING
    while True:
        line = _Line(reach(place.host, place.port, until))
        try:
            line.send(process=place.process, processes=place.processes, host=socket.gethostname())
            answer = line.message()
            break
        except (OSError, ValueError) as error:  # it ended just now, or it is somebody else
            if time.monotonic() > until:
                raise InputError(_no_answer(place.host, place.port, error)) from error
            time.sleep(PAUSE)
    if "host" not in answer:
        raise InputError(answer.get("refused", f"{place.address} is no process of this command"))
    line.host = answer["host"]
    together.add(0, line)


def reach(host, port, until):
    """A connection to a port that somebody may only be about to open.

    Args:
        until: when to give up, by time.monotonic.

    Returns:
        socket.

    Raises:
        InputError: there is no such host, or none answers.
    """
    while True:
        try:
            return socket.create_connection((host, port), timeout=GRACE)
        except socket.gaierror as error:
            if error.errno != socket.EAI_AGAIN or time.monotonic() > until:
                raise InputError(f"coordinator has host {host}: {error.strerror}") from error
        except OSError as error:
            if time.monotonic() > until:
                raise InputError(_no_answer(host, port, error)) from error
        time.sleep(PAUSE)


def _no_answer(host, port, error):
    foreign = "what answers there is something else"
    reason = error.strerror or error if isinstance(error, OSError) else foreign
    return (
        f"process 0 does not answer at {host}:{port} within {MEETING:.0f} s ({reason}); start it "
        "there, or name its machine and port"
    )


def relay(host, port):
    """A port of this machine that leads to one of another machine, and outlives its end.

    JAX's client aborts its process, with a page of C++, when the connection to process 0 is closed.
    Through this port it sees none closed, so that this process can say in a line what happened.

    Args:
        host, port: of the other machine.

    Returns:
        int.
    """
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            near = server.accept()[0]
            far = reach(host, port, time.monotonic() + MEETING)
            far.settimeout(None)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while block := source.recv(1 << 16):
            sink.sendall(block)


def free_port():
    """A port of this machine that nobody listens at now."""
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]
