"""Fonts, contact sheets, and figures of made-up runs."""

import importlib.metadata
import io
import math
import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from models.errors import InputError
from transfer import evaluate, plots
from transfer.recipes import RECIPES


def figure_of(several):
    return plots.learning_curves(several, "a $title")


def curves(axes):
    """Label -> line of a figure with several runs; the dots of the best epochs have no line."""
    legend = axes.get_legend() or axes.figure.legends[0]
    labels = [text.get_text() for text in legend.get_texts()]
    drawn = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    return dict(zip(labels, drawn, strict=False))


def test_several_runs_are_drawn_as_in_the_papers_captions(made):
    modes = {"off_the_shelf": "-.", "fine_tuning": "--", "random": "-"}
    networks = ("Xception", "InceptionV3", "ResNet50", "VGG19")
    figure = figure_of([made(ANN=n, tl_mode=mode) for n in networks for mode in modes])
    (axes,) = figure.axes
    lines = curves(axes)
    assert len(lines) == 12 and len(figure.legends) == 1 and axes.get_legend() is None
    colours = {}
    for label, line in lines.items():
        network, mode = label.split(", ")
        colours.setdefault(network, set()).add(line.get_color())
        named = [key for key in modes if RECIPES[key].title == mode]
        assert line.get_linestyle() == modes[named[0]]
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [25, 50, 45]
    assert all(len(used) == 1 for used in colours.values())
    assert len(set.union(*colours.values())) == 4
    dots = [line for line in axes.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    assert {(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots} == {(2, 50)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "validation accuracy (%)")


def test_other_weights_and_an_eighth_network_stay_distinct(made):
    several = [made(ANN=f"Net{n}", weights=w) for n in range(9) for w in ("imagenet", "w.h5")]
    drawn = curves(figure_of(several).axes[0]).values()
    looks = {(line.get_color(), line.get_linewidth(), line.get_marker()) for line in drawn}
    assert len(drawn) == len(looks) == 18


def test_one_run_shows_training_and_validation_and_its_best_epoch(made):
    several = [made(), made(classifier="svm", tl_mode="off_the_shelf")]
    accuracy, loss = figure_of(several).axes
    history = several[0].history
    for axes, scale, name in ((accuracy, 100, "accuracy"), (loss, 1, "loss")):
        lines = {line.get_label(): line for line in axes.get_lines()}
        for label, key in (("training", name), ("validation", f"val_{name}")):
            expected = [scale * value for value in history[key]]
            assert list(lines[label].get_ydata()) == expected
        assert list(lines[plots.BEST_EPOCH].get_ydata()) == [scale * history[f"val_{name}"][1]]
    assert plots.png(plots.learning_curves(several, "$é\n{")).startswith(b"\x89PNG")


def test_curves_of_others_are_drawn_faintly_behind(made):
    behind = [("VGG19", "fine_tuning", [1, 2], [30, 40]), ("Net", "random", [1], [50])]
    figure = plots.learning_curves([made(ANN="VGG19")], "title", behind=behind)
    first, second, own, *_ = figure.axes[0].get_lines()
    assert first.get_alpha() == second.get_alpha() == plots.FAINT and own.get_alpha() is None
    assert first.get_color() == own.get_color() != second.get_color()
    assert (first.get_linestyle(), list(first.get_ydata())) == ("--", [30, 40])
    assert first.get_zorder() < own.get_zorder() and len(figure.axes) == 1


def test_a_run_without_epochs_has_no_curve(made):
    with pytest.raises(InputError, match="none of 1 runs"):
        plots.learning_curves([made(classifier="svm")], "title")


# ---- fonts


@pytest.fixture
def only_dejavu(monkeypatch):
    """A machine with the one font that matplotlib brings along, and its last resort."""
    kept = ("DejaVu Sans", "Last Resort High-Efficiency")
    fonts = [font for font in font_manager.fontManager.ttflist if font.name in kept]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [])
    return fonts


def write_font(path, characters, family):
    """A font of squares for these characters."""
    pen = TTGlyphPen(None)
    for number, point in enumerate([(0, 0), (0, 700), (700, 700), (700, 0)]):
        (pen.lineTo if number else pen.moveTo)(point)
    pen.closePath()
    names = [".notdef", *(f"u{ord(character):X}" for character in characters)]
    font = FontBuilder(1000)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in characters})
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2(usWeightClass=100)  # thin, and nothing else
    font.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    font.save(path)
    return str(path)


def draw(font, texts):
    """Draw texts plain and bold with matplotlib; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure()
        for text in texts:
            for weight in ("normal", "bold"):
                words = font.shown(text)
                figure.text(0, 0, words, family=font.families, weight=weight, parse_math=False)
        return plots.png(figure)


def test_latin_needs_no_other_font(only_dejavu):
    said = []
    font = plots.font_for(["Ärmel, Łódź, Ὅμηρος, Достоевский", "a ↔ b…"], said.append)
    assert font.families == ["DejaVu Sans"] and said == []


def test_no_font_is_one_line_and_no_warning(only_dejavu, capfd):
    said, texts = [], ["铜器 bronze", "器物", "plain\ttext\x07", "\ud800", "a\u0301\U000e0001"]
    font = plots.font_for(texts, said.append)
    (line,) = said
    assert line == (
        "no installed font has 3 characters of the figures' texts (器物铜), drawn as ?: "
        "apt-get install fonts-noto-cjk, or pip install mplfonts"
    )
    assert font.shown(texts[0]) == "?? bronze" and not font.has_all(texts[0])
    assert font.shown(texts[2]) == "plain text " and font.shown(texts[3]) == "?"
    assert font.has_all("what?\n")
    assert draw(font, texts).startswith(b"\x89PNG")
    assert plots.contact_sheet([(None, text) for text in texts], say=said.append)
    assert capfd.readouterr() == ("", "")
    plots.font_for(["हिन्दी"], said.append)
    assert "fonts-noto-core" in said[-1] and "manimgx-fonts" in said[-1]


def test_a_font_installed_since_matplotlib_looked(only_dejavu, tmp_path, monkeypatch, capfd):
    path = write_font(tmp_path / "new.ttf", "铜器", "Test Sans")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [path, str(broken)])
    font = plots.font_for(["铜器 bronze"])
    assert font.families == ["DejaVu Sans", "Test Sans"] and font.faces[1] == (path, 0)
    assert font.has_all("铜器 bronze")
    assert font.runs("铜器ab") == [(font.faces[1], "铜器"), (font.faces[0], "ab")]
    assert font.runs("ab") == [(font.faces[0], "ab")]
    draw(font, ["铜器 bronze"])
    assert capfd.readouterr() == ("", "")  # bold is not in the font, and nothing says so


def test_a_font_within_a_python_package(only_dejavu, tmp_path, monkeypatch):
    write_font(tmp_path / "somefont" / "fonts" / "a.ttf", "铜", "Packaged")
    about = tmp_path / "somefont-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: somefont\nVersion: 1.0\n")
    (about / "RECORD").write_text("somefont/__init__.py,,\nsomefont/fonts/a.ttf,,\n")
    found = importlib.metadata.Distribution.at(about)
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [found])
    assert plots.font_for(["铜"]).families == ["DejaVu Sans", "Packaged"]


def test_few_fonts_that_together_have_all(only_dejavu, tmp_path, monkeypatch):
    given = {"A Sans": "铜", "B Sans": "铜器物", "C Sans SC": "铜器", "D Mono": "ก"}
    paths = [write_font(tmp_path / f"{n}.ttf", c, n) for n, c in given.items()]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    assert plots.font_for(["铜器"]).families == ["DejaVu Sans", "C Sans SC"]  # for Chinese
    assert plots.font_for(["铜器物ก"]).families == ["DejaVu Sans", "B Sans", "D Mono"]


def test_every_script_of_the_real_collections(capfd):
    """With the fonts of this machine: whatever they have, nothing but our line is said."""
    texts = ["铜器", "ひらがな", "한국", "العربية", "हिन्दी", "ไทย", "🎨"]
    said = []
    font = plots.font_for(texts, said.append)
    draw(font, texts)
    assert len(said) <= 1 and capfd.readouterr() == ("", "")


# ---- contact sheets


def picture(colour, size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def opened(sheet):
    with Image.open(io.BytesIO(sheet)) as image:
        return image.convert("RGB")


def test_contact_sheet_holds_every_image(tmp_path):
    tiles = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        path.write_bytes(picture((number * 60,) * 3))
        tiles.append((path, str(number)))
    sheet = opened(plots.contact_sheet(tiles, columns=3))
    assert sheet.size == (3 * 166 + 6, 2 * 182 + 6)
    middles = [sheet.getpixel((86 + 166 * (n % 3), 86 + 182 * (n // 3))) for n in range(5)]
    assert middles == [(n * 60,) * 3 for n in range(5)]


def test_pictures_keep_their_proportion_and_lines_make_rows_higher():
    tiles = [(picture("red", (80, 20)), "a\nb"), (lambda: picture("blue"), "w " * 100)]
    sheet = opened(plots.contact_sheet(tiles, columns=2))
    assert sheet.size == (2 * 166 + 6, 160 + 6 + 2 * 16 + 6)
    assert sheet.getpixel((86, 86)) == (255, 0, 0) and sheet.getpixel((86, 20)) == (255, 255, 255)
    assert sheet.getpixel((252, 20)) == (0, 0, 255)


def as_museums_have_them(folder):
    """File name -> how its tile is to look, 160 pixels: its size, and colours at places."""
    turned = Image.new("RGB", (60, 40), "blue")
    turned.paste("red", (0, 0, 20, 10))  # top left in the file, top right as it is to be seen
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF 2.3: the first row is the right side
    turned.save(folder / "turned.png", exif=exif)
    turned.resize((600, 400)).save(folder / "turned.jpg", exif=exif, quality=95, subsampling=0)
    Image.fromarray(np.full((40, 40), 25700, np.uint16)).save(folder / "deep.png")
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(folder / "clear.png")
    red, blue = (255, 0, 0), (0, 0, 255)
    for name in ("turned.png", "turned.jpg"):
        yield name, (107, 160), {(95, 20): red, (50, 20): blue, (95, 120): blue}
    yield "deep.png", (160, 160), {(80, 80): (100, 100, 100)}  # 25700 / 257
    yield "clear.png", (160, 160), {(80, 80): (255, 255, 255)}


def test_files_are_shown_as_networks_see_them(tmp_path):
    for name, size, colours in as_museums_have_them(tmp_path):
        for source in (tmp_path / name, (tmp_path / name).read_bytes()):
            sheet = opened(plots.contact_sheet([(source, "")]))
            left, top = (6 + (160 - length) // 2 for length in size)
            for (x, y), colour in colours.items():
                shown = sheet.getpixel((left + x, top + y))
                np.testing.assert_allclose(shown, colour, atol=8, err_msg=f"{name} {x}, {y}")
            if name.startswith("turned"):
                beside = [sheet.getpixel((left + x, 86)) for x in (-3, size[0] + 2)]
                assert beside == [(255, 255, 255)] * 2


def test_headings_begin_rows_and_what_cannot_be_opened_is_crossed_out():
    tiles = [(picture("red"), "1"), (b"broken", "2"), (None, ""), (picture("blue"), "4")]
    sheet = opened(plots.contact_sheet(tiles, columns=4, headings={0: "first", 3: "second"}))
    row = 28 + 182  # a heading and its tiles
    assert sheet.size == (4 * 166 + 6, 2 * row + 6)
    assert sheet.getpixel((86, 6 + 28 + 80)) == (255, 0, 0)
    assert sheet.getpixel((252, 6 + 28 + 80)) == plots.INK
    assert sheet.getpixel((418, 6 + 28 + 80)) == (255, 255, 255)
    assert sheet.getpixel((86, 6 + row + 28 + 80)) == (0, 0, 255)


def test_a_sheet_without_pictures_says_its_title():
    sheet = opened(plots.contact_sheet([], title="No picture", kind="JPEG"))
    assert sheet.height == 16 + 12 + 6 and np.asarray(sheet).min() < 100


# ---- matrices and distributions


def test_rows_of_a_confusion_matrix_are_percentages_in_the_order_of_blocks():
    counts = np.array([[8, 0, 2], [0, 0, 0], [3, 1, 6]])
    axes = plots.confusion_matrix(counts, ["a", "$b", "c"]).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    below = [label.get_text() for label in axes.get_xticklabels()]
    assert sorted(names) == ["$b (0)", "a (10)", "c (10)"]
    assert [name.partition(" ")[0] for name in names] == below
    drawn = axes.images[0].get_array()
    order = [["a", "$b", "c"].index(name) for name in below]
    expected = 100 * counts / np.array([10, np.nan, 10])[:, None]
    np.testing.assert_allclose(drawn.filled(np.nan), expected[np.ix_(order, order)])
    assert abs(below.index("a") - below.index("c")) == 1


def test_of_many_classes_the_part_with_the_most_mistakes_is_told():
    counts = np.diag(np.full(50, 9))
    counts[7, 30] = 3
    figure = plots.confusion_matrix(counts, [f"n{n}" for n in range(50)], most=10)
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(names) == 10 and {"n7", "n30"} <= set(names)
    assert "the 10 of 50 classes with the most mistakes" in figure.axes[0].get_title()
    # a row's percentages are of all its pictures, within the part or not
    row = figure.axes[0].images[0].get_array()[names.index("n7")]
    assert row.sum() == pytest.approx(100) and row[names.index("n30")] == pytest.approx(25)


@pytest.mark.parametrize("most", [60, 2])
def test_distribution_counts_every_split(most):
    labels = {"train": np.array([0, 1, 1, 2, 2, 2]), "val": np.array([2]), "test": np.array([1])}
    axes = plots.class_distribution(labels, ["铜 $", "b", "c"], most).axes[0]
    assert axes.get_title() == "Pictures of 3 classes: train 6, val 1, test 1"
    if most == 60:
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names[:2] == ["c", "b"]
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == [3, 2, 1, 1, 0, 0, 0, 1, 0]
    else:
        assert list(axes.get_lines()[-1].get_ydata()) == [4, 3, 1]
        assert axes.get_yscale() == "log"


def test_reliability_shows_the_bins_that_have_pictures():
    scores = np.array([[0.5, 0.5], [0.45, 0.55], [0.9, 0.1], [1.0, 0.0]])
    bins = evaluate.reliability(scores, np.zeros(4, int), bins=4)
    figure = plots.reliability(bins)
    upper, lower = figure.axes
    diagonal, points = upper.get_lines()[:2]
    assert list(diagonal.get_ydata()) == [0, 100]
    np.testing.assert_allclose(points.get_xdata().astype(float), [50, 55, 95])
    np.testing.assert_allclose(points.get_ydata().astype(float), [100, 0, 100])
    assert [bar.get_height() for bar in lower.patches] == [0, 1, 1, 2]
    error = evaluate.calibration_error(bins)
    assert upper.get_title() == f"Expected calibration error {error:.3f}, 4 test pictures"
    assert plots.png(figure).startswith(b"\x89PNG")


def test_bars_have_their_intervals_and_what_is_missing_is_left_out():
    values, ends = [0.5, math.nan, 0.25], ([0.4, math.nan, math.nan], [0.7, math.nan, math.nan])
    axes = plots.bars(["a", "$b", "c"], values, "accuracy", "title", ends).axes[0]
    heights = [bar.get_height() for bar in axes.containers[0]]
    assert heights == [0.5, 0.25]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "$b", "c"]
    ((first, second),) = (lines.get_segments() for lines in axes.collections)
    assert np.allclose(first[:, 1], (0.4, 0.7)) and np.allclose(second[:, 1], (0.25, 0.25))
    assert plots.png(plots.bars(["a"], [1.0], "hours", "$")) and axes.get_ylabel() == "accuracy"


def test_bars_have_what_chance_gives_across_them():
    figure = plots.bars(["a", "b"], [0.5, 0.4], "accuracy", "title", chance=[0.1, math.nan])
    (lines,) = (found.get_segments() for found in figure.axes[0].collections)
    assert [line.tolist() for line in lines] == [[[-0.35, 0.1], [0.35, 0.1]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chance"]


def test_a_matrix_of_distances_has_its_numbers():
    axes = plots.distance_matrix([[0, 0.5], [0.5, math.nan]], ["one", "two"], "title").axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["0.00", "0.50", "0.50"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two"]


@pytest.mark.parametrize("name", ["a", "a class with a name of many letters"])
@pytest.mark.parametrize("classes", [2, 10, 30])
def test_no_title_of_a_matrix_is_cut(classes, name):
    above = "WikiArt: genre, on wikiart224 $ 1500 pictures $ (for WikiArt); GoogLeNet, all layers"
    counts = np.ones((classes, classes), int)
    figure = plots.confusion_matrix(counts, [name] * classes, above=above)
    title = figure.axes[0].title
    assert " ".join(title.get_text().split("\n")).startswith(above)
    around = title.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert 0 < around.x0 < around.x1 < figure.bbox.x1 and around.y1 < figure.bbox.y1


def test_a_line_above_the_title_tells_whose_pictures(made):
    above = "wikiart224 in the place of WikiArt"
    figure = plots.confusion_matrix(np.eye(2, dtype=int), ["a", "b"], above=above)
    assert figure.axes[0].get_title().startswith(f"{above}\nTest pictures")
    labels = dict.fromkeys(("train", "val", "test"), np.array([0, 1]))
    figure = plots.class_distribution(labels, ["a", "b"], above=above)
    assert figure.axes[0].get_title().startswith(f"{above}\nPictures of 2 classes")
    figure = plots.learning_curves([made()], "one", always_many=True)
    assert len(figure.axes) == 1 and figure.axes[0].get_ylabel() == "validation accuracy (%)"
