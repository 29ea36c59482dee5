"""Steps of a training, timed on a few tiny pictures."""

import pytest

from benchmarks import fine_tuning
from models import zoo
from transfer.dataset import Data
from transfer.recipe import Recipe
from transfer.run import Run

ANN, SIZE = "MobileNet(alpha=0.25)", 32


@pytest.mark.slow  # traces a training step for each side
def test_fine_tuning_speed(small, tmp_path):
    recipe = Recipe(batch_size=2)
    run = Run(Data("small", "class", tmp_path), zoo.parse(ANN), recipe, SIZE)
    model = fine_tuning.compiled(run, small)
    before = model.get_layer("conv1").get_weights()[0]
    found = fine_tuning.speed(model, small, recipe, "crop", steps=3, rounds=2)
    assert found.bound == 0.95 and len(found.values) == 2 and min(found.values) > 0
    assert (model.get_layer("conv1").get_weights()[0] != before).any()  # it did train


def test_one_step_cannot_be_measured(capsys):
    assert fine_tuning.main(["--steps", "1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: steps is 1") and error.count("\n") == 1


@pytest.mark.slow
def test_a_smoke_run_prints_every_claim(capsys):
    assert fine_tuning.main(["--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 2
