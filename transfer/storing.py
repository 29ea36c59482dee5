"""Writing the six HDF5 files that transfer.store reads."""

from pathlib import Path

import h5py
import numpy as np

from models.errors import InputError
from transfer import pictures
from transfer.decoding import readable
from transfer.store import SPLITS, file_path

MAX_CLASSES = 4000  # an HDF5 attribute holds 64 KiB, 16 bytes for each variable-length name


def write(rows, picture_folder, folder, report=None):
    """Write the six files.

    Args:
        rows: transfer.splits.SplitRow, each with id, label, split and path.
        picture_folder: where the rows' paths lead from.
        folder: an empty folder to write into.
        report: called as report(done, total) after each picture.
    """
    classes = sorted({row.label for row in rows})
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f"{len(classes)} classes; a store holds {MAX_CLASSES}: leave rare ones out with "
            "--min_pictures N"
        )
    done = 0
    for split in SPLITS:
        part = [row for row in rows if row.split == split]
        with h5py.File(file_path(folder, split, "images"), "w") as file:
            encoded = file.create_dataset(
                f"X_{SPLITS[split][1]}", (len(part),), h5py.vlen_dtype(np.uint8)
            )
            for number, row in enumerate(part):
                content = _accepted(Path(picture_folder) / row.path)
                encoded[number] = np.frombuffer(content, np.uint8)
                done += 1
                if report:
                    report(done, len(rows))
            file.create_dataset("ids", data=[row.id for row in part], dtype=h5py.string_dtype())
        _write_labels(file_path(folder, split, "labels"), split, part, classes)


def _accepted(path):
    """The bytes of a picture that the pipeline's decoder takes too; Pillow takes a few more."""
    content = pictures.encoded(path)
    return content if readable(content) else pictures.reencoded(path)


def _write_labels(path, split, part, classes):
    number = {label: i for i, label in enumerate(classes)}
    with h5py.File(path, "w") as file:
        # one row a chunk row, compressed: 1196 classes one-hot would else be 110 MB for 90,000
        one_hot = file.create_dataset(
            f"y_{SPLITS[split][1]}",
            (len(part), len(classes)),
            np.uint8,
            chunks=(min(256, len(part)), len(classes)),
            compression="gzip",
        )
        one_hot.attrs.create("class_names", classes, dtype=h5py.string_dtype())
        for start in range(0, len(part), 256):
            block = [number[row.label] for row in part[start : start + 256]]
            one_hot[start : start + 256] = np.eye(len(classes), dtype=np.uint8)[block]
