"""Data as classic scripts, which pages opened from a file may load: compact, and never markup.

A script is one call, as `atlas.layer(3, [...]);`. What the page does with it is in web/store.js.
"""

import json
import math

import numpy as np

DIGITS = 4  # significant ones of scores and numbers: more than anybody compares
PER_MILLE = 1000  # boxes are whole thousandths: a sixth of a pixel of a thumbnail
COMMONEST = 3  # classes of a channel that the overview holds, as the paper's figures do
FIRST = 4  # pictures that stand for an optimized image where there is none


def script(function, *values):
    """The text of a script that calls a function of the page with values, as JSON.

    Nothing in a value can end the script or a line of it: `<`, U+2028 and U+2029 are escaped.
    """
    texts = (json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in values)
    # only texts hold these characters, and there an escape is the character
    safe = ",".join(texts).replace("<", "\\u003c")
    safe = safe.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"atlas.{function}({safe});\n"


def rounded(value):
    """A number with DIGITS digits for JSON; None for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def rounded_all(numbers):
    """A dict of numbers, rounded."""
    return {name: rounded(value) for name, value in numbers.items()}


class Numbering:
    """Numbers pictures in the order in which they are first asked for, so that all are used.

    numbers: dict number in the collection -> number on the page.
    """

    def __init__(self):
        self.numbers = {}

    def of(self, pictures):
        """Numbers on the page of an array of numbers in the collection: list of int."""
        numbers = self.numbers
        return [numbers.setdefault(int(picture), len(numbers)) for picture in pictures]


def side_values(side, numbering):
    """A Side as a layer's script has it: dict."""
    values = {
        "pictures": numbering.of(side.pictures),
        "scores": [rounded(score) for score in np.asarray(side.scores).tolist()],
        "shares": [[int(number), rounded(share)] for number, share in side.shares],
        "numbers": rounded_all(side.numbers),
    }
    if side.boxes is not None:
        values["boxes"] = _within_the_picture(side.boxes).ravel().tolist()
        values["whole"] = "".join("1" if whole else "0" for whole in side.whole)
    return values


def _within_the_picture(boxes):
    """Boxes (n, 4) in thousandths, cut at the picture's edges, at least one thousandth wide."""
    boxes = np.nan_to_num(np.asarray(boxes, np.float64).reshape(-1, 4))
    start = np.clip(np.round(boxes[:, :2] * PER_MILLE), 0, PER_MILLE - 1)
    end = np.clip(np.round((boxes[:, :2] + boxes[:, 2:]) * PER_MILLE), start + 1, PER_MILLE)
    return np.concatenate([start, end - start], axis=1).astype(int)


class Overview:
    """What all channels have, in columns: numbers to sort by, commonest classes; no top sets."""

    def __init__(self):
        self.layers = []
        names = "number overlap change entropyBefore entropyAfter scoreBefore scoreAfter dead"
        names += " images classesBefore classesAfter firstBefore firstAfter"
        self.columns = {name: [] for name in names.split()}

    def begin(self, layer):
        """Add a Layer, whose channels come next."""
        numbers = rounded_all(layer.numbers)
        self.layers.append({"name": layer.name, "channels": 0, "numbers": numbers})

    def add(self, channel, made, numbering):
        """Add a Channel of the layer that was begun last.

        made: (before, after): whether there is an optimized image.
        """
        self.layers[-1]["channels"] += 1
        row = {
            "number": int(channel.number),
            "overlap": rounded(channel.overlap),
            "change": rounded(channel.change),
            "entropyBefore": rounded(channel.entropy_before),
            "entropyAfter": rounded(channel.entropy_after),
            "dead": channel.dead,
            "images": made[0] + 2 * made[1],
        }
        for side, name, image in zip(
            (channel.before, channel.after), ("Before", "After"), made, strict=True
        ):
            row[f"score{name}"] = rounded(side.scores[0]) if len(side.scores) else None
            # flat: number, share, number, share
            commonest = [(int(n), rounded(share)) for n, share in side.shares[:COMMONEST]]
            row[f"classes{name}"] = [value for pair in commonest for value in pair]
            row[f"first{name}"] = 0 if image else numbering.of(side.pictures[:FIRST])
        for name, value in row.items():
            self.columns[name].append(value)

    def text(self, atlas, lost):
        """The overview's script; `lost` are numbers of pictures that cannot be read."""
        about = {
            "title": atlas.title,
            "before": atlas.before,
            "after": atlas.after,
            "k": atlas.k,
            "classes": list(atlas.classes),
            "chance": dict(atlas.chance),
            "notes": list(atlas.notes),
            "layers": self.layers,
            "lost": lost,
        }
        return script("overview", about, self.columns)
