"""Runs of one split against one another, pair by pair: differences, tests, matrices in Markdown.

Two runs are compared on the same test pictures, by their predictions.csv; two methods that were run
on the same repeated splits are compared split by split, over the splits that these two share.
"""

import math
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pandas as pd

from models.errors import InputError
from transfer import uncertainty
from transfer.result_folder import read_csv
from transfer.results import NO_RUN, accuracy, escape, markdown_table, named_cells, splits
from transfer.run import headline

MOST = 8  # runs in a matrix that is still read in a terminal; all pairs are in the CSV
SAME = "cannot be told apart"
COLUMNS = [
    "dataset",
    "challenge",
    "toy",
    "over",
    "split_sha256",
    "count",
    "a",
    "b",
    "a_better",
    "b_better",
    "difference_points",
    "low95",
    "high95",
    "p",
    "p_corrected",
    "told_apart",
]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Runs, or methods, that can be compared, and every pair of them.

    names: of them, the most accurate first. accuracies: mean of each, in percent, over all of its
    pictures or splits. over: `pictures` or `splits`. table: DataFrame of COLUMNS but for what names
    the challenge, a row per pair: split_sha256 and count (of the pictures, or splits, that the two
    share), a, b (places in names), a_better and b_better (pictures that only one is right about;
    splits where one is more accurate), the difference a - b in percentage points with its 95 %
    interval, p, and p corrected for the number of pairs. Methods of which no two splits are shared
    are no pair; where every split has the same difference, interval and p are NaN.
    """

    names: list
    accuracies: list
    over: str
    table: Any


def pairs_of(comparison):
    """Everything in a comparison that can be compared with one another.

    Args:
        comparison: transfer.results.Comparison.

    Returns:
        list of Pairs: of the runs of each split, where two or more have told their predictions of
        the same pictures; and of methods that have two or more splits in common with another.

    Raises:
        InputError: a predictions.csv is damaged.
    """
    found = [_of_runs(named) for named in _tested_together(comparison)]
    over_splits = _of_methods(named_cells(comparison))
    return found + ([over_splits] if over_splits else [])


def _tested_together(comparison):
    """Lists of (name, run, right answers): of the same pictures, two or more."""
    together = {}
    for name, runs in named_cells(comparison).items():
        for sha in splits(runs):
            part = [run for run in runs if run.split_sha256 == sha]
            for run, own in zip(part, _run_names(name, part), strict=True):
                answers = answers_of(run)
                if answers is not None:
                    key = (sha, tuple(answers.index))
                    together.setdefault(key, []).append((own, run, answers.to_numpy()))
    return [named for named in together.values() if len(named) > 1]


def _run_names(name, runs):
    if len(runs) == 1:
        return [name]
    seeds = [run.metrics.get("seed") for run in runs]
    if None in seeds or len(set(seeds)) < len(seeds):
        seeds = [f"{seed}, run {number}" for number, seed in enumerate(seeds, 1)]
    return [f"{name}, seed {seed}" for seed in seeds]


def answers_of(run):
    """Whether a run is right about each test picture: bool Series by id, or None if it is untold.

    Several labels are neither right nor wrong.
    """
    path = run.folder / "predictions.csv"
    if headline(run.metrics) != "top1_accuracy" or not path.exists():
        return None
    rows = read_csv(path)
    if not {"id", "true", "predicted"} <= set(rows.columns):
        raise InputError(f"{path}: expected the columns id, true and predicted")
    return (rows["true"] == rows["predicted"]).set_axis(rows["id"]).sort_index()


def _of_runs(named):
    order = sorted(named, key=lambda item: -item[2].mean())
    same = order[0][1].split_sha256, len(order[0][2])
    rows = []
    for (a, (_, _, first)), (b, (_, _, second)) in combinations(enumerate(order), 2):
        difference, low, high = (100 * x for x in uncertainty.paired_difference(first, second))
        better = int((first & ~second).sum()), int((second & ~first).sum())
        p = uncertainty.mcnemar(first, second)
        rows.append((a, b, *same, *better, difference, low, high, p))
    names, accuracies = [item[0] for item in order], [100 * item[2].mean() for item in order]
    return Pairs(names, accuracies, "pictures", _tested(rows))


def _of_methods(cells):
    """Pairs of methods over repeated splits; None where no two methods share several.

    Each pair is compared over the splits that the two share: a third method, which was run on
    others or on fewer, takes nothing from it.
    """
    parts = {
        name: {sha: [run for run in runs if run.split_sha256 == sha] for sha in splits(runs)}
        for name, runs in cells.items()
    }
    means = {name: np.mean([accuracy(of[sha])[0] for sha in of]) for name, of in parts.items()}
    order = sorted(parts, key=lambda name: -means[name])
    compared = {
        (one, other): _over_shared_splits(parts[one], parts[other])
        for one, other in combinations(order, 2)
    }
    compared = {pair: row for pair, row in compared.items() if row}
    if not compared:
        return None
    names = [name for name in order if any(name in pair for pair in compared)]
    rows = [(*map(names.index, pair), *row) for pair, row in compared.items()]
    return Pairs(names, [float(means[name]) for name in names], "splits", _tested(rows))


def _over_shared_splits(first, second):
    """What a row of the table tells of two methods behind their names; None where it cannot.

    first, second: dict of a split's digest -> runs.
    """
    shared = sorted(first.keys() & second.keys())
    runs = [run for method in (first, second) for sha in shared for run in method[sha]]
    sizes = [[run.metrics.get(f"n_{part}") for run in runs] for part in ("train", "test")]
    if len(shared) < 2 or any(None in size for size in sizes):
        return None
    apart = np.array([accuracy(first[sha])[0] - accuracy(second[sha])[0] for sha in shared])
    better = int((apart > 0).sum()), int((apart < 0).sum())
    told = uncertainty.split_difference(apart, *map(np.mean, sizes))
    return (" / ".join(shared), len(shared), *better, *told)


def _tested(rows):
    columns = ["a", "b", "split_sha256", "count", "a_better", "b_better"]
    table = pd.DataFrame(rows, columns=[*columns, "difference_points", "low95", "high95", "p"])
    corrected = uncertainty.holm(table["p"])
    return table.assign(p_corrected=corrected, told_apart=corrected < uncertainty.SIGNIFICANT)


def shown(found):
    """What of pairs_of a page shows: methods over repeated splits, else the runs of each split."""
    return [pairs for pairs in found if pairs.over == "splits"] or found


def pairs_frame(found):
    """A row per pair, for pairs.csv.

    Args:
        found: list of (Comparison, Pairs).
    """
    frames = []
    for comparison, pairs in found:
        run, names = comparison.runs[0], dict(enumerate(pairs.names))
        told = {"dataset": run.dataset, "challenge": run.challenge, "toy": str(run.toy).lower()}
        told["over"] = pairs.over
        named = {"a": pairs.table["a"].map(names), "b": pairs.table["b"].map(names)}
        frames.append(pairs.table.assign(**told, **named)[COLUMNS])
    return pd.concat(frames, ignore_index=True)


def matrix(pairs):
    """Pairs as Markdown: above the diagonal the differences, below it whether they mean anything.

    Of more than MOST runs those with the greatest accuracy. What there is none of is –.
    """
    shown = range(min(MOST, len(pairs.names)))
    numbers = [str(number + 1) for number in shown]
    cells = dict.fromkeys(permutations(shown, 2), NO_RUN)  # the diagonal is left empty
    for row in pairs.table.itertuples():
        cells[row.a, row.b] = f"{row.difference_points:+.2f} {_ends(row)}"
        if _differ_in_count(pairs):
            cells[row.a, row.b] += f", {row.count} splits"
        told = f"p {_p(row.p_corrected)}"
        cells[row.b, row.a] = told if row.told_apart else f"{SAME} ({told})"
    rows = [
        [f"{numbers[a]}. {escape(pairs.names[a])}", f"{pairs.accuracies[a]:.2f}"]
        + [cells.get((a, b), "") for b in shown]
        for a in shown
    ]
    parts = [f"### Pairs, over {_over(pairs)}\n", _explained(pairs)]
    return "\n".join([*parts, markdown_table(["", "accuracy", *numbers], rows), _best(pairs)])


def _over(pairs):
    least, most = pairs.table["count"].min(), pairs.table["count"].max()
    if pairs.over == "splits":
        return f"{least} to {most} splits" if least < most else f"{most} splits"
    return f"{most} test pictures (split {pairs.table['split_sha256'].iloc[0][:12]})"


def _differ_in_count(pairs):
    return pairs.table["count"].nunique() > 1


def _explained(pairs):
    """What the cells of a matrix are, in a paragraph."""
    count = len(pairs.table)
    many = f", corrected for {count} pairs (Holm)" if count > 1 else ""
    if pairs.over == "pictures":
        how, test = "its 95 % interval on the same pictures", "p of McNemar's exact test"
    else:
        how = "its 95 % interval, made wider for test sets that overlap"
        test = "p of the t-test over splits with that correction"
    left = len(pairs.names) - MOST
    more = f" The {left} least accurate are left out here; pairs.csv has all." * (left > 0)
    return (
        f"Above the diagonal: the row's accuracy less the column's, in points, and {how}. Below: "
        f"{test}{many}.{_explained_gaps(pairs)}{more}\n"
    )


def _explained_gaps(pairs):
    """What a matrix over splits lacks, in sentences."""
    text = ""
    accuracies = np.asarray(pairs.accuracies)
    of_rows = accuracies[pairs.table["a"]] - accuracies[pairs.table["b"]]
    if not np.allclose(of_rows, pairs.table["difference_points"]):  # a method has further splits
        text += (
            " Two methods are compared over the splits that both were run on, the accuracies are "
            "of all splits of a method."
        )
    if len(pairs.table) < math.comb(len(pairs.names), 2):
        text += f" {NO_RUN}: the two have no two splits in common of which the sizes are known."
    if pairs.table["p"].isna().any():
        text += (
            f" [{NO_RUN}] and p {NO_RUN}: the difference is the same in every split, so that "
            "nothing tells how far it spreads."
        )
    return text


def _best(pairs):
    """A sentence about those that may be as good as the best."""
    like = pairs.table[(pairs.table["a"] == 0) & ~pairs.table["told_apart"].astype(bool)]
    numbers = [str(b + 1) for b in like["b"] if b < MOST]
    more = f" and {len(like) - len(numbers)} more" * (len(numbers) < len(like))
    if not len(like):
        return ""
    return f"- Note: {SAME} from the best, 1: {', '.join(numbers)}{more}\n"


def _ends(row):
    return f"[{NO_RUN}]" if np.isnan(row.low95) else f"[{row.low95:+.1f}, {row.high95:+.1f}]"


def _p(value):
    if np.isnan(value):
        return NO_RUN
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
