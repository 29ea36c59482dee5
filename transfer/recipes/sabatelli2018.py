"""Sabatelli et al. 2018, Deep Transfer Learning for Art Classification Problems, section 2.3.

The paper is followed where the released code differs (that uses learning rate 0.0001 without
Nesterov, the last weights, and ImageNet weights even for `random`).

    python -m transfer.experiment --recipe fine_tuning --ANN ResNet50 ...

Measured, 1 seed each: top-1 accuracy in %, its 95 % interval; GoogLeNet at 128 pixels;
pictures of training / of test; 2 cores of an AMD EPYC, 2026-11-28; commands in docs/recipes.md.

    off_the_shelf               museum objects A, type, 591 / 76     56.58 [45.4, 67.1]
    off_the_shelf               WikiArt, artist, 1984 / 272          37.87 [32.3, 43.8]
    fine_tuning, 10 epochs      museum objects A, type, 591 / 76     61.84 [50.6, 71.9]
    fine_tuning, 6 epochs       WikiArt, artist, 1984 / 272          36.40 [30.9, 42.3]

Measured, 10 splits: mean, range; museum objects B, type, about 280 / 36.

    off_the_shelf               72.33 (66.67 to 89.19)
    fine_tuning, 6 epochs       70.75 (62.16 to 83.78)
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
