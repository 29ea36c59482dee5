"""Invented photographs and stores of them."""

import numpy as np

from benchmarks import photographs

SIZE = 32


def test_photographs_are_as_large_as_a_museums(tmp_path):
    names = photographs.write_files(tmp_path / "files", 2)
    for name in names:
        assert 250_000 < (tmp_path / "files" / name).stat().st_size < 650_000
    text = photographs.kilobytes(tmp_path / "files")
    sizes = sorted((tmp_path / "files" / name).stat().st_size / 1000 for name in names)
    assert text == f"{sum(sizes) / 2:.0f} kB a file ({sizes[0]:.0f} to {sizes[1]:.0f})"


def test_files_are_used_again_where_there_are_too_few(small):
    assert {split: len(part) for split, part in small.labels.items()} == {
        "train": 6,
        "val": 2,
        "test": 2,
    }
    pictures = np.concatenate([x for x, _ in small.dataset("train", SIZE, 4)])
    np.testing.assert_array_equal(pictures[:3], pictures[3:])
    assert (pictures[0] != pictures[1]).any()
