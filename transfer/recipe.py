"""Recipe: every choice of a training, stated once."""

from dataclasses import dataclass, fields, replace

from models import zoo
from models.errors import InputError

CHOICES = {
    "initial_weights": ("given", "he_uniform"),
    "layers": ("head", "all"),
    "optimizer": ("sgd", "rmsprop", "adam"),
    "batch_norm": ("frozen", "train"),
    "pixels": ("own", *(name for name in zoo.PIXELS if name != "none")),
    "classifier": ("softmax", "svm", "random_forest"),
    "class_weights": ("none", "balanced"),
}
# what makes a recipe what its name says; the other fields may be changed for a single run
FIXED = ("name", "title", "initial_weights", "layers")


@dataclass(frozen=True)
class Recipe:
    """How a classifier is made from a network; values out of range raise InputError.

    The defaults are the fine-tuning of Sabatelli et al. 2018, section 2.3 (the paper, where the
    released code differs).

        quick = RECIPES["fine_tuning"].adapted(pretrained=True, epochs=3, seed=1)
    """

    name: str = "fine_tuning"  # of the mode; result folders have it
    title: str = "fine tuning"  # in tables, as the paper writes it
    initial_weights: str = "given"  # those that the run's network has, or drawn anew
    layers: str = "all"  # those that are trained; with `head`, features are computed once
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
                    f"{name} is {getattr(self, name)!r}; accepted: {', '.join(allowed)}"
                )
        for name in ("learning_rate", "epsilon", "batch_size", "epochs", "patience"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("momentum", "rho"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; accepted: 0 up to below 1")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; accepted: 0 to {2**31 - 1}")
        self._refuse_impossible_pairs()

    def _refuse_impossible_pairs(self):
        if self.layers == "head" and self.batch_norm != "frozen":
            raise InputError(
                f"batch_norm is {self.batch_norm!r}; {self.name} trains no layer of the network"
            )
        if self.layers == "all" and self.classifier != "softmax":
            raise InputError(
                f"classifier is {self.classifier!r}, for a network that stays as it is; "
                f"{self.name} trains all layers"
            )

    @property
    def head(self):
        """Activation of the one dense layer on the pooled features; an SVM has decision values."""
        return "linear" if self.classifier == "svm" else "softmax"

    def adapted(self, pretrained, **changes):
        """This recipe with some fields changed, for a network with trained weights or without."""
        if self.layers == "all" and not pretrained:
            # without trained moving averages there is nothing to freeze, and signals would explode
            changes.setdefault("batch_norm", "train")
        return replace(self, **changes)


# fields that may be changed for a single run
SETTINGS = tuple(field.name for field in fields(Recipe) if field.name not in FIXED)
