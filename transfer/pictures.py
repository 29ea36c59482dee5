"""Picture files as museums deliver them: found, checked, encoded to be stored, read as arrays.

The content of a file decides what it is, never its extension. Colour profiles are ignored, as they
are by TensorFlow's decoders and by the released code.
"""

import contextlib
import fnmatch
import hashlib
import io
import math
import os
import stat
import warnings
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import InputError
from transfer.result_folder import MANIFEST, is_result

DECODING = "bilinear 3"  # raised when the same bytes give other pixels: kept features are stale
EXTENSIONS = ("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp")

# what museums send and nothing here reads: named as such, where it would else be a picture missing
FOREIGN = (
    *("avif", "heic", "heif", "jxl", "jxr", "jp2", "j2k", "jpx", "jfif", "jpe", "svg", "psd"),
    *("psb", "xcf", "eps", "pdf", "dng", "raw", "cr2", "cr3", "nef", "arw"),
)

# Only these decoders of Pillow run: others start programs (EPS) or are no pictures of paintings.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
_KNOWN = "known are " + ", ".join(_FORMATS)
_FILE_TYPE = b"ftyp"  # ISO 14496-12, 4.3: bytes 4 to 8 of AVIF and HEIC files, before their brand
_JPEG = ("JPEG", "MPO")  # MPO: a JPEG followed by previews, which JPEG decoders do not see

# EXIF 2.3: how to turn the stored picture to stand upright; 1 is upright, 2 to 8 are turns
_ORIENTATION = 0x0112
_TIFF_SUBFILE = 254  # TIFF 6.0, NewSubfileType: bit 0 marks a smaller copy of another page
# PNG specification, 11.2.5: the last chunk, its length of 0, name and checksum; Pillow asks for the
# name alone
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_MAX_SIDE = 1_000_000  # pixels: libpng's PNG_USER_WIDTH_MAX; TensorFlow decodes no longer a PNG
_JPEG_SCALE = 8  # the smallest scale libjpeg decodes at; all of the file is read all the same
MOST_PROPORTION = 32  # a scroll that is longer is squeezed: 8192 pixels beside 256, 6 MB
_WORD_STEP = 257  # 65535 / 255
TABLES = {"comparison.md", "runs.csv"}  # what transfer.tables writes beside its figures
_MAX_THREADS = 16  # each may hold a decoded picture of Pillow's limit, half a gigabyte

# Scans of one to two times Pillow's limit are ordinary; above, Pillow raises. It warns of damaged
# EXIF, which costs no picture. Filters for the process, because warnings.catch_warnings is not safe
# in threads.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Inspection(NamedTuple):
    """What `inspect` found: the sha256 of the file's bytes ("" when unreadable), and a problem."""

    sha256: str
    problem: str | None


class Found(NamedTuple):
    """What lies in a folder, as posix paths relative to it.

    names: of picture files, sorted. passed_over: of those that the pattern does not fit. unusable:
    path -> why it cannot be read, an extension in FOREIGN or the reason of the operating system.
    """

    names: list[str]
    passed_over: list[str]
    unusable: dict[str, str]


def search(folder, glob=None):
    """Look through a folder for picture files, and for what should be some and cannot be read.

    Subfolders and links to folders are included (each real folder once, under its real place where
    it has one), hidden files left out; and so are results of this package below the folder, whose
    figures are no pictures of the collection.

    Args:
        folder: to look through.
        glob: pattern of the paths that count, as `*.tif` or `masters/*`: `*` stands for any
            letters, slashes too; None for all.

    Returns:
        Found.

    Raises:
        InputError: the folder is missing or holds no picture that counts.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"picture folder {folder} is not a folder that exists")
    names, unusable = [], {}
    for path, problem in _walk(folder):
        name, extension = path.relative_to(folder).as_posix(), path.suffix[1:].lower()
        if problem:
            unusable[name] = problem
        elif extension in EXTENSIONS:
            names.append(name)
        elif extension in FOREIGN:
            unusable[name] = extension
    names = sorted(names)
    chosen = [name for name in names if glob is None or fnmatch.fnmatchcase(name, glob)]
    if not names:
        raise InputError(
            f"picture folder {folder} holds no file ending in {', '.join(EXTENSIONS)}"
            + (f"; it holds {_told(unusable)}" if unusable else "")
        )
    if not chosen:
        raise InputError(
            f"pictures_glob is {glob!r}, which fits none of the {len(names)} pictures in {folder};"
            f" one of them is {names[0]!r}"
        )
    passed_over = sorted(set(names).difference(chosen))
    return Found(chosen, passed_over, dict(sorted(unusable.items())))


def find_pictures(folder, glob=None):
    """List the picture files under a folder: the names that `search` finds."""
    return search(folder, glob).names


def _walk(folder):
    """Yield (Path of a file, None), or (Path that cannot be read, why), in any order."""
    seen, waiting = set(), deque([folder])
    while waiting:
        current = waiting.popleft()
        try:
            status, names = current.stat(), sorted(os.listdir(current))
        except OSError as error:
            if current == folder:
                raise
            yield current, f"cannot be read: {error.strerror or error}"
            continue
        place = status.st_dev, status.st_ino  # seen before: a link back, or a second link
        if place in seen or (current != folder and _made_here(current, names)):
            continue
        seen.add(place)
        for path in (current / name for name in names if not name.startswith(".")):
            try:
                mode = path.stat().st_mode
            except OSError as error:
                if not os.path.islink(path):  # links that lead nowhere are passed over
                    yield path, f"cannot be read: {error.strerror or error}"
                continue
            if stat.S_ISDIR(mode):
                enqueue = waiting.append if path.is_symlink() else waiting.appendleft
                enqueue(path)
            elif stat.S_ISREG(mode):
                yield path, None


def _made_here(folder, names):
    """Whether a folder with files of these names is a result of this package, or its tables."""
    return (MANIFEST in names and is_result(folder)) or TABLES.issubset(names)


def holds_results(folder):
    """Whether results of this package lie in a folder, at any depth."""
    for current, folders, files in os.walk(folder):
        if _made_here(current, files):
            return True
        folders[:] = [name for name in folders if not name.startswith(".")]
    return False


def _told(unusable):
    """What a folder holds that cannot be read, as a part of a message."""
    counts = Counter(f".{one}" if one in FOREIGN else one for one in unusable.values())
    told = ", ".join(f"{one} ({count})" for one, count in counts.most_common())
    return f"files that cannot be read: {told}"


def find_files(paths, say=print):
    """List the picture files that paths stand for.

    Args:
        paths: files, taken as they are, and folders, searched with their subfolders.
        say: called with a line for each folder that holds files which cannot be read.

    Returns:
        list of Path, in the order given; of a folder sorted by name.

    Raises:
        InputError: a path that is not there, or a folder without pictures; no paths.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = search(path)
            files += [path / name for name in found.names]
            if found.unusable:
                say(f"{path} holds {_told(found.unusable)}; they are left out")
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"no picture or folder {path}")
    if not files:
        raise InputError("no pictures given; accepted: picture files and folders of them")
    return files


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
            upright = is_jpeg and _orientation(image) == 1
            plain_jpeg = upright and image.mode in ("L", "RGB")
            _load(image, reduced=plain_jpeg)
            if plain_jpeg or _is_plain_png(image, data):
                return data
            return _saved(_upright_rgb(image), is_jpeg)
    except InputError as error:
        raise InputError(f"picture {path}: {error}") from error


def grey_thumbnail(path, side):
    """A picture as a small grey Pillow image, upright; JPEGs are decoded at a fraction of the size.

    Args:
        path: of the file.
        side: pixels; both sides of the result are as long or longer where the picture's are.

    Raises:
        InputError: the reason why the file is no whole single picture.
    """
    with open(path, "rb") as file, _opened(file) as image, _reasons():
        image.draft(None, (side, side))
        image.load()
        return _upright_rgb(image).convert("L")


def thumbnail(source, side):
    """A picture as a small Pillow image, 8-bit grey or RGB, upright, in its own proportion.

    Args:
        source: path of the file, or its bytes.
        side: pixels of the longer side; a picture that is smaller stays as it is.

    Raises:
        InputError: the reason why it is no whole single picture.
        OSError: the file cannot be read.
    """
    with (
        io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file,
        _opened(file) as image,
    ):
        scale = side / max(image.size)
        image.draft(None, [math.ceil(length * scale) for length in image.size])
        _load(image, reduced=False)
        with _reasons():
            small = _upright_rgb(image)
            small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
            return small


def jpeg(image, quality):
    """Encode a Pillow image, 8-bit grey or RGB, as bytes of a JPEG file without metadata."""
    buffer = io.BytesIO()
    image.info.clear()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def reencoded(path):
    """As encoded(), but as a new PNG whatever the file is: for what only Pillow can decode."""
    with open(path, "rb") as file, _opened(file) as image, _reasons():
        return _saved(_upright_rgb(image), False)


def is_decodable(data):
    """Whether decode() will take the bytes of a picture; a JPEG is tried at 1/8 of its size."""
    import tensorflow as tf

    try:
        if data[:2] == b"\xff\xd8":
            tf.io.decode_jpeg(data, 3, ratio=8)
        else:
            tf.io.decode_png(data, 3)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def decode(data, size, keeps_proportion=False):
    """Decode one encoded picture, resize it, and round its pixels to whole numbers.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where both sides stay at least `size`: the
    same frequencies, many times faster for a museum's scan.

    Args:
        data: scalar string tensor, JPEG or PNG bytes.
        size: side of the result in pixels.
        keeps_proportion: make the smaller side so long, and the other as proportion has it, but
            at most MOST_PROPORTION times as long; else the picture is squeezed into a square.

    Returns:
        uint8 tensor (size, size, 3), or (height, width, 3) in proportion; RGB.
    """
    import tensorflow as tf

    def jpeg():
        shortest = tf.reduce_min(tf.io.extract_jpeg_shape(data)[:2])
        # the number of ratios among 2, 4, 8 that leave the shortest side long enough
        fits = tf.reduce_sum(tf.cast(shortest // tf.constant([2, 4, 8]) >= size, tf.int32))
        scaled = [
            lambda r=ratio: tf.io.decode_jpeg(data, 3, ratio=r, dct_method="INTEGER_ACCURATE")
            for ratio in (1, 2, 4, 8)
        ]
        return tf.switch_case(fits, scaled)

    is_jpeg = tf.equal(tf.strings.substr(data, 0, 2), b"\xff\xd8")
    picture = tf.cond(is_jpeg, jpeg, lambda: tf.io.decode_png(data, 3))
    sides = tf.shape(picture)[:2]
    target = _in_proportion(sides, size) if keeps_proportion else tf.constant([size, size])
    # up to half the size, four neighbours of a new pixel are all the pixels under it; beyond, their
    # mean, so that nothing is skipped; enlarged on one side, both ways at once
    close = tf.reduce_all(sides <= 2 * target)
    resized = tf.cond(
        tf.logical_and(tf.reduce_all(sides >= target), tf.logical_not(close)),
        lambda: tf.image.resize(picture, target, "area"),
        lambda: tf.image.resize(picture, target, antialias=False),
    )
    # halves to the even number; the mean over an area of white is 255.00002
    pixels = tf.cast(tf.round(resized), tf.uint8)
    known = None if keeps_proportion else size
    return tf.ensure_shape(pixels, (known, known, 3))


def _in_proportion(sides, size):
    """Height and width, int32 (2,), that make the smaller of two sides `size` pixels."""
    import tensorflow as tf

    smallest = tf.reduce_min(sides)
    longer = tf.round(tf.cast(sides, tf.float64) * (size / smallest))
    return tf.cast(tf.clip_by_value(longer, size, MOST_PROPORTION * size), tf.int32)


def read(path, size):
    """Read a picture file as networks are trained on it, whatever its format.

    Args:
        path: file that encoded() takes.
        size: side of the result in pixels.

    Returns:
        float32 array (size, size, 3), RGB, whole numbers from 0 to 255.

    Raises:
        models.errors.InputError: naming the file and what is wrong with it.
    """
    return stored(path, size).astype(np.float32)


def stored(path, size, keeps_proportion=False):
    """Read a picture file as decode() gives it, whatever its format: uint8 array.

    Args:
        path: file that encoded() takes.
        size, keeps_proportion: as for decode.

    Raises:
        models.errors.InputError: naming the file and what is wrong with it.
    """
    import tensorflow as tf

    try:
        with tf.device("CPU"):
            return decode(encoded(path), size, keeps_proportion).numpy()
    except (OSError, MemoryError, tf.errors.OpError) as error:
        raise InputError(f"picture {path}: {error}") from error


def read_all(files, size, say=print):
    """Read pictures at one size; unreadable ones are said and left out.

    Args:
        files: list of Path.
        size: side in pixels.
        say: called with a line for each unreadable picture.

    Yields:
        (Path, float32 array (size, size, 3), RGB in [0, 255]).
    """
    for file in files:
        try:
            yield file, read(file, size)
        except InputError as error:
            say(f"left out: {error}")


def proportion(file):
    """Width over height of a readable picture, as it stands upright."""
    with Image.open(io.BytesIO(encoded(file))) as image:
        return image.width / image.height


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
    head = file.read(12)
    if head[4:8] == _FILE_TYPE:
        brand = "".join(c for c in head[8:].decode("ascii", "replace") if c.isalnum()).upper()
        raise InputError(f"{brand}, a format that cannot be read, whatever its name ({_KNOWN})")
    file.seek(0)
    with _reasons():
        image = Image.open(file, formats=_FORMATS)
        if max(image.size) > _MAX_SIDE:
            raise InputError(
                f"too large: a side of {max(image.size)} pixels, of {_MAX_SIDE} at most"
            )
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
    """The EXIF orientation, 1 where there is none that is known or it cannot be parsed."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF raises nearly anything; the pixels are whole without it
        return 1
    return orientation if orientation in range(1, 9) else 1


def _is_plain_png(image, data):
    """Whether a loaded image is an upright 8-bit grey or RGB PNG, opaque and in perfect order."""
    if image.format != "PNG" or image.has_transparency_data or _orientation(image) != 1:
        return False
    try:  # Pillow stops reading where the pixels are complete, libpng refuses damage after them
        Image.open(io.BytesIO(data)).verify()
    except Exception:  # see _reasons
        return False
    # PNG specification, section 11.2.2: IHDR holds bit depth, then colour type (0 grey, 2 RGB).
    return data[12:16] == b"IHDR" and data[24] == 8 and data[25] in (0, 2) and _PNG_END in data


def _upright_rgb(image):
    """A loaded image of any mode as 8-bit grey or RGB, upright, on white."""
    orientation = _orientation(image)
    if image.mode.startswith("I"):
        grey = np.round((words := np.asarray(image)) / _WORD_STEP).astype(np.uint8)
        grey[words == image.info.get("transparency", -1)] = 255
        image = Image.fromarray(grey)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    # ImageOps writes all EXIF data anew, which damaged ones do not stand: it gets this tag alone
    image.info.clear()
    image.getexif()[_ORIENTATION] = orientation
    return ImageOps.exif_transpose(image)


def _saved(image, as_jpeg):
    """Encode an 8-bit grey or RGB image as JPEG or PNG bytes, without any metadata."""
    image.info.clear()  # Pillow would write the old colour profile and transparency
    buffer = io.BytesIO()
    if as_jpeg:  # 95 is the highest quality Pillow advises; 0 is 4:4:4
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:  # level 1: photographs hardly pack better
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
