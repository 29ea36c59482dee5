"""The page in a real browser, opened from disk: what a visitor sees, does, and links to."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.chromium import wait_until
from visualization.atlas import Atlas, Channel, Layer, Picture, Side, write_atlas
from visualization.atlas import page as pages

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
FOUR_C = "mixed4c/3x3 b"
CHANNEL = "#channel=mixed4c%2F3x3+b%3A7"


def names(page):
    """Channels of the tiles, in their order."""
    tiles = page.locator("#grid li").evaluate_all(
        "all => all.sort((a, b) => a.dataset.place - b.dataset.place)"
        ".map((one) => one.querySelector('.tile-name').textContent)"
    )
    return [name.replace(FOUR_C, "4c").replace("conv1", "1") for name in tiles]


def address(page):
    return page.evaluate("location.hash")


def arrive(page, text="", without="\0"):
    """Wait until the page has followed an address with a text, or without one."""
    wait_until(page, f"followed.includes({text!r}) && !followed.includes({without!r})")


def sort(page, name):
    page.select_option("#sort", name)
    arrive(page, f"sort={name}")


# ---- the page's files


def test_the_page_is_written_with_its_title_as_text(tmp_path):
    pages.write_parts(tmp_path)
    pages.write_index("A <b> & 'c'", tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<title>A &lt;b&gt; &amp; &#x27;c&#x27;</title>" in text and "{{" not in text
    asked = set(re.findall(r'(?:src|href)="atlas/([\w.]+)"', text))
    there = {path.name for path in tmp_path.iterdir()} - {"index.html"}
    assert asked - {"overview.js"} == there and pages.SCRIPT in there


def test_no_script_of_the_page_makes_markup_or_asks_the_network(tmp_path):
    pages.write_parts(tmp_path)
    for path in tmp_path.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(",
                     "fetch(", "XMLHttpRequest", "import ", "http:", "https:"):  # fmt: skip
            assert word not in text, (path.name, word)


# ---- the grid


def test_all_channels_by_overlap_the_least_first(open_page, written):
    page = open_page(written)
    assert names(page) == ["4c:53", "4c:7", "1:0", "1:1", "1:2"]
    assert page.locator("#told").inner_text() == "5 channels"
    overlaps = page.locator(".tile-overlap").all_inner_texts()
    expected = ["25 %", "50 %", "75 %", "100 %", "cannot be told"]
    assert overlaps == [f"overlap {text}" for text in expected]


ORDERS = {
    "change": ["1:0", "4c:7", "1:1", "1:2", "4c:53"],  # the last two cannot be told
    "entropyBefore": ["4c:7", "4c:53", "1:0", "1:1", "1:2"],
    "entropyAfter": ["4c:7", "4c:53", "1:1", "1:0", "1:2"],
    "entropyChange": ["4c:7", "4c:53", "1:1", "1:0", "1:2"],
    "scoreAfter": ["1:0", "1:1", "4c:7", "4c:53", "1:2"],  # all but the dead one have 10
    "depth": ["1:0", "1:1", "1:2", "4c:7", "4c:53"],
}
UNKNOWN = {"change": 2, "entropyAfter": 1, "entropyChange": 1, "scoreAfter": 1}


@pytest.mark.parametrize("name", ORDERS)
def test_orders_and_back_with_unknown_ones_last(open_page, written, name):
    page = open_page(written)
    sort(page, name)
    assert names(page) == ORDERS[name]
    page.click("#direction")
    arrive(page, "down")
    known = len(ORDERS[name]) - UNKNOWN.get(name, 0)
    turned = ORDERS[name][:known][::-1]
    assert (
        names(page)
        == (
            ["1:0", "1:1", "4c:7", "4c:53", "1:2"]  # equal ones stay in the network's order
            if name == "scoreAfter"
            else turned + ORDERS[name][known:]
        )
    )


def test_the_order_is_that_of_numpy(open_page, many):
    page = open_page(many)
    overlaps = np.array(page.evaluate("atlas.channels.overlap"))
    order = np.argsort(overlaps, kind="stable").tolist()
    assert page.evaluate("grid.channels") == order


def test_layers_classes_and_texts_filter(open_page, written):
    page = open_page(written)
    page.select_option("#layer", "conv1")
    arrive(page, "layer")
    assert names(page) == ["1:0", "1:1", "1:2"]
    assert page.locator("#told").inner_text() == "3 of 5 channels"
    shown = page.locator("#layer-numbers").inner_text()
    assert re.sub(r"\s+", " ", shown) == "CKA 0.625 by chance 0.11 l2 cannot be told"
    page.select_option("#class", "Pop_Art")
    arrive(page, "class")
    assert names(page) == ["1:0", "1:1", "1:2"]
    page.select_option("#layer", "")
    arrive(page, without="layer")
    assert names(page) == ["4c:53", "4c:7", "1:0", "1:1", "1:2"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4c", ["4c:53", "4c:7"]),
        ("4C/3x3 b:7", ["4c:7"]),
        (":1", ["1:1"]),
        ("pop art", ["4c:53", "4c:7", "1:0", "1:1", "1:2"]),  # before or after
        ("\u05e0\u05d5\u05e3", ["4c:53", "4c:7", "1:0", "1:1"]),  # a class, and a picture
        ("harbour at night", ["4c:53", "4c:7", "1:2"]),
        ("<b>7.png", ["4c:7", "1:2"]),  # a file
        ("nowhere", []),
    ],
)
def test_a_text_is_looked_for_in_names_classes_and_pictures(open_page, written, text, found):
    page = open_page(written)
    page.fill("#text", text)
    wait_until(page, "atlas.files && followed.includes('text=')")
    wait_until(page, f"grid.channels.length === {len(found)}")
    assert names(page) == found
    assert page.locator("#empty").is_visible() == (not found)


def test_a_text_is_found_however_its_accents_are_written(open_page, made, tmp_path):
    """As one character each, or behind their letters, as in the names of files on macOS."""
    apart, together = "Me\u0301nage\u0300re", "m\u00e9nag\u00e8re"
    titled = made.pictures[6]._replace(title=apart)
    pictures = (*made.pictures[:6], titled, made.pictures[7])
    write_atlas(replace(made, pictures=pictures), tmp_path, say=lambda line: None)
    page = open_page(tmp_path)
    for text in (apart, together):
        page.fill("#text", text)
        wait_until(page, f"atlas.files && grid.channels.length === 3 && {text!r}")
        assert names(page) == ["4c:53", "4c:7", "1:2"]
        page.fill("#text", "")
        wait_until(page, "grid.channels.length === 5")


def test_few_nodes_and_scripts_for_six_thousand_channels(open_page, many):
    page = open_page(many)
    page.wait_for_selector(".tile")
    scripts = "document.querySelectorAll('script[src*=layers]').length"
    assert page.locator("#told").inner_text() == "6,000 channels"
    for place in (0, 20_000, 10**7):
        page.evaluate("y => scrollTo(0, y)", place)
        page.wait_for_timeout(100)
        assert 5 <= page.locator(".tile").count() < 80
        assert page.evaluate("document.querySelectorAll('*').length") < 3000
    assert "layer" in page.locator(".tile").last.inner_text()  # the last row is there
    assert page.evaluate(scripts) == 0  # until a channel is opened
    page.locator(".tile").last.click()
    page.wait_for_selector("#page .picture")
    assert page.evaluate(scripts) == 1


# ---- a channel


def test_a_channels_page(open_page, written):
    page = open_page(written)
    page.click(".tile >> nth=1")
    page.wait_for_selector(".picture")
    assert page.locator("#page h2").first.inner_text() == f"{FOUR_C} channel 7"
    text = re.sub(r"\s+", " ", page.locator("#page").inner_text())
    for expected in (
        "Overlap 50 % by chance 2.8 % (0 to 6)",
        "Entropy of classes 0.200 → 0.100 by chance 0.97",
        "Change of the image 0.300",
        "path similarity 0.250 – 0",  # before, after, chance
        "score of the image cannot be told –",
        "firing – 3",
        "CKA 0.625 0.11",
        "l2 cannot be told",
        "Baroque 75 %",
        "66.7 %",
        "3 of 5",
    ):
        assert expected.replace("3 of 5", "2 of 5") in text, expected
    shared = page.locator(".picture.shared")
    labels = shared.evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert [label.split(":")[0] for label in labels] == ["3", "4", "1", "3"]
    assert all(label.endswith("in both sets") for label in labels)
    assert page.locator(".set.before .picture").count() == 4
    mark = "one => getComputedStyle(one, '::before').content"
    assert shared.first.evaluate(mark) == '""'  # a mark that is no colour
    assert page.locator(".picture:not(.shared)").first.evaluate(mark) == "none"


def test_both_optimized_images_are_shown(open_page, written):
    page = open_page(written, "#channel=conv1%3A0")
    page.wait_for_selector(".optimized img")
    wait_until(
        page,
        "[...document.querySelectorAll('.optimized img')].every((one) => one.naturalWidth === 40)",
    )
    assert page.locator(".optimized img").count() == 2


def test_an_image_of_one_network_and_images_of_none(open_page, written):
    page = open_page(written, "#channel=mixed4c%2F3x3+b%3A53")
    page.wait_for_selector(".optimized img")
    assert page.locator(".looks.before .optimized").inner_text() == "no optimized image"
    assert page.locator(".looks.after .optimized img").count() == 1
    page = open_page(written, CHANNEL)
    page.wait_for_selector(".looks")
    assert page.locator(".optimized").count() == 0


def test_dead_channels_are_marked(open_page, written):
    page = open_page(written)
    assert page.locator(".tile .dead").all_inner_texts() == ["dead after"]
    page.click(".tile:has(.dead)")
    page.wait_for_selector(".picture")
    assert page.locator("h2 .dead").inner_text() == "dead after"
    assert (
        "No picture of the collection excites this channel." in page.locator("#page").inner_text()
    )


def test_patches_are_cut_from_the_same_thumbnails(open_page, written):
    page = open_page(written, CHANNEL)
    page.click("text=Patches")
    page.wait_for_selector(".crop")
    assert "show=patches" in address(page)
    crop = page.locator(".crop").first
    outer, inner = crop.bounding_box(), crop.locator("img").bounding_box()
    # the right upper quarter of a picture of 40 x 30
    assert outer["width"] / outer["height"] == pytest.approx(40 / 30, abs=0.02)
    assert inner["width"] == pytest.approx(2 * outer["width"], rel=0.01)
    assert inner["height"] == pytest.approx(2 * outer["height"], rel=0.01)
    assert inner["x"] == pytest.approx(outer["x"] - outer["width"], abs=1)
    assert inner["y"] == pytest.approx(outer["y"], abs=1)
    # marked where the channel sees the whole picture
    assert page.locator(".set.before .half-mark").count() == 0
    assert page.locator(".set.after .half-mark").count() == 3
    page.keyboard.press("p")
    page.wait_for_selector(".crop", state="detached")


def test_every_picture_tells_its_file_label_and_title(open_page, written):
    page = open_page(written, CHANNEL)
    page.hover(".set.after .picture >> nth=0")
    card = page.locator("#card")
    text = card.inner_text()
    assert "Harbour" in text and "Pop Art" in text and "<b>5.png" in text
    assert "number 1, score 10, in both sets" in text
    page.mouse.move(1, 1)
    assert card.is_hidden()
    page.focus(".set.after .picture >> nth=0")
    page.keyboard.press("ArrowRight")
    assert "Harbour at night" in card.inner_text() and "in both sets" not in card.inner_text()
    page.keyboard.press("Escape")
    assert card.is_hidden() and address(page) == CHANNEL
    page.click(".set.after .picture >> nth=0")
    page.mouse.move(1, 1)
    assert card.is_visible()  # it stays, so that its link can be reached
    page.click("text=all channels that it excites")
    wait_until(page, "grid.channels.length === 3")
    assert names(page) == ["4c:53", "4c:7", "1:2"]


def test_tap_tells_too(open_page, written):
    page = open_page(written, CHANNEL, **PHONE)
    page.tap(".set.after .picture >> nth=1")
    assert "Harbour at night" in page.locator("#card").inner_text()


def test_a_large_set_is_shown_by_hundreds(open_page, tmp_path):
    picture = Picture(tmp_path / "gone.jpg", "Baroque", "Study")
    large = Side(np.arange(250), np.linspace(9, 1, 250))
    layer = Layer("conv1", {}, [Channel(0, large, large, 1.0)])
    atlas = Atlas("Large sets", "a", "b", ("Baroque",), (picture,) * 250, [layer], 1000)
    write_atlas(atlas, tmp_path, say=lambda line: None)
    page = open_page(tmp_path, "#channel=conv1%3A0")
    page.wait_for_selector(".set.before .picture")
    shown = page.locator(".set.before .picture")
    for count, more in ((100, "Show 100 more"), (200, "Show 50 more")):
        assert shown.count() == count
        page.click(f".set.before >> text={more}")
    assert shown.count() == 250 and page.locator(".set.before > .button").is_hidden()


def test_two_channels_side_by_side(open_page, written):
    page = open_page(written, CHANNEL)
    page.click("text=Compare with…")
    page.wait_for_selector("#picking:not([hidden])")
    assert FOUR_C in page.locator("#picking").inner_text()
    page.click(".tile >> nth=0")
    page.wait_for_selector(".beside article >> nth=1")
    assert page.locator("article h2").all_inner_texts() == [
        f"{FOUR_C} channel {number}" for number in (7, 53)
    ]
    assert "share 3 before and 0 after" in page.locator("#page").inner_text()
    boxes = [article.bounding_box() for article in page.locator("article").all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    page.keyboard.press("Escape")
    wait_until(page, "document.querySelectorAll('article').length === 1")


# ---- addresses and keys


def test_a_shared_link_shows_the_same_and_back_goes_back(open_page, written):
    page = open_page(written)
    sort(page, "entropyBefore")
    page.select_option("#layer", FOUR_C)
    arrive(page, "layer")
    page.click(".tile >> nth=1")
    page.wait_for_selector(".picture")
    link = address(page)
    other = open_page(written, link)
    other.wait_for_selector(".picture")
    assert other.locator("#page h2").first.inner_text() == f"{FOUR_C} channel 53"
    assert "2 of 2, by entropy before" in other.locator(".bar").inner_text()
    other.click(".back")
    other.wait_for_selector(".tile")
    assert names(other) == ["4c:7", "4c:53"]
    assert other.input_value("#sort") == "entropyBefore" and other.input_value("#layer") == FOUR_C
    page.go_back()
    page.wait_for_selector("#overview:not([hidden])")
    assert names(page) == ["4c:7", "4c:53"]
    page.go_back()
    arrive(page, without="layer")
    assert names(page) == ORDERS["entropyBefore"]


def test_neighbours_are_those_of_the_grid(open_page, written):
    page = open_page(written, CHANNEL)
    page.wait_for_selector(".picture")
    page.click("text=Next →")
    arrive(page, "conv1")
    page.wait_for_selector(".picture")
    page.keyboard.press("ArrowLeft")
    arrive(page, "mixed4c")
    page.keyboard.press("ArrowLeft")
    wait_until(page, "followed.endsWith('53')")
    page.wait_for_selector(".picture")
    assert page.locator("a[rel=prev]").count() == 0  # the first
    page.keyboard.press("ArrowLeft")
    assert address(page).endswith("53")


def test_keyboard(open_page, many):
    page = open_page(many)
    focused = "Number(document.activeElement.closest('li')?.dataset.place ?? -1)"
    page.wait_for_selector(".tile")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == 1
    columns = page.evaluate("grid.columns")
    for key, place in (
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("End", 5999),
        ("ArrowDown", 5999),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert page.evaluate(focused) == place, key
    inside = "(([a, b]) => a >= 0 && b <= innerHeight)((({top, bottom}) => [top, bottom])("
    assert page.evaluate(f"{inside}document.activeElement.getBoundingClientRect()))")
    page.keyboard.press("PageDown")
    there = page.evaluate(focused)
    assert there > 0 and there % columns == 0
    page.keyboard.press("Enter")
    page.wait_for_selector(".picture")
    page.keyboard.press("Escape")
    page.wait_for_selector(".tile")
    assert page.evaluate(focused) == there  # where one came from
    page.keyboard.press("/")
    wait_until(page, "document.activeElement.id === 'text'")
    page.keyboard.type("layer42:7")
    wait_until(page, "grid.channels.length === 1")
    page.keyboard.press("Enter")
    assert page.evaluate(focused) == 0
    page.keyboard.press("/")
    wait_until(page, "document.activeElement.id === 'text'")
    page.keyboard.press("Escape")
    wait_until(page, "grid.channels.length === 6000")
    page.keyboard.press("?")
    assert page.locator("#about").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#about").is_hidden()


def test_slash_on_a_channels_page_goes_to_the_search(open_page, written):
    page = open_page(written, CHANNEL)
    page.wait_for_selector(".picture")
    page.keyboard.press("/")
    wait_until(page, "document.activeElement.id === 'text'")
    assert page.locator("#overview").is_visible() and address(page) == ""


def test_the_focus_is_seen_and_every_button_has_a_name(open_page, written):
    page = open_page(written, CHANNEL)
    page.wait_for_selector(".picture")
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, a, select, input')].filter((one) => !("
        "one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length"
        ")).map((one) => one.outerHTML)"
    )
    assert nameless == []


# ---- narrow, light, dark


@pytest.mark.parametrize(
    "where",
    ["", CHANNEL, f"{CHANNEL}&with=conv1%3A0&show=patches", "#text=nowhere", "#layer=conv1"],
)
def test_nothing_is_wider_than_a_phone(open_page, written, where):
    page = open_page(written, where, **PHONE)
    page.wait_for_selector(".picture" if "channel" in where else "#told:not(:empty)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.tap("#help")
    assert page.locator("#about").bounding_box()["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def luminance(colour):
    """WCAG 2.1, relative luminance of `rgb(r, g, b)`."""
    parts = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(open_page, written, scheme):
    """At least 4.5 to 1 (WCAG 2.1, AA), on the paper and on cards."""
    page = open_page(written, color_scheme=scheme)
    value = "([name]) => { const one = document.createElement('i'); document.body.append(one);"
    value += " one.style.color = `var(--${name})`; const got = getComputedStyle(one).color;"
    value += " one.remove(); return got; }"
    shades = {
        name: luminance(page.evaluate(value, [name]))
        for name in ("paper", "card", "ink", "soft", "accent", "before", "after", "shared")
    }
    for ground in ("paper", "card"):
        for name in ("ink", "soft", "accent", "before", "after", "shared"):
            high, low = max(shades[ground], shades[name]), min(shades[ground], shades[name])
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ground, name)
    assert (shades["paper"] > 0.5) == (scheme == "light")


def test_the_toggle_is_remembered(open_page, written):
    page = open_page(written, color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert luminance(dark) < 0.1 < luminance(light)
    page.reload()
    assert page.evaluate(ground) == dark
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    page.click("#theme")
    assert page.evaluate(ground) == light


# ---- what is odd, lost or hostile


def test_texts_are_never_markup(open_page, written, made):
    page = open_page(written)
    assert page.locator("h1").inner_text() == made.title
    assert page.locator("#networks .before").inner_text() == made.before
    page.keyboard.press("?")
    assert made.notes[0] in page.locator("#about").inner_text()
    page.keyboard.press("Escape")
    page.click(".tile >> nth=2")
    page.wait_for_selector(".picture")
    for place, title in enumerate(made.pictures[number].title for number in range(4)):
        page.hover(f".set.before .picture >> nth={place}")
        shown = page.locator("#card .card-title").evaluate("one => one.textContent")
        assert shown == title
        box = page.locator("#card").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800 and box["width"] <= 240
        page.mouse.move(1, 1)
    assert page.evaluate("window.harmed") is None
    assert page.locator("main script, main img[src='x'], #card script, dialog script").count() == 0


def test_right_to_left_names_do_not_turn_their_neighbours(open_page, written):
    page = open_page(written, CHANNEL)
    page.wait_for_selector(".picture")
    name = page.locator(".looks.after .class-name").first
    assert name.evaluate("one => one.tagName") == "BDI"
    assert name.evaluate("one => getComputedStyle(one).direction") == "rtl"
    assert name.evaluate("one => getComputedStyle(one.parentNode).direction") == "ltr"


def test_lost_pictures_are_empty_frames_with_their_file(open_page, written, tmp_path):
    """One was gone when the atlas was written, another one went later."""
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    page = open_page(folder, CHANNEL)
    page.wait_for_selector(".picture .lost")
    lost = "all => [...new Set(all.map((one) => one.textContent))]"
    assert page.locator("#page .lost").evaluate_all(lost) == ["<b>7.png"]
    page.hover(".picture:has(.lost) >> nth=0")
    assert "cannot be read: No such file" in page.locator("#card").inner_text()
    page.heard.expected = True
    number = page.evaluate("atlas.files.file.indexOf('<b>5.png')")
    (folder / "atlas" / "thumbs" / "0" / f"{number}.jpg").unlink()
    page.reload()
    wait_until(page, "document.querySelectorAll('.picture .lost').length === 4")
    assert page.locator("#page .lost").evaluate_all(lost) == ["<b>5.png", "<b>7.png"]


def test_a_folder_that_was_not_copied_whole_says_so(open_page, written, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    (folder / "atlas" / "layers" / "1.js").unlink()
    page = open_page(folder, CHANNEL)
    page.heard.expected = True
    page.wait_for_selector("#page .empty")
    assert "atlas/layers/1.js cannot be read" in page.locator("#page").inner_text()
    (folder / "atlas" / "overview.js").unlink()
    page.reload()
    page.wait_for_selector("#told:not(:empty)")
    assert "atlas/overview.js cannot be read" in page.locator("#told").inner_text()


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("#layer=gone", "There is no layer gone in this atlas."),
        ("#class=gone", "There is no class gone in this atlas."),
        ("#channel=gone%3A1", "There is no channel gone:1 in this atlas."),
        ("#channel=conv1%3A99", "There is no channel conv1:99 in this atlas."),
        (f"#channel=conv1%3A1&with={'x' * 5000}", "There is no channel xxx"),
        ("#text=nowhere", "The search looks in names of layers"),
    ],
)
def test_links_to_what_is_not_there(open_page, written, where, told):
    page = open_page(written, where)
    page.wait_for_selector(".empty:visible")
    assert told in page.locator(".empty:visible").inner_text()
    page.click(".empty:visible a")
    wait_until(page, "grid.channels.length === 5")


def test_an_unknown_order_is_that_of_overlap(open_page, written):
    page = open_page(written, "#sort=gone&order=gone&show=gone")
    assert names(page) == ["4c:53", "4c:7", "1:0", "1:1", "1:2"]
