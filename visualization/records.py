"""What a result folder of visualization.render holds of each channel, and how it is told."""

import numpy as np

from transfer import folders


def png_file(folder, layer, channel):
    """Where a channel's image lies in a result folder."""
    return folder / f"{folders.safe_name(layer)}_{channel:04d}.png"


def json_file(folder, layer, channel):
    """Where a channel's record lies in a result folder."""
    return png_file(folder, layer, channel).with_suffix(".json")


def record(rendered):
    """A channel's scores as JSON holds them, not compared yet; rendered: optvis.render.Rendered."""
    return {
        "channel": rendered.channel,
        "score": _number(rendered.clean_score),
        "best_picture_score": None,
        "best_picture": None,
        "not_finite_from_step": rendered.nan_step,
        "scores": [_number(score) for score in rendered.scores],
    }


def compared(record, best):
    """A copy of a record with its best picture; best: as comparison.best_pictures, or None."""
    score, picture = (best or {}).get(record["channel"], (None, None))
    return record | {"best_picture_score": score, "best_picture": picture}


def _number(value):
    """A float, or None for what JSON has no number for."""
    return float(value) if value is not None and np.isfinite(value) else None


def line(record):
    """A channel's result in one line."""
    text = f"channel {record['channel']}: score {_shown(record['score'])}"
    if record["best_picture"]:
        text += f", best picture {_shown(record['best_picture_score'])}"
    if _stopped(record):
        text += f"; STOPPED: its score was no number from step {record['not_finite_from_step']} on"
    return text


def caption(record):
    """Channel, score and the best picture's for the contact sheet."""
    text = f"{record['channel']}: {_shown(record['score'])}"
    if _has_picture(record):
        text += f" (picture {_shown(record['best_picture_score'])})"
    return text


def _shown(value):
    return "none" if value is None else f"{value:.4g}"


def table(records):
    """The records without their steps, as CSV."""
    columns = [name for name in records[0] if name != "scores"]
    rows = [columns] + [[record[name] for name in columns] for record in records]
    quoted = [['"' + str(cell).replace('"', '""') + '"' for cell in row] for row in rows]
    return "".join(",".join(row).replace('"None"', "") + "\n" for row in quoted)


def summary(records):
    """How many images beat the best picture, which do not, and which stopped."""
    stopped = [r["channel"] for r in records if _stopped(r)]
    judged = [r for r in records if _has_picture(r) and not _stopped(r)]
    failed = [r["channel"] for r in judged if not _beats(r)]
    alone = [r["channel"] for r in records if not _has_picture(r) and not _stopped(r)]
    if any(map(_has_picture, records)):
        count = len(judged) + len(stopped)
        text = f"{len(judged) - len(failed)} of {count} images beat the best picture"
        text += _listed("not", failed) + _listed("no picture has a score at", alone)
    else:
        text = f"{len(records)} channels"
    return text + _listed(f"{len(stopped)} stopped:", stopped)


def _listed(what, channels):
    names = f"channel{'s' * (len(channels) > 1)} {', '.join(map(str, channels))}"
    return f"; {what} {names}" if channels else ""


def _stopped(record):
    return record["not_finite_from_step"] is not None


def _has_picture(record):
    return record["best_picture_score"] is not None


def _beats(record):
    return record["score"] is not None and record["score"] > record["best_picture_score"]
