"""Parts of a result, each made by a process that talks to no other; kept, found, joined.

Part I of N of the result OUT is the folder OUT.parts/I-of-N, whole or absent like every result,
so a part may be made again, by several processes, and after it was killed. N may differ between
calls: a part holds a run of channels or pictures, and parts are joined by what they hold. Where the
joined result is whole, its parts are removed.

The manifest of a part has the digest of each of its files. On a shared disk that lags, a file may
be there before its content is: it is waited for, and never read half.
"""

import contextlib
import hashlib
import re
import shutil
import time
from dataclasses import dataclass

import filelock

from models.errors import InputError
from transfer.result_folder import (
    MANIFEST,
    UNFINISHED,
    locked,
    named,
    read_json,
    result_folder,
    sha256,
    unfinished,
)
from visualization.whole_numbers import spans

# seconds that a disk may lag: NFS keeps what it knows of a folder for 60 at most (nfs(5), acdirmax)
LAG = 60.0
EVERY = 1.0  # seconds between two looks
WAITING = f"waiting up to {LAG:g} s for what a shared disk may hold back"
NAME = re.compile(r"(?P<begun>\.)?(\d+)-of-(\d+)(?(begun)\.partial)")
FILES = "files"  # in a part's manifest: name -> SHA-256
# parts by default: what takes minutes on two cores
CHANNELS_IN_PART, PICTURES_IN_PART = 100, 2000
MOST_PARTS = 1000  # of them: what an array of SLURM takes where MaxArraySize is its default, 1001


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of some work, `number` of them from 1."""

    number: int
    count: int

    def __str__(self):
        return f"{self.number}/{self.count}"

    @property
    def name(self):
        """Name of its folder."""
        return f"{self.number}-of-{self.count}"

    def piece(self, total, block):
        """The numbers from 0 to total - 1 that are this part's: a range of whole blocks.

        Parts are cut where a run in one piece has the ends of its batches, so that the same things
        are computed together. Where there are fewer blocks than parts, some parts are empty.
        """
        blocks = -(-total // block)
        first, last = (blocks * end // self.count for end in (self.number - 1, self.number))
        return range(min(first * block, total), min(last * block, total))

    def split(self, count):
        """The parts of this part, a tuple of Shard, which are parts of the same work."""
        first = (self.number - 1) * count
        return tuple(Shard(first + one, self.count * count) for one in range(1, count + 1))


def read_shard(text):
    """Read `2/4` into Shard(2, 4).

    Raises:
        InputError: another text, or a number that is not among the parts.
    """
    numbers = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    shard = Shard(*map(int, numbers.groups())) if numbers else None
    if shard is None or not 1 <= shard.number <= shard.count:
        raise InputError(
            f"shard is {text!r}; accepted: I/N, part I of N, whole numbers with I from 1 to N"
        )
    return shard


def usual_count(total, each):
    """How many parts of about `each` things there are by default, 1 to MOST_PARTS."""
    return min(MOST_PARTS, max(1, -(-total // each)))


def parts_folder(out):
    """Where the parts of a result lie."""
    out = named(out)
    return out.with_name(f"{out.name}.parts")


@contextlib.contextmanager
def making(out, name, identity, worth=None, say=print):
    """Make a part, or find it finished; as result_folder, and the manifest gets the digests.

    Args:
        out: path of the result that it is a part of.
        name: of a Shard, or of what all parts share.
        identity, worth, say: as for result_folder.

    Yields:
        transfer.result_folder.Result.
    """
    folder = parts_folder(out) / name
    with result_folder(folder, identity, worth, say=say) as result:
        if result.finished:
            wait_whole(folder)
        yield result
        if not result.finished:
            files = sorted(path for path in result.path.iterdir() if path.name != UNFINISHED)
            result.about[FILES] = {path.name: sha256(path) for path in files}


def begun(out):
    """The parts of a result that lie there: dict Shard -> whether it is finished."""
    found = {}
    for path in parts_folder(out).glob("*"):
        name = NAME.fullmatch(path.name)
        if name:
            shard = Shard(int(name[2]), int(name[3]))
            found[shard] = found.get(shard, False) or (path / MANIFEST).exists()
    return dict(sorted(found.items(), key=lambda one: (one[0].count, one[0].number)))


def settle(out, say=print):
    """Wait for the processes that are making parts of a result, and say so."""
    for shard, finished in begun(out).items():
        folder = parts_folder(out) / shard.name
        if not finished:
            with locked(folder, lambda shard=shard: say(f"waiting: part {shard} is being made")):
                pass


def read_whole(path, digest):
    """The bytes of a file of a part, once they are what its manifest says.

    Raises:
        InputError: they are not after LAG seconds.
    """

    def read():
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == digest:
                return content
        return None

    content = until(read)
    if content is None:
        raise _damaged(path)
    return content


def wait_whole(folder):
    """Wait until all files of a finished part are what its manifest says.

    Raises:
        InputError: they are not after LAG seconds.
    """
    for name, digest in read_json(folder / MANIFEST)[FILES].items():
        path = folder / name

        def is_whole(path=path, digest=digest):
            with contextlib.suppress(OSError):
                return sha256(path) == digest
            return False

        if not until(is_whole):
            raise _damaged(path)


def _damaged(path):
    return InputError(
        f"{path} is not what {MANIFEST} beside it says, {LAG:g} s after it was first read: it is "
        f"damaged; remove {path.parent} and make that part again"
    )


def until(look, before_waiting=None):
    """Call a function until what it gives is true, for LAG seconds; what it gave last.

    Args:
        look: function without arguments.
        before_waiting: called once, where the first look gives nothing.
    """
    end = None
    while not (seen := look()):
        now = time.monotonic()
        if end is None:
            end = now + LAG
            if before_waiting:
                before_waiting()
        if now >= end:
            break
        time.sleep(min(EVERY, end - now))
    return seen


def missing(out, total, block, lacks):
    """Which parts are missing, by the number of parts that most of those there have.

    Args:
        out: path of the result.
        total, block: as for Shard.piece.
        lacks: function of a number from 0 to total - 1, or of all: whether it is in no part.

    Returns:
        Tuple of Shard; () where no part lies there.
    """
    counts = [shard.count for shard in begun(out)]
    if not counts:
        return ()
    count = max(counts, key=counts.count)
    every = (Shard(number, count) for number in range(1, count + 1))
    return tuple(shard for shard in every if any(map(lacks, shard.piece(total, block))))


def told(shards):
    """Parts that are missing, as text: `parts 2-3,5 of 8`; of none `every part`."""
    if not shards:
        return "every part"
    return f"part{'s' * (len(shards) > 1)} {spans(s.number for s in shards)} of {shards[0].count}"


def cannot_join(out, shards):
    """What is said where parts, or all of them, are missing."""
    return (
        f"{out} cannot be joined: missing in {parts_folder(out)}: {told(shards)}; make them and "
        "join again, or let the command without join make them here"
    )


def remove(out):
    """Remove the parts of a result that is whole, but those that a process is making."""
    folder = parts_folder(out)
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if NAME.fullmatch(path.name) and path.name.startswith("."):
            final = folder / path.name[1:].removesuffix(".partial")
            with contextlib.suppress(filelock.Timeout, OSError), locked(final):
                shutil.rmtree(unfinished(final), ignore_errors=True)
        elif path.is_dir() and (path / MANIFEST).exists():
            shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):  # something is still there
        folder.rmdir()
