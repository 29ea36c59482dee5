"""Runs of one split, and methods over repeated splits, against values worked out by hand."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from models.errors import InputError
from transfer import results, run_pairs, tables, uncertainty
from transfer.run import read_runs

FIRST = [True] * 30 + [False] * 10
OTHER = [True] * 12 + [False] * 28


@pytest.fixture
def tested(tmp_path, write_run):
    """Return tested(name, right, **metrics): writes a run with these answers."""

    def write(name, right, ids=None, **metrics):
        told = {"ANN": name, "top1_accuracy": float(np.mean(right)), **metrics}
        folder = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        write_run(folder, **told)
        ids = ids or [f"id {number}" for number in range(len(right))]
        said = ["a" if one else "b" for one in right]
        rows = pd.DataFrame({"id": ids, "true": "a", "predicted": said})
        rows.to_csv(folder / "predictions.csv", index=False)
        return folder

    return write


def pairs_in(folder):
    (comparison,) = results.compare(read_runs(folder))
    return run_pairs.pairs_of(comparison)


def test_runs_of_one_split_in_pairs(tested, tmp_path):
    tested("B", OTHER)
    tested("A", FIRST)
    tested("C", FIRST[::-1], ids=[f"id {number}" for number in range(40)][::-1])  # as A
    (pairs,) = pairs_in(tmp_path)
    assert pairs.names == ["A fine tuning", "C fine tuning", "B fine tuning"]
    assert pairs.accuracies == pytest.approx([75, 75, 30])
    assert pairs.table["count"].tolist() == [40] * 3
    a_c, a_b, c_b = pairs.table.to_dict("records")
    assert (a_c["difference_points"], a_c["p"], a_c["told_apart"]) == (0, 1, False)
    assert (a_b["a"], a_b["b"], a_b["a_better"], a_b["b_better"]) == (0, 2, 18, 0)
    ends = uncertainty.paired_difference(np.array(FIRST), np.array(OTHER))
    found = (a_b["difference_points"], a_b["low95"], a_b["high95"])
    assert found == pytest.approx(tuple(100 * x for x in ends))
    p = binomtest(18, 18, 0.5).pvalue
    assert a_b["p"] == pytest.approx(p) and c_b["p_corrected"] == pytest.approx(3 * p)
    assert a_b["told_apart"] and c_b["told_apart"]


def test_matrix_in_markdown(tested, tmp_path):
    tested("A", FIRST)
    tested("B_", OTHER)
    tested("C", FIRST)
    text = run_pairs.matrix(pairs_in(tmp_path)[0])
    assert text.startswith("### Pairs, over 40 test pictures (split abababababab)\n")
    assert "corrected for 3 pairs (Holm)" in text
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == ["", "accuracy", "1", "2", "3"]
    assert rows[2][:3] == ["1. A fine tuning", "75.00", ""]
    assert re.fullmatch(r"\+0\.00 \[-\d\.\d, \+\d\.\d\]", rows[2][3])
    assert re.fullmatch(r"\+45\.00 \[\+\d\d\.\d, \+\d\d\.\d\]", rows[2][4])
    assert rows[3][2] == "cannot be told apart (p 1.000)"
    assert rows[4][:3] == [r"3. B\_ fine tuning", "30.00", "p below 0.001"]
    assert "cannot be told apart from the best, 1: 2\n" in text


def test_two_runs_need_no_correction_and_the_best_may_stand_alone(tested, tmp_path):
    tested("A", FIRST)
    tested("B", OTHER)
    text = run_pairs.matrix(pairs_in(tmp_path)[0])
    assert "Holm" not in text and "cannot be told apart" not in text


def test_more_runs_than_a_terminal_shows(tested, tmp_path):
    for number in range(10):
        tested(f"N{number}", [True] * (30 - number) + [False] * (10 + number))
    (pairs,) = pairs_in(tmp_path)
    text = run_pairs.matrix(pairs)
    assert len(pairs.table) == 45 and "The 2 least accurate are left out" in text
    assert "from the best, 1: 2, 3, 4, 5, 6, 7, 8 and 2 more\n" in text
    assert "8. N7" in text and "N9 fine tuning |" not in text


def test_runs_that_cannot_be_compared_are_left_out(tested, tmp_path, write_run):
    tested("A", FIRST)
    write_run(tmp_path / "told nothing", ANN="B")
    tested("C", OTHER, split_sha256="cd" * 32)
    tested("D", OTHER, ids=[f"other {number}" for number in range(40)])
    tested("E", OTHER, mean_average_precision=0.5)
    assert pairs_in(tmp_path) == []
    assert "pairs.csv" not in tables.collate(tmp_path)


def test_seeds_are_named_and_a_damaged_file_is_told(tested, tmp_path):
    for seed in (1, 2):
        tested("A", FIRST, seed=seed)
    assert pairs_in(tmp_path)[0].names == ["A fine tuning, seed 1", "A fine tuning, seed 2"]
    folder = tested("A", FIRST, seed=2)
    names = ["A fine tuning, seed 1, run 1", "A fine tuning, seed 2, run 2"]
    assert pairs_in(tmp_path)[0].names[:2] == names
    (folder / "predictions.csv").write_text("id,true\n1,a\n")
    with pytest.raises(InputError, match="predictions.csv: expected the columns"):
        pairs_in(tmp_path)


def drawn(seed, **others):
    """What a run says of a split drawn with a seed."""
    return {
        "split": {"split": "sabatelli2018", "seed": seed, "min_pictures": 1, **others},
        "split_sha256": f"{seed:064x}",
        "settings": {"split_sha256": f"{seed:064x}", "split_seed": seed, "epochs": 3},
        **{"seed": 42, "n_train": 80, "n_test": 20, "top1_interval": [0.1, 0.9]},
    }


def test_methods_over_repeated_splits(tested, tmp_path):
    for seed, (first, second) in enumerate([(16, 12), (15, 13), (17, 15), (14, 15)]):
        for name, hits in (("A", first), ("B", second)):
            tested(name, [True] * hits + [False] * (20 - hits), **drawn(seed))
    *each, pairs = pairs_in(tmp_path)
    assert len(each) == 4 and run_pairs.shown([*each, pairs]) == [pairs]
    assert run_pairs.shown(each) == each
    expected = uncertainty.split_difference([20, 10, 10, -5], 80, 20)
    (row,) = pairs.table.to_dict("records")
    found = (row["difference_points"], row["low95"], row["high95"], row["p"])
    assert found == pytest.approx(expected)
    assert (row["a_better"], row["b_better"], row["count"], pairs.over) == (3, 1, 4, "splits")
    text = run_pairs.matrix(pairs)
    assert text.startswith("### Pairs, over 4 splits\n") and "test sets that overlap" in text
    assert f"cannot be told apart (p {row['p']:.3f})" in text and "all splits" not in text
    frame = run_pairs.pairs_frame([(results.compare(read_runs(tmp_path))[0], pairs)])
    assert list(frame.columns) == run_pairs.COLUMNS
    assert frame.loc[0, ["a", "b", "over"]].tolist() == ["A fine tuning", "B fine tuning", "splits"]


def method_over_splits(tested, name, hits, **others):
    """Runs of a method, right about so many of 20 test pictures; hits: of each split's seed."""
    for seed, right in hits.items():
        tested(name, [True] * right + [False] * (20 - right), **drawn(seed) | others)


def test_a_third_method_takes_nothing_from_the_comparison_of_two(tested, tmp_path):
    first, second = {0: 16, 1: 15, 2: 17, 3: 14}, {0: 12, 1: 13, 2: 15, 3: 15}
    method_over_splits(tested, "A", first)
    method_over_splits(tested, "B", second)
    alone = pairs_in(tmp_path)[-1].table.loc[0]
    method_over_splits(tested, "on other splits", {8: 10, 9: 10})
    method_over_splits(tested, "untold sizes", {0: 10, 1: 11}, n_train=None)
    pairs = pairs_in(tmp_path)[-1]
    assert pairs.names == ["A fine tuning", "B fine tuning"]
    assert pairs.table.loc[0].equals(alone)
    method_over_splits(tested, "on fewer", {0: 3, 1: 1})
    pairs = pairs_in(tmp_path)[-1]
    assert pairs.names == ["A fine tuning", "B fine tuning", "on fewer fine tuning"]
    assert pairs.accuracies == pytest.approx([77.5, 68.75, 10])
    assert pairs.table["count"].tolist() == [4, 2, 2]
    assert pairs.table["difference_points"].tolist() == pytest.approx([8.75, 67.5, 52.5])
    assert pairs.table["p"][0] == alone["p"]
    shared = [len(shas.split(" / ")) for shas in pairs.table["split_sha256"]]
    assert shared == [4, 2, 2]


def test_a_matrix_says_over_how_many_splits_each_pair_is(tested, tmp_path):
    method_over_splits(tested, "A", {0: 16, 1: 15, 2: 17, 3: 14})
    method_over_splits(tested, "B", {0: 12, 1: 13, 2: 15})
    method_over_splits(tested, "C", {1: 10, 3: 10})
    pairs = pairs_in(tmp_path)[-1]
    text = run_pairs.matrix(pairs)
    assert text.startswith("### Pairs, over 2 to 3 splits\n")
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert re.fullmatch(r"\+13\.33 \[.*\], 3 splits", rows[2][3])
    assert re.fullmatch(r"\+22\.50 \[.*\], 2 splits", rows[2][4])
    assert (rows[3][4], rows[4][3]) == ("–", "–") and "no two splits in common" in text
    assert [rows[number + 1][number + 1] for number in (1, 2, 3)] == [""] * 3
    assert "the accuracies are of all splits of a method" in text
    frame = run_pairs.pairs_frame([(results.compare(read_runs(tmp_path))[0], pairs)])
    assert frame["count"].tolist() == [3, 2]


def test_a_difference_that_does_not_spread_is_no_finding(tested, tmp_path):
    method_over_splits(tested, "A", {0: 16, 1: 15})
    method_over_splits(tested, "B", {0: 14, 1: 13})
    pairs = pairs_in(tmp_path)[-1]
    (row,) = pairs.table.to_dict("records")
    assert np.isnan([row["low95"], row["high95"], row["p"], row["p_corrected"]]).all()
    assert row["told_apart"] is False
    text = run_pairs.matrix(pairs)
    assert "| +10.00 [–] |" in text and "| cannot be told apart (p –) |" in text
    assert "nothing tells how far it spreads" in text and "nan" not in text
    assert "cannot be told apart from the best, 1: 2\n" in text
    line = tables.collate(tmp_path)["pairs.csv"].decode().splitlines()[-1]
    assert re.search(r",2,0,10\.0\d*,,,,,False$", line)


def test_tables_hold_the_matrix_and_the_pairs(tested, tmp_path):
    tested("A", FIRST, top1_interval=[0.6, 0.86], n_test=40)
    tested("B", OTHER)
    files = tables.collate(tmp_path)
    page = files["comparison.md"].decode()
    assert "75.00 [60.0, 86.0]" in page and "### Pairs, over 40 test pictures" in page
    assert "95 % interval" in page.split("\n\n")[1]
    assert b",A fine tuning,B fine tuning,18,0," in files["pairs.csv"]
