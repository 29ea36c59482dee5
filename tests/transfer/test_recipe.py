import argparse

import pytest

from models.errors import InputError
from transfer import recipe
from transfer.recipe import Recipe
from transfer.recipes import sabatelli2018


def test_settings_are_the_papers():
    """Sabatelli et al. 2018, section 2.3."""
    off_the_shelf, fine_tuning = (sabatelli2018.MODES[m] for m in ("off_the_shelf", "fine_tuning"))
    assert (off_the_shelf.optimizer, off_the_shelf.learning_rate) == ("rmsprop", 0.001)
    assert (off_the_shelf.rho, off_the_shelf.epsilon) == (0.9, 1e-8)
    assert (fine_tuning.optimizer, fine_tuning.learning_rate) == ("sgd", 0.001)
    assert (fine_tuning.momentum, fine_tuning.nesterov) == (0.9, True)
    for mode in sabatelli2018.MODES.values():
        assert (mode.batch_size, mode.patience, mode.epochs) == (32, 7, 100)


@pytest.mark.parametrize(
    "wrong",
    [{"optimizer": "lbfgs"}, {"learning_rate": 0.0}, {"batch_size": 0}, {"patience": -1}]
    + [{"momentum": 1.0}, {"seed": -1}, {"learning_rate": float("nan")}, {"pixels": "bgr"}],
)
def test_values_out_of_range_name_the_flag(wrong):
    with pytest.raises(InputError, match=f"--{next(iter(wrong))}"):
        Recipe(**wrong)


def test_flags_are_the_fields():
    parser = argparse.ArgumentParser()
    recipe.add_flags(parser)
    assert recipe.given(parser.parse_args([])) == {}
    given = parser.parse_args(["--learning_rate", "0.1", "--nesterov", "false", "--epochs", "3"])
    assert recipe.given(given) == {"learning_rate": 0.1, "nesterov": False, "epochs": 3}
    with pytest.raises(SystemExit):
        parser.parse_args(["--nesterov", "maybe"])
