"""Every finding: its form and items; no rows or no certainty; names that are not there."""

import pandas as pd
import pytest

from models.errors import InputError
from papers import findings
from papers.decisions import UNTOLD
from papers.findings import FINDINGS, decide, decide_published, find_finding
from papers.published import PAPERS, items, read_item

EVERY = [(paper, name) for paper in PAPERS for name in FINDINGS[paper]]


def test_names_are_words_and_used_once_a_paper():
    for paper in findings.PAPERS:
        assert all(name.isidentifier() and name.islower() for name in FINDINGS[paper])
    counts = {
        paper: len(module.FINDINGS)
        for paper, module in (
            ("sabatelli2018", findings.sabatelli2018),
            ("gonthier2020", findings.gonthier2020),
            ("cetinic2018", findings.cetinic2018),
        )
    }
    assert counts == {paper: len(FINDINGS[paper]) for paper in FINDINGS}


@pytest.mark.parametrize(("paper", "name"), EVERY)
def test_a_finding_says_what_where_and_rests_on_items(paper, name):
    finding = find_finding(paper, name)
    assert finding.statement.endswith(".") and finding.place.startswith("section")
    assert set(finding.question.items) <= set(items(paper))


@pytest.mark.parametrize(("paper", "name"), EVERY)
def test_a_finding_reads_its_items_and_without_rows_cannot_be_told(paper, name):
    finding = find_finding(paper, name)
    empty = {item: read_item(paper, item).iloc[:0] for item in finding.question.items}
    assert decide(finding, empty).answer == UNTOLD


@pytest.mark.parametrize(("paper", "name"), EVERY)
def test_intervals_of_everything_leave_nothing_told(paper, name):
    finding = find_finding(paper, name)
    numbers = {}
    for item in finding.question.items:
        frame = read_item(paper, item)
        bounds = {}
        for column in frame.select_dtypes("number"):
            if not column.endswith(("_low", "_high")):
                bounds |= {f"{column}_low": -1e9, f"{column}_high": 1e9}
        numbers[item] = frame.assign(**bounds)
    if name not in ("start_matters_with_few_pictures_a_class",):  # ranks use the values alone
        assert decide(finding, numbers).answer == UNTOLD


def test_one_item_may_be_given_as_it_is():
    finding = find_finding("cetinic2018", "neighbours_are_near")
    column = "distance at the rank of 1000 of 96014"
    near = pd.DataFrame({"query": ["a", "b", "c"], column: [0.3, 0.2, 0.9]})
    assert decide(finding, near).answer == "holds"
    assert decide(finding, near.assign(query="x")).numbers[0] == "2 of 3 numbers are below 0.4"


def test_another_item_than_asked_for_is_refused():
    finding = find_finding("sabatelli2018", "art_before_art_is_better")
    with pytest.raises(InputError, match="no numbers of table3; there is table2"):
        decide(finding, {"table2": read_item("sabatelli2018", "table2")})
    with pytest.raises(InputError, match="table3 has no column 'Rijksmuseum \\+ off the shelf"):
        decide(finding, read_item("sabatelli2018", "table2"))


@pytest.mark.parametrize(
    ("paper", "name", "message"),
    [
        ("gonthier", "cka_falls_with_depth", "there is gonthier2020"),
        ("gonthier2020", "cka_fall_with_depth", "of gonthier2020; there is cka_falls_with_depth"),
    ],
)
def test_unknown_names_are_told_those_near(paper, name, message):
    with pytest.raises(InputError, match=message):
        decide_published(paper, name)
