"""Raw masks as files: a .npy for each picture, network and method, and a table of them."""

import csv
import io

import numpy as np

from transfer import folders

COLUMNS = ("mask", "picture", "model", "method", "predicted", "name", "output", "shown")


def saved(folder, number, view, network, methods):
    """Write the masks of a View: `<method>/<the network's number>/<the picture's>_<stem>.npy`.

    Args:
        folder: Path.
        number: of the network, from 1.
        view: visualization.views.View.
        network: visualization.networks.Network.
        methods: names, one for each of the view's masks.

    Returns:
        list of records, tuples of COLUMNS.
    """
    records = []
    for method, mask in zip(methods, view.masks, strict=True):
        place = folder / method / str(number)
        place.mkdir(parents=True, exist_ok=True)
        name = f"{view.number:05d}_{view.file.stem}.npy"
        np.save(place / name, mask)
        predicted = "" if view.predicted is None else network.class_name(view.predicted)
        records.append(
            (
                f"{method}/{number}/{name}",
                str(view.file),
                network.spec,
                method,
                view.predicted,
                predicted,
                view.value,
                view.shown,
            )
        )
    return records


def finish(folder, records, settings):
    """Write masks.csv and manifest.json: what was seen in which picture, and how."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *records])
    folders.write_text(folder / "masks.csv", text.getvalue())
    folders.write_json(folder / "manifest.json", folders.manifest(settings=vars(settings)))
