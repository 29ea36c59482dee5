"""What Gonthier et al. 2020 say, decided on what they printed and on made-up numbers."""

import numpy as np
import pandas as pd
import pytest

from papers.decisions import FAILS, HOLDS, UNTOLD
from papers.findings import FINDINGS, decide, decide_published, find_finding
from papers.published import read_item

# figures 5 and 6 print no numbers
NOT_PRINTED = {
    "cka_falls_with_depth",
    "fine_tuned_networks_are_closest",
    "overlap_falls_with_depth",
    "overlap_of_1000_falls_with_depth",
    "overlap_above_chance",
    "deep_layers_gather_classes",
    "entropy_falls_from_the_middle",
    "little_overlap_goes_with_more_change",
}
# table 3 has 59.4 for the end from scratch on IconArt, 59.2 for ImageNet's network
CONTRADICTED = {"scratch_is_worst_of_fine_tuned"}


@pytest.mark.parametrize("name", FINDINGS["gonthier2020"])
def test_the_papers_own_numbers_say_what_it_says(name):
    expected = UNTOLD if name in NOT_PRINTED else FAILS if name in CONTRADICTED else HOLDS
    assert decide_published("gonthier2020", name).answer == expected


def test_the_contradiction_names_its_numbers():
    verdict = decide_published("gonthier2020", "scratch_is_worst_of_fine_tuned")
    wrong = [line for line in verdict.numbers if line.endswith("does not hold")]
    assert len(wrong) == 1 and "59.2" in wrong[0] and "59.4" in wrong[0]


def test_networks_do_not_stay_close_by_moving_little():
    stay = find_finding("gonthier2020", "fine_tuned_networks_stay_close")
    rows = read_item("gonthier2020", "table2")
    rows["mean l2"] = [0.112, 0.095, 0.1415, 0.169, 0.102]  # the first three are of fine-tuned ones
    assert decide(stay, rows).answer == FAILS
    rows["mean l2"] = [0.112, 0.110, 0.115, 0.169, 0.102]
    assert decide(stay, rows).answer == HOLDS


def made_up_figure5(falling):
    depth = np.arange(9)
    cka = 0.99 - 0.05 * depth if falling else np.full(9, 0.9) + 0.01 * (depth % 2)
    return pd.concat(
        pd.DataFrame(
            {
                "first": first,
                "second": second,
                "layer": [f"mixed{n}" for n in depth],
                "depth": depth,
                "CKA": cka + more,
            }
        )
        for first, second, more in (
            ("ImageNet", "RASTA (mode A, training 1)", 0),
            ("its random start", "from scratch", -0.3),
            ("RASTA (mode A, training 1)", "RASTA (mode B, training 1)", 0.005),
        )
    )


def test_figure_5():
    falls = find_finding("gonthier2020", "cka_falls_with_depth")
    closest = find_finding("gonthier2020", "fine_tuned_networks_are_closest")
    assert decide(falls, made_up_figure5(True)).answer == HOLDS
    assert decide(falls, made_up_figure5(False)).answer == UNTOLD
    assert decide(closest, made_up_figure5(True)).answer == HOLDS


def test_figure_6():
    frame = pd.DataFrame(
        {
            "layer": list("abcdefghij"),
            "depth": range(10),
            "half": ["shallow"] * 5 + ["deep"] * 5,
            "overlap (%)": np.arange(100, 0, -10),
            "overlap of 1000 (%)": np.arange(50, 0, -5),
            "overlap by chance (%)": 3.0,
            "entropy before": 0.85,
            "entropy": [0.8, 0.9, 0.7, 0.8, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
        }
    )
    names = ("overlap_falls_with_depth", "overlap_above_chance", "entropy_falls_from_the_middle")
    for name in (*names, "overlap_of_1000_falls_with_depth", "deep_layers_gather_classes"):
        assert decide(find_finding("gonthier2020", name), frame).answer == HOLDS, name
    frame.loc[4, "overlap (%)"] = 90
    assert decide(find_finding("gonthier2020", names[0]), frame).answer == FAILS
    frame["overlap by chance (%)"] = 80.0
    assert decide(find_finding("gonthier2020", names[1]), frame).answer == FAILS
