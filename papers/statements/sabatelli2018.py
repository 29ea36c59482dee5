"""Sabatelli et al. 2018, Deep Transfer Learning for Art Classification Problems."""

from papers.decisions import (
    At,
    Finding,
    Gain,
    Last,
    Other,
    above,
    all_of,
    below,
    close,
    insignificant,
)

OFF, FINE = "off the shelf (%)", "fine tuning (%)"
TUNED = Gain(FINE, OFF)
RESNET, OTHERS = {"network": "ResNet50"}, {"network": Other(("ResNet50",))}
MATERIAL_TYPE = {"challenge": ("material", "type")}
VALIDATION = "validation accuracy"
CURVE = ("dataset", "challenge", "network", "start", "mode")


def last(**where):
    """The ends of the learning curves of the Rijksmuseum that these columns choose."""
    return At(
        "learning_curves", VALIDATION, {"dataset": "Rijksmuseum", **where, "epoch": Last(CURVE)}
    )


def antwerp(start, mode):
    """A column of table 3."""
    return At("table3", f"{start} + {mode} (%)")


CHALLENGE, NETWORK = ("challenge",), ("network",)
BOTH = (*CHALLENGE, *NETWORK)
FINDINGS = (
    Finding(
        "fine_tuning_always_better",
        "Every network is better fine-tuned than off the shelf, in every challenge.",
        "sections 3.1 and 3.2, table 2",
        above(At("table2", FINE), At("table2", OFF), BOTH),
    ),
    Finding(
        "fine_tuning_always_better_on_validation",
        "The same on the validation pictures, at the end of training.",
        "section 3.1, figures 2 and 3",
        above(
            last(start="ImageNet", mode="fine tuning"),
            last(start="ImageNet", mode="off the shelf"),
            BOTH,
        ),
    ),
    Finding(
        "vgg19_gains_least_on_material",
        "On material, fine-tuning improves three networks clearly and VGG19 hardly.",
        "section 3.1, figure 2, table 2",
        above(
            At("table2", TUNED, {"challenge": "material", "network": Other(("VGG19",))}),
            At("table2", TUNED, {"challenge": "material", "network": "VGG19"}),
            CHALLENGE,
        ),
    ),
    Finding(
        "fine_tuning_gains_more_on_type_and_artist",
        "Every network gains more by fine-tuning on type and on artist than on material.",
        "section 3.1",
        above(
            At("table2", TUNED, {"challenge": ("type", "artist")}),
            At("table2", TUNED, {"challenge": "material"}),
            NETWORK,
        ),
    ),
    Finding(
        "resnet50_best_fine_tuned",
        "On material and on type, ResNet50 is the best network once it is fine-tuned.",
        "section 3.1, table 2",
        above(
            At("table2", FINE, MATERIAL_TYPE | RESNET),
            At("table2", FINE, MATERIAL_TYPE | OTHERS),
            CHALLENGE,
        ),
    ),
    Finding(
        "resnet50_worst_off_the_shelf",
        "On material and on type, ResNet50 is the worst network off the shelf.",
        "section 3.1, table 2",
        above(
            At("table2", OFF, MATERIAL_TYPE | OTHERS),
            At("table2", OFF, MATERIAL_TYPE | RESNET),
            CHALLENGE,
        ),
    ),
    Finding(
        "resnet50_best_on_validation",
        "Of the fine-tuned networks, ResNet50 is best on validation pictures, in every challenge.",
        "section 3.1, figures 2 and 3",
        above(
            last(start="ImageNet", mode="fine tuning", **RESNET),
            last(start="ImageNet", mode="fine tuning", **OTHERS),
            CHALLENGE,
        ),
    ),
    Finding(
        "inceptionv3_best_on_artist_test",
        "On artist, it is InceptionV3 that is best on the test pictures.",
        "section 3.1, table 2",
        above(
            At("table2", FINE, {"challenge": "artist", "network": "InceptionV3"}),
            At("table2", FINE, {"challenge": "artist", "network": Other(("InceptionV3",))}),
            CHALLENGE,
        ),
    ),
    Finding(
        "vgg19_best_off_the_shelf",
        "VGG19 is the best network off the shelf, in every challenge.",
        "section 3.1, table 2",
        above(
            At("table2", OFF, {"network": "VGG19"}),
            At("table2", OFF, {"network": Other(("VGG19",))}),
            CHALLENGE,
        ),
    ),
    Finding(
        "fine_tuned_networks_are_alike",
        "On material and on type, fine-tuned networks lie within a point of one accuracy.",
        "section 3.1, table 2",
        close(At("table2", FINE, MATERIAL_TYPE), 2, CHALLENGE),
    ),
    Finding(
        "off_the_shelf_fails_on_artist",
        "On artist, InceptionV3 and ResNet50 do not reach 10 % off the shelf.",
        "section 3.1",
        below(
            last(challenge="artist", mode="off the shelf", network=("InceptionV3", "ResNet50")),
            0.10,
        ),
    ),
    Finding(
        "off_the_shelf_does_for_material_and_type",
        "Off the shelf every network does far better on material and on type than on artist.",
        "section 3.2",
        above(
            At("table2", OFF, MATERIAL_TYPE),
            At("table2", OFF, {"challenge": "artist"}),
            NETWORK,
            margin=20,
        ),
    ),
    Finding(
        "artist_is_hardest",
        "Fine-tuned accuracies on artist are far below those on material and on type.",
        "section 3.1",
        above(
            At("table2", FINE, MATERIAL_TYPE),
            At("table2", FINE, {"challenge": "artist"}),
            NETWORK,
            margin=20,
        ),
    ),
    Finding(
        "scratch_below_fine_tuning",
        "InceptionV3 trained from scratch stays below every fine-tuned network.",
        "section 3.1, figures 2 and 3",
        above(
            last(start="ImageNet", mode="fine tuning"),
            last(start="random", mode="fine tuning"),
            CHALLENGE,
        ),
    ),
    Finding(
        "off_the_shelf_competes_with_scratch_on_material",
        "On material, networks off the shelf come near the one trained from scratch, or above it.",
        "section 3.1, figure 2",
        above(
            last(challenge="material", mode="off the shelf"),
            last(challenge="material", start="random"),
            CHALLENGE,
            margin=-0.02,
        ),
    ),
    Finding(
        "material_has_far_fewer_labels",
        "Material has less than a fifth of the labels of each other challenge.",
        "section 3.1, table 1",
        above(
            At("table1", "labels", {"dataset": "Rijksmuseum", "challenge": ("type", "artist")}),
            At("table1", "labels", {"dataset": "Rijksmuseum", "challenge": "material"}),
            times=5,
        ),
    ),
    Finding(
        "rijksmuseum_is_larger",
        "The Rijksmuseum has more pictures and more labels than Antwerp, in every challenge.",
        "section 2.2, table 1",
        all_of(
            *(
                above(
                    At("table1", column, {"dataset": "Rijksmuseum"}),
                    At("table1", column, {"dataset": "Antwerp", "challenge": ("type", "artist")}),
                    CHALLENGE,
                )
                for column in ("pictures", "labels")
            )
        ),
    ),
    Finding(
        "art_before_art_is_better",
        "On Antwerp, a network fine-tuned on the Rijksmuseum first is better than ImageNet's, off "
        "the shelf and fine-tuned.",
        "section 3.3, table 3",
        all_of(
            *(
                above(antwerp("Rijksmuseum", mode), antwerp("ImageNet", mode), BOTH)
                for mode in ("off the shelf", "fine tuning")
            )
        ),
    ),
    Finding(
        "fine_tuning_always_better_on_antwerp",
        "On Antwerp too every network is better fine-tuned than off the shelf.",
        "section 3.3, table 3",
        all_of(
            *(
                above(antwerp(start, "fine tuning"), antwerp(start, "off the shelf"), BOTH)
                for start in ("ImageNet", "Rijksmuseum")
            )
        ),
    ),
    Finding(
        "classifiers_do_not_differ",
        "A support vector machine or a random forest in place of the softmax makes no significant "
        "difference.",
        "section 2.3, footnote 7",
        insignificant(At("classifiers", "p")),
    ),
)
