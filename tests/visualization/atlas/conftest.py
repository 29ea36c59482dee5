"""A small atlas with known numbers, and a browser that opens it from disk."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import chromium
from models.errors import InputError
from visualization.atlas import Atlas, Channel, Layer, Picture, Side, write_atlas

MARKUP = "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>"
LONG = "Ein sehr langer Titel " * 455  # 10,000 characters
HEBREW = "\u05e0\u05d5\u05e3 \u05e2\u05dd \u05e2\u05e5 (1911)"  # from right to left
SEPARATORS = "line\u2028paragraph\u2029</script>"
CLASSES = ("Baroque", "Pop_Art", MARKUP, HEBREW)
TITLES = ("Still life", MARKUP, LONG, HEBREW, SEPARATORS, "Harbour", "Harbour at night", "Portrait")
LOST = 7  # this picture's file is not there
K = 4
# the address that the page has shown last, told after its own listener
FOLLOWED = """window.followed = location.hash;
addEventListener("hashchange", () => setTimeout(() => { window.followed = location.hash; }));"""


def colours(number, size=(40, 30)):
    """A picture of one colour, as bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (30 * number % 256, 90, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def side(pictures, shares=((0, 0.75), (1, 0.25)), image=None, whole=False, **numbers):
    """A Side whose scores fall from 10 and whose patches are the right upper quarters."""
    count = len(pictures)
    return Side(
        pictures=np.array(pictures, int),
        scores=10.0 - np.arange(count),
        boxes=np.tile([0.5, 0, 0.5, 0.5], (count, 1)),
        whole=np.full(count, whole),
        shares=tuple(shares),
        image=image,
        numbers=numbers,
    )


def channels_of_two_layers():
    """Channels by layer; their numbers are such that every order of them is another."""
    none = side([], shares=())
    first = [
        Channel(0, side([0, 1, 2, 3], image=colours(1)), side([0, 1, 2, 4], image=colours(2)),
                overlap=0.75, change=0.1, entropy_before=0.5, entropy_after=0.9),
        Channel(1, side([0, 1, 2, 3]), side([3, 2, 1, 0], shares=((2, 1.0),)),
                overlap=1.0, change=0.4, entropy_before=0.6, entropy_after=0.8),
        Channel(2, side([5, 6, 7, 0]), none, dead="after", entropy_before=0.7),
    ]  # fmt: skip
    second = [
        Channel(7, side([3, 4, 5, 7], **{"path similarity": 0.25, "score of the image": np.nan}),
                side([5, 6, 7], shares=((3, 2 / 3), (0, 1 / 3)), whole=True, firing=3),
                overlap=0.5, change=0.3, entropy_before=0.2, entropy_after=0.1),
        Channel(53, side([6, 5, 4, 3]), side([0, 1, 2, 4], image=colours(3)),
                overlap=0.25, change=np.nan, entropy_before=0.3, entropy_after=0.4),
    ]  # fmt: skip
    return {"conv1": first, "mixed4c/3x3 b": second}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A small Atlas: two layers, five channels, eight pictures, one of whose files is missing."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = []
    for number, title in enumerate(TITLES):
        path = folder / f"<b>{number}.png"
        if number != LOST:
            path.write_bytes(colours(number))
        pictures.append(Picture(path, CLASSES[number % 4], title))
    layers = channels_of_two_layers()
    return Atlas(
        title=f"An atlas {MARKUP}",
        before=f"ImageNet {MARKUP}",
        after="fine-tuned",
        classes=CLASSES,
        pictures=tuple(pictures),
        layers=[Layer(name, {"CKA": 0.625, "l2": np.nan}, rows) for name, rows in layers.items()],
        k=K,
        chance={
            "overlap": "2.8 % (0 to 6)",
            "entropy": "0.97",
            "CKA": "0.11",
            "path similarity": "0",
        },
        notes=(f"Made in a test {MARKUP}.",),
    )


@pytest.fixture(scope="session")
def written(made, tmp_path_factory):
    """The folder of the small atlas."""
    folder = tmp_path_factory.mktemp("atlas")
    write_atlas(made, folder, say=lambda line: None)
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """The folder of an atlas of 6,000 channels in 57 layers, of few pictures."""
    folder = tmp_path_factory.mktemp("many")
    picture = folder / "picture.png"
    picture.write_bytes(colours(1))
    pictures = tuple(Picture(picture, "Baroque", f"Study no. {number}") for number in range(30))
    values = np.random.default_rng(0).random(6000)
    one = side([0, 1, 2, 3])

    def layer(number):
        some = range(number * 6000 // 57, (number + 1) * 6000 // 57)
        for place, channel in enumerate(some):
            chosen = replace(one, pictures=(np.arange(4) + channel) % 30)
            yield Channel(
                place, chosen, chosen, overlap=values[channel], entropy_after=values[-channel]
            )

    layers = [Layer(f"layer{number}", {}, layer(number)) for number in range(57)]
    atlas = Atlas("Many", "before", "after", ("Baroque", "Pop_Art"), pictures, layers, 4)
    write_atlas(atlas, folder, say=lambda line: None)
    return folder


@pytest.fixture(scope="module")  # of which a process may have one at a time
def browser():
    """Chromium without a window; skip where there is none."""
    try:
        chromium.program()
    except InputError as error:
        pytest.skip(str(error))
    with chromium.browser() as started:
        yield started


@pytest.fixture
def open_page(browser):
    """Return open_page(folder, address, **context): a page, of which nothing may be heard.

    At the end the page must have said nothing on the console and asked for files alone, all of
    which were there; `page.heard.expected` is set where a file is missing on purpose.
    """
    contexts, heard = [], SimpleNamespace(lines=[], expected=False)

    def open_page(folder, address="", **how):
        contexts.append(browser.new_context(**{"viewport": chromium.SIZE} | how))
        page = contexts[-1].new_page()
        page.add_init_script(FOLLOWED)
        page.on("console", lambda message: heard.lines.append(message.text))
        page.on("pageerror", lambda error: heard.lines.append(str(error)))
        page.on("requestfailed", lambda request: heard.lines.append(f"{request.url} failed"))
        page.on("request", lambda request: check(request.url))
        page.heard = heard
        page.goto((Path(folder) / "index.html").as_uri() + address)
        return page

    def check(url):
        if not url.startswith(("file://", "data:,")):
            heard.lines.append(f"asked for {url}")

    yield open_page
    for context in contexts:
        context.close()
    assert heard.expected or heard.lines == []
