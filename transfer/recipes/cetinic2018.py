"""Cetinic et al. 2018, Fine-tuning Convolutional Neural Networks for fine art classification.

Section 4.4: stochastic gradient descent, momentum 0.9, weight decay 0.0005, batches of 256, random
crops of 227 x 227 of pictures of 256 x 256, mirrored at random. Caffe's own recipe for fine-tuning
says the rest: biases learn at twice the rate and do not decay. Sections 5.1 and 5.2: 100 epochs at
a learning rate of 0.0001; the last weights are tested.

    python -m transfer.experiment --recipe cetinic2018.skip_first --ANN CaffeNet:FILE.caffemodel ...

Measured, 1 seed each: top-1 accuracy in %, its 95 % interval; GoogLeNet; WikiArt, genre, 2380
training and 678 test pictures of 128 pixels, 2 cores of an AMD EPYC, 2026-11-28; commands in
docs/recipes.md.

    twenty_epochs, 6 epochs, layers only_last     54.57 [50.8, 58.3]
    twenty_epochs, 6 epochs, layers skip_first    62.83 [59.1, 66.4]

WikiArt, style, 10 classes, 1050 training and 301 test pictures of 128 pixels, 6 epochs at a
learning rate of 0.001, batches of 32; chance 10.96; by `python -m papers cetinic2018 table3`,
2026-11-29; the other tasks in docs/papers/cetinic2018.

    all 57.1 [51, 63]; skip_first 56.1 [50, 62]; skip_first2 57.5 [52, 63]
    only_last3 53.8 [48, 59]; only_last 47.2 [42, 53]
"""

from dataclasses import replace

from transfer.recipe import Recipe

PAPER = "cetinic2018"
ALL = Recipe(
    f"{PAPER}.all",
    "all layers",
    learning_rate=0.0001,
    momentum=0.9,
    nesterov=False,
    weight_decay=0.0005,
    bias_rate=2.0,
    batch_size=256,
    epochs=100,
    patience=0,
    selection="last",
    augmentation="mirror_crop",
)


# section 4.2: layers that are trained -> title
SCENARIOS = {
    "skip_first": "all layers but the first",
    "skip_first2": "all layers but the first two",
    "only_last3": "only the last three layers",
    "only_last": "only the last layer",
}
RECIPES = (
    ALL,
    *(
        replace(ALL, name=f"{PAPER}.{layers}", title=title, layers=layers)
        for layers, title in SCENARIOS.items()
    ),
    # section 5.3: a tenth of the learning rate, once, after 5 epochs
    replace(
        ALL,
        name=f"{PAPER}.twenty_epochs",
        title="20 epochs",
        learning_rate=0.001,
        epochs=20,
        schedule="once",
        schedule_epochs=5,
        schedule_factor=0.1,
    ),
)
