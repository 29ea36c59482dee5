"""Gonthier et al. 2020, An analysis of the transfer learning of … networks for artistic images."""

from papers.decisions import (
    At,
    Finding,
    Other,
    above,
    all_of,
    close,
    falls_step_by_step,
    most,
    related,
)

RASTA, MAP = "accuracy (%)", "mean average precision (%)"
FT = "fine-tuned, ImageNet (mode A, training 1)"
SCRATCH = ("end trained from scratch, low layers frozen", "trained from scratch")
ENSEMBLE = "ensemble of the three trained"
DOUBLE = "fine-tuned, ImageNet and RASTA"
FROM_SCRATCH = ("fine-tuned, end from scratch on RASTA", "fine-tuned, from scratch on RASTA")
FINE_TUNED = "RASTA (mode A, training 1)"
STARTS = ("end from scratch", "from scratch")
SMALL, DOUBLE_SET = "ImageNet, then small set", "ImageNet, RASTA, then small set"
RASTA_A = "ImageNet, RASTA (mode A)"
DATASET = ("dataset",)


def method(item, column, names):
    """A column of the rows of some methods."""
    return At(item, column, {"method": names})


def changed(column, second, first="ImageNet"):
    """A column of table 4, between two networks."""
    return At("table4", column, {"first": first, "second": second})


FINDINGS = (
    Finding(
        "fine_tuning_beats_off_the_shelf",
        "On RASTA, a short fine-tuning of ImageNet's network is better than off the shelf.",
        "section 3.3, table 1",
        above(
            method("table1", RASTA, FT), method("table1", RASTA, "off the shelf, ImageNet"), ("k",)
        ),
    ),
    Finding(
        "scratch_below_fine_tuning",
        "On RASTA, no training from scratch, whole or of the end, is as good as fine-tuning.",
        "section 3.3, table 1",
        above(method("table1", RASTA, FT), method("table1", RASTA, SCRATCH), ("k",)),
    ),
    Finding(
        "ensemble_is_best",
        "The mean of three models' answers is better than each of them.",
        "section 3.3, table 1",
        above(
            method("table1", RASTA, ENSEMBLE), method("table1", RASTA, Other((ENSEMBLE,))), ("k",)
        ),
    ),
    Finding(
        "cka_falls_with_depth",
        "CKA between a network before and after training falls with the depth of the layer.",
        "section 3.4, figure 5",
        related(
            At("figure5", "depth", {"first": ("ImageNet", "its random start")}),
            At("figure5", "CKA", {"first": ("ImageNet", "its random start")}),
            ("layer",),
            ("first", "second"),
            falling=True,
        ),
    ),
    Finding(
        "fine_tuned_networks_are_closest",
        "At each layer two fine-tuned networks are more alike than one of them and its start.",
        "section 3.4, figure 5",
        above(
            At("figure5", "CKA", {"first": FINE_TUNED}),
            At("figure5", "CKA", {"first": "ImageNet", "second": FINE_TUNED}),
            ("layer",),
        ),
    ),
    Finding(
        "scratch_goes_farther",
        "Networks from scratch end far farther from their start than fine-tuned ones from theirs.",
        "section 3.4, table 2",
        above(
            At("table2", "mean l2", {"first": STARTS}),
            At("table2", "mean l2", {"first": "ImageNet"}),
            times=2,
        ),
    ),
    Finding(
        "fine_tuned_networks_stay_close",
        "Fine-tuned networks are about as close to one another as to their start.",
        "section 3.4, table 2",
        # distances have the scale of the training; the paper's are 1.23 to 1.26
        close(At("table2", "mean l2", {"first": ("ImageNet", FINE_TUNED)}), relative=0.1),
    ),
    Finding(
        "overlap_falls_with_depth",
        "The mean overlap of maximal activation images falls from each layer to the next.",
        "section 3.4, figure 6a",
        falls_step_by_step(At("figure6", "overlap (%)"), "depth"),
    ),
    Finding(
        "overlap_of_1000_falls_with_depth",
        "The same with the 1000 pictures that fire a channel most, not 100.",
        "section 3.4, figure 6a",
        falls_step_by_step(At("figure6", "overlap of 1000 (%)"), "depth"),
    ),
    Finding(
        "overlap_above_chance",
        "In most layers the overlap is far above what a reshuffled collection would give.",
        "section 3",
        above(
            At("figure6", "overlap (%)"),
            At("figure6", "overlap by chance (%)"),
            ("layer",),
            times=2,
            rule=most,
        ),
    ),
    Finding(
        "entropy_falls_from_the_middle",
        "From the middle of the network on, the entropy over classes falls with depth.",
        "section 3.4, figure 6b",
        related(
            At("figure6", "depth", {"half": "deep"}),
            At("figure6", "entropy", {"half": "deep"}),
            ("layer",),
            falling=True,
        ),
    ),
    Finding(
        "deep_layers_gather_classes",
        "In the deeper half, fine-tuning lowers the entropy over classes of the top pictures.",
        "sections 3.1 and 4, figure 3",
        above(
            At("figure6", "entropy before", {"half": "deep"}),
            At("figure6", "entropy", {"half": "deep"}),
            ("layer",),
        ),
    ),
    Finding(
        "little_overlap_goes_with_more_change",
        "Channels whose overlap is low are those whose optimized image changed more.",
        "sections 3.1 and 3.4",
        related(
            At("overlap_and_change", "overlap (%)"),
            At("overlap_and_change", "image change"),
            ("layer", "channel"),
            falling=True,
        ),
    ),
    Finding(
        "fine_tuning_beats_off_the_shelf_on_small_sets",
        "On both small sets fine-tuning is better than off the shelf, from either start.",
        "section 3.5, table 3",
        all_of(
            *(
                above(
                    method("table3", MAP, f"fine-tuned, {start}"),
                    method("table3", MAP, f"off the shelf, {start}"),
                    DATASET,
                )
                for start in ("ImageNet", "ImageNet and RASTA")
            )
        ),
    ),
    Finding(
        "double_fine_tuning_is_best",
        "Fine-tuning on RASTA first and then on the small set is best, on both small sets.",
        "section 3.5, table 3",
        above(method("table3", MAP, DOUBLE), method("table3", MAP, Other((DOUBLE,))), DATASET),
    ),
    Finding(
        "rasta_alone_is_a_bad_start",
        "A network that saw RASTA alone is the worst start, on both small sets.",
        "section 3.5, table 3",
        above(
            method("table3", MAP, Other(FROM_SCRATCH[1:])),
            method("table3", MAP, FROM_SCRATCH[1]),
            DATASET,
        ),
    ),
    Finding(
        "scratch_is_worst_of_fine_tuned",
        "Networks trained from scratch, whole or in part, are the worst of those fine-tuned on a "
        "small set.",
        "section 3.5, about the last two lines of table 4",
        above(
            method("table3", MAP, ("fine-tuned, ImageNet", DOUBLE)),
            method("table3", MAP, FROM_SCRATCH),
            DATASET,
        ),
    ),
    Finding(
        "small_set_changes_little",
        "Fine-tuning on a small set changes ImageNet's network less than fine-tuning on RASTA.",
        "section 3.5, table 4",
        all_of(
            above(changed("mean CKA", SMALL), changed("mean CKA", RASTA_A)),
            above(changed("mean l2", RASTA_A), changed("mean l2", SMALL)),
        ),
    ),
    Finding(
        "double_fine_tuning_goes_farthest",
        "Fine-tuning twice leads farther from ImageNet's network than fine-tuning on RASTA alone.",
        "section 3.5, table 4",
        all_of(
            above(changed("mean CKA", RASTA_A), changed("mean CKA", DOUBLE_SET)),
            above(changed("mean l2", DOUBLE_SET), changed("mean l2", RASTA_A)),
        ),
    ),
    Finding(
        "scratch_changes_more_on_small_sets",
        "A small set changes a network from scratch, whole or in part, more than it changes "
        "ImageNet's.",
        "section 3.5, table 4",
        all_of(
            above(
                changed("mean CKA", SMALL),
                At("table4", "mean CKA", {"first": tuple(f"{s} on RASTA" for s in STARTS)}),
                DATASET,
            ),
            above(
                At("table4", "mean l2", {"first": tuple(f"{s} on RASTA" for s in STARTS)}),
                changed("mean l2", SMALL),
                DATASET,
            ),
        ),
    ),
)
