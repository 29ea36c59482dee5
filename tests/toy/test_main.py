"""The toy's command."""

import pytest
from PIL import Image

from toy.__main__ import main


def test_the_sheet_command_writes_a_picture_or_says_why_not(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("toy.collection.draw_contact_sheet", lambda seed: Image.new("RGB", (9, 7)))
    assert main(["sheet", str(tmp_path / "toy.png")]) == 0
    with Image.open(tmp_path / "toy.png") as picture:
        assert picture.size == (9, 7)
    for arguments in (["toy.nonsense"], ["toy.png", "--seed", "-1"], ["missing/toy.png"]):
        assert main(["sheet", str(tmp_path / arguments[0]), *arguments[1:]]) == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["toy.png"]


def test_painting_again_does_nothing_and_another_recipe_is_refused(tmp_path, capsys):
    toy = tmp_path / "toy"
    assert main(["paint", str(toy), "--count", "3", "--seed", "5"]) == 0
    before = (toy / "metadata.csv").stat().st_mtime_ns
    command = ["paint", str(toy), "--count", "3", "--seed"]
    assert main([*command, "5"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (toy / "metadata.csv").stat().st_mtime_ns == before
    assert main([*command, "6"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.slow  # builds and compiles a real training step
def test_pretraining_writes_weights_that_load(tmp_path, capsys, monkeypatch):
    from toy import pretrain

    monkeypatch.setattr(pretrain, "HELD_OUT", 20)  # fewer: the rest of the command is as it is
    path = tmp_path / "new" / "toy.weights.h5"
    assert main(["pretrain", str(path), "--pictures", "32", "--steps", "1", "--seed", "3"]) == 0
    assert "seed 3" in capsys.readouterr().out
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    body = pretrain.build_trunk()
    before = body.get_weights()[0].copy()
    body.load_weights(path)
    assert (body.get_weights()[0] != before).any()


@pytest.mark.parametrize(
    "arguments", [["x.h5"], ["x.weights.h5", "--pictures", "31"], ["x.weights.h5", "--steps", "0"]]
)
def test_pretraining_refuses_what_it_cannot_do(tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not list(tmp_path.iterdir())
