"""What Sabatelli et al. 2018 say, decided on what they printed and on made-up numbers."""

import pytest

from papers.decisions import FAILS, HOLDS, UNTOLD
from papers.findings import FINDINGS, decide, decide_published, find_finding
from papers.published import read_item

# footnote 7 prints no numbers
NOT_PRINTED = {"classifiers_do_not_differ"}


@pytest.mark.parametrize("name", FINDINGS["sabatelli2018"])
def test_the_papers_own_numbers_say_what_it_says(name):
    expected = UNTOLD if name in NOT_PRINTED else HOLDS
    assert decide_published("sabatelli2018", name).answer == expected


def test_lost_cells_count_by_what_the_text_says_of_them():
    verdict = decide_published("sabatelli2018", "fine_tuning_always_better")
    assert sum("lost, from 0 to 10" in line for line in verdict.numbers) == 2
    table = read_item("sabatelli2018", "table2").drop(
        columns=["off the shelf (%)_low", "off the shelf (%)_high"]
    )
    finding = find_finding("sabatelli2018", "fine_tuning_always_better")
    assert decide(finding, table).answer == UNTOLD


def test_another_best_network_is_seen():
    table = read_item("sabatelli2018", "table2")
    table.loc[(table.challenge == "type") & (table.network == "VGG19"), "fine tuning (%)"] = 99.0
    finding = find_finding("sabatelli2018", "resnet50_best_fine_tuned")
    verdict = decide(finding, table)
    assert verdict.answer == FAILS
    assert "type: ResNet50 91.3, VGG19 99: does not hold" in verdict.numbers


def test_curves_count_by_their_last_epoch():
    curves = read_item("sabatelli2018", "learning_curves")
    early = (curves.network == "Xception") & (curves.epoch == 1)
    curves.loc[early, "validation accuracy"] = 1.0
    finding = find_finding("sabatelli2018", "resnet50_best_on_validation")
    assert decide(finding, curves).answer == HOLDS
