"""Figures of runs, and what all figures share: fonts for any script, colours, contact sheets.

font = font_for(labels)
axes.set_title(font.shown(label), family=font.families)
sheet = contact_sheet([(path, label), ...])
"""

import dataclasses
import functools
import importlib.metadata
import io
import itertools
import math
import re
import textwrap
import unicodedata

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from models.errors import InputError
from transfer import evaluate, pictures
from transfer.recipes import RECIPES
from transfer.results import (
    PAPER_NETWORKS,
    column_of,
    label_column,
    one_line,
    order_networks,
    short_weights,
)

# Captions of Sabatelli et al. 2018, figures 2 and 3: off the shelf, fine tuning, scratch; then
# matplotlib's remaining style.
LINE_STYLES = dict(zip(RECIPES, itertools.cycle(("-.", "--", "-", ":"))))
# Okabe and Ito's palette for colour-blind readers (2008) without yellow, too faint on white; in
# the order of PAPER_NETWORKS, so that InceptionV3 is orange as in the paper.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#D55E00")
# Other starting weights than the first have the colour and style of their network: they need one.
MARKERS = ("", "x", "^", "s", "+", "d")
LINE_WIDTH = 1.5  # points, matplotlib's own default
FAINT = 0.3  # opacity of curves behind others
HANDLE_LENGTH = 3.5  # in letter heights: room for two periods of dash and dot
LEGEND_BELOW = 4  # entries that leave the curves above them their height


FIRST_FAMILY = "DejaVu Sans"  # matplotlib brings it along: Latin, Greek, Cyrillic and symbols
NOT_FONTS = "Last Resort"  # a font of boxes for every character, which matplotlib brings along
FONT_FILE = re.compile(r"\.(ttf|otf|ttc)$", re.IGNORECASE)
REGULAR, BOLD = 400, 700  # weights of plain and of bold text (OpenType, usWeightClass)
UNKNOWN = "?"  # in place of a character that no installed font has
# general categories of Unicode for which no font is looked for: controls, formats, surrogates,
# private and unassigned ones, spaces; and of those, what is drawn as a space, and not at all
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"}
SPACES, LEFT_OUT = {"Cc", "Zs", "Zl", "Zp"}, {"Cf", "Mn", "Me"}
# whose letters are in fonts for Chinese, Japanese and Korean; by the first words of their names
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH")
# Chinese, Japanese and Korean draw some characters differently: endings of families for each
REGIONS = {"HIRAGANA": " JP", "KATAKANA": " JP", "HANGUL": " KR", "CJK": " SC"}
# a package of Debian and one of PyPI: for East Asian writing, and for most others
PACKAGES = {True: ("fonts-noto-cjk", "mplfonts"), False: ("fonts-noto-core", "manimgx-fonts")}

MOST_TILE = 160  # pixels; the pictures themselves lie elsewhere
MOST_SHEET = 4000  # pixels across
GAP, TEXT = 6, 16  # pixels between tiles, and for a line of text
LETTERS, HEADING = 11, 13  # height of letters in captions and headings, in pixels
MOST_LINES = 2  # that a line of a caption is broken into
MOST_CLASSES, MOST_NUMBERED = 40, 25  # of a confusion matrix, and of one with numbers in it
MOST_BARS = 60  # classes
MOST_LETTERS = 28  # of a class's name beside a matrix or a bar
CELL, BAR, LETTER = 0.24, 0.19, 0.057  # inches: of a matrix, for a bar, of a name
SMALL, TINY = 8, 7  # points of titles, of names
TITLE_LETTERS = 90  # of a line of a title in small letters
BEST_EPOCH = "best epoch (by validation loss)"  # which is not the one tested where the last is
CENTRED = {"ha": "center", "va": "center", "color": "white"}
CHANCE = {"linestyle": "--", "label": "chance", "color": COLOURS[1]}
PAPER, INK = (255, 255, 255), (40, 40, 40)


@dataclasses.dataclass(frozen=True)
class Font:
    """Fonts that together have the characters of some texts, for matplotlib and for Pillow.

    families: list of names, as matplotlib takes them in place of one; each character is drawn in
    the first that has it. faces: for each its file and the number of the face in it.
    """

    families: list
    faces: tuple

    def shown(self, text):
        """A text as it can be drawn: a `?` for each character that none of the fonts has."""
        return "".join(self._shown(character) for character in text)

    def has_all(self, text):
        """Whether shown(text) loses nothing."""
        return UNKNOWN not in self.shown(text.replace(UNKNOWN, ""))

    def _shown(self, character):
        category = unicodedata.category(character)
        if character == "\n" or (category != "Cc" and self._face(character) is not None):
            return character
        if category in SPACES:
            return " "
        return "" if category in LEFT_OUT else UNKNOWN

    def _face(self, character):
        return next((face for face in self.faces if _has(face, character)), None)

    def runs(self, text):
        """Pieces of a text, each with the face that it is drawn in: one where one face has all."""
        for face in self.faces:
            if all(_has(face, character) for character in text):
                return [(face, text)]
        pieces = itertools.groupby(text, lambda character: self._face(character) or self.faces[0])
        return [(face, "".join(characters)) for face, characters in pieces]


def font_for(texts, say=print):
    """Find fonts that have the characters of texts among those installed.

    Looked at are the fonts that matplotlib knows, then those installed since it last looked, and
    fonts within installed Python packages.

    Args:
        texts: iterable of str.
        say: called with one line where characters are left that no font has; they are drawn as
            `?` (Font.shown).

    Returns:
        Font.
    """
    default = font_manager.findfont(FIRST_FAMILY)
    families, faces = [FIRST_FAMILY], [(str(default), 0)]
    missing = {character for text in texts for character in text}
    missing = {
        c for c in missing if unicodedata.category(c) not in UNSEEN and not _has(faces[0], c)
    }
    for look_again in (lambda: None, _add_new_fonts, _add_packaged_fonts):
        if missing:
            look_again()
        while missing and (found := _best_face(missing)):
            _add_weights(found)
            families.append(found.name)
            faces.append((found.fname, getattr(found, "index", 0)))
            missing = {character for character in missing if not _has(faces[-1], character)}
    drawn = {c for c in missing if unicodedata.category(c) not in LEFT_OUT}
    if drawn:
        say(_advice(drawn))
    return Font(families, tuple(faces))


def _advice(missing):
    east_asian = any(_is_east_asian(character) for character in missing)
    debian, python = PACKAGES[east_asian]
    some = "".join(sorted(missing)[:5]) + ("…" if len(missing) > 5 else "")
    count = f"{len(missing)} character{'s' * (len(missing) > 1)}"
    return (
        f"no installed font has {count} of the figures' texts ({some}), drawn as {UNKNOWN}: "
        f"apt-get install {debian}, or pip install {python}"
    )


def _is_east_asian(character):
    return unicodedata.name(character, "").startswith(EAST_ASIAN)


def _add_new_fonts():
    """Let matplotlib know fonts installed since it made its list, which it keeps for good."""
    _add_fonts(font_manager.findSystemFonts())


def _add_packaged_fonts():
    """Let matplotlib know the font files within Python packages, which it never looks for."""
    for package in importlib.metadata.distributions():
        if any(FONT_FILE.search(str(file)) for file in _font_files(package)):
            _add_fonts(str(package.locate_file(file)) for file in _font_files(package))


def _font_files(package):
    listed = package.read_text("RECORD") or ""
    if not re.search(r"\.(ttf|otf|ttc)\b", listed, re.IGNORECASE):  # most packages: not parsed
        return []
    return [file for file in package.files or () if FONT_FILE.search(str(file))]


def _add_fonts(paths):
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted(set(paths) - known):
        try:
            font_manager.fontManager.addfont(path)
        except Exception:  # FreeType and matplotlib raise nearly anything on a damaged font
            continue


def _add_weights(font):
    """Let a family that lacks a plain or a bold face give what it has for both, without warning."""
    listed = font_manager.fontManager.ttflist
    family = [other for other in listed if other.name == font.name and other.style == font.style]
    for weight in (REGULAR, BOLD):
        if weight not in map(_weight, family):
            listed.append(dataclasses.replace(font, weight=weight))


def _best_face(missing):
    """The font with the most of these characters, as matplotlib lists it; None without any."""
    names = [unicodedata.name(character, "") for character in missing]
    region = next((r for s, r in REGIONS.items() if any(n.startswith(s) for n in names)), "")
    regular = {}  # family -> its plainest face
    for font in font_manager.fontManager.ttflist:
        if font.style == "normal" and not font.name.startswith(NOT_FONTS):
            known = regular.setdefault(font.name, font)
            if abs(_weight(font) - REGULAR) < abs(_weight(known) - REGULAR):
                regular[font.name] = font
    ranked = sorted(
        regular.values(),
        key=lambda font: (
            not (region and font.name.endswith(region)),
            "Mono" in font.name,
            "Sans" not in font.name,
            font.name,
        ),
    )
    best, most = None, 0
    for font in ranked:
        face = (font.fname, getattr(font, "index", 0))
        covered = sum(_has(face, character) for character in missing)
        if covered > most:
            best, most = font, covered
        if most == len(missing):
            break
    return best


def _weight(font):
    weight = font.weight
    return weight if isinstance(weight, int) else font_manager.weight_dict.get(weight, REGULAR)


@functools.lru_cache(64)
def _opened(path, index):
    try:  # before matplotlib 3.11 there is no index
        return FT2Font(path, face_index=index) if index else FT2Font(path)
    except Exception:  # see _add_fonts
        return None


def _has(face, character):
    font = _opened(*face)
    return font is not None and font.get_char_index(ord(character)) > 0


def contact_sheet(tiles, columns=None, kind="PNG", headings=None, title="", say=print):
    """Put pictures side by side, text in any script under each.

    Args:
        tiles: list of (picture, text). A picture is the path of a file, the bytes of one, a
            function that gives them, or None for an empty place; it keeps its proportion, and is
            crossed out where it cannot be opened. A text may have several lines.
        columns: of tiles; None for a sheet somewhat wider than high.
        kind: PNG or JPEG.
        headings: dict number of a tile, from 0 -> text above it, which begins a new row; or None.
        title: text above everything.
        say: as for font_for.

    Returns:
        bytes of such a file.
    """
    headings = headings or {}
    columns = columns or max(1, math.ceil(math.sqrt(1.5 * len(tiles))))
    side = max(16, min(MOST_TILE, MOST_SHEET // columns - GAP))
    font = font_for([title, *(text for _, text in tiles), *headings.values()], say)
    width = columns * (side + GAP) + GAP
    texts = [broken_lines(text, font, side) for _, text in tiles]
    blocks = [broken_lines(title, font, width - 2 * GAP, HEADING)] if title else []
    for row in _rows(len(tiles), columns, headings):
        if row[0] in headings:
            blocks.append(broken_lines(headings[row[0]], font, width - 2 * GAP, HEADING))
        blocks.append(row)
    heights = [_height(block, texts, side) for block in blocks]
    sheet = Image.new("RGB", (width, sum(heights) + GAP), PAPER)
    top = GAP
    for block, height in zip(blocks, heights, strict=True):
        if isinstance(block, range):
            _draw_row(sheet, top, side, [(tiles[n][0], texts[n]) for n in block], font)
        else:
            draw_lines(sheet, (GAP, top + GAP), block, font, HEADING)
        top += height
    return as_bytes(sheet, kind)


def as_bytes(picture, kind="PNG"):
    """A Pillow picture as the bytes of a file."""
    file = io.BytesIO()
    picture.save(file, kind, quality=90)  # which PNG does not read
    return file.getvalue()


def _rows(count, columns, headings):
    """Ranges of the tiles' numbers, one for every row."""
    start = 0
    for number in range(1, count + 1):
        if number == count or number - start == columns or number in headings:
            yield range(start, number)
            start = number


def _height(block, texts, side):
    """Pixels that a row of tiles (their numbers) or the lines of a heading take."""
    if isinstance(block, range):
        return side + GAP + TEXT * max(len(texts[number]) for number in block)
    return TEXT * len(block) + 2 * GAP


def _draw_row(sheet, top, side, tiles, font):
    for left, (picture, lines) in zip(itertools.count(GAP, side + GAP), tiles):
        paste(sheet, picture, (left, top), side)
        draw_lines(sheet, (left, top + side + 1), lines, font, LETTERS)


def paste(sheet, picture, place, side):
    """Draw a picture into the middle of a square, a cross where it cannot be opened.

    Args:
        sheet: Pillow picture that is drawn on.
        picture: as in a tile of contact_sheet.
        place: (left, top) of the square in pixels.
        side: of the square in pixels; the picture fills it in its own proportion.
    """
    if picture is None:
        return
    try:
        small = _small(picture() if callable(picture) else picture, side)
    except Exception:  # Pillow raises nearly anything on a damaged file
        (left, top), cross = place, ImageDraw.Draw(sheet)
        cross.line((left, top, left + side, top + side), fill=INK)
        cross.line((left, top + side, left + side, top), fill=INK)
        return
    left, top = (
        start + (side - length) // 2 for start, length in zip(place, small.size, strict=True)
    )
    sheet.paste(small, (left, top))


def _small(picture, side):
    """A picture that fits a square, in its own proportion, as networks see it: upright, on white.

    The file is read as all pictures are: Pillow alone would cut 16 bits off at white and turn what
    is transparent black.
    """
    small = pictures.thumbnail(picture, side)
    scale = side / max(small.size)
    size = [max(1, round(scale * length)) for length in small.size]
    return small.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def draw_lines(sheet, place, lines, font, size, spacing=TEXT):
    """Draw lines of text onto a Pillow picture, the first one's top left corner at a place.

    Args:
        sheet: Pillow picture.
        place: (left, top) in pixels.
        lines: list of str, of characters that the font has (Font.shown).
        font: Font.
        size: height of letters in pixels.
        spacing: pixels from line to line.
    """
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        left, top = place
        for face, piece in font.runs(line):
            drawn = _pillow_font(face, size)
            # all on one line, whatever the fonts' own heights
            at = (left, top + spacing * number + size)
            draw.text(at, piece, fill=INK, font=drawn, anchor="ls")
            left += drawn.getlength(piece)


def _width(text, font, size):
    return sum(_pillow_font(face, size).getlength(piece) for face, piece in font.runs(text))


@functools.lru_cache(64)
def _pillow_font(face, size):
    path, index = face
    return ImageFont.truetype(path, size, index)


def broken_lines(text, font, width, size=LETTERS):
    """A text as lines that fit a width in pixels, each of its own lines broken once at most.

    What does not fit then ends in "…".
    """
    lines = []
    for line in font.shown(text).split("\n"):
        for place in range(MOST_LINES):
            piece = _fitting(line, font, width, size)
            rest = line[len(piece) :].lstrip()
            if rest and place == MOST_LINES - 1:
                while piece and _width(piece + "…", font, size) > width:
                    piece = piece[:-1]
                piece += "…"
            lines.append(piece.rstrip())
            line = rest
            if not line:
                break
    return lines


def _fitting(line, font, width, size):
    """The beginning of a line that fits, up to its last space where there is one."""
    if _width(line, font, size) <= width:
        return line
    fits = 1
    while _width(line[: fits + 1], font, size) <= width:
        fits += 1
    space = line[: fits + 1].rfind(" ")
    return line[:space] if space > 0 else line[:fits]


def learning_curves(runs, title, say=print, behind=(), always_many=False):
    """Draw the accuracy (percent) over the epochs of runs, the best epoch as a dot.

    Several: validation accuracy, one colour per network, dash-dotted off the shelf, dashed fine
    tuning, solid scratch. One: training and validation, accuracy and loss.

    Args:
        runs: list of transfer.run.FinishedRun; those without a history are left out.
        title: of the figure.
        say: as for font_for.
        behind: curves of others, drawn faintly behind: tuples of network, mode, epochs and
            validation accuracies in percent. With any, one run is drawn as several are.
        always_many: whether one run is drawn as several are in any case.

    Returns:
        matplotlib Figure.

    Raises:
        InputError: no run has a history.

    Source:
        Sabatelli et al. 2018, figures 2 and 3.
    """
    drawn = [run for run in runs if run.history is not None]
    if not drawn:
        raise InputError(f"no learning curve: none of {len(runs)} runs was trained by epochs")
    alone = len(drawn) == 1 and not behind and not always_many
    font = font_for([title, *(run.network for run in drawn)], say)
    figure = Figure(figsize=(9, 4.8), layout="constrained")  # inches: a page's width
    words = font.shown(textwrap.fill(one_line(title), 80))
    figure.suptitle(words, family=font.families, parse_math=False)
    for axes in figure.subplots(1, 2 if alone else 1, squeeze=False)[0]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    if alone:
        _draw_one(figure, drawn[0])
    else:
        _draw_several(figure, drawn, font, behind)
    return figure


def png(figure):
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)  # dots per inch: sharp in print at column width
    return buffer.getvalue()


def _draw_one(figure, run):
    epochs, style = run.history["epoch"], LINE_STYLES[run.mode]
    colour = _paints([run.network])[run.network]["color"]
    panels = (("accuracy", "accuracy (%)", 100), ("loss", "loss (cross-entropy, nats)", 1))
    for axes, (name, label, scale) in zip(figure.axes, panels, strict=True):
        for key, paint, text in ((name, "0.5", "training"), (f"val_{name}", colour, "validation")):
            values = scale * run.history[key]
            axes.plot(epochs, values, style, color=paint, label=text)
        _dot_best(axes, run, values, colour, BEST_EPOCH)
        axes.set_ylabel(label)
        axes.legend(handlelength=HANDLE_LENGTH)


def _draw_several(figure, runs, font, behind):
    axes, paints = figure.axes[0], _paints([run.network for run in runs] + [b[0] for b in behind])
    for network, mode, epochs, percent in behind:
        colour = paints[network]["color"]
        style = {"linestyle": LINE_STYLES[mode], "color": colour, "linewidth": LINE_WIDTH}
        axes.plot(epochs, percent, **style, alpha=FAINT, zorder=1)
    short = short_weights([column_of(run) for run in runs])
    entries = {}
    for run in runs:
        network, column = run.network, column_of(run)
        values = 100 * run.history["val_accuracy"]
        turn = list(short).index(column.weights) if column.weights in short else 0
        (line,) = axes.plot(
            run.history["epoch"],
            values,
            linestyle=LINE_STYLES[column.tl_mode],
            marker=MARKERS[turn % len(MARKERS)],
            markersize=4,
            **paints[network],
        )
        _dot_best(axes, run, values, paints[network]["color"])
        entries.setdefault(f"{network}, {label_column(column, short)}", line)
    (entries[BEST_EPOCH],) = axes.plot([], [], "o", color="0.4")
    axes.set_ylabel("validation accuracy (%)")
    _legend(figure, entries, font)


def _legend(figure, entries, font):
    lines, labels = list(entries.values()), [font.shown(one_line(label)) for label in entries]
    # never over the curves: below them while the entries are few, else beside them
    place = "outside lower center" if len(entries) <= LEGEND_BELOW else "outside right center"
    legend = figure.legend(lines, labels, fontsize="small", handlelength=HANDLE_LENGTH, loc=place)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a "$" in a name is no formula
        text.set_family(font.families)


def _dot_best(axes, run, values, colour, label=None):
    best = run.metrics.get("best_epoch")
    value = values[run.history["epoch"] == best]
    if len(value):
        axes.plot([best], value, "o", color=colour, label=label)


def _paints(networks):
    # The paper's networks keep their colour whatever else is drawn; others take the next ones,
    # and the eighth network is the first colour again in a wider line.
    drawn = order_networks(set(networks))
    names = [*PAPER_NETWORKS, *(name for name in drawn if name not in PAPER_NETWORKS)]
    turns = {name: divmod(index, len(COLOURS)) for index, name in enumerate(names)}
    return {
        name: {"color": COLOURS[index], "linewidth": LINE_WIDTH * (1 + turn)}
        for name, (turn, index) in turns.items()
    }


def confusion_matrix(counts, names, most=MOST_CLASSES, above=""):
    """Draw a confusion matrix, every row in percent of its class's pictures.

    Classes that are taken for one another stand together (evaluate.block_order). Of more than
    `most` classes the part with the most mistakes is drawn, which the title says; a row then has
    its percentages of all its pictures all the same.

    Args:
        counts: (classes, classes) int, a row per true class.
        names: of the classes, as they are shown.
        most: of the classes drawn.
        above: of whose pictures and which network it is; a line above the title.

    Returns:
        matplotlib Figure.

    Source:
        Cetinic et al. 2018, figures 10 and 12 to 14.
    """
    counts = np.asarray(counts)
    chosen = evaluate.most_confused(counts, most)
    chosen = chosen[evaluate.block_order(counts[np.ix_(chosen, chosen)])]
    pictures = counts.sum(axis=1)[chosen]
    with np.errstate(invalid="ignore"):
        shares = counts[np.ix_(chosen, chosen)] / pictures[:, None]
    occurring = int(np.count_nonzero(counts.sum(axis=0) + counts.sum(axis=1)))
    title = ["Test pictures of each class by the class predicted, in % of the class"]
    if len(chosen) < occurring:
        title.append(f"the {len(chosen)} of {occurring} classes with the most mistakes")
    labels = [shortened(one_line(names[number])) for number in chosen]
    rows = [f"{label} ({count})" for label, count in zip(labels, pictures, strict=True)]
    font = font_for([*rows, above], lambda line: None)  # told where the names were chosen
    side, room = max(2.5, CELL * len(chosen)), 0.5 + LETTER * max(map(_columns, rows))
    # in the middle of the matrix: as wide as the margins leave it, of which the right is one inch
    letters = int((side + 2 * min(room, 1)) / (LETTER * SMALL / TINY))
    lines = [line for text in (one_line(above), *title) for line in textwrap.wrap(text, letters)]
    size = (room + side + 1, room + side + 0.2 + 0.15 * len(lines))
    figure = Figure(figsize=size)
    axes = figure.add_axes((room / size[0], room / size[1], side / size[0], side / size[1]))
    colours = matplotlib.colormaps["Blues"].with_extremes(bad="0.85")
    # the square root: a tenth of a class's pictures is seen beside the nine tenths that are right
    drawn = axes.imshow(100 * shares, cmap=colours, norm=PowerNorm(0.5, 0, 100), aspect="equal")
    _name_ticks(axes, labels, rows, font)
    _write_title(axes, "\n".join(lines), font)
    axes.set_xlabel("predicted", size=SMALL)
    axes.set_ylabel("true (pictures)", size=SMALL)
    bar = figure.add_axes(((room + side + 0.15) / size[0], room / size[1], 0.12 / size[0], 0.25))
    figure.colorbar(drawn, bar, ticks=[0, 1, 10, 25, 50, 100]).ax.tick_params(labelsize=6)
    if len(chosen) <= MOST_NUMBERED:
        _write_shares(axes, shares)
    return figure


def _above(text):
    """A text as lines above a title; "" where there is none."""
    return f"{textwrap.fill(one_line(text), TITLE_LETTERS)}\n" if text else ""


def bars(names, values, label, title, ends=None, chance=None):
    """Draw a number for each name as a bar, with its interval and what chance would give.

    Args:
        names: texts, drawn from left to right.
        values: numbers from 0; NaN is left out.
        label: of the axis.
        title: of the figure.
        ends: (lows, highs) of 95 % intervals, NaN where there is none; or None.
        chance: a number for each name, drawn across its bar, NaN where there is none; or None.

    Returns:
        matplotlib Figure.

    Source:
        Cetinic et al. 2018, figures 8 and 9.
    """
    names, values = [one_line(str(name)) for name in names], np.asarray(values, float)
    font = font_for([title, *names], lambda line: None)  # see confusion_matrix
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    places = np.flatnonzero(np.isfinite(values))
    axes.bar(places, values[places], 0.6, color=COLOURS[0])
    if ends is not None:
        lows, highs = (np.asarray(end, float)[places] for end in ends)
        errors = np.nan_to_num([values[places] - lows, highs - values[places]]).clip(0)
        axes.errorbar(places, values[places], errors, fmt="none", color=COLOURS[5], capsize=4)
    if chance is not None:
        levels = np.asarray(chance, float)
        known = np.flatnonzero(np.isfinite(levels))
        axes.hlines(levels[known], known - 0.35, known + 0.35, **CHANCE)
        figure.legend(fontsize=TINY, loc="outside lower right")
    for place in places:
        axes.text(place, values[place] / 2, f"{values[place]:.3g}", size=SMALL, **CENTRED)
    axes.set_xticks(range(len(names)), map(font.shown, names), size=SMALL, family=font.families)
    for text in axes.get_xticklabels():
        text.set_parse_math(False)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(label, size=SMALL)
    _write_title(axes, textwrap.fill(one_line(title), TITLE_LETTERS), font)
    return figure


def distance_matrix(values, names, title):
    """Draw distances of all pairs as a matrix with its numbers.

    Args:
        values: (names, names) numbers from 0; NaN is grey.
        names: texts.
        title: of the figure.

    Returns:
        matplotlib Figure.

    Source:
        Cetinic et al. 2018, figure 16.
    """
    values = np.asarray(values, float)
    labels = [shortened(one_line(name)) for name in names]
    font = font_for([*labels, title], lambda line: None)  # see confusion_matrix
    side, room = max(3.5, 2 * CELL * len(labels)), 0.5 + LETTER * max(map(_columns, labels))
    size = (room + side + 0.4, room + side + 0.9)
    figure = Figure(figsize=size)
    axes = figure.add_axes((room / size[0], room / size[1], side / size[0], side / size[1]))
    colours = matplotlib.colormaps["Blues"].with_extremes(bad="0.85")
    most = max(np.nanmax(values), 1e-9)
    axes.imshow(values, cmap=colours, vmin=0, vmax=most, aspect="equal")
    _name_ticks(axes, labels, labels, font)
    for row, column in np.argwhere(np.isfinite(values)):
        paint = "white" if values[row, column] > 0.6 * most else "black"
        text = f"{values[row, column]:.2f}"
        axes.text(column, row, text, size=TINY, color=paint, ha="center", va="center")
    _write_title(axes, textwrap.fill(one_line(title), int(side / LETTER)), font)
    return figure


def _write_title(axes, text, font):
    axes.set_title(font.shown(text), size=SMALL, family=font.families, parse_math=False)


def _name_ticks(axes, below, beside, font):
    places = range(len(below))
    axes.set_xticks(places, map(font.shown, below), rotation=90, size=TINY, family=font.families)
    axes.set_yticks(places, map(font.shown, beside), size=TINY, family=font.families)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)  # a "$" in a name is no formula


def _write_shares(axes, shares):
    """Write the percentages into the cells that have any."""
    for row, column in zip(*np.nonzero(np.nan_to_num(shares) >= 0.005), strict=True):
        share = shares[row, column]
        paint = "white" if share > 0.4 else "black"
        axes.text(column, row, f"{100 * share:.0f}", size=6, color=paint, ha="center", va="center")


def reliability(bins):
    """Draw how often answers are right against how sure the network is, and how many there are.

    Args:
        bins: DataFrame of evaluate.reliability.

    Returns:
        matplotlib Figure: the accuracy of each bin that has pictures with its 95 % interval, beside
        the diagonal of a calibrated network; below it the pictures of each bin.

    Source:
        Guo et al. 2017, figure 1.
    """
    figure = Figure(figsize=(4.4, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    some = bins[bins["pictures"] > 0]
    accuracy = 100 * some["accuracy"]
    ends = abs(100 * some[["low", "high"]].sub(some["accuracy"], axis=0)).to_numpy().T
    upper.plot([0, 100], [0, 100], color="0.6", linewidth=1, label="calibrated")
    upper.errorbar(
        *(100 * some["confidence"], accuracy, ends),
        **{"fmt": "o", "markersize": 4, "capsize": 2, "color": COLOURS[0]},
        label="measured, 95 % interval",
    )
    upper.set_ylim(-3, 103)
    upper.set_ylabel("right answers (%)", size=SMALL)
    entries = upper.get_legend_handles_labels()
    figure.legend(*entries, fontsize=TINY, loc="outside lower center", ncols=2)
    error = evaluate.calibration_error(bins)
    words = f"Expected calibration error {error:.3f}, {bins['pictures'].sum()} test pictures"
    upper.set_title(words, size=SMALL)
    middles, width = 50 * (bins["above"] + bins["up_to"]), 100 / len(bins)
    lower.bar(middles, bins["pictures"], 0.9 * width, color=COLOURS[0])
    lower.set_ylabel("pictures", size=SMALL)
    lower.set_xlabel("probability of the predicted class (%)", size=SMALL)
    for axes in (upper, lower):
        axes.set_xlim(-2, 102)
        axes.tick_params(labelsize=TINY)
        axes.grid(alpha=0.3)
    return figure


def class_distribution(labels, names, most=MOST_BARS, pictures=None, above=""):
    """Draw how many pictures of each class train, validate and test.

    Args:
        labels: dict split -> (pictures,) class numbers.
        names: of the classes, as they are shown.
        most: of classes drawn as bars, the commonest at the top; more are curves over their ranks.
        pictures: dict split -> how many; None for as many as there are class numbers.
        above: of whose pictures it is; a line above the title.

    Returns:
        matplotlib Figure.

    Source:
        Cetinic et al. 2018, figures 2 and 3.
    """
    counts = {split: np.bincount(part, minlength=len(names)) for split, part in labels.items()}
    total = sum(counts.values())
    order = np.argsort(-total, kind="stable")
    pictures = pictures or {split: part.sum() for split, part in counts.items()}
    told = ", ".join(f"{split} {count}" for split, count in pictures.items())
    title = f"{_above(above)}Pictures of {len(names)} classes: {told}"
    shown = [shortened(one_line(names[number])) for number in order]
    font = font_for([*shown, title], lambda line: None)  # see confusion_matrix
    if len(names) > most:
        return _distribution_curves(counts, order, total, shown, title, font)
    room, height = 0.3 + LETTER * max(map(_columns, shown)), max(1, BAR * len(names))
    size = (room + 5.2, height + 1.1)
    figure = Figure(figsize=size)
    axes = figure.add_axes((room / size[0], 0.5 / size[1], 5 / size[0], height / size[1]))
    before = np.zeros(len(names))
    for (split, part), colour in zip(counts.items(), COLOURS, strict=False):
        axes.barh(range(len(names)), part[order], 0.8, before, color=colour, label=split)
        before += part[order]
    for place, count in enumerate(before):
        axes.text(count, place, f" {count:.0f}", size=6, va="center")
    axes.set_yticks(range(len(names)), map(font.shown, shown), size=TINY, family=font.families)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, before.max() * 1.08)
    axes.set_title(title, size=SMALL)
    axes.legend(fontsize=TINY, loc="lower right")
    axes.set_xlabel("pictures", size=SMALL)
    axes.tick_params("x", labelsize=TINY)
    return figure


def _distribution_curves(counts, order, total, shown, title, font):
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    ranks = np.arange(1, len(order) + 1)
    for (split, part), colour in zip(counts.items(), COLOURS, strict=False):
        # a class without a picture in a split has no place on a logarithmic axis
        some = part[order] > 0
        axes.plot(ranks[some], part[order][some], ".", markersize=3, color=colour, label=split)
    axes.plot(ranks, total[order], color="0.4", linewidth=1, label="all")
    axes.set_yscale("log")
    first, last = (font.shown(f"{shown[i]}, {total[order[i]]}") for i in (0, -1))
    words = f"classes, from the commonest ({first})\nto the rarest ({last})"
    axes.set_xlabel(words, size=SMALL, family=font.families, parse_math=False)
    axes.set_ylabel("pictures", size=SMALL)
    axes.set_title(title, size=SMALL)
    axes.legend(fontsize=TINY)
    return figure


def _columns(text):
    """Width of a text in Latin letters: Chinese, Japanese and Korean ones take two."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def shortened(text, letters=MOST_LETTERS):
    """A name as it stands beside an axis: cut to so many letters, of which wide ones are two."""
    if _columns(text) <= letters:
        return text
    text = text[:letters]
    while _columns(text) >= letters:
        text = text[:-1]
    return text + "…"
