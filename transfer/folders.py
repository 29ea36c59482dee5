"""A folder of pictures sorted into folders -> labelled pictures: a picture's folder is its class.

    CLASS/picture.jpg                 a split is drawn
    train/CLASS/picture.jpg, test/…   the split is given

The folders of a split have a name in splits.COLUMN_VALUES, or one that ends with it behind a `_`,
as RASTA's `wikipaintings_train` (Lecoutre et al. 2017).
"""

from pathlib import Path

from models.errors import InputError
from transfer import metadata, pictures
from transfer.result_folder import UNPRINTABLE
from transfer.splits import COLUMN_VALUES

_EXAMPLES = 5  # how many folders or pictures a message names


def find_parts(folder):
    """Which folders under a folder are parts of a split.

    They are where one of those that are named after a part holds a folder: else `test` is a class
    as good as any.

    Returns:
        dict: name of the folder -> a name in splits.SPLITS; {} where no split is given.
    """
    parts = {}
    for name in _folders_in(folder):
        if part := COLUMN_VALUES.get(name.lower().rpartition("_")[2]):
            parts[name] = part
    return parts if any(_folders_in(Path(folder, name)) for name in parts) else {}


def check(folder, pictures_glob=None):
    """Refuse a folder whose pictures lie otherwise than read() expects: InputError.

    From their names alone, without pandas.
    """
    if not Path(folder).is_dir():
        raise InputError(f"picture folder {folder} is not a folder that exists")
    if not _folders_in(folder):
        raise InputError(
            f"{folder} holds no folders; layout folders takes a picture's folder for its class"
            " (CLASS/picture.jpg); a CSV of labels is given as metadata_path"
        )
    _check_depth(folder, pictures.search(folder, pictures_glob).names, find_parts(folder))


def read(folder, drop_labels=metadata.ANONYMOUS, pictures_glob=None):
    """Read which pictures lie in which class's folder.

    Args:
        folder: of the folders.
        drop_labels: names of folders (any case) that are no class.
        pictures_glob: pattern of the pictures that count, see pictures.search.

    Returns:
        metadata.Collection, its rows with path; ids are these paths, but for characters that
        nothing shows; split is "" where the folders give none. Findings "label dropped", "empty
        class folder", "picture outside class folders", "labels that look alike", "control
        characters".

    Raises:
        InputError: no pictures; pictures deeper than in their class's folder; folders beside those
            of a split.
    """
    import pandas

    found = pictures.search(folder, pictures_glob)
    names = [name for name in found.names if name.encode("utf-8", "ignore").decode() == name]
    parts = find_parts(folder)
    depth = _check_depth(folder, names, parts)
    outside = [name for name in names if name.count("/") < depth]
    inside = [name for name in names if name.count("/") == depth]
    columns = {
        "id": _ids(inside),
        "label": [metadata.clean_label(path.split("/")[-2]) for path in inside],
        "split": [parts[path.split("/")[0]] if parts else "" for path in inside],
        "group": "",
        "path": inside,
    }
    rows = pandas.DataFrame(columns, columns=[*metadata.ROWS, "path"], dtype=object)
    unwanted = {"", *(metadata.clean_label(text).casefold() for text in drop_labels)}
    anonymous = rows["label"].str.casefold().isin(unwanted)
    dropped, rows = rows[anonymous], rows[~anonymous].reset_index(drop=True)
    if rows.empty:
        raise InputError(
            f"no picture in {folder} lies in the folder of a class ({' or '.join(_shapes(parts))};"
            f" {len(outside)} lie outside, the folders of {len(dropped)} are in drop_labels)"
        )
    findings = metadata.gather(
        metadata.findings_of("label dropped", dropped["id"], dropped["path"], dropped["label"]),
        metadata.findings_of("picture outside class folders", outside, outside),
        _empty_folders(folder, parts, [*found.names, *found.passed_over]),
        metadata.look_alikes(rows),
        _controls(rows),
    )
    index = pandas.Index(rows["id"], name="id")
    return metadata.Collection(rows, findings, False, pandas.DataFrame(index=index))


def _ids(paths):
    """The id of every path: the path itself, but for what no table can show.

    Each is another: where one is taken, it is numbered.
    """
    ids, taken = [], set(paths)
    for path in paths:
        id = clean = metadata.clean_id(path) if UNPRINTABLE.search(path) else path
        number = 1
        while id != path and id in taken:
            number += 1
            id = f"{clean} ({number})"
        taken.add(id)
        ids.append(id)
    return ids


def _controls(rows):
    """A finding for every picture whose path has characters that nothing shows, written out."""
    other = rows[rows["id"] != rows["path"]]
    shown = [UNPRINTABLE.sub(lambda c: f"\\x{ord(c[0]):02x}", path) for path in other["path"]]
    return metadata.findings_of("control characters", other["id"], shown)


def _folders_in(folder):
    """Names of the folders right in a folder, hidden ones left out; none where it is unreadable."""
    try:
        return sorted(p.name for p in Path(folder).iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError:  # the search for pictures says so
        return []


def _shapes(parts):
    """How paths of pictures look."""
    return [f"{part}/CLASS/picture" for part in parts] or ["CLASS/picture"]


def _check_depth(folder, names, parts):
    """How many folders are above a picture.

    InputError where pictures lie deeper, or in folders beside those of a split.
    """
    depth = 2 if parts else 1
    deep = [name for name in names if name.count("/") > depth]
    if deep:
        right = sum(name.count("/") == depth for name in names)
        holders = sorted({name.rpartition("/")[0] for name in deep})
        tops = {name.split("/")[0] for name in names}
        hint = f"; is {Path(folder, *tops)} the folder meant?" if len(tops) == 1 else ""
        raise InputError(
            f"pictures in {folder} lie at two depths or too deep: {right} as"
            f" {' or '.join(_shapes(parts))}, {len(deep)} deeper, in {_some(holders)}{hint}"
        )
    others = sorted({name.split("/")[0] for name in names if "/" in name}.difference(parts))
    if parts and others:
        raise InputError(
            f"{folder} holds {_some(list(parts))}, the parts of a split, and beside them pictures"
            f" in {_some(others)}; move these folders into the parts, or away"
        )
    return depth


def _empty_folders(folder, parts, names):
    """A finding for every folder where a class's folder is that holds no picture.

    One that holds results of this package is no class's.
    """
    filled = {name.rpartition("/")[0] for name in names}
    expected = []
    for part in parts or [""]:
        expected += [f"{part}/{name}".lstrip("/") for name in _folders_in(Path(folder, part))]
    empty = [
        name
        for name in expected
        if name not in filled and not pictures.holds_results(Path(folder, name))
    ]
    details = [name.encode("utf-8", "backslashreplace").decode() for name in empty]
    return metadata.findings_of("empty class folder", detail=details)


def _some(names):
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more
