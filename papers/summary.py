"""A row for each item of a paper that was made: its numbers, ours, and on whose pictures."""

import pandas as pd

from papers.items import FINDINGS
from transfer.result_folder import read_csv
from transfer.results import NO_RUN, escape, markdown_table


def read_items(items, folder):
    """What the folders of items hold, of those that were made.

    Args:
        items: of papers.items.Item.
        folder: of the paper's results, as `python -m papers` writes them.

    Returns:
        dict Item -> DataFrame of papers.report.compare.
    """
    files = {item: folder / item.name / f"{item.name}.csv" for item in items}
    return {item: read_csv(file) for item, file in files.items() if file.exists()}


def count_findings(folder):
    """How many of a paper's statements hold here, do not, or cannot be told.

    Args:
        folder: as for read_items.

    Returns:
        dict verdict -> how many; None where they were not decided.
    """
    file = folder / FINDINGS / f"{FINDINGS}.csv"
    return read_csv(file)["ours"].value_counts().to_dict() if file.exists() else None


def summarise(comparison):
    """A row for each kind of number of an item.

    Args:
        comparison: DataFrame of papers.report.compare.

    Returns:
        DataFrame: number; cells, and how many of them have the paper's number, ours, both; of the
        cells that have both the least and the greatest on either side; median_difference, ours less
        the paper's; chance, the greatest; on, whose pictures; pictures, the most of a cell.
    """
    rows = []
    for number, cells in comparison.groupby("number", sort=False, dropna=False):
        paper, ours = (pd.to_numeric(cells[side]) for side in ("paper", "ours"))
        both = paper.notna() & ours.notna()
        ends = [(side[both].min(), side[both].max()) for side in (paper, ours)]
        made = cells[ours.notna()] if ours.notna().any() else cells
        rows.append(
            {
                "number": "" if pd.isna(number) else str(number),
                "cells": len(cells),
                "with_paper": int(paper.notna().sum()),
                "with_ours": int(ours.notna().sum()),
                "with_both": int(both.sum()),
                **dict(zip(("paper_least", "paper_most"), ends[0], strict=True)),
                **dict(zip(("ours_least", "ours_most"), ends[1], strict=True)),
                "median_difference": (ours - paper)[both].median(),
                "chance": pd.to_numeric(made["chance"]).max(),
                "on": "; ".join(dict.fromkeys("; ".join(made["on"].dropna()).split("; "))),
                "pictures": pd.to_numeric(made["pictures"]).max(),
            }
        )
    return pd.DataFrame(rows)


def summary_page(title, told, comparisons, command, findings=None):
    """All items as one Markdown table.

    Args:
        title: of the paper.
        told: on whose pictures and with which settings, in words.
        comparisons: of read_items.
        command: function item's name -> the line that makes it.
        findings: of count_findings.
    """
    parts = [f"# {escape(title)}\n", f"Ours on {escape(told)}.\n"]
    parts.append(
        "Of each kind of number: from the least to the greatest, of the cells that both have; a "
        "page has each cell with its interval, and what is missing.\n"
    )
    header = ["item", "number", "cells", "paper", "ours", "difference", "chance"]
    rows = []
    for item, comparison in comparisons.items():
        link = f"[{item.name}]({item.name}/{item.name}.md): {escape(item.title)}"
        for row in summarise(comparison).itertuples():
            rows.append([link, *_row(row), escape(row.on), _told(row.pictures, 0)])
            link = ""
    parts.append(markdown_table([*header, "ours on", "pictures"], rows))
    names = [item.name for item in comparisons]
    if findings:
        names.append(FINDINGS)
        counts = "; ".join(f"{verdict}: {count}" for verdict, count in findings.items())
        link = f"[What the paper says of its numbers]({FINDINGS}/{FINDINGS}.md)"
        parts.append(f"\n{link}, and whether ours bear it out: {counts}.\n")
    lines = "".join(f"    {command(name)}\n" for name in names)
    return "\n".join([*parts, f"## Commands\n\n{lines}"])


def _row(row):
    """The texts of a number's row: what it is, its cells, paper, ours, difference, chance."""
    if not row.number:
        return ["pictures", str(row.cells), *[NO_RUN] * 4]
    filled = f"{row.with_both} of {row.cells}"
    if row.with_ours > row.with_both:
        filled += f", {row.with_ours} of ours"
    sides = [_range(row.paper_least, row.paper_most), _range(row.ours_least, row.ours_most)]
    signed = NO_RUN if pd.isna(row.median_difference) else f"{row.median_difference:+.4g}"
    return [escape(row.number), filled, *sides, signed, _told(row.chance)]


def _range(low, high):
    return _told(low) if pd.isna(low) or low == high else f"{low:.4g} to {high:.4g}"


def _told(value, digits=None):
    if pd.isna(value):
        return NO_RUN
    return f"{value:.4g}" if digits is None else f"{value:.{digits}f}"
