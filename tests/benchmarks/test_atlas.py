"""A smoke run of the atlas in a browser."""

import pytest

from benchmarks import atlas, chromium
from models.errors import InputError


def test_sizes_of_all_files(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"x" * 3_000)
    (tmp_path / "d").write_bytes(b"x" * 2_000)
    assert atlas.megabytes(tmp_path) == 0.005


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    try:
        chromium.program()
    except InputError as error:
        pytest.skip(str(error))
    assert atlas.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\nquick: ") == 7
    for claim in ("tiles are painted", "another order", "the folder"):
        assert claim in printed
