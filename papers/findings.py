"""What the papers say in words about their numbers: named findings, and what decides them."""

from papers.published import PAPERS, read_item, require
from papers.statements import cetinic2018, gonthier2020, sabatelli2018

FINDINGS = {
    name: {finding.name: finding for finding in paper.FINDINGS}
    for name, paper in zip(PAPERS, (sabatelli2018, gonthier2020, cetinic2018), strict=True)
}


def find_finding(paper, name):
    """The Finding of a name; InputError for a paper or name that is not there, with near names."""
    require("paper", paper, PAPERS)
    require("finding", name, FINDINGS[paper], f" of {paper}")
    return FINDINGS[paper][name]


def decide(finding, numbers):
    """Whether a finding holds of these numbers.

    Args:
        finding: a Finding.
        numbers: dict item -> DataFrame of the form of the item's CSV (see published.read_item),
            with or without intervals; one DataFrame where the finding rests on one item.

    Returns:
        decisions.Verdict.

    Raises:
        InputError: an item or a column is missing.
    """
    if not isinstance(numbers, dict):
        numbers = dict.fromkeys(finding.question.items[:1], numbers)
    return finding.question.decide(numbers)


def decide_published(paper, name):
    """What a paper's own printed numbers say of one of its findings: a decisions.Verdict."""
    finding = find_finding(paper, name)
    return decide(finding, {item: read_item(paper, item) for item in finding.question.items})
