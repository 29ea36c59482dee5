"""Optimized images as one picture."""

import ast
import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import visualization
from models.errors import InputError
from visualization import images

RED, HALF = np.zeros((2, 4, 6, 3), "float32"), np.full((1, 4, 6, 3), 0.5, "float32")
RED[..., 0] = 1


def test_thresholds_are_rows_and_images_of_a_batch_lie_side_by_side():
    picture = visualization.show([RED, HALF])
    assert isinstance(picture, Image.Image) and picture.size == (2 * 6 + 4, 2 * 4 + 4)
    assert picture.getpixel((10, 0)) == (255, 0, 0) and picture.getpixel((0, 8)) == (128, 128, 128)
    assert picture.getpixel((7, 0)) == (255, 255, 255)
    assert visualization.show(RED[0]).size == (6, 4)
    assert visualization.show(np.uint8(RED * 255)).getpixel((0, 0)) == (255, 0, 0)


def test_files_and_what_jpeg_lacks(tmp_path):
    path = visualization.save([RED], tmp_path / "red.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.getpixel((0, 0)) == (255, 0, 0)
    clear = np.concatenate([HALF, np.zeros_like(HALF[..., :1])], axis=-1)
    with Image.open(visualization.save(clear, tmp_path / "clear.jpg")) as picture:
        assert picture.mode == "RGB" and min(picture.getpixel((3, 2))) > 250
    with Image.open(visualization.save(clear, str(tmp_path / "clear.png"))) as picture:
        assert picture.mode == "RGBA" and picture.getpixel((3, 2))[3] == 0


def test_a_notebook_shows_it_below_the_cell(monkeypatch):
    shown = []
    shell = SimpleNamespace(kernel=object())
    notebook = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=shown.append))
    assert visualization.show(RED) is None and shown[0].size == (16, 4)
    del shell.kernel  # IPython in a terminal
    assert visualization.show(RED).size == (16, 4)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (RED * 255, "hold 0 to 255; accepted: float in"),
        (RED - 0.5, "hold -0.5 to 0.5"),
        (RED * np.nan, "hold nan"),
        (RED[..., 0, 0], r"shape \(2, 4\)"),
        (np.int64(RED), "of int64"),
        ([], "images is empty"),
        ([RED, np.ones((1, 4, 6, 4))], "3 and 4 channels"),
    ],
)
def test_what_is_no_image(given, says):
    with pytest.raises(InputError, match=says):
        images.joined(given)


def test_names_that_are_no_picture(tmp_path):
    with pytest.raises(InputError, match="ends in .png"):
        visualization.save(RED, tmp_path / "red.gif")


def test_help_lists_what_there_is():
    from visualization import optvis

    assert set(visualization.__all__) == {"show", "save"}
    for package in (visualization, optvis):
        assert "with an example each" in package.__doc__
    assert all(f"{name}." in optvis.__doc__ for name in optvis.__all__)
    for path in Path(visualization.__file__).parent.glob("*.py"):
        parts = ast.parse(path.read_text(encoding="utf-8")).body
        if "main" in [getattr(part, "name", None) for part in parts]:  # a command
            assert re.search(rf"visualization[./]\s*{path.stem}\b", visualization.__doc__), path


def test_what_help_gives_as_examples_is_there():
    from visualization import optvis, saliency

    namespace = {"visualization": visualization, "METHODS": saliency.METHODS}
    namespace |= {
        name: importlib.import_module(f"{optvis.__name__}.{name}") for name in optvis.__all__
    }
    for text in (visualization.__doc__, optvis.__doc__):
        calls = re.findall(rf"\b({'|'.join(namespace)})\.(\w+)\(", text)
        assert len(calls) > 2
        for module, name in calls:
            assert callable(getattr(namespace[module], name)), name
