"""Sabatelli et al. 2018, Deep Transfer Learning for Art Classification Problems, section 2.3.

MODES maps tl_mode to a Recipe. The paper is followed where the released code differs (that uses
learning rate 0.0001 without Nesterov, the last weights, and ImageNet weights even for `random`).
"""

from transfer.recipe import Recipe

MODES = {
    # only the softmax layer is trained, on the pooled features
    "off_the_shelf": Recipe(optimizer="rmsprop", epsilon=1e-8),
    # every layer is trained
    "fine_tuning": Recipe(),
    # He-uniform weights; there are no moving averages worth keeping
    "random": Recipe(batch_norm="train"),
}
