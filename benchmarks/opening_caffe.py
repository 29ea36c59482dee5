"""Opening a Caffe file: seconds to fill GoogLeNet, after imports, and over OpenCV's own time.

By turns, in one process:

* ours: models.importers.caffe.load into a GoogLeNet that is built; at most 1.5 s for the 28 MB of
  BVLC's file;
* OpenCV: cv2.dnn.readNetFromCaffe of the same file and its prototxt, which also builds the
  network (opencv-python-headless 4; version 5 has no Caffe reader). Without a bound, as is the
  time of building the network and filling it.

    python -m benchmarks.opening_caffe NET.caffemodel NET.prototxt [--rounds 5]
        [--check | --quick]
"""

import sys
from dataclasses import dataclass

from benchmarks import compare
from benchmarks.compare import Compared, option
from models.command import exit_code
from models.importers import caffe

BOUND = 1.5  # seconds, of BVLC's GoogLeNet


@dataclass(frozen=True)
class Settings:
    """What is opened: a Caffe file of GoogLeNet and its text description."""

    caffemodel: str
    prototxt: str
    rounds: int = option(5, "Rounds of each side")


QUICK = {"rounds": 1}


def opened(path, prototxt, rounds):
    """Two Compared, or four where OpenCV has a Caffe reader.

    Args:
        path: `.caffemodel` of a GoogLeNet.
        prototxt: its text description, for OpenCV.
        rounds: how often each side runs.
    """
    from models.inception_v1 import GoogLeNet

    classes = caffe.classes(path)
    model = GoogLeNet(classes=classes)
    sides = {
        "load": lambda: caffe.load(path, model),
        "whole": lambda: caffe.load(path, GoogLeNet(classes=classes)),
    }
    reader = _opencv()
    if reader:
        sides["opencv"] = lambda: reader(str(prototxt), str(path))
    seconds = compare.by_turns({k: compare.timed(v) for k, v in sides.items()}, rounds)
    load, whole = tuple(seconds["load"]), tuple(seconds["whole"])
    found = [
        Compared("filling GoogLeNet from a Caffe file", load, BOUND, at_least=False, unit=" s"),
        Compared("building and filling it", whole, None, unit=" s"),
    ]
    if reader:
        found += [
            Compared(
                f"{claim} over OpenCV's reading", compare.ratios(ours, seconds["opencv"]), None
            )
            for claim, ours in (("filling", load), ("building and filling", whole))
        ]
    return found


def _opencv():
    """Return OpenCV's Caffe reader; None, said so, where there is none."""
    try:
        import cv2
    except ImportError:
        compare.say("no OpenCV here: pip install 'opencv-python-headless<5'")
        return None
    reader = getattr(cv2.dnn, "readNetFromCaffe", None)
    lacks = "" if reader else " has no Caffe reader; version 4 has"
    compare.say(f"OpenCV {cv2.__version__}{lacks}")
    return reader


def measure(settings):
    """Measure one file: yields Compared."""
    yield from opened(settings.caffemodel, settings.prototxt, settings.rounds)


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
