"""Ascent: the one loop that optimizes images, by Keras `fit`.

An optimized image is training turned round: the image's parameters are the weights, the network is
frozen, and a step of `fit` raises the objective. Transforms, network, scores, their record and the
update are one compiled step; it is compiled once and used again for the next images.
"""

import functools

import keras
import numpy as np
from keras import ops

from models.backend import by_backend, forward, fused
from models.errors import InputError
from models.graph import cut
from transfer.store import untuned
from visualization.optvis import redirected_relu
from visualization.optvis.param import generators
from visualization.whole_numbers import check_whole

REDIRECTED_STEPS = 16  # Lucid, misc/redirected_relu_grad.py: plain gradients once a start is made
# Types of the empty data that `fit` is given, which tell the two kinds of steps apart: a backend
# compiles a step for each type of input
REDIRECTING, PLAIN = "int32", "float32"
LEARNING_RATE = 0.05  # Lucid, optvis/render.py: Adam(0.05)
EPSILON = 1e-8  # of TensorFlow 1's Adam, which Lucid uses; Keras has 1e-7
PIXEL_RANGE = 255.0  # optimized images are in [0, 1], networks take [0, 255]
# Gradients inside a float16 network are this much larger, so that they are not rounded to 0. One
# constant will do: the gradient of a mean over up to 784 places (28x28) is then about 1 at the
# target, far from both ends of float16, and an image's step is left out where it overflows.
FLOAT16_SCALE = 1024.0


def adam(learning_rate=LEARNING_RATE):
    """Lucid's optimizer."""
    return keras.optimizers.Adam(learning_rate, epsilon=EPSILON)


class Ascent(keras.Model):
    """Images and the compiled step that raises their scores.

    Every image's own score is raised, as if it were alone: the loss is minus the sum over images.

    Args:
        model: keras.Model, RGB (N, H, W, 3) in [0, 255] -> anything. It is not changed.
        objective: Objective.
        image: Keras layer without inputs giving (N, H, W, 3 or 4) in [0, 1]: param.image.
        steps: the most steps that a run takes.
        transforms: function (images, seeds) -> images, as transform.compose gives it, or None.
        optimizer: keras.optimizers.Optimizer, copied; None for Lucid's Adam.
        redirect: to redirect the gradients of ReLUs in the first steps (redirected_relu).
        dtype: precision of the network: `float32`, `bfloat16` or `float16`.
        labels: class names of the network's output, or None.
        seed: of the transforms' draws, as in PixelImage.draw; those of an image do not depend on
            the batch that it is in.

    Attributes:
        step: number of steps made. channels: int32 (N,), for objectives.each_channel.

    Raises:
        InputError: what `cut` raises; an objective that does not fit the network.
    """

    def __init__(
        self,
        model,
        objective,
        image,
        steps,
        transforms=None,
        optimizer=None,
        redirect=True,
        dtype="float32",
        labels=None,
        seed=0,
    ):
        super().__init__(name="ascent", dtype="float32")
        check_whole("steps", steps)
        self.image, self.transforms, self.objective = image, transforms, objective
        self.labels, self.seed = labels, seed
        self.scale = FLOAT16_SCALE if dtype == "float16" else 1.0
        shape = tuple(image().shape)
        self.count = shape[0]
        self._add_state(steps)
        self.keys.assign(_keys(seed, self.count))
        self._cut(model, shape, dtype, redirect)
        self.built = True
        self._check_objective()
        self._prepare(optimizer)

    def _add_state(self, steps):
        state = functools.partial(self.add_weight, trainable=False)
        self.step = state((), "zeros", "float32", name="step")
        self.channels = state((self.count,), "zeros", "int32", name="channels")
        self.keys = state((self.count,), "zeros", "int32", name="keys")
        self.alive = state((self.count,), "ones", "float32", name="alive")
        self.record = state((steps, self.count), "zeros", "float32", name="record")

    def _cut(self, model, shape, dtype, redirect):
        """Networks for transformed and for clean images; one, where these are of one size.

        The first steps have a network, and so a compiled step, of their own: redirecting ReLUs in
        every step, if only to decide not to, takes a tenth of its time.
        """
        seen = tuple(self._transformed(self.image()).shape)

        def empty(name):
            output = cut(model, [name], seen[1:3], dtype).output[name]
            return ops.zeros((self.count, *output.shape[1:]))

        names = layers_asked(self.objective, self._others(self.image()), empty)
        if names and seen[-1] != 3:
            raise InputError(
                f"images of {seen[-1]} channels for {model.name}, which takes 3; with alpha=True "
                "the transforms need collapse_alpha_random"
            )
        self.network = cut(model, names, seen[1:3], dtype) if names else None
        self.redirected = self.network
        if redirect and names:
            self.redirected = cut(model, names, seen[1:3], dtype, redirected_relu.activation)
        same = seen[1:3] == shape[1:3] or not names or shape[-1] != 3
        self.clean = self.network if same else cut(model, names, shape[1:3], dtype)

    def _check_objective(self):
        """Ask for the scores of empty maps, so that mistakes show before anything is compiled."""
        outputs = self.network.output if self.network else {}
        maps = {name: ops.zeros((self.count, *map.shape[1:])) for name, map in outputs.items()}
        scores = self._scores(self.image(), maps)
        if tuple(scores.shape) != (self.count,):
            raise InputError(
                f"objective {self.objective.description} gives {tuple(scores.shape)}; accepted: "
                f"({self.count},), a score for each image, or a scalar"
            )

    def _prepare(self, optimizer):
        given = adam() if optimizer is None else optimizer
        if not isinstance(given, keras.optimizers.Optimizer):
            raise InputError(f"optimizer {optimizer!r}; accepted: a keras.optimizers.Optimizer")
        optimizer = type(given).from_config(given.get_config())
        # XLA on TensorFlow is slower for convolutions on a CPU and lacks the transforms' kernel
        xla = keras.backend.backend() != "tensorflow"
        # Several steps per execution would put the step into a loop of TensorFlow's graph, where
        # it takes a fifth longer (measured on a CPU) than the return to Python that it saves.
        self.compile(optimizer, jit_compile=xla)
        optimizer.build(self.trainable_variables)
        self._forward = forward(self)
        self._fresh = tuple(np.array(v) for v in optimizer.variables)

    def call(self, inputs, training=False):
        """Scores (N,): in training of the transformed images, recorded, else of the clean ones."""
        if not training:
            picture = self.image()
            return self._scores(picture, _maps(self.clean, picture))
        picture = _guard()(self.image(), self.alive.value, 1.0 / self.scale)
        redirects = keras.backend.standardize_dtype(inputs.dtype) == REDIRECTING
        network = self.redirected if redirects else self.network
        scores = self._scores(picture, _maps(network, self._transformed(picture)))
        now = np.arange(self.record.shape[0], dtype="float32")[:, None] == self.step.value
        self.record.assign(ops.where(now, scores, self.record.value))
        self.alive.assign(self.alive.value * ops.cast(ops.isfinite(scores), "float32"))
        self.step.assign_add(1.0)
        return _scaled(scores, self.scale)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return -ops.sum(ops.where(ops.isfinite(y_pred), y_pred, ops.zeros_like(y_pred)))

    def _transformed(self, picture):
        if self.transforms is None:
            return picture
        step = ops.broadcast_to(ops.cast(self.step.value, "int32"), (self.count,))
        return self.transforms(picture, ops.stack([self.keys.value, step], axis=1))

    def _others(self, picture):
        return {"input": picture, "labels": self.labels, "channels": self.channels.value}

    def _scores(self, picture, maps):
        T = answers(maps, self._others(picture))
        scores = ops.cast(self.objective(T), "float32")
        return ops.broadcast_to(scores, (self.count,)) if scores.shape == () else scores

    def restart(self, seeds=None, channels=None):
        """Begin anew, with nothing compiled again.

        Args:
            seeds: as the image's `draw` takes them, of the images and of their transforms' draws;
                None to leave the images as they are, and draw as at first.
            channels: N ints for objectives.each_channel, or None.
        """
        if seeds is not None:
            self.image.draw(seeds)
        if channels is not None:
            self.channels.assign(np.asarray(channels, "int32"))
        for variable, value in zip(self.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        self.step.assign(0.0)
        self.alive.assign(np.ones(self.count, "float32"))
        self.record.assign(np.zeros(self.record.shape, "float32"))
        self.keys.assign(_keys(self.seed if seeds is None else seeds, self.count))

    def advance(self, steps, callbacks=(), verbose=0):
        """Make so many steps; `callbacks` and `verbose` are those of keras.Model.fit."""
        left = self.record.shape[0] - int(self.step.numpy())
        if steps > left:
            raise InputError(f"{steps} steps; accepted: up to {left}, what is left of this run")
        first = max(0, min(steps, REDIRECTED_STEPS - int(self.step.numpy())))
        for kind, count in ((REDIRECTING, first), (PLAIN, steps - first)):
            if count:
                self._fit(kind, count, callbacks, verbose)

    def _fit(self, kind, steps, callbacks, verbose):
        data = by_backend(_tensorflow_nothing, _jax_nothing)(kind, steps)
        self.fit(**data, shuffle=False, callbacks=list(callbacks), verbose=verbose)

    def images(self):
        """Images as they are: (N, H, W, 3 or 4) float32 in [0, 1]."""
        return ops.convert_to_numpy(self.image())

    def scores(self):
        """Score of every step made, on the transformed image: (steps, N) float32."""
        return ops.convert_to_numpy(self.record)[: int(self.step.numpy())]

    def clean_scores(self):
        """Scores (N,) of the images as they are, without transforms."""
        return self._forward(np.zeros((1, 1), "float32"))


def _tensorflow_nothing(kind, steps):
    """What `fit` reads in so many steps."""
    import tensorflow as tf

    rows = tf.data.Dataset.from_tensors(np.zeros((1, 1), kind))
    return {"x": untuned(rows.repeat(steps))}


def _jax_nothing(kind, steps):
    return {"x": np.zeros((steps, 1), kind), "batch_size": 1}  # TensorFlow need not be there


def answers(maps, others):
    """T, the function from which an objective learns what became of the images.

    Args:
        maps: dict of layer name -> activations (N, ...).
        others: dict of what is no layer: "input", "labels" (None where the network has no class
            names) and "channels".

    Returns:
        Function of a name; activations are float32.
    """

    def T(name):  # noqa: N802 (Lucid's name)
        if name in others:
            if others[name] is None:
                raise InputError("this network has no class names; give the class's number")
            return others[name]
        if name not in maps:
            raise InputError(
                f"an objective asks for layer {name!r}, which is not among the layers that it "
                f"names ({', '.join(maps) or 'none'}); accepted: "
                f"Objective(function, name, layers={(*maps, name)})"
            )
        return ops.cast(maps[name], "float32")

    return T


def layers_asked(objective, others, empty):
    """List the layers that an objective asks for: those named or, where none are, as it asks.

    Args:
        objective: Objective; without `layers` it is called once.
        others: as in `answers`.
        empty: function of a layer's name -> activations of the right shape, such as zeros.

    Returns:
        List of names, without those in `others`.
    """
    if objective.layers is not None:
        return [name for name in objective.layers if name not in others]
    maps = {}

    def T(name):  # noqa: N802
        if name not in others and name not in maps:
            maps[name] = empty(name)
        return answers(maps, others)(name)

    objective(T)
    return list(maps)


def _maps(network, images):
    return {} if network is None else network(PIXEL_RANGE * images, training=False)


def _keys(seed, batch):
    """An int of 31 bits for each image: what its random transforms are drawn from.

    Args:
        seed: as in PixelImage.draw.
        batch: number of images.

    Returns:
        int32 (batch,).
    """
    return np.array([rng.integers(2**31) for rng in generators(seed, batch)], "int32")


@ops.custom_gradient
def _scaled(x, factor):
    """x, with a gradient `factor` times as large."""

    def gradient(upstream):
        return upstream * factor, ops.zeros_like(factor)

    return x, gradient


@functools.cache  # compiled once, however many ascents there are
def _guard():
    """Compile the function that keeps gradients that are not finite from images.

    Returns:
        Function (images (N, H, W, C) float32, alive float32 (N,), factor) -> the images, with a
        gradient `factor` times as large, and 0 where it is not finite or `alive` is 0.
    """

    @ops.custom_gradient
    def guarded(images, alive, factor):
        def gradient(upstream):
            finite = ops.all(ops.isfinite(upstream), axis=(1, 2, 3), keepdims=True)
            passes = ops.logical_and(finite, alive[:, None, None, None] > 0)
            kept = ops.where(passes, upstream * factor, ops.zeros_like(upstream))
            return kept, ops.zeros_like(alive), ops.zeros_like(factor)

        return images, gradient

    return fused(guarded)
