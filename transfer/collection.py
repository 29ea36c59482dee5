"""A CSV and a folder of pictures -> split.csv, report.csv and the six HDF5 files, made once."""

import sys
from pathlib import Path

from models.errors import InputError
from transfer import folders, metadata, splits, storing


def prepare(csv_path, picture_folder, challenge, folder, split, seed, min_pictures, **reading):
    """Find or make the data set of one challenge.

    The folder's name is a digest of the CSV, the pictures and these settings, so a changed CSV
    never meets a stale split; every network and mode asks for the same digest and so shares it.

    Args:
        csv_path, picture_folder: the collection.
        challenge: a name in metadata.CHALLENGES or a column.
        folder: where data sets of this challenge lie.
        split: a name in splits.PROTOCOLS, or `column=NAME` for a split that the CSV gives.
        seed: of the split.
        min_pictures: classes with fewer pictures are left out.
        reading: id_column and drop_labels of metadata.read, where given.

    Returns:
        Path of a folder holding split.csv, report.csv, manifest.json and the HDF5 files.

    Raises:
        InputError: see metadata.read, metadata.join, splits.assign.
    """
    protocol, _, column = split.partition("=")
    if protocol not in splits.PROTOCOLS and not (protocol == "column" and column):
        accepted = ", ".join([*splits.PROTOCOLS, "column=NAME"])
        raise InputError(f"--split is {split!r}; accepted: {accepted}")
    rows, findings = metadata.read(csv_path, challenge, split_column=column or None, **reading)
    settings = dict(
        challenge=challenge, split=split, seed=seed, min_pictures=min_pictures, **reading
    )
    path = Path(folder) / splits.key(csv_path, picture_folder, **settings)
    if path.exists():  # asked before locking too: the data sets may be on a read-only disk
        print(f"data set found in {path}", flush=True)
        return path
    with folders.locked(path):
        if path.exists():
            return path
        unwanted = [finding.id for finding in findings if finding.kind == "label dropped"]
        pictures, unjoined = metadata.join(
            rows, picture_folder, progress("pictures read"), left_out=unwanted
        )
        chosen, dropped = splits.assign(pictures, protocol, seed, min_pictures)
        findings = [*findings, *unjoined, *dropped]
        print(metadata.summary(findings), flush=True)
        with folders.whole(path) as partial:
            splits.write_csv(chosen, partial / "split.csv")
            metadata.write_report(findings, partial / "report.csv")
            storing.write(chosen, picture_folder, partial, progress("pictures stored"))
            made = folders.manifest(
                csv=str(csv_path),
                csv_sha256=folders.sha256(csv_path),
                split_sha256=folders.sha256(partial / "split.csv"),
                toy=all("_TOY-" in row.id for row in chosen),
                **settings,
            )
            folders.write_json(partial / "manifest.json", made)
    return path


def progress(what):
    """A report(done, total): one line rewritten on a terminal, elsewhere one line each tenth."""
    terminal = sys.stdout.isatty()

    def report(done, total):
        if terminal:
            end = "\n" if done == total else ""
            print(f"\r{what}: {done} of {total}", end=end, flush=True)
        elif done * 10 // total > (done - 1) * 10 // total:
            print(f"{what}: {done} of {total}", flush=True)

    return report
