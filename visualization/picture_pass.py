"""The pass of a comparison's pictures through its networks: in one piece, or in parts.

A part is what visualization.shards says: part files of visualization.activations, and beside the
parts, in OUT.parts/pictures, the list of pictures that they share. Parts are cut at the ends of
batches, so that the joined scores are those of one pass to the byte.
"""

import functools

import numpy as np

from models.errors import InputError
from transfer import inference
from transfer.pictures import read
from transfer.progress import Progress
from transfer.result_folder import MANIFEST, is_finished, read_json, write_bytes
from visualization import activations, picture_list, shards

LIST = "pictures"  # in the folder of the parts
WORTH = "part-*.h5"  # what an interrupted part goes on from
APART = ("k", "seed")  # of a comparison's identity: what no score depends on


def score_all(compared, files, folder, say=print):
    """Score pictures in one piece, or go on with that, or find it done.

    Args:
        compared: differences.Opened.
        files: list of Path.
        folder: Path where the scores lie.
        say: called with lines of text.

    Returns:
        Key of a network -> activations.Scores.

    Raises:
        InputError: NaN in a network; too little memory; no picture that can be read.
        OSError: a full disk.
    """
    given = _pass(compared, files, len(files), say)
    with inference.explained(compared.comparison.batch_size, compared.size):
        return activations.score_pictures(folder=folder, **given)


def _pass(compared, files, count, say, least=1):
    """The arguments of activations for a pass of files, of `count` in all."""
    asked = compared.comparison
    reader = functools.partial(read, size=compared.size)
    return {
        "networks": compared.networks,
        "layers": compared.scored,
        "batches": inference.files(files, reader, asked.batch_size, say, least),
        "size": compared.size,
        "statistic": asked.statistic,
        "progress": Progress(len(files), "pictures scored"),
        "batch": min(asked.batch_size, count),
    }


def list_pictures(compared, out, key, refused, say=print):
    """The pictures of a comparison as its parts share them: chosen by the first, kept beside them.

    Args:
        compared: differences.Opened.
        out: path of the comparison's result.
        key: of the collection, see picture_list.collection_key.
        refused: see picture_list.open_pictures.
        say: called with lines of text.

    Returns:
        picture_list.Pictures of all parts of the split.
    """
    with shards.making(out, LIST, {"data": key}, say=say) as result:
        everything = picture_list.open_pictures(compared.comparison.data, result.path, refused, say)
    return everything


def take_list(out, key, folder):
    """Copy the list that parts share into the comparison's folder, where there is one.

    Raises:
        InputError: it is that of another collection.
    """
    shared = shards.parts_folder(out) / LIST
    if (folder / picture_list.ABOUT).exists() or not is_finished(shared, {"data": key}):
        return
    digests = read_json(shared / MANIFEST)[shards.FILES]
    for name in sorted(digests, key=lambda name: name == picture_list.ABOUT):  # that one last
        write_bytes(folder / name, shards.read_whole(shared / name, digests[name]))


def score_part(compared, out, identity, files, shard, say=print):
    """Score one part of the pictures, or find it finished.

    Args:
        compared: differences.Opened.
        out: path of the comparison's result.
        identity: of the comparison, as differences.Opened.identity.
        files: list of Path, all pictures that count.
        shard: shards.Shard.
        say: called with lines of text.

    Raises:
        InputError: as score_all; a part of another comparison.
    """
    block = compared.comparison.batch_size
    own = shard.piece(len(files), block)
    if not own:
        say(
            f"part {shard} has nothing to score: {len(files)} pictures, {block} at a time, give "
            f"fewer than {shard.count} parts; with a smaller batch_size there are more"
        )
        return
    of_part = _identity(compared, identity, own)
    with shards.making(out, shard.name, of_part, WORTH, say) as result:
        if result.finished:
            say(f"already finished: {result.final}")
            return
        say(f"part {shard}: {len(own)} of {len(files)} pictures")
        given = _pass(compared, files[own.start : own.stop], len(files), say, least=0)
        with inference.explained(block, compared.size):
            activations.score_piece(folder=result.path, **given)
    say(f"part {shard} is in {result.final}")


def _identity(compared, identity, own):
    """All that decides the scores of a part."""
    kept = {name: value for name, value in identity.items() if name not in APART}
    return {
        **kept,
        "batch_size": compared.comparison.batch_size,
        "pictures": [own.start, own.stop],
    }


def join_parts(compared, out, identity, files, folder, joining, say=print):
    """Join the parts that lie there into the scores of one pass; nothing where there are none.

    Args:
        compared, out, identity, files: as for score_part.
        folder: Path where the scores are to lie.
        joining: to make no part that is missing, but to say which.
        say: called with lines of text.

    Raises:
        InputError: as score_part; a part that is missing.
    """
    if (folder / activations.SCORES).exists() or not (joining or shards.begun(out)):
        return
    shards.settle(out, say)

    def look():
        pieces = _find_pieces(compared, out, identity)
        return pieces if _held(pieces, len(files)).all() else None

    pieces = shards.until(look, lambda: say(shards.WAITING)) if joining else look()
    if pieces is None:
        lost = _missing(compared, out, identity, len(files))
        if joining:
            raise InputError(shards.cannot_join(out, lost))
        say(f"missing: {shards.told(lost)}; made here")
        for shard in lost:
            score_part(compared, out, identity, files, shard, say)
        pieces = look()
    given = (compared.networks, compared.scored, folder, compared.size)
    activations.join_pieces(_in_order(pieces), *given, compared.comparison.statistic)


def _find_pieces(compared, out, identity):
    """The finished parts, (first, last, folder) each; InputError for one of another comparison."""
    pieces = []
    for shard, finished in shards.begun(out).items():
        folder = shards.parts_folder(out) / shard.name
        if finished:
            first, last = read_json(folder / MANIFEST)["identity"].get("pictures", (0, 0))
            if is_finished(folder, _identity(compared, identity, range(first, last))):
                pieces.append((first, last, folder))
    return pieces


def _held(pieces, count):
    """Whether each picture is in a part, bool (count,)."""
    held = np.zeros(count, bool)
    for first, last, _ in pieces:
        held[first:last] = True
    return held


def _missing(compared, out, identity, count):
    held = _held(_find_pieces(compared, out, identity), count)
    return shards.missing(out, count, compared.comparison.batch_size, lambda at: not held[at])


def _in_order(pieces):
    """Pieces that hold each picture once: list of activations.Piece."""
    chosen, at, count = [], 0, max(last for _, last, _ in pieces)
    while at < count:
        first, last, folder = max(
            (piece for piece in pieces if piece[0] <= at), key=lambda piece: piece[1]
        )
        shards.wait_whole(folder)
        chosen.append(activations.Piece(folder, first, at))
        at = last
    return chosen
