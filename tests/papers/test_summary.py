"""Summaries of made-up items, their numbers counted by hand."""

import pandas as pd

from papers import summary
from papers.protocols import PROTOCOLS

PAPER = PROTOCOLS["sabatelli2018"]
ROWS = [
    # network, number, paper, ours, chance, pictures, on
    ("A", "off (%)", 50.0, 40.0, 10.0, 20, "toys"),
    ("B", "off (%)", 60.0, 45.5, 20.0, 30, "toys"),
    ("C", "off (%)", 70.0, None, None, None, "none"),
    ("D", "off (%)", None, 30.0, 20.0, 30, "toys"),
    ("A", "p", 0.5, None, None, None, "toys"),
]
COLUMNS = ["network", "number", "paper", "ours", "chance", "pictures", "on"]
FRAME = pd.DataFrame(ROWS, columns=COLUMNS)


def test_a_row_for_each_kind_of_number():
    off, p = summary.summarise(FRAME).to_dict("records")
    counts = ("cells", "with_paper", "with_ours", "with_both")
    assert [off[name] for name in counts] == [4, 3, 3, 2]
    ends = ("paper_least", "paper_most", "ours_least", "ours_most")
    assert [off[name] for name in ends] == [50, 60, 40, 45.5]
    assert off["median_difference"] == -12.25 and off["chance"] == 20 and off["pictures"] == 30
    assert off["on"] == "toys"  # of the cells that have a number of ours
    assert [p[name] for name in counts] == [1, 1, 0, 0] and pd.isna(p["ours_least"])


def test_page_of_the_items_that_were_made(tmp_path):
    table2 = next(item for item in PAPER.items if item.name == "table2")
    figure4 = next(item for item in PAPER.items if item.name == "figure4")
    (tmp_path / "table2").mkdir()
    FRAME.to_csv(tmp_path / "table2" / "table2.csv", index=False)
    (tmp_path / "figure4").mkdir()
    empty = FRAME[:1].assign(number=None, paper=None, ours=None)
    empty.to_csv(tmp_path / "figure4" / "figure4.csv", index=False)
    found = summary.read_items(PAPER.items, tmp_path)
    assert list(found) == [table2, figure4]
    page = summary.summary_page("A title", "toys", found, lambda name: f"make {name}")
    assert (
        "| off (%) | 2 of 4, 3 of ours | 50 to 60 | 40 to 45.5 | -12.25 | 20 | toys | 30 |" in page
    )
    assert "[figure4](figure4/figure4.md)" in page and "| pictures | 1 |" in page
    assert page.endswith("    make table2\n    make figure4\n")


def test_page_counts_the_statements(tmp_path):
    (tmp_path / "findings").mkdir()
    told = pd.DataFrame({"finding": ["a", "b", "c"], "ours": ["holds", "cannot be told", "holds"]})
    told.to_csv(tmp_path / "findings" / "findings.csv", index=False)
    counts = summary.count_findings(tmp_path)
    assert counts == {"holds": 2, "cannot be told": 1}
    page = summary.summary_page("A title", "toys", {}, lambda name: f"make {name}", counts)
    assert "(findings/findings.md), and whether ours bear it out: holds: 2; " in page
    assert page.endswith("    make findings\n")


def test_no_statements_that_were_not_decided(tmp_path):
    assert summary.count_findings(tmp_path) is None
