"""Pictures of results: contact sheets, and figures of saliency."""

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MOST_TILE = 160  # pixels; the images themselves lie beside the sheet
MOST_SHEET = 4000  # pixels across
GAP, TEXT = 6, 16  # pixels between tiles, and for a line under each
PAPER, INK = (255, 255, 255), (40, 40, 40)


def png(image):
    """Encode an image as the bytes of a PNG file.

    Args:
        image: float array (H, W, 3 or 4), RGB(A) in [0, 1].
    """
    return _bytes(Image.fromarray(np.uint8(np.round(np.clip(image, 0, 1) * 255))))


def contact_sheet(tiles, columns=None):
    """Put images side by side, a line of text under each.

    Args:
        tiles: list of (path of an image, text).
        columns: of tiles; None for a sheet somewhat wider than high.

    Returns:
        bytes of a PNG file.
    """
    columns = columns or math.ceil(math.sqrt(1.5 * len(tiles)))
    tile = max(16, min(MOST_TILE, MOST_SHEET // columns - GAP))
    rows = math.ceil(len(tiles) / columns)
    width, height = tile + GAP, tile + GAP + TEXT
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), PAPER)
    font = ImageFont.load_default(size=11)
    for number, (path, text) in enumerate(tiles):
        left, top = GAP + number % columns * width, GAP + number // columns * height
        with Image.open(path) as image:
            small = image.convert("RGB").resize((tile, tile), Image.Resampling.LANCZOS)
        sheet.paste(small, (left, top))
        ImageDraw.Draw(sheet).text((left, top + tile + 1), text, fill=INK, font=font)
    return _bytes(sheet)


def _bytes(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
