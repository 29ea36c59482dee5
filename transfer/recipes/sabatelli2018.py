"""Sabatelli et al. 2018, Deep Transfer Learning for Art Classification Problems, section 2.3.

The paper is followed where the released code differs (that uses learning rate 0.0001 without
Nesterov, the last weights, and ImageNet weights even for `random`).
"""

from transfer.recipe import Recipe

RECIPES = (
    # only the softmax layer is trained, on the pooled features
    Recipe("off_the_shelf", "off the shelf", layers="head", optimizer="rmsprop", epsilon=1e-8),
    # every layer is trained
    Recipe("fine_tuning", "fine tuning"),
    # there are no moving averages worth keeping
    Recipe("random", "random (scratch)", initial_weights="he_uniform", batch_norm="train"),
)
