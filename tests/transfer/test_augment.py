"""The command: a contact sheet of what training sees of one picture."""

import io

import numpy as np
import pytest
from PIL import Image

from transfer import augment, variants

SIZE = 32


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("name", list(variants.AUGMENTATIONS))
@pytest.mark.parametrize("ending", [".png", ".JPG"])
def test_the_command_draws_a_sheet(picture, tmp_path, capsys, name, ending):
    out = tmp_path / "figures" / "new" / f"sheet{ending}"
    words = [str(picture), "--augmentation", name, "--input_size", str(SIZE), "--epochs", "3"]
    assert augment.main([*words, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    with Image.open(out) as sheet:
        assert sheet.format == {".png": "PNG", ".JPG": "JPEG"}[ending] and sheet.width > 2 * SIZE


def test_the_sheet_shows_the_test_and_then_the_training(picture, monkeypatch):
    """The tiles are the very variants that a training draws of its first picture."""
    shown = []
    monkeypatch.setattr("transfer.plots.contact_sheet", lambda tiles, **_: shown.extend(tiles))
    how = variants.AUGMENTATIONS["crop"]
    augment.sheet(picture, how, SIZE, seed=7, epochs=2)
    assert [text for _, text in shown] == ["test", "epoch 1", "epoch 2"]
    tiles = [np.asarray(Image.open(io.BytesIO(tile()))) for tile, _ in shown]
    assert {tile.shape for tile in tiles} == {(SIZE, SIZE, 3)}
    for epoch in (0, 1):
        side = how.stored_side(SIZE)
        stored = augment.stored(picture, side, how.keeps_proportion)
        drawn = variants.augment([stored], [0], how, SIZE, 7, epoch)[0]
        np.testing.assert_array_equal(tiles[epoch + 1], drawn)
    np.testing.assert_array_equal(tiles[0], variants.middle(stored, SIZE))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "a.gif"], "accepted: a name that ends in .png or .jpg"),
        (["--out", "a.png", "--input_size", "0"], "input_size is 0; it must be 1 or above"),
        (["--out", "a.png", "--epochs", "0"], "epochs is 0; it must be 1 or above"),
        (["--out", "a.png", "--seed", "-1"], "seed is -1; it must be 0 or above"),
    ],
)
def test_what_cannot_be_is_one_line(picture, capsys, words, told):
    assert augment.main([str(picture), "--augmentation", "crop", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.startswith("error: ") and error.count("\n") == 1


def test_no_picture_is_one_line(tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("no picture")
    for name, told in (("absent.jpg", "no picture"), ("text.jpg", "not a picture")):
        words = [str(tmp_path / name), "--augmentation", "crop", "--out", str(tmp_path / "o.png")]
        assert augment.main(words) == 2
        assert told in capsys.readouterr().err
