"""How pictures in rows are laid out on pages of bounded size, and what a page takes of memory.

Nothing is drawn here, and neither Keras nor matplotlib is imported, so that a size that cannot be
drawn is refused before anything is computed.
"""

import math
from dataclasses import dataclass

from models import memory
from models.errors import InputError

DPI = 100  # pixels per inch: what makes a tile's pixels and the text's points go together
LINE = 15  # pixels, a line of text of 8 points
MARGIN = 8  # pixels between tiles
BETWEEN = 24  # pixels more between blocks that stand side by side
# Longer side of a page in pixels. A screen shows half of it at a time, print has 34 cm at 300 dpi.
# Only one row whose tiles are larger exceeds it.
MOST_SIDE = 4000
MOST_PIXELS = 2**16 - 1  # of a side, which matplotlib's renderer draws
# Bytes at the peak, measured as the resident set over tiles of 224 to 6000 pixels: of a pixel of
# a tile while its colours are computed, of a tile that waits to be drawn, and of the page
COLOURING, WAITING, PAGE = 100, 8, 10
SHARE = 0.5  # of the free memory, which networks and their maps need too


@dataclass(frozen=True)
class Plan:
    """Where rows stand: in blocks side by side, each filled from its top to its bottom.

    across: tiles in a row. tile: longer side of a tile in pixels. heading, lines: lines of text
    above a block and below every row. blocks: side by side on a page. rows: in a block, at most.
    pages: of them.
    """

    across: int
    tile: int
    heading: int
    lines: int
    blocks: int
    rows: int
    pages: int

    @property
    def block_width(self):
        """Pixels of a block across, a margin on both sides."""
        return self.across * (self.tile + MARGIN) + MARGIN

    @property
    def row_height(self):
        """Pixels of a row whose tiles are square, its text and margin included."""
        return _row_height(self.tile, self.lines)

    @property
    def width(self):
        """Pixels of a page across."""
        return self.blocks * (self.block_width + BETWEEN) - BETWEEN

    @property
    def height(self):
        """Pixels of a page whose tiles are square."""
        return MARGIN + LINE * self.heading + self.rows * self.row_height

    @property
    def bytes(self):
        """Memory that drawing a page takes at the most."""
        waiting = self.blocks * self.rows * self.across * WAITING
        return self.tile**2 * (COLOURING + waiting) + self.width * self.height * PAGE


def plan(count, across, tile, heading=1, lines=1):
    """Lay out rows on as few pages as they need, each as square as it can be.

    Args:
        count: of rows.
        across: tiles in a row.
        tile: longer side of a tile in pixels.
        heading: lines of text above a block.
        lines: of text below a row.

    Returns:
        Plan; a page exceeds MOST_SIDE only where a single row does.
    """
    width = across * (tile + MARGIN) + MARGIN + BETWEEN
    height, top = _row_height(tile, lines), MARGIN + LINE * heading
    most_blocks = max(1, (MOST_SIDE + BETWEEN) // width)
    most_rows = max(1, (MOST_SIDE - top) // height)
    pages = math.ceil(count / (most_blocks * most_rows))
    each = math.ceil(count / pages)
    fitting = [b for b in range(1, most_blocks + 1) if math.ceil(each / b) <= most_rows]
    blocks = min(fitting, key=lambda b: max(b * width, top + math.ceil(each / b) * height))
    return Plan(across, tile, heading, lines, blocks, math.ceil(each / blocks), pages)


def _row_height(tile, lines):
    return tile + LINE * lines + LINE // 2 + MARGIN


def check_tile(count, across, tile):
    """Refuse a tile whose pages this machine cannot draw.

    Args:
        count, across, tile: as for plan.

    Raises:
        InputError: naming a tile that would do.
    """
    free = memory.free()
    room = math.inf if free is None else free * SHARE

    def fits(tile):
        drawn = plan(count, across, tile)
        return max(drawn.width, drawn.height) <= MOST_PIXELS and drawn.bytes <= room

    if fits(tile):
        return
    low, high = 0, tile  # the first is known to do, the last is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    needed = plan(count, across, tile)
    raise InputError(
        f"tile is {tile}: a page of {needed.width} x {needed.height} pixels takes about "
        f"{memory.shown(needed.bytes)} of memory"
        + ("" if free is None else f", of which {memory.shown(free)} are free")
        + f"; a tile of {low} pixels can be drawn here"
    )
