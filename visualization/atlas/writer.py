"""An atlas in files: the page, a script of data for each layer, every picture once and small."""

import itertools
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.errors import InputError
from transfer import pictures
from transfer.result_folder import write_bytes, write_text
from visualization.atlas import page
from visualization.atlas.contents import check_channel
from visualization.atlas.data_scripts import Numbering, Overview, script, side_values

FOLDER = "atlas"  # beside index.html; web/store.js knows the names below
PICTURE_SIDE, IMAGE_SIDE = 160, 128  # pixels at most: of pictures, of optimized images
PICTURE_QUALITY = 80  # of JPEG: about 6 kB a picture
# optimized images are fine texture in strong colours, where JPEG shows first
IMAGE_QUALITY = 85
SHARD = 100  # pictures in a folder
AT_A_TIME = 64  # channels, or pictures, that wait in memory
NAMED = 5  # unreadable pictures that are said by name
THREADS = 8  # at most: beyond, the disk is what takes time


def write_atlas(atlas, out, progress=None, say=print):
    """Write an atlas: `index.html` and the folder `atlas`, in place of an earlier one.

    Every file is whole or absent, and `index.html` comes last: where it is, all is there.

    Args:
        atlas: Atlas; its layers and their channels are taken once, some at a time.
        out: folder; made where it is absent.
        progress: makes a report of so many things by name, as transfer.progress.Progress does;
            None for none.
        say: called with a line for each layer, and for pictures that cannot be read: these are
            shown as empty frames.

    Raises:
        InputError: the folder `atlas` there holds something else; no layer; two layers of one
            name or channels of one number; a channel with a picture or class that is not there.
        OSError: the disk is full, or not writable.
    """
    folder = _begun(Path(out))
    numbering, overview = Numbering(), Overview()
    unreadable = _Unreadable("optimized images", say)
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for number, layer in enumerate(atlas.layers):
            if any(layer.name == other["name"] for other in overview.layers):
                raise InputError(f"two layers are named {layer.name!r}; accepted: one")
            overview.begin(layer)
            rows = []
            for channel, made in _with_images(layer, atlas, folder, number, pool, unreadable):
                overview.add(channel, made, numbering)
                rows.append([side_values(s, numbering) for s in (channel.before, channel.after)])
            write_text(_made(folder / "layers") / f"{number}.js", script("layer", number, rows))
            say(f"atlas: layer {layer.name}, {len(rows)} channels")
        if not overview.layers:
            raise InputError("an atlas of no layers; accepted: at least one")
        unreadable.tell()
        shown = [atlas.pictures[number] for number in numbering.numbers]
        names = _file_names(atlas.pictures, shown)
        lost = _write_pictures(shown, names, folder, pool, progress, say)
    write_text(folder / "overview.js", overview.text(atlas, lost))
    page.write_index(atlas.title, folder.parent)


def _begun(out):
    """The new folder of an atlas with the page's own files; an earlier atlas there is removed."""
    folder = out / FOLDER
    if folder.exists():
        if not (folder / page.SCRIPT).is_file():
            raise InputError(f"{folder} holds something else than an atlas; give another folder")
        (out / page.INDEX).unlink(missing_ok=True)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    page.write_parts(folder)
    return folder


def _made(folder):
    folder.mkdir(exist_ok=True)
    return folder


class _Unreadable:
    """Pictures that could not be read, said together and not one by one."""

    def __init__(self, what, say):
        self.what, self.say, self.problems = what, say, []

    def add(self, name, problem):
        self.problems.append(f"{name}: {problem}")

    def tell(self):
        if self.problems:
            more = len(self.problems) - NAMED
            told = "; ".join(self.problems[:NAMED]) + (f"; and {more} more" if more > 0 else "")
            count = len(self.problems)
            self.say(f"atlas: {count} {self.what} cannot be read, shown as empty frames: {told}")


def _with_images(layer, atlas, folder, number, pool, unreadable):
    """Yield a layer's channels, checked, each with (before, after): was its image written?"""
    images, seen = folder / "images" / str(number), set()
    images.mkdir(parents=True)
    channels = iter(layer.channels)
    while some := list(itertools.islice(channels, AT_A_TIME)):
        jobs = []
        for channel in some:
            check_channel(channel, layer.name, atlas)
            if channel.number in seen:
                raise InputError(f"layer {layer.name} has channel {channel.number} twice")
            seen.add(channel.number)
            for when in ("before", "after"):
                jobs.append((getattr(channel, when).image, f"{channel.number}-{when}.jpg"))
        made = []
        for problem, (image, name) in zip(
            pool.map(lambda job: _write_image(job[0], images / job[1]), jobs), jobs, strict=True
        ):
            if problem:
                unreadable.add(f"{layer.name}:{name.removesuffix('.jpg')}", problem)
            made.append(image is not None and not problem)
        yield from zip(some, zip(made[::2], made[1::2], strict=True), strict=True)


def _write_image(image, path):
    """Write an optimized image; the reason where it cannot be read, else None."""
    if image is None:
        return None
    small, problem = _small(image, IMAGE_SIDE)
    if small is not None:
        write_bytes(path, pictures.jpeg(small, IMAGE_QUALITY))
    return problem


def _small(source, side):
    """A picture made small, and None; or None and the reason."""
    try:
        return pictures.thumbnail(source, side), None
    except InputError as error:
        return None, str(error)
    except OSError as error:
        return None, error.strerror or str(error)


def _write_pictures(shown, names, folder, pool, progress, say):
    """Write thumbnails, and which is which; numbers of those that cannot be read."""
    columns = {name: [] for name in ("file", "label", "title", "width", "height", "problem")}
    unreadable = _Unreadable("pictures", say)
    report = progress(len(shown), "pictures in the atlas") if progress and shown else None
    for number in range(0, len(shown), SHARD):
        _made(_made(folder / "thumbs") / str(number // SHARD))

    def write(number):
        small, problem = _small(Path(shown[number].path), PICTURE_SIDE)
        if small is not None:
            path = folder / "thumbs" / str(number // SHARD) / f"{number}.jpg"
            write_bytes(path, pictures.jpeg(small, PICTURE_QUALITY))
        return (1, 1) if small is None else small.size, problem

    for start in range(0, len(shown), AT_A_TIME):
        some = range(start, min(start + AT_A_TIME, len(shown)))
        for number, ((width, height), problem) in zip(some, pool.map(write, some), strict=True):
            picture = shown[number]
            row = (names[number], picture.label, picture.title, width, height, problem or "")
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
            if problem:
                unreadable.add(names[number], problem)
            if report:
                report.advance()
    unreadable.tell()
    write_text(folder / "pictures.js", script("pictures", columns))
    return [number for number, problem in enumerate(columns["problem"]) if problem]


def _file_names(all_pictures, shown):
    """Names of the files as the page shows them: paths from the folder that all have in common."""
    try:
        common = os.path.commonpath([os.path.dirname(picture.path) for picture in all_pictures])
    except ValueError:  # none at all; on several drives
        common = None
    paths = [picture.path for picture in shown]
    names = [os.path.relpath(p, common) if common else os.path.basename(p) for p in paths]
    return [Path(name).as_posix() for name in names]
