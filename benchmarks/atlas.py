"""The channel atlas in a real browser, opened from disk: an invented one of 6,000 channels.

Chromium without a window, at 1280 x 800, a new profile for each opening. Limits, as the atlas was
asked for:
- from opening the file until the first tiles are painted with their pictures: at most 1 s;
- from choosing another order until its tiles are painted: at most 0.2 s;
- the folder for 5,000 pictures and both optimized images of all channels: at most 300 MB.
Told without a bound: the browser's own first contentful paint, the time of a frame while the grid
is scrolled by a fifth of the window a frame (95th percentile), the time to write the folder.

    python -m benchmarks.atlas [--channels 6000] [--layers 57] [--pictures 5000] [--k 100]
        [--rounds 5] [--check | --quick]
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import compare
from benchmarks.chromium import SIZE, browser, wait_until
from benchmarks.compare import Compared, option
from benchmarks.made_up_atlas import Sizes, made_up_atlas
from models.command import exit_code
from transfer.progress import Progress
from visualization.atlas import write_atlas

PAINT, SORT, FOLDER = 1, 0.2, 300  # seconds, seconds, MB
FRAMES = 60  # of scrolling
PERCENTILE = 95
ORDERS = ("entropyAfter", "scoreBefore", "change", "depth", "entropyChange")

# a frame in which every picture of the tiles in view is there; the next frame is after its paint
WATCH = """(() => {
  const look = () => {
    const images = [...document.querySelectorAll(".tile img")].filter(
      (image) => image.getBoundingClientRect().top < innerHeight);
    if (images.length && images.every((image) => image.complete)) {
      requestAnimationFrame(() => { window.paintedAt = performance.now(); });
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
SORTED = """async (name) => {
  const select = document.getElementById("sort"), before = grid.channels;
  const started = performance.now();
  select.value = name;
  select.dispatchEvent(new Event("change"));
  while (grid.channels === before) await new Promise((go) => setTimeout(go));
  await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  return performance.now() - started;
}"""
SCROLLED = """async (frames) => {
  const times = [];
  let last = performance.now();
  for (let i = 0; i < frames; i++) {
    scrollBy(0, innerHeight / 5);
    await new Promise((go) => requestAnimationFrame(go));
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times;
}"""


@dataclass(frozen=True)
class Settings:
    """How large an atlas, and how often each thing is measured."""

    channels: int = option(6000, "of all layers together")
    layers: int = option(57, "that the channels are in")
    pictures: int = option(5000, "of the collection")
    k: int = option(100, "pictures of a full top set")
    rounds: int = option(5, "of each measure")


QUICK = {"channels": 60, "layers": 3, "pictures": 40, "k": 10, "rounds": 1}


def megabytes(folder):
    """Sizes of all files under a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def opened(chromium, index, number):
    """Open the page once and measure: (tiles painted, first paint, sorted, a frame), in seconds."""
    page = chromium.new_page(viewport=SIZE)
    try:
        page.add_init_script(WATCH)
        page.goto(index.as_uri())
        painted = wait_until(page, "window.paintedAt")
        first = page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
        )
        ordered = page.evaluate(SORTED, ORDERS[number % len(ORDERS)])
        frame = np.percentile(page.evaluate(SCROLLED, FRAMES), PERCENTILE)
    finally:
        page.close()
    return tuple(float(milliseconds) / 1000 for milliseconds in (painted, first, ordered, frame))


def measure(settings):
    """Write the atlas, open it so many times: yields Compared."""
    sizes = Sizes(settings.layers, settings.channels, settings.pictures, settings.k)
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        compare.say(f"painting {sizes.pictures} pictures")
        made, out = made_up_atlas(Path(folder, "pictures"), sizes), Path(folder, "atlas")
        started = time.monotonic()
        write_atlas(made, out, Progress, compare.say)
        written = time.monotonic() - started
        size = megabytes(out)
        rounds = []
        for number in range(settings.rounds):
            rounds.append(opened(chromium, out / "index.html", number))
            compare.say("tiles {:.3f}, paint {:.3f}, sort {:.3f}, frame {:.3f}".format(*rounds[-1]))
        painted, first, ordered, frame = zip(*rounds, strict=True)
    what = f"{sizes.channels} channels"
    yield Compared(f"until the tiles are painted, {what}", painted, PAINT, False, " s")
    yield Compared(f"the browser's first contentful paint, {what}", first, None, unit=" s")
    yield Compared(f"until another order is painted, {what}", ordered, SORT, False, " s")
    yield Compared(f"a frame of scrolling, {PERCENTILE}th percentile", frame, None, unit=" s")
    what = f"{sizes.pictures} pictures, both images of {what}"
    yield Compared(f"the folder, {what}", (size,), FOLDER, False, " MB")
    yield Compared(f"to write it, {what}", (written,), None, unit=" s")


@exit_code
def main(argv=None):
    """Run the command; returns its exit code."""
    return compare.run_benchmark(measure, Settings, QUICK, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
