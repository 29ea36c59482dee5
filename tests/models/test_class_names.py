"""Files of class names."""

import pytest

from models import class_names
from models.errors import InputError


def test_names_one_a_line_and_of_wordnets_lines_the_first(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("n01440764 tench, Tinca tinca\n\n n2 odd \nB, c\n", encoding="utf-8-sig")
    assert class_names.read(path) == ["tench", "n2 odd", "B, c"]  # only WordNet's lines are cut


@pytest.mark.parametrize(
    ("content", "says"), [(b"\n \n", "the file is empty"), (b"\xff\xfe", "cannot be read")]
)
def test_what_holds_no_names_is_named(write_file, content, says):
    with pytest.raises(InputError, match=says):
        class_names.read(write_file(content, "names.txt"))
    with pytest.raises(InputError, match="absent.txt cannot be read"):
        class_names.read("absent.txt")
