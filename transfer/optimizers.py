"""The optimizer that a Recipe describes: rates and decay of each variable, and their schedule."""

import functools

import keras
from keras import ops


def optimizer(recipe, model=None, steps=1):
    """The Keras optimizer of a recipe, built for a model's trainable variables.

    Args:
        recipe: transfer.recipe.Recipe.
        model: keras.Model whose trainable variables it is for; its layer `head` and auxiliary
            heads have the recipe's learning rate, layers below them that times trunk_rate.
        steps: batches in an epoch, for a schedule that counts epochs.
    """
    rate = recipe.learning_rate
    if recipe.schedule != "constant" or recipe.decay:
        rate = Schedule(
            rate,
            recipe.decay,
            recipe.schedule,
            recipe.schedule_epochs,
            recipe.schedule_factor,
            steps,
        )
    made = {
        "sgd": (keras.optimizers.SGD, {"momentum": recipe.momentum, "nesterov": recipe.nesterov}),
        "rmsprop": (keras.optimizers.RMSprop, {"rho": recipe.rho, "epsilon": recipe.epsilon}),
        "adam": (keras.optimizers.Adam, {"epsilon": recipe.epsilon}),
    }
    kind, settings = made[recipe.optimizer]
    if (recipe.trunk_rate, recipe.bias_rate, recipe.weight_decay) != (1, 1, 0):
        kind = functools.partial(_by_variable(kind), variable_settings(model, recipe))
    return kind(learning_rate=rate, **settings)


def variable_settings(model, recipe):
    """What each trainable variable of a model has of its own.

    Returns:
        list of (multiple of the learning rate, weight decay), in the order of
        model.trainable_variables.
    """
    heads = {id(v) for layer in model.layers if is_head(layer) for v in layer.trainable_variables}
    found = []
    for variable in model.trainable_variables:
        rate = 1.0 if id(variable) in heads else recipe.trunk_rate
        if variable.name == "bias":
            rate *= recipe.bias_rate
        decays = recipe.decayed == "all" or variable.name.endswith("kernel")
        found.append((rate, recipe.weight_decay if decays else 0.0))
    return found


def is_head(layer):
    """Whether a layer was put on the network for its new task: the head, auxiliary heads."""
    return layer.name == "head" or layer.name.startswith("auxiliary")


def _by_variable(kind):
    """A Keras optimizer class whose steps go by variable_settings, its first argument."""

    class ByVariable(kind):
        def __init__(self, settings, **arguments):
            super().__init__(name=kind.__name__.lower(), **arguments)
            self._settings = settings

        def update_step(self, gradient, variable, learning_rate):
            rate, decay = self._settings[self._get_variable_index(variable)]
            if decay:  # into the gradient, so that momentum carries it, as Caffe's SGDSolver does
                weight = ops.cast(variable, gradient.dtype)
                gradient = ops.add(gradient, ops.multiply(weight, decay))
            super().update_step(gradient, variable, ops.multiply(learning_rate, rate))

    return ByVariable


@keras.saving.register_keras_serializable("art_transfer")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls by steps and by epochs.

    Args:
        rate: at first.
        decay: after s steps the rate is divided by 1 + decay * s (Keras 2's `decay`).
        schedule: `constant`; `once`, a factor from the epoch after `epochs` on; `every`, a factor
            whenever so many epochs have begun, the first one counted: with 8 the eighth is the
            first lower one (Szegedy et al. 2015, section 6, as Gonthier et al. 2020 count it).
        epochs, factor: of the schedule.
        steps: batches in an epoch.
    """

    def __init__(self, rate, decay=0.0, schedule="constant", epochs=8, factor=0.96, steps=1):
        self.settings = {
            "rate": rate,
            "decay": decay,
            "schedule": schedule,
            "epochs": epochs,
            "factor": factor,
            "steps": steps,
        }

    def __call__(self, step):
        its = self.settings
        step = ops.cast(step, "float32")
        epoch = ops.floor(step / its["steps"]) + 1
        rate = its["rate"] / (1 + its["decay"] * step)
        if its["schedule"] == "once":
            return rate * ops.where(epoch > its["epochs"], its["factor"], 1.0)
        if its["schedule"] == "every":
            return rate * ops.power(float(its["factor"]), ops.floor(epoch / its["epochs"]))
        return rate

    def get_config(self):
        return dict(self.settings)
