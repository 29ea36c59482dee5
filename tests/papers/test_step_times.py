"""Rounds of steps by a false clock; ratios by hand; measured once and found."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from papers import step_times
from papers.protocols.sabatelli2018 import FINE, RIJKS


def test_rounds_are_by_turns_and_two_are_not_counted():
    now, done = [0.0], []

    def step(name, seconds):
        def run():
            done.append(name)
            now[0] += seconds * (100 if len(done) <= 4 else 1)

        return run

    found = step_times._measure([step("a", 2), step("b", 1)], 3, clock=lambda: now[0])
    assert found.tolist() == [[2, 1]] * 3
    assert "".join(done) == "ab" * 5


def test_ratios_are_of_each_round():
    means, lows, highs = step_times.ratios(np.array([[2.0, 1.0], [4.0, 2.4], [8.0, 3.2]]))
    assert means.tolist() == pytest.approx([1, 0.5])
    half = t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    assert (lows[1], highs[1]) == pytest.approx((0.5 - half, 0.5 + half))
    assert (lows[0], highs[0]) == (1, 1)
    means, lows, _ = step_times.ratios(np.array([[2.0, 1.0]]))
    assert means.tolist() == [1, 0.5] and np.isnan(lows).all()


def test_steps_are_measured_once(place, tmp_path, monkeypatch):
    (stage,) = place.stages(RIJKS, "type", "ResNet50", FINE, batch_size=4)
    head = replace(stage, recipe=replace(stage.recipe, layers="head", augmentation="flip_shift"))
    said = []
    seconds = step_times.by_turns([stage, head], tmp_path, 2, say=said.append)
    assert seconds.shape == (2, 2) and (seconds > 0).all() and len(said) == 1
    monkeypatch.setattr(step_times, "_step", None)
    again = step_times.by_turns([stage, head], tmp_path, 2, say=said.append)
    assert np.array_equal(seconds, again) and len(said) == 1


def test_only_what_is_trained_changes(place, monkeypatch):
    import keras

    monkeypatch.setattr(keras.optimizers, "SGD", lambda rate, momentum: keras.optimizers.Adam(0.1))
    made = []
    build = step_times.zoo.build
    monkeypatch.setattr(
        step_times.zoo, "build", lambda *given: made.append(build(*given)) or made[-1]
    )
    (stage,) = place.stages(RIJKS, "type", "ResNet50", FINE, batch_size=4, layers="head")
    step = step_times._step(stage)
    (model,) = made
    before = [
        np.array(layer.get_weights()[0]) for layer in (model.get_layer("conv"), model.layers[-1])
    ]
    step()
    after = [layer.get_weights()[0] for layer in (model.get_layer("conv"), model.layers[-1])]
    assert np.array_equal(before[0], after[0]) and made[0].layers[-1].name == "head"
