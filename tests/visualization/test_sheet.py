"""A sheet over several result folders."""

import json

import numpy as np
import pytest
from PIL import Image

from visualization import figures, sheet


@pytest.fixture
def results(tmp_path):
    """Two folders as visualization.render writes them, with 2 and 1 channels."""
    for layer, channels in {"mixed3a": [4, 12], "mixed4a": [7]}.items():
        folder = tmp_path / layer
        folder.mkdir()
        identity = {"layer": layer, "channels": channels}
        (folder / "manifest.json").write_text(json.dumps({"identity": identity}))
        for channel in channels:
            stem = f"{layer}_{channel:04d}"
            (folder / f"{stem}.json").write_text(json.dumps({"channel": channel}))
            (folder / "identity.json").write_text(json.dumps(identity))  # left by a kill
            (folder / f"{stem}.png").write_bytes(figures.png(np.full((8, 8, 3), channel / 12)))
    other = tmp_path / "run"  # of transfer.experiment
    other.mkdir()
    (other / "manifest.json").write_text(json.dumps({"identity": {"dataset": "toy"}}))
    (other / "metrics.json").write_text(json.dumps({"accuracy": 1.0}))
    return tmp_path


def test_images_of_all_folders_in_order(results, capsys):
    words = [str(results / "mixed3a"), str(results / "mixed4a"), "--columns", "3"]
    assert sheet.main([*words, "--out", str(results / "sheet.png")]) == 0
    assert capsys.readouterr().out.startswith("3 images in")
    with Image.open(results / "sheet.png") as picture:
        greys = [picture.getpixel((86 + 166 * n, 86))[0] for n in range(3)]
    assert greys == [round(c / 12 * 255) for c in (4, 12, 7)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{0}/mixed3a", "--out", "{0}/sheet.gif"], "ends in .png or .jpg"),
        (["{0}", "--out", "{0}/sheet.png"], "holds no results of visualization.render"),
        (["{0}/absent", "--out", "{0}/sheet.png"], "absent holds no results"),
        (["{0}/run", "--out", "{0}/sheet.png"], "run holds no results of visualization.render"),
        (["{0}/mixed3a", "--out", "{0}/sheet.png", "--columns", "0"], "columns is 0"),
    ],
)
def test_bad_input_is_one_line(words, says, results, capsys):
    assert sheet.main([word.format(results) for word in words]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
