"""Pictures counted before and after they are stored; features counted once; time by hand."""

import math
from dataclasses import replace

import pytest

from papers import cost
from papers.protocols.sabatelli2018 import FINE, OFF, RIJKS


@pytest.fixture
def stages(place):
    """Return off the shelf with two classifiers, and fine-tuning of 2 epochs."""
    ways = ((OFF, {}), (OFF, {"classifier": "svm"}), (FINE, {}))
    return [place.stages(RIJKS, "type", "ResNet50", mode, **more)[0] for mode, more in ways]


def test_time_is_that_of_a_picture_times_the_pictures(stages, monkeypatch):
    timed = []

    def time_picture(stage):
        timed.append(stage)
        return (math.nan if stage.recipe.on_features else 10.0), 1.0

    monkeypatch.setattr(cost, "time_picture", time_picture)
    said = []
    costs = cost.estimate(stages, say=said.append)
    assert len(timed) == 2 == len(said)  # a measurement for each kind of training
    assert [costs[stage].seconds for stage in stages] == [30, 0, 2 * (24 * 10 + 3) + 3]
    assert costs[stages[2]].pictures == {"train": 24, "val": 3, "test": 3}
    assert [costs[stage].epochs for stage in stages] == [2, 100, 2]
    assert cost.estimate(stages, measured=False)[stages[0]].seconds is None


def test_pictures_of_a_stored_data_set_are_those_that_are_in_it(stages):
    data = stages[0].data
    store = data.open()
    counted = {part: len(labels) for part, labels in store.labels.items()}
    assert cost.count_pictures(data) == counted


def test_of_a_sample_no_more_pictures_are_counted(stages):
    data = stages[0].data
    assert sum(cost.count_pictures(replace(data, sample=20, min_pictures=1)).values()) == 20
    assert sum(cost.count_pictures(replace(data, sample=99)).values()) == 30


def test_classes_that_are_too_small_and_the_parts_of_the_split_count(stages):
    data = stages[0].data
    lines = ["ImageId,dc_type,collection", *(f"{n},common,A" for n in range(20)), "20,rare,A"]
    data.metadata_path.write_text("\n".join(lines) + "\n")
    counted = cost.count_pictures(replace(data, min_pictures=2, split="cetinic2018"))
    assert counted == {"train": 14, "val": 2, "test": 4}


def test_time_of_a_step(stages):
    off, _, fine = stages
    training, passing = cost.time_picture(fine)
    assert 0 < training < 1 and 0 < passing < 1
    assert math.isnan(cost.time_picture(off)[0])


def test_a_network_that_cannot_be_built_at_a_size_is_refused_and_the_others_are_timed(stages):
    off, _, fine = stages
    small = replace(fine, start="InceptionV3", input_size=32)
    costs = cost.estimate([small, off], say=lambda line: None)
    assert costs[small].seconds is None
    assert costs[small].refused.startswith("InceptionV3 cannot be built: ")
    assert costs[off].seconds > 0 and costs[off].refused == ""
