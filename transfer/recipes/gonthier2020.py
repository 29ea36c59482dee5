"""Gonthier et al. 2020, An Analysis of the Transfer Learning of CNNs for Artistic Images.

Table 5 for the modes; section 3 and FACTS on the released code for what it leaves out: batches of
32, momentum 0.9 without Nesterov, no early stopping, the epoch of least validation loss is tested.
The paper is followed where the code differs; its differences are one flag each: `--decay 1e-4` in
modes A to F, `--augmentation none` for the runs whose small transformations a misspelt name left
out. Both draw new layers in their own way, which neither tells; here they are He-uniform.

The networks are GoogLeNet's (InceptionV1 with Lucid's weights, where they are at hand):

    python -m transfer.experiment --recipe gonthier2020.mode_a --ANN GoogLeNet:FILE.caffemodel ...

Measured, 1 seed each: top-1 accuracy in %, its 95 % interval; WikiArt, style, 3600 training and 450
test pictures of 128 pixels, 2 cores of an AMD EPYC, 2026-11-28; commands in docs/recipes.md.

    off_the_shelf               53.33 [48.7, 57.9]
    mode_a, 8 epochs            58.67 [54.1, 63.1]
    from_scratch, 12 epochs     36.67 [32.3, 41.2]

Mean average precision in %, 1 seed each: Bob Ross, 27 labels, 242 training and 80 test pictures.

    off_the_shelf               54.74
    mode_a                      59.53
"""

from transfer.recipe import Recipe

PAPER = "gonthier2020"
SGD = {"optimizer": "sgd", "momentum": 0.9, "nesterov": False, "patience": 0, "batch_size": 32}
AUXILIARY = 0.3  # "deep supervision": loss weights in the released code, and Szegedy et al. 2015


# letter -> learning rate of the last dense layer, of the others as a multiple, deep supervision
MODES = {
    "A": (0.01, 0.1, 0.0),
    "B": (0.001, 0.1, 0.0),
    "C": (0.001, 1.0, 0.0),
    "D": (0.001, 0.1, AUXILIARY),
    "E": (0.001, 1.0, AUXILIARY),
    "F": (0.01, 1.0, 0.0),
}

RECIPES = (
    # table 1: the head of mode A on a network that stays as it is
    Recipe(
        f"{PAPER}.off_the_shelf",
        "off the shelf (Gonthier et al. 2020)",
        layers="head",
        learning_rate=0.01,
        epochs=20,
        **SGD,
    ),
    *(
        Recipe(
            f"{PAPER}.mode_{letter.lower()}",
            f"mode {letter}",
            learning_rate=rate,
            trunk_rate=trunk_rate,
            auxiliary=auxiliary,
            epochs=20,
            **SGD,
        )
        for letter, (rate, trunk_rate, auxiliary) in MODES.items()
    ),
    # "number of unfrozen layers 50", counted from the top; what is trained is drawn anew
    Recipe(
        f"{PAPER}.high_layers",
        "high layers from scratch",
        layers="last:50",
        redrawn="last:50",
        optimizer="adam",
        epsilon=1e-7,  # Keras's default
        learning_rate=0.0001,
        epochs=200,
        patience=0,
        augmentation="flip_shift",
    ),
    # "as in (26)": 4 % less every 8 epochs
    Recipe(
        f"{PAPER}.from_scratch",
        "from scratch (Gonthier et al. 2020)",
        initial_weights="he_uniform",
        batch_norm="train",
        # not told; He-uniform kernels keep the size of what comes in, and where nothing normalises,
        # pixels of 100 give losses of 140 and no number after five steps (GoogLeNet, 128 pixels)
        pixels="unit",
        learning_rate=0.001,
        auxiliary=AUXILIARY,
        epochs=200,
        augmentation="crop",
        schedule="every",
        schedule_epochs=8,
        schedule_factor=0.96,
        **SGD,
    ),
)
