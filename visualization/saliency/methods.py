"""METHODS: every saliency method by name, all with one signature.

    masks = METHODS[name](network, logits=True, batch_size=16, **its own)(pictures, targets=None)

For example `METHODS["grad_cam"](models.load("VGG19:imagenet"))(pictures)`.

Building compiles nothing yet; the first call does, once for each shape of pictures, and later
calls reuse it. A built method reads the network's weights as they are when it is called.

network: keras.Model or models.network.Network. pictures: (N, H, W, 3), RGB in [0, 255], uint8 or
another number type, of the network's own size. targets: class index for all pictures or one for
each (models.graph.target_index turns names into them); None for the classes predicted. A built
method also takes `progress`, a transfer.progress.Progress that counts pictures. masks: float32
(N, H, W); `visual_backprop` in [0, 1], `integrated_gradients` signed, the others
at least 0.

A new method is a file of this folder, whose function of the same name has this signature, and a row
of METHODS. The table is read without Keras: a method's file is imported when it is built.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from models.errors import InputError


@dataclass(frozen=True)
class Option:
    """What one method takes beside what all take.

    name: the keyword of the method's function. accepted: the words to choose from, `int` for a
    whole number from 1, or `str` for any text. default: that of the function. meaning: for a
    command's help.
    """

    name: str
    accepted: tuple | type
    default: str | int | None
    meaning: str

    def check(self, value):
        """Refuse a value that is not accepted with an InputError."""
        if self.accepted is int and value < 1:
            raise InputError(f"{self.name} is {value}; it must be above 0")
        if isinstance(self.accepted, tuple) and value not in self.accepted:
            raise InputError(f"{self.name} {value!r}; accepted: {', '.join(self.accepted)}")


@dataclass(frozen=True)
class Method:
    """A saliency method; calling it builds it for a network.

    name: in METHODS, and of the module of this folder and its function that builds the method,
    unless these have a name of their own, file. options: of its own, tuple of Option. about_class:
    whether it explains the score of a class, which the network then must have. tells: whether its
    function takes `say`, called with a line on its masks. given: pairs (name, value) of the
    options that are not to be the defaults.
    """

    name: str
    options: tuple = ()
    about_class: bool = True
    tells: bool = False
    file: str = ""
    given: tuple = ()

    def __call__(self, network, logits=True, batch_size=16, say=None, **own):
        """Build the method for a network: callable (pictures, targets=None, progress=None)."""
        told = {"say": say} if self.tells else {}
        return self.builder(network, logits, batch_size, **told, **(dict(self.given) | own))

    @property
    def builder(self) -> Callable:
        """The function of its file that builds it."""
        name = self.file or self.name
        return getattr(importlib.import_module(f"{__package__}.{name}"), name)

    def with_options(self, **values):
        """The same method with other values for some of its options."""
        for option in self.options:
            if option.name in values:
                option.check(values[option.name])
        return replace(self, given=(*self.given, *values.items()))

    def takes(self, name):
        """Whether it has an option of this name."""
        return any(option.name == name for option in self.options)


METHODS = {
    method.name: method
    for method in (
        Method(
            "visual_backprop",
            (Option("form", ("even", "paper", "released"), "even", "Which definition is taken"),),
            about_class=False,
        ),
        Method("saliency", file="gradient"),
        Method("smooth_grad", (Option("samples", int, 50, "Noisy copies of a picture"),)),
        Method("guided_backprop"),
        Method(
            "integrated_gradients",
            (Option("samples", int, 128, "points between black and the picture"),),
            tells=True,
        ),
        Method(
            "grad_cam",
            (
                Option(
                    "layer",
                    str,
                    None,
                    "Name of a layer with maps, by default the last one of at least 7 x 7 pixels",
                ),
            ),
            tells=True,
        ),
    )
}
DEFAULT = "visual_backprop"  # works for every network with convolutions


@dataclass(frozen=True)
class Settings:
    """How masks are made.

    methods: tuple of Method. target: class name or index, None for the predicted class. logits:
    explain the logit of the class, else the network's own output. batch_size: pictures in one
    pass, noisy copies and points among them.

    Raises:
        InputError: a target or softmax for methods that need no class.
    """

    methods: tuple = (METHODS[DEFAULT],)
    target: str | int | None = None
    logits: bool = True
    batch_size: int = 16

    def __post_init__(self):
        about_class = any(method.about_class for method in self.methods)
        if not about_class and (self.target is not None or not self.logits):
            names = " and ".join(method.name for method in self.methods)
            raise InputError(f"{names} needs no class: it takes neither target nor softmax")

    def build(self, method, network, say=None):
        """Build one of the methods for a network: callable (pictures, targets=None) -> masks."""
        return method(network, self.logits, self.batch_size, say)

    def written(self):
        """What a manifest says of them: a dict; an option that is not given is None."""
        given = {option.name: None for method in METHODS.values() for option in method.options}
        for method in self.methods:
            given |= method.given
        names = [method.name for method in self.methods]
        about = {"methods": names, "target": self.target, "logits": self.logits}
        return {**about, **given, "batch_size": self.batch_size}


def choose(names, options):
    """The methods of these names, each with those of the options that it has.

    Args:
        names: in METHODS; one that comes twice counts once.
        options: dict option name -> value.

    Returns:
        tuple of Method.

    Raises:
        InputError: an option that none of them has, or a value that it does not take.
    """
    chosen = [METHODS[name] for name in dict.fromkeys(names)]
    for option, value in options.items():
        if not any(method.takes(option) for method in chosen):
            owners = [method.name for method in METHODS.values() if method.takes(option)]
            word = "method" if len(owners) == 1 else "methods"
            raise InputError(f"{option} {value} is for the {word} {' and '.join(owners)}")
    return tuple(
        method.with_options(**{k: v for k, v in options.items() if method.takes(k)})
        for method in chosen
    )
