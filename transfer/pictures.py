"""Picture files as museums deliver them: found, checked, and turned into bytes to store.

The content of a file decides what it is, never its extension. Colour profiles are ignored, as they
are by TensorFlow's decoders and by the released code.
"""

import contextlib
import hashlib
import io
import os
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.errors import InputError

EXTENSIONS = ("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp")

# Only these decoders of Pillow run: others start programs (EPS) or are no pictures of paintings.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
_KNOWN = "known are " + ", ".join(_FORMATS)
_JPEG = ("JPEG", "MPO")  # MPO: a JPEG followed by previews, which JPEG decoders do not see

_ORIENTATION = 0x0112  # EXIF 2.3: how to turn the stored picture to stand upright; 1 is upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TIFF_SUBFILE = 254  # TIFF 6.0, NewSubfileType: bit 0 marks a smaller copy of another page
_PNG_END = b"IEND\xaeB`\x82"  # the last chunk's name and checksum, which Pillow does not ask for
_JPEG_SCALE = 8  # the smallest scale libjpeg decodes at; all of the file is read all the same
_WORD_STEP = 257  # 65535 / 255
_MAX_THREADS = 16  # each may hold a decoded picture of Pillow's limit, half a gigabyte

# Scans of one to two times Pillow's limit are ordinary; above, Pillow raises. A filter for the
# process, because warnings.catch_warnings is not safe in threads.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class Inspection(NamedTuple):
    """What `inspect` found: the sha256 of the file's bytes ("" when unreadable), and a problem."""

    sha256: str
    problem: str | None


def find_pictures(folder):
    """List the picture files under a folder.

    Returns sorted posix paths relative to `folder`, subfolders and links to folders included (each
    real folder once, under its real place where it has one), hidden files left out. InputError when
    the folder is missing or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"picture folder {folder} is not a folder that exists")
    names, seen, waiting = [], set(), deque([folder])
    while waiting:
        current = waiting.popleft()
        status = current.stat()
        if (status.st_dev, status.st_ino) in seen:  # a link back, or a second link
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in sorted(os.listdir(current)):
            path = current / name
            if name.startswith("."):
                continue
            if path.is_dir():
                enqueue = waiting.append if path.is_symlink() else waiting.appendleft
                enqueue(path)
            elif path.is_file() and path.suffix[1:].lower() in EXTENSIONS:
                names.append(path.relative_to(folder).as_posix())
    if not names:
        raise InputError(f"picture folder {folder} holds no file ending in {', '.join(EXTENSIONS)}")
    return sorted(names)


def inspect(path):
    """Read one picture file whole and say what is wrong with it, if anything; never raises.

    The picture is decoded to its end, JPEGs at an eighth of their size. Returns an Inspection.
    """
    sha256 = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                sha256.update(block)
            with _opened(file) as image:
                _load(image, reduced=True)
    except InputError as error:
        return Inspection(sha256.hexdigest(), str(error))
    except OSError as error:
        return Inspection("", f"cannot be read: {error.strerror or error}")
    return Inspection(sha256.hexdigest(), None)


def inspect_all(folder, names, report=None):
    """Inspect the files `names` under `folder` on all cores; a list of Inspections in their order.

    `report(done, total)` is called after each picture.
    """
    names = list(names)
    inspections = []
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        results = pool.map(lambda name: inspect(Path(folder, name)), names)
        with contextlib.closing(results):  # an interrupt leaves the waiting pictures undone
            for inspection in results:
                inspections.append(inspection)
                if report:
                    report(len(inspections), len(names))
    return inspections


def encoded(path):
    """Encode a picture so that TensorFlow decodes it right, as bytes of a JPEG or PNG file.

    `tf.io.decode_jpeg` or `tf.io.decode_png` with `channels=3` turns them into uint8 RGB, upright,
    on white where the picture is transparent. Plain 8-bit JPEG and PNG files come back byte for
    byte; other JPEGs (CMYK, turned by EXIF) as JPEG of quality 95 without chroma subsampling,
    anything else as PNG. InputError with the reason when the file is no whole single picture.
    """
    data = Path(path).read_bytes()
    try:
        with _opened(io.BytesIO(data)) as image, _reasons():
            is_jpeg = image.format in _JPEG
            # Asked of JPEGs only: of a PNG it would decode the file and hide what is broken in it.
            upright = is_jpeg and _orientation(image) not in _TURNS
            plain_jpeg = upright and image.mode in ("L", "RGB")
            _load(image, reduced=plain_jpeg)
            if plain_jpeg or _is_plain_png(image, data):
                return data
            return _saved(_upright_rgb(image), is_jpeg)
    except InputError as error:
        raise InputError(f"picture {path}: {error}") from error


def reencoded(path):
    """As encoded(), but as a new PNG whatever the file is: for what only Pillow can decode."""
    with open(path, "rb") as file, _opened(file) as image, _reasons():
        return _saved(_upright_rgb(image), False)


@contextlib.contextmanager
def _reasons():
    """Turn whatever Pillow raises on a bad file into an InputError holding a short reason."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"not a picture, or broken at its start ({_KNOWN})") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"too large: {str(error).split(',')[0]}") from error
    except Exception as error:  # decoders of broken data raise nearly anything, not only OSError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"broken: {reason}") from error


def _opened(file):
    """The Pillow image of an open file, header read only; InputError(reason)."""
    if not file.seek(0, os.SEEK_END):
        raise InputError("zero bytes")
    file.seek(0)
    with _reasons():
        image = Image.open(file, formats=_FORMATS)
        frames = _frames(image)
        if frames > 1:
            raise InputError(f"animated or several pages ({frames} frames)")
        return image


def _frames(image):
    """How many pictures a file holds, smaller copies of the first (TIFF, MPO) not counted."""
    count = 1 if image.format in _JPEG else getattr(image, "n_frames", 1)
    if image.format != "TIFF" or count == 1:
        return count
    full = 0
    for page in range(count):
        image.seek(page)
        full += not image.tag_v2.get(_TIFF_SUBFILE, 0) & 1
    image.seek(0)
    return full


def _load(image, reduced):
    """Decode to the end, JPEGs smaller where `reduced`; InputError(reason) when that fails."""
    with _reasons():
        if reduced:  # only JPEG has a draft; elsewhere this does nothing
            image.draft(None, [max(1, side // _JPEG_SCALE) for side in image.size])
        image.load()
        if image.mode == "F":
            raise InputError("floating-point pixels, which have no agreed range")
        if image.mode == "I" and not 0 <= image.getextrema()[0] <= image.getextrema()[1] <= 65535:
            raise InputError("32-bit pixels outside 0-65535")


def _orientation(image):
    """The EXIF orientation, 1 where there is none or the EXIF data cannot be parsed."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF raises nearly anything; the pixels are whole without it
        return 1


def _is_plain_png(image, data):
    """Whether a loaded image is an upright 8-bit grey or RGB PNG, opaque and in perfect order."""
    if image.format != "PNG" or image.has_transparency_data or _orientation(image) in _TURNS:
        return False
    try:  # Pillow stops reading where the pixels are complete, libpng refuses damage after them
        Image.open(io.BytesIO(data)).verify()
    except Exception:  # see _reasons
        return False
    # PNG specification, section 11.2.2: IHDR holds bit depth, then colour type (0 grey, 2 RGB).
    return data[12:16] == b"IHDR" and data[24] == 8 and data[25] in (0, 2) and _PNG_END in data


def _upright_rgb(image):
    """A loaded image of any mode as 8-bit grey or RGB, upright, on white."""
    turn = _TURNS.get(_orientation(image))
    if image.mode.startswith("I"):
        grey = np.round((words := np.asarray(image)) / _WORD_STEP).astype(np.uint8)
        grey[words == image.info.get("transparency", -1)] = 255
        image = Image.fromarray(grey)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    return image if turn is None else image.transpose(turn)


def _saved(image, as_jpeg):
    """Encode an 8-bit grey or RGB image as JPEG or PNG bytes, without any metadata."""
    image.info.clear()  # Pillow would write the old colour profile and transparency
    buffer = io.BytesIO()
    if as_jpeg:  # 95 is the highest quality Pillow advises; 0 is 4:4:4
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:  # level 1: photographs hardly pack better
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
