"""The paper's figures from made-up numbers: what is drawn where, and what is said beside it."""

import io
import math
import warnings
from collections import namedtuple

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose
from PIL import Image

from models.errors import InputError
from transfer import plots
from visualization import paper_figures as drawn
from visualization.page import MOST_SIDE

Chance = namedtuple("Chance", "mean low high")
Cka = namedtuple("Cka", "paper debiased floor low high")
Rank = namedtuple("Rank", "rho low high n")
OVERLAP = Chance(0.028, 0.0, 0.06)
LONG = "Mannerism_(Late_Renaissance)_$and$_{what}_followed" * 5
CHINESE = "北宋官窑青瓷与民间窑口出土文物" * 8
SIXTY = [f"block{n // 6}_conv{n % 6}" for n in range(60)]
GREEN, BLUE = np.array(drawn.GREEN), (0, 0, 255)


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def pixels(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def colour_of(number):
    """A colour that tells a picture's number, far from green, black and white."""
    return (200 + number % 10 * 5, 100, 150 + number // 10 * 10)


def picture(number):
    return np.full((8, 8, 3), colour_of(number), np.uint8)


def places(content, colour, tolerance=0):
    """(rows, columns) of the pixels of a colour."""
    return np.nonzero((np.abs(pixels(content) - colour) <= tolerance).all(axis=-1))


def framed(content, number):
    """Whether each drawing of a picture, from the top down, has a green frame on all four sides."""
    image = pixels(content)
    mask = (image == colour_of(number)).all(axis=-1)
    found = []
    while mask.any():
        top, left = np.argwhere(mask)[0]
        right = left + np.argmin(np.append(mask[top, left:], False))
        bottom = top + np.argmin(np.append(mask[top:, left], False))
        mask[top:bottom, left:right] = False
        middle, centre = (top + bottom) // 2, (left + right) // 2
        beside = [(middle, left - 1), (middle, right), (top - 1, centre), (bottom, centre)]
        green = {bool((image[place] == GREEN).all()) for place in beside}
        assert len(green) == 1
        found.append(green.pop())
    return found


def two(top_a, top_b, overlap=0.34, **how):
    return drawn.Column(
        "mixed4d:52", (drawn.Seen(top_a), drawn.Seen(top_b, overlap=overlap)), **how
    )


def page(columns, networks=("before", "after"), pictures=picture, **how):
    (content,) = drawn.channel_pages(columns, networks, pictures, **how)
    return content


# ---- channels


def test_pictures_of_both_sets_are_framed_and_no_others():
    content = page([two([1, 2, 3, 4], [3, 9, 1, 8])], grid=2)
    for number in (1, 3):
        assert framed(content, number) == [True, True]
    for number in (2, 4, 9, 8):
        assert framed(content, number) == [False]


def test_a_picture_is_framed_where_the_other_set_has_it_beyond_what_is_drawn():
    content = page([two([1, 2, 3, 4, 5], [6, 7, 8, 9, 1])], grid=2)
    assert framed(content, 1) == [True] and framed(content, 5) == []


def test_of_several_networks_the_first_is_compared_with_all_others():
    seen = [drawn.Seen(top) for top in ([1, 2], [2, 3], [3, 1])]
    content = page([drawn.Column("c", seen)], "abc", grid=2)
    assert framed(content, 1) == [True, True]
    assert framed(content, 2) == [True, True]
    assert framed(content, 3) == [False, False]


def test_places_that_no_picture_fills_stay_empty():
    content = page([two(np.array([1, -1, -1, -1], np.int32), np.full(4, -1), 0.0)], grid=2)
    assert len(framed(content, 1)) == 1
    said = drawn._shares(drawn.Seen([-1, -1], [("a", 0.5)]))
    assert said == "no picture fires it"


def test_the_texts_below():
    seen = drawn.Seen(
        [1], [("Ukiyo-e", 0.82), ("a b", 0.051), ("c", 0.0149), ("d", 0.01)], None, 0.34
    )
    lines = drawn._shares(seen).replace(drawn.NO_BREAK, " ").split("\n")
    assert lines == ["82 % Ukiyo-e", "5.1 % a b", "1.5 % c"]
    assert drawn._overlap(seen, OVERLAP) == "overlap 34 % (chance 2.8 %)"
    assert drawn._overlap(seen, None) == "overlap 34 %"
    for nothing in (None, math.nan):
        assert drawn._overlap(drawn.Seen([1], overlap=nothing), OVERLAP) == ""
    assert [drawn._percent(x) for x in (0, 0.05, 0.0996, 0.5, 1)] == [
        "0 %",
        "5 %",
        "10 %",
        "50 %",
        "100 %",
    ]


def test_chance_where_every_picture_is_in_every_set():
    assert drawn._chance_text(Chance(1, 1, 1), 100, " %") == "chance: 100 % (100 to 100 %)"


def test_the_foot_says_what_green_means_and_what_is_left_out():
    column = two(range(100), range(50, 150))
    assert drawn._foot([column], 10) == "green frame: in the top 100 of both networks"
    assert drawn._foot([column], 5).endswith("; the first 25 of the top 100 are shown")
    assert drawn._foot([column], 0) == ""
    alone = drawn.Column("c", [drawn.Seen([1])])
    assert drawn._foot([alone], 1) == ""


def test_images_are_drawn_above_the_pictures_and_an_empty_frame_where_there_is_none():
    image = np.zeros((4, 4, 3)) + np.array(BLUE) / 255  # floats from 0 to 1
    with_image = drawn.Column("a", (drawn.Seen([1], (), image), drawn.Seen([2])))
    content = page([with_image, two([3], [4])], grid=1)
    rows, columns = places(content, BLUE)
    side = np.ptp(rows) + 1
    assert side == np.ptp(columns) + 1 == drawn.COLUMN and len(rows) == side**2
    below, _ = places(content, colour_of(1))
    assert below.min() > rows.max()
    without = places(content, drawn.FAINT)
    assert (without[1] > columns.max()).sum() >= 4 * side - 4
    taller = len(pixels(content)) - len(pixels(page([two([1], [2])] * 2, grid=1)))
    assert taller == side + drawn.LETTERS // 2  # the second network has no row of images


def test_images_alone_have_no_grids():
    columns = [
        drawn.Column(
            "a", (drawn.Seen([1], (), Image.new("RGB", (4, 4), BLUE), None, "a note"),) * 2
        )
    ]
    content = page(columns, grid=0)
    assert len(places(content, BLUE)[0]) == 2 * drawn.COLUMN**2
    assert not len(places(content, colour_of(1))[0])


def test_pictures_come_in_every_form_and_broken_ones_are_crossed_out(tmp_path):
    path, broken = tmp_path / "1.png", tmp_path / "2.jpg"
    Image.fromarray(picture(1)).save(path)
    broken.write_bytes(b"no picture")
    forms = [path, path.read_bytes(), Image.fromarray(picture(1)), picture(1), picture(1) / 255]
    sizes = {
        len(places(page([two([0], [-1])], pictures=[form], grid=1), colour_of(1))[0])
        for form in forms
    }
    assert len(sizes) == 1 and sizes.pop() > 400**2
    for gone in (broken, tmp_path / "gone.jpg"):
        content = page([two([7], [-1])], pictures={7: gone}, grid=1)
        assert len(places(content, plots.INK)[0]) > 400
    with pytest.raises(KeyError):  # an index is the caller's mistake
        page([two([8], [-1])], pictures={7: path}, grid=1)


def test_a_picture_keeps_its_proportion_within_its_frame():
    wide = np.full((10, 40, 3), colour_of(1), np.uint8)
    rows, columns = places(page([two([0], [0])], pictures=[wide], grid=2), colour_of(1))
    assert_allclose((np.ptp(columns) + 1) / (np.ptp(rows[rows < rows.mean()]) + 1), 4, rtol=0.05)


def test_many_channels_take_pages_of_bounded_size():
    columns = [two([1, 2], [2, 3])] * 12
    pages = drawn.channel_pages(columns, ["a", "b"], picture, grid=2, title="t")
    assert len(pages) == 3
    shapes = [pixels(content).shape for content in pages]
    assert shapes[0] == shapes[1] and shapes[2][1] < shapes[0][1]
    assert max(map(max, shapes)) <= MOST_SIDE


def test_many_networks_and_columns_make_them_smaller():
    seen = [drawn.Seen(range(9), [(LONG, 0.5)] * 3, picture(1), 0.5, LONG)] * drawn.MOST_NETWORKS
    column = drawn.Column(LONG, seen)
    high = pixels(page([column], [LONG] * len(seen), grid=3, title=LONG))
    assert 0.9 * MOST_SIDE < len(high) <= MOST_SIDE
    wide = pixels(page([two([1], [2])] * 20, grid=1, across=20))
    assert 0.9 * MOST_SIDE < wide.shape[1] <= MOST_SIDE


def test_one_channel_without_images():
    shape = pixels(page([two(range(100), range(100))])).shape
    assert shape[1] == drawn.COLUMN + 2 * drawn.GAP


def test_long_and_chinese_names_stay_in_their_column():
    told = []
    share = [(LONG, 0.4), (CHINESE, 0.3), ("\u202eرسم <script>\n" * 9, 0.1)]
    seen = drawn.Seen([1], share, None, 0.5, CHINESE)
    column = drawn.Column(CHINESE, (seen, seen))
    content = page([column], [LONG, CHINESE], grid=1, title=LONG + CHINESE, say=told.append)
    image = pixels(content)
    assert len(image) < 2 * drawn.COLUMN + 900
    assert (image[:, -drawn.GAP // 2 :] == 255).all()


@pytest.mark.parametrize(
    ("columns", "how", "said"),
    [
        ([], {}, "no channel"),
        ([two([1], [2])], {"grid": 21}, "grid is 21; accepted: 0 to 20"),
        ([two([1], [2])], {"across": 0}, "across is 0; accepted: 1 to 20"),
        ([two([1], [2])], {"networks": ["a"]}, "mixed4d:52: what 2 networks have, for 1 names"),
        ([two([1], [2])], {"networks": ["a"] * 7}, "number of networks is 7"),
        ([two([1], [2])], {"grid": 0}, "no channel has an optimized image"),
    ],
)
def test_what_cannot_be_drawn_is_refused(columns, how, said):
    with pytest.raises(InputError, match=said):
        page(columns, **how)


def test_real_paintings(shared):
    paths = sorted((shared / "data" / "wikiart224" / "images").glob("*.jpg"))[:20]
    content = page([two(range(16), range(4, 20))], pictures=paths, grid=4)
    # 24 framed tiles
    pitch = drawn.COLUMN // 4
    expected = 24 * 4 * (pitch - 1 - max(2, pitch // 16)) * max(2, pitch // 16)
    assert_allclose(len(places(content, drawn.GREEN)[0]), expected, rtol=0.02)


# ---- charts


def texts(figure):
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return legends + [text.get_text() for axes in figure.axes for text in axes.texts]


def names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def shape_of(figure):
    """Height and width in pixels, after drawing everything."""
    return pixels(plots.png(figure)).shape[:2]


def cka(number):
    return Cka(number + 0.1, number, 0.2, number - 0.05, number + 0.05)


def test_the_four_numbers_of_pairs():
    pairs = {"a, b": [cka(0.9), cka(0.5), cka(-0.02)], "b, c": [cka(0.8), None, cka(0.7)]}
    figure = drawn.cka_over_depth(["x", "y", "z"], pairs, title="t")
    (axes,) = figure.axes
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    looks = {(line.get_color(), line.get_linestyle(), line.get_linewidth()): line for line in lines}
    assert len(looks) == 6
    first, second = plots.COLOURS[:2]
    assert_allclose(looks[first, "-", 2.5].get_ydata(), [0.9, 0.5, -0.02])
    assert_allclose(looks[first, "-", 0.9].get_ydata(), [1.0, 0.6, 0.08])
    assert_allclose(looks[first, "--", 1].get_ydata(), [0.2, 0.2, 0.2])
    assert_allclose(looks[second, "-", 2.5].get_ydata(), [0.8, math.nan, 0.7])
    band, _, alone = axes.collections[0], axes.collections[1], axes.collections[3]
    assert {round(y, 3) for y in band.get_paths()[0].vertices[:, 1]} == {
        0.85,
        0.95,
        0.45,
        0.55,
        -0.07,
        0.03,
    }
    # an interval of a single layer is a line, since a band has no width there
    assert_allclose([part[:, 1] for part in alone.get_segments()], [[0.75, 0.85], [0.65, 0.75]])
    assert axes.get_ylim()[0] < -0.07 and axes.get_ylim()[1] > 1
    assert {"a, b", "b, c", "debiased", "its interval"} <= set(texts(figure))
    assert names(axes.xaxis) == ["x", "y", "z"]
    shape_of(figure)


@pytest.mark.parametrize("layers", [["only"], SIXTY, [f"{CHINESE}{n}" for n in range(200)]])
def test_names_of_layers_are_thinned_out(layers):
    pairs = {LONG: [cka(0.5)] * len(layers), CHINESE: [None] * len(layers)}
    many = {f"pair {n}": [cka(n / 9)] * len(layers) for n in range(9)}
    figure = drawn.cka_over_depth(layers, pairs | many, title=LONG + CHINESE, say=lambda line: None)
    assert 1 <= len(names(figure.axes[0].xaxis)) <= drawn.MOST_NAMES
    height, width = shape_of(figure)
    assert width <= 150 * drawn.MOST_WIDTH and height <= 1200
    lines = figure.axes[0].get_lines()
    assert len({(x.get_color(), x.get_marker()) for x in lines if x.get_linewidth() == 2.5}) == 11


def test_numbers_that_are_not_known_are_gaps():
    pair = [Cka(0.5, 0.4, None, None, None), Cka(math.nan, math.nan, math.nan, math.nan, math.nan)]
    shape_of(drawn.cka_over_depth(["a", "b"], {"p": pair}))


def test_boxes_have_the_mean_as_line_and_the_median_as_star():
    values = [np.array([0.1, 0.2, 0.9, np.nan]), np.array([np.nan, np.nan]), np.array([0.5])]
    figure = drawn.boxes_by_layer(["a", "b", "c"], values, "overlap", chance=OVERLAP)
    (axes,) = figure.axes
    orange = [line for line in axes.get_lines() if line.get_color() == drawn.MEAN_LINE["color"]]
    assert_allclose([line.get_ydata() for line in orange], [[40, 40], [50, 50]])
    assert_allclose([line.get_xdata().mean() for line in orange], [0, 2])
    (stars,) = [line for line in axes.get_lines() if line.get_marker() == "*"]
    assert_allclose(stars.get_xydata(), [[0, 20], [2, 50]])
    counts = [text.get_text() for text in axes.texts]
    assert counts == ["1", "2", "0", "left out"]
    assert [text.xy[0] for text in axes.texts[:3]] == [0, 1, 2]
    assert axes.get_ylabel().endswith("(%)")
    shape_of(figure)


def test_chance_is_drawn_over_all_boxes():
    entropy = Chance(0.9, 0.8, 0.95)
    figure = drawn.boxes_by_layer(["a", "b"], [np.zeros(3)] * 2, "entropy", chance=entropy)
    (axes,) = figure.axes
    (band,) = [patch for patch in axes.patches if patch.get_facecolor()[:3] == to_rgb("0.87")]
    assert_allclose(
        sorted(
            {y for _, y in band.get_xy()}
            if hasattr(band, "vertices")
            else [band.get_y(), band.get_y() + band.get_height()]
        ),
        [0.8, 0.95],
    )
    assert [0.9, 0.9] in [list(line.get_ydata()) for line in axes.get_lines()]
    assert "chance: 0.9 (0.8 to 0.95)" in texts(figure)
    # in the picture too: the band's grey reaches across
    _, columns = places(plots.png(figure), np.round(255 * np.array(to_rgb("0.87"))), 1)
    assert np.ptp(columns) > 0.75 * shape_of(figure)[1]
    without = drawn.boxes_by_layer(["a", "b"], [np.zeros(3)] * 2, "entropy")
    assert not without.axes[0].patches and texts(without)[:2] == ["mean", "median"]


@pytest.mark.parametrize("layers", [["一层"], SIXTY, [f"{LONG}{n}" for n in range(150)]])
def test_boxes_of_few_and_many_layers(layers):
    values = [np.where(np.arange(1200) < 1000 + n, np.nan, 0.4) for n in range(len(layers))]
    figure = drawn.boxes_by_layer(layers, values, "overlap", chance=OVERLAP, title=CHINESE)
    _, width = shape_of(figure)
    assert width <= 150 * drawn.MOST_WIDTH
    canvas = FigureCanvasAgg(figure).get_renderer()
    figure.draw(canvas)
    boxes = [text.get_window_extent(canvas) for text in figure.axes[0].texts[: len(layers)]]
    if len(layers) <= 60:
        assert all(a.x1 <= b.x0 for a, b in zip(boxes, boxes[1:], strict=False))
    labels = [label.get_window_extent(canvas) for label in figure.axes[0].get_xticklabels()]
    assert min(box.y0 for box in boxes) >= max(label.y1 for label in labels) - 1
    assert min(label.y0 for label in labels) > 0


def test_layers_of_which_every_channel_is_left_out():
    figure = drawn.boxes_by_layer(["a", "b"], [np.full(3, np.nan), np.array([])], "overlap")
    assert [text.get_text() for text in figure.axes[0].texts] == ["3", "0", "left out"]
    shape_of(figure)


def test_a_map_marks_the_best_match_of_every_row():
    values = np.array(
        [[0.1, 0.9, 0.3], [0.5, 0.2, 0.5], [np.nan, np.nan, np.nan], [np.nan, -0.4, np.nan]]
    )
    layers = ["p", "q", "r", "s"], ["x", "y", "z"]
    figure = drawn.layer_maps(*layers, {"debiased": values, "the paper's form": -values})
    left, right, _ = figure.axes
    assert_allclose(left.get_lines()[0].get_xydata(), [[1, 0], [0, 1], [1, 3]])
    assert_allclose(right.get_lines()[0].get_xydata(), [[0, 0], [1, 1], [1, 3]])
    assert names(left.xaxis) == layers[1] and names(left.yaxis) == layers[0]
    (image,) = left.get_images()
    assert image.get_array().shape == (4, 3) and image.norm.vmin == -0.9 and image.norm.vmax == 1
    assert (left.get_title(), right.get_title()) == ("debiased", "the paper's form")
    assert (left.get_ylabel(), left.get_xlabel()) == ("before", "after")
    shape_of(figure)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (60, 13)])
def test_maps_of_any_two_architectures(rows, columns):
    values = np.random.default_rng(0).uniform(size=(rows, columns))
    layers = [f"{CHINESE}{n}" for n in range(rows)], [f"{LONG}{n}" for n in range(columns)]
    figure = drawn.layer_maps(
        *layers, {"a": values, "b": values}, names=(CHINESE, LONG), title=LONG
    )
    assert max(shape_of(figure)) <= MOST_SIDE


def test_a_map_of_many_layers_has_a_bounded_size():
    values, layers = np.zeros((150, 150)), [f"layer {n}" for n in range(150)]
    figure = drawn.layer_maps(layers, layers, {"a": values, "b": values})
    assert max(150 * figure.get_size_inches()) <= MOST_SIDE
    assert len(names(figure.axes[0].xaxis)) == len(names(figure.axes[0].yaxis)) == 75


def test_maps_without_a_number():
    shape_of(drawn.layer_maps(["a"], ["b"], {"m": np.full((1, 1), np.nan)}))


def cloud(figure):
    """Points of channels, of all layers, and rings, of layers."""
    drawn_points = [c for c in figure.axes[0].collections if len(c.get_offsets())]
    return [collection.get_offsets() for collection in drawn_points]


def test_change_against_overlap():
    overlaps = [np.array([0.1, 0.3, np.nan]), np.array([0.9]), np.array([0.5, 0.5])]
    changes = [np.array([0.8, 0.4, 0.1]), np.array([np.nan]), np.array([0.2, 0.4])]
    ranks = [Rank(-1.0, -1.0, -0.5, 2), None, Rank(math.nan, math.nan, math.nan, 2)]
    figure = drawn.overlap_and_change(list("abc"), overlaps, changes, ranks=ranks, chance=OVERLAP)
    points, rings = cloud(figure)
    assert_allclose(points, [[10, 0.8], [30, 0.4], [50, 0.2], [50, 0.4]])
    assert_allclose(rings, [[20, 0.6], [50, 0.3]])
    assert figure.axes[0].get_title().startswith("4 channels")
    beside = next(axes for axes in figure.axes if axes.get_xlabel().startswith("rank"))
    assert_allclose(beside.get_lines()[0].get_xdata(), [-1, math.nan, math.nan])
    assert names(beside.yaxis) == list("abc")
    low, high = beside.get_ylim()
    assert low > high  # the first layer at the top
    assert "chance: 2.8 % (0 to 6 %)" in texts(figure)
    shape_of(figure)
    alone = drawn.overlap_and_change(list("abc"), overlaps, changes)
    assert len(alone.axes) == 2 and shape_of(alone)[1] < shape_of(figure)[1]


def test_entropy_before_and_after_with_the_diagonal():
    before, after = (
        [np.array([0.9, 0.5]), np.array([np.nan])],
        [np.array([0.4, 0.6]), np.array([1.0])],
    )
    figure = drawn.entropy_before_after(["a", "b"], before, after, chance=Chance(0.9, 0.8, 0.95))
    points, rings = cloud(figure)
    assert_allclose(points, [[0.9, 0.4], [0.5, 0.6]])
    assert_allclose(rings, [[0.7, 0.5]])
    axes = figure.axes[0]
    assert any(hasattr(line, "get_slope") and line.get_slope() == 1 for line in axes.get_lines())
    assert len(axes.patches) == 2  # chance, on both sides
    assert (axes.get_xlabel()[-6:], axes.get_ylabel()[-5:]) == ("before", "after")
    shape_of(figure)


@pytest.mark.parametrize("layers", [["一层"], SIXTY])
def test_clouds_of_few_and_many_layers(layers):
    generator = np.random.default_rng(0)
    values = [generator.uniform(size=50) for _ in layers]
    values[0] = np.full(50, np.nan)
    ranks = [Rank(0.5, 0.4, 0.6, 50)] * len(layers)
    for figure in (
        drawn.overlap_and_change(layers, values, values, ranks=ranks, title=CHINESE),
        drawn.entropy_before_after(layers, values, values, title=LONG, chance=OVERLAP),
    ):
        assert max(shape_of(figure)) <= 150 * drawn.MOST_WIDTH


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="p has 1 items, for 2 layers"):
        drawn.cka_over_depth(["a", "b"], {"p": [None]})
    with pytest.raises(InputError, match="no pair"):
        drawn.cka_over_depth(["a"], {})
    with pytest.raises(InputError, match="measure is 'shares'; accepted: overlap, entropy"):
        drawn.boxes_by_layer(["a"], [[]], "shares")
    with pytest.raises(InputError, match="no layer"):
        drawn.boxes_by_layer([], [], "overlap")
    with pytest.raises(InputError, match=r"m is of shape \(1, 2\), for layers \(2, 1\)"):
        drawn.layer_maps(["a", "b"], ["c"], {"m": np.zeros((1, 2))})
    with pytest.raises(InputError, match="no layer or no map"):
        drawn.layer_maps(["a", "b"], ["c"], {})
    with pytest.raises(InputError, match="ranks has 1 items"):
        drawn.overlap_and_change(["a", "b"], [[], []], [[], []], ranks=[None])
    with pytest.raises(InputError, match="after has 0 items"):
        drawn.entropy_before_after(["a"], [[]], [])


# ---- tables


def compared(a, b, collection="wikiart"):
    overlaps = [np.array([0.2, 0.4, np.nan]), np.array([0.9]), np.array([np.nan])]
    return drawn.Compared(
        a, b, collection, [cka(0.5), None, cka(0.7)], [1.0, 2.0, np.nan], overlaps
    )


def test_table_2():
    table = drawn.table_2([compared("a", "b"), drawn.Compared("b", "c", "x", [], [], [])])
    assert list(table.columns) == ["NetA", "NetB", "mean ℓ2 norm", "convolutions"]
    assert table.iloc[0].tolist() == ["a", "b", 1.5, 2]
    assert math.isnan(table.iloc[1]["mean ℓ2 norm"]) and table.iloc[1]["convolutions"] == 0


def test_table_4():
    pairs = [compared("a", "b"), compared("c", "d", "rasta"), compared("a", "b", "rasta")]
    table = drawn.table_4(pairs)
    assert table.index.names == ["NetA", "NetB"] and list(table.index) == [("a", "b"), ("c", "d")]
    assert list(table.columns.get_level_values(0).unique()) == ["wikiart", "rasta"]
    row = table.loc[("a", "b"), "wikiart"]
    expected = {
        "mean CKA": 0.7,
        "mean debiased CKA": 0.6,
        "mean CKA by chance": 0.2,
        "mean ℓ2 norm": 1.5,
        "mean overlap": 0.6,
    }
    assert list(row.index) == list(expected)
    assert_allclose(row, list(expected.values()))
    assert table.loc[("c", "d"), "wikiart"].isna().all()
    assert table.to_csv().count("\n") == 5
