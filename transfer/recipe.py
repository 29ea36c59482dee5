"""Recipe: every choice of a training, stated once."""

import difflib
from dataclasses import dataclass, fields, replace

from models import zoo
from models.errors import InputError
from transfer import trained_layers
from transfer.variants import AUGMENTATIONS

CHOICES = {
    "initial_weights": ("given", "he_uniform"),
    "optimizer": ("sgd", "rmsprop", "adam"),
    "schedule": ("constant", "once", "every"),
    "decayed": ("kernels", "all"),
    "selection": ("best", "last"),
    "augmentation": tuple(AUGMENTATIONS),
    "head_activation": ("own", "softmax", "sigmoid"),
    "batch_norm": ("frozen", "train"),
    "pixels": ("own", *(name for name in zoo.PIXELS if name != "none")),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "classifier": ("softmax", "svm", "random_forest"),
    "class_weights": ("none", "balanced"),
}
ABOVE_0 = ("learning_rate", "trunk_rate", "bias_rate", "epsilon", "batch_size", "epochs")
ABOVE_0 += ("schedule_epochs", "schedule_factor")
FROM_0 = ("weight_decay", "decay", "auxiliary", "patience")
BELOW_1 = ("momentum", "rho", "dropout")  # and not below 0
# settings of a head that is trained by epochs, which an SVM and a random forest are not
BY_EPOCHS = ("optimizer", "learning_rate", "trunk_rate", "bias_rate", "momentum", "nesterov", "rho")
BY_EPOCHS += ("epsilon", "weight_decay", "decayed", "decay", "schedule", "schedule_epochs")
BY_EPOCHS += ("schedule_factor", "epochs", "patience", "selection", "dropout", "head_activation")
# settings that do nothing where another one has such a value, and what that has to be instead
IDLE = (
    (BY_EPOCHS, "classifier", ("svm", "random_forest"), "softmax"),
    (("trunk_rate",), "layers", trained_layers.HEAD_ALONE, "more than the head"),
    (("momentum", "nesterov"), "optimizer", ("rmsprop", "adam"), "sgd"),
    (("nesterov",), "momentum", (0,), "above 0"),
    (("rho",), "optimizer", ("sgd", "adam"), "rmsprop"),
    (("epsilon",), "optimizer", ("sgd",), "rmsprop or adam"),
    (("schedule_epochs", "schedule_factor"), "schedule", ("constant",), "once or every"),
    (("decayed",), "weight_decay", (0,), "above 0"),
)
# what makes a recipe what its name says; the other fields may be changed for a single run
FIXED = ("name", "title", "initial_weights")


@dataclass(frozen=True)
class Recipe:
    """How a classifier is made from a network; values out of range raise InputError.

    The defaults are the fine-tuning of Sabatelli et al. 2018, section 2.3 (the paper, where the
    released code differs). The learning rate of a variable in an epoch and a step is

        learning_rate * (trunk_rate below the head) * (bias_rate of biases)
            * (schedule_factor by the schedule) / (1 + decay * step)

        quick = RECIPES["fine_tuning"].adapted(pretrained=True, epochs=3, seed=1)
    """

    name: str = "fine_tuning"  # of the mode; result folders have it
    title: str = "fine tuning"  # in tables, as the paper writes it
    initial_weights: str = "given"  # those that the run's network has, or drawn anew
    layers: str = "all"  # those that are trained, see trained_layers
    redrawn: str = "none"  # layers drawn anew from He-uniform before training, as above
    optimizer: str = "sgd"
    learning_rate: float = 0.001
    trunk_rate: float = 1.0  # of all layers below the head, as a multiple of learning_rate
    bias_rate: float = 1.0  # of biases, as a multiple of their layer's
    momentum: float = 0.9  # sgd only
    nesterov: bool = True  # sgd only
    rho: float = 0.9  # rmsprop only
    epsilon: float = 1e-8  # rmsprop and adam only
    weight_decay: float = 0.0  # times the weight, added to its gradient, as Caffe's L2
    decayed: str = "kernels"  # what weight decay is for; biases and normalisation only with `all`
    decay: float = 0.0  # Keras 2's: the rate falls as 1 / (1 + decay * step)
    schedule: str = "constant"  # `once`: a factor after an epoch; `every`: one each so many epochs
    schedule_epochs: int = 8
    schedule_factor: float = 0.96
    batch_size: int = 32
    epochs: int = 100  # at most: early stopping comes first
    patience: int = 7  # epochs without a lower validation loss; 0 for no early stopping
    selection: str = "best"  # the epoch that is tested: of least validation loss, or the last
    augmentation: str = "none"  # of training pictures, see augment
    head_activation: str = "own"  # own: softmax for one label a picture, sigmoid for several
    dropout: float = 0.0  # share of the features left out before the head, while training
    auxiliary: float = 0.0  # weight of the loss of each auxiliary head; 0 for none
    pixels: str = "own"
    precision: str = "float32"
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
        for name in ABOVE_0:
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in FROM_0:
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name in BELOW_1:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; accepted: 0 up to below 1")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; accepted: 0 to {2**31 - 1}")
        trained_layers.check("layers", self.layers)
        trained_layers.check("redrawn", self.redrawn)
        self._refuse_impossible_pairs()

    def _refuse_impossible_pairs(self):
        if self.layers == "head" and self.batch_norm != "frozen":
            raise InputError(
                f"batch_norm is {self.batch_norm!r}; {self.name} trains no layer of the network"
            )
        if self.classifier != "softmax" and not self.on_features:
            raise InputError(
                f"classifier is {self.classifier!r}, for a network that stays as it is; "
                f"{self.name} trains {self._trains}"
            )
        if self.on_features and self.precision != "float32":
            raise InputError(
                f"precision is {self.precision!r}, for layers that are trained; {self.name} trains "
                "its head alone, on features in float32"
            )
        if self.auxiliary and self.layers == "head":
            raise InputError(
                f"auxiliary is {self.auxiliary}; auxiliary heads help to train the layers below "
                f"them, and {self.name} trains none"
            )
        if self.initial_weights == "he_uniform" and self.layers != "all":
            raise InputError(
                f"layers is {self.layers!r}; {self.name} starts from scratch, and what is not "
                "trained would stay random"
            )
        if self.redrawn in ("all", "head"):
            raise InputError(
                f"redrawn is {self.redrawn!r}; the head is drawn anew always, and a network from "
                "scratch is another recipe; accepted: none, last:N or from:LAYER"
            )

    @property
    def _trains(self):
        words = {"head": "its head on pictures that change", "all": "all layers"}
        return words.get(self.layers, f"layers {self.layers}")

    @property
    def on_features(self):
        """Whether the network stays as it is and sees every picture once: features are enough."""
        return self.layers == "head" and self.augmentation == "none" and self.redrawn == "none"

    def head(self, several=False):
        """Activation of the one dense layer on the pooled features; an SVM has decision values.

        several: whether a picture has several labels.
        """
        if self.classifier == "svm":
            return "linear"
        own = "sigmoid" if several else "softmax"
        return own if self.head_activation == "own" else self.head_activation

    def refuse_several_labels(self):
        """InputError where this is no training for pictures with several labels."""
        accepted = {
            "classifier": (("softmax",), "softmax (one dense layer, here with a sigmoid)"),
            "class_weights": (("none",), "none"),
            "head_activation": (("own", "sigmoid"), "own or sigmoid"),
        }
        for name, (values, told) in accepted.items():
            if getattr(self, name) not in values:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}, for one label a picture; accepted for "
                    f"several labels: {told}"
                )

    def adapted(self, pretrained, beside=(), **changes):
        """This recipe with some fields changed, for a network with trained weights or without.

        Args:
            pretrained: whether the network has trained weights.
            beside: other Recipes that are changed in the same way. A change that does nothing
                here and something in one of them is left out here.
            changes: name of a field -> value.

        Raises:
            InputError: a field that there is not, a value or pair that cannot be, or a change
                that would do nothing and yet make another run.
        """
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                near = difflib.get_close_matches(name, names, 3) or names
                raise InputError(f"a recipe has no {name!r}; accepted: {', '.join(near)}")
        idle = self._idle(changes)
        acting = {name for other in beside for name in changes.keys() - other._idle(changes)}
        for name, why in idle.items():
            if changes[name] != getattr(self, name) and name not in acting:
                raise InputError(why)
        changes = {name: value for name, value in changes.items() if name not in idle}
        layers = changes.get("layers", self.layers)
        if layers != "head" and not pretrained:
            # without trained moving averages there is nothing to freeze, and signals would explode
            changes.setdefault("batch_norm", "train")
        return replace(self, **changes)

    def _idle(self, changes):
        """Those of some changes that do nothing in this recipe: dict name -> why, in words."""
        changed, found = replace(self, **changes), {}
        for names, other, values, accepted in IDLE:
            if getattr(changed, other) in values:
                why = (
                    f"would change nothing: {self.name} has {other} {getattr(changed, other)!r}; "
                    f"accepted where {other} is {accepted}"
                )
                for name in changes:
                    if name in names:
                        found.setdefault(name, f"{name} is {changes[name]!r} and {why}")
        return found


# fields that may be changed for a single run
SETTINGS = tuple(field.name for field in fields(Recipe) if field.name not in FIXED)
