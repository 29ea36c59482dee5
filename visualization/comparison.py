"""The user's own pictures beside optimized images: their scores, and which set they were."""

from dataclasses import dataclass

import numpy as np

from transfer import folders
from transfer.pictures import find_files, read_batches
from visualization.optvis.scores import channel_scores

AT_A_TIME = 8  # pictures


@dataclass(frozen=True)
class Pictures:
    """Pictures to compare with. about: what the manifest says of them."""

    files: list
    about: dict

    def were_compared(self, folder):
        """Whether a finished folder's images were compared with pictures of this content."""
        before = folders.read_json(folder / "manifest.json").get("pictures") or {}
        return before.get("sha256") == self.about["sha256"]


def given(paths):
    """Find pictures.

    Args:
        paths: as find_files takes them; none for no comparison.

    Returns:
        Pictures, or None without paths.

    Raises:
        InputError: a path that is not there, or a folder without pictures.
    """
    if not paths:
        return None
    files = find_files(paths)
    sha256 = folders.sha256_of_all(files)
    about = {"paths": list(map(str, paths)), "count": len(files), "sha256": sha256}
    return Pictures(files, about)


def best_pictures(job, files, say=print):
    """Highest score over pictures, and whose.

    Args:
        job: rendering.Job.
        files: list of Path.
        say: called with a line on pictures that cannot be read or have no finite score.

    Returns:
        dict channel -> (score, file name), without channels where no picture's score is finite.

    Raises:
        InputError: none of the pictures can be read.
    """
    names, size = [], job.identity["size"]

    def pictures():
        for read, batch in read_batches(files, size, AT_A_TIME, say):
            names.extend(read)
            yield batch

    scores = channel_scores(job.model, job.layer, pictures(), size, job.identity["dtype"])
    scores = scores[:, job.channels]
    finite = np.isfinite(scores)
    beyond = int((~finite.all(axis=1)).sum())
    if beyond:
        say(f"left out at channels where their score is no number: {beyond} of {len(names)}")
    best = np.where(finite, scores, -np.inf).argmax(axis=0)
    return {
        channel: (float(scores[picture, column]), str(names[picture]))
        for column, (channel, picture) in enumerate(zip(job.channels, best, strict=True))
        if finite[picture, column]
    }
