"""Recipe: every choice of a training run, stated once; its fields are the flags of the command."""

from dataclasses import dataclass, fields

from models.errors import InputError

CHOICES = {
    "optimizer": ("sgd", "rmsprop", "adam"),
    "batch_norm": ("frozen", "train"),
    "pixels": ("own", "unit"),
    "classifier": ("softmax", "svm", "random_forest"),
    "class_weights": ("none", "balanced"),
}


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained; values out of range raise InputError.

    The defaults are the fine tuning of Sabatelli et al. 2018, section 2.3 (the paper, where the
    released code differs).
    """

    optimizer: str = "sgd"
    learning_rate: float = 0.001
    momentum: float = 0.9  # sgd only
    nesterov: bool = True  # sgd only
    rho: float = 0.9  # rmsprop only
    epsilon: float = 1e-8  # rmsprop and adam only
    batch_size: int = 32
    epochs: int = 100  # at most: early stopping comes first
    patience: int = 7  # epochs without a lower validation loss
    pixels: str = "own"
    # The moving averages of a pre-trained network are kept: a museum's batches of 32 estimate
    # them worse, and weights whose normalisation was folded into the kernels would be undone.
    batch_norm: str = "frozen"
    classifier: str = "softmax"
    class_weights: str = "none"
    seed: int = 42  # the released code's random_state

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"--{name} is {getattr(self, name)!r}; accepted: {', '.join(allowed)}"
                )
        for name in ("learning_rate", "epsilon", "batch_size", "epochs", "patience"):
            if not getattr(self, name) > 0:
                raise InputError(f"--{name} is {getattr(self, name)}; it must be above 0")
        for name in ("momentum", "rho"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; accepted: 0 up to below 1")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"--seed is {self.seed}; accepted: 0 to {2**31 - 1}")


def add_flags(parser):
    """Add one flag per field of Recipe to an argparse parser; a flag not given is None."""
    group = parser.add_argument_group("recipe (defaults: the paper's, per mode)")
    for field in fields(Recipe):
        kind = type(field.default)
        choices = CHOICES.get(field.name)
        if kind is bool:
            kind, choices = _boolean, (True, False)
        group.add_argument(f"--{field.name}", type=kind, choices=choices)


def given(arguments):
    """The fields of Recipe that were given as flags, as a dict."""
    values = {field.name: getattr(arguments, field.name) for field in fields(Recipe)}
    return {name: value for name, value in values.items() if value is not None}


def _boolean(text):
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(text.lower(), text)  # argparse then says what is accepted
