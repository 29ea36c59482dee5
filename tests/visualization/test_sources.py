"""Files and folders of pictures."""

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from visualization import sources


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    for number, name in enumerate(["b.png", "a.png", "inner/c.png"]):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_found(folder):
    files = [folder / "b.png", folder / "a.png"]
    assert sources.found(files) == files
    names = [path.relative_to(folder).as_posix() for path in sources.found([folder])]
    assert names == ["a.png", "b.png", "broken.png", "inner/c.png"]
    (folder / "empty").mkdir()
    for paths in ([], [folder / "absent"], [folder / "empty"]):
        with pytest.raises(InputError):
            sources.found(paths)


def test_batches_leave_out_what_cannot_be_read_and_say_so(folder):
    said = []
    found = list(sources.batches(sources.found([folder]), 4, 2, said.append))
    assert [[path.name for path in names] for names, _ in found] == [["a.png", "b.png"], ["c.png"]]
    assert [array[:, 0, 0, 0].tolist() for _, array in found] == [[1, 0], [2]]
    assert found[1][1].shape == (1, 4, 4, 3) and found[1][1].dtype == np.float32
    assert len(said) == 1 and "broken.png" in said[0]
    with pytest.raises(InputError, match=r"none of 1 pictures"):
        list(sources.batches([folder / "broken.png"], 4, 2, said.append))
