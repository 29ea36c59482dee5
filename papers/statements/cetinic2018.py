"""Cetinic et al. 2018, Fine-tuning Convolutional Neural Networks for Fine Art Classification."""

from papers.decisions import (
    At,
    Finding,
    Last,
    Other,
    Ratio,
    Same,
    above,
    all_of,
    below,
    close,
    most,
    over,
    related,
)

TASK = ("dataset", "task")
STARTS = ("hybrid", "memnet", "sentiment", "caffe", "flickr")  # of table 2
OURS, WIKIART = "Cetinic et al.", {"dataset": "WikiArt"}
STYLE = {"dataset": "WikiArt", "task": "style"}
TABLE4 = "value (%)"
VARIANCE = At("table2_variance", "variance (1e-4)")
SHARE, RIGHT = "share (%)", Same("true")
APART = Same("second", equal=False)
# without the random start of small collections and what was trained from it, which come last: they
# are none of the paper's
PRETRAINED = Other(("random", "random, artist", "random, style", "random, genre"))
CURVE = ("dataset", "task", "initialization", "retrained")


def started(*names):
    """Table 2's accuracies of some initializations."""
    return At("table2", "accuracy", {"initialization": names})


def not_started(name):
    """Table 2's accuracies of the paper's other initializations; ours has further ones."""
    return started(*(other for other in STARTS if other != name))


def scenario(*names, **where):
    """Table 3's accuracies of some scenarios."""
    return At("table3", "accuracy", {"scenario": names, **where})


def reported(reference, measure="accuracy", **where):
    """Table 4's values of a reference."""
    return At("table4", TABLE4, {"reference": reference, "measure": measure, **where})


def mistaken(item, true, *predicted):
    """Pictures of a class are more often taken for each of some others than for any further one."""
    named = {"true": true}
    return above(
        At(item, SHARE, named | {"predicted": predicted}),
        At(item, SHARE, named | {"predicted": Other((true, *predicted))}),
        ("dataset", "task"),
    )


def confused(item, *classes):
    """Of some classes each is taken for each of the others more than for any further one."""
    return all_of(*(mistaken(item, one, *(o for o in classes if o != one)) for one in classes))


FINDINGS = (
    Finding(
        "hybrid_best_in_most",
        "The network that knows objects and scenes (hybrid) is the best start for most tasks.",
        "section 5.1, table 2",
        above(started("hybrid"), not_started("hybrid"), TASK, rule=most),
    ),
    Finding(
        "scenes_beat_objects",
        "Starting from objects and scenes is better than from objects alone, for every task.",
        "sections 5.1 and 6, table 2",
        above(started("hybrid"), started("caffe"), TASK),
    ),
    Finding(
        "sentiment_beats_objects",
        "Starting from sentiment is better than from objects alone, for every task.",
        "sections 5.1 and 6, table 2",
        above(started("sentiment"), started("caffe"), TASK),
    ),
    Finding(
        "memnet_is_low",
        "Starting from memorability is worse than from hybrid, sentiment or caffe, for every task.",
        "section 5.1, table 2",
        above(started("hybrid", "sentiment", "caffe"), started("memnet"), TASK),
    ),
    Finding(
        "flickr_is_lowest",
        "Starting from photographic styles (flickr) is worst, for every data set and task.",
        "section 5.1, table 2",
        above(not_started("flickr"), started("flickr"), TASK),
    ),
    Finding(
        "validation_agrees_with_test",
        "The better start on validation pictures is the better one on test pictures.",
        "section 5.1, figures 5 and 6",
        related(
            At(
                "figure5",
                "validation accuracy",
                {"retrained": "all", "initialization": STARTS, "epoch": Last(CURVE)},
            ),
            At("table2", "accuracy"),
            ("initialization",),
            TASK,
        ),
    ),
    Finding(
        "start_matters_most_for_artists",
        "The variance over starts is higher for artist than for any other task, in every data set.",
        "section 5.1, table 2",
        above(
            At("table2_variance", VARIANCE.column, {"task": "artist"}),
            At("table2_variance", VARIANCE.column, {"task": Other(("artist",))}),
            ("dataset",),
        ),
    ),
    Finding(
        "start_matters_least_for_genres",
        "The variance over starts is lower for genre than for any other task, in every data set.",
        "section 5.1, table 2",
        above(
            At("table2_variance", VARIANCE.column, {"task": Other(("genre",))}),
            At("table2_variance", VARIANCE.column, {"task": "genre"}),
            ("dataset",),
        ),
    ),
    Finding(
        "start_matters_with_few_pictures_a_class",
        "The fewer pictures a class has, the more the start matters.",
        "section 5.1, tables 1 and 2",
        related(At("table1", Ratio("pictures", "classes")), VARIANCE, TASK, falling=True),
    ),
    Finding(
        "start_matters_with_many_classes",
        "The more classes a task has, the more the start matters.",
        "section 5.1, tables 1 and 2",
        related(At("table1", "classes"), VARIANCE, TASK),
    ),
    Finding(
        "skip_first_best_in_most",
        "Training all but the first layer is best in most cases.",
        "section 5.2, table 3",
        above(
            scenario("skip_first"),
            At("table3", "accuracy", {"scenario": Other(("skip_first",))}),
            TASK,
            rule=most,
        ),
    ),
    Finding(
        "first_layers_need_no_training",
        "On style, all layers, all but one and all but two give nearly the same.",
        "section 5.2, figure 7, table 3",
        close(scenario("all", "skip_first", "skip_first2", **STYLE), 0.01),
    ),
    Finding(
        "skip_first2_best_for_style",
        "On style, training all but the first two layers is best.",
        "section 5.2, figure 8, table 3",
        above(
            scenario("skip_first2", **STYLE),
            At("table3", "accuracy", {"scenario": Other(("skip_first2",)), **STYLE}),
        ),
    ),
    Finding(
        "skip_first2_takes_less_time",
        "Training all but the first two layers takes less time than training all.",
        "section 5.2, figure 9",
        above(
            At("figure9", "hours", {"scenario": "all"}),
            At("figure9", "hours", {"scenario": "skip_first2"}),
        ),
    ),
    Finding(
        "short_training_loses_little",
        "A short training at a falling rate loses about 3 points on style.",
        "section 5.3",
        above(
            At("short_training", "accuracy (%)", {"learning rate": "falling"}),
            At("short_training", "accuracy (%)", {"learning rate": "constant"}),
            TASK,
            margin=-4,
        ),
    ),
    Finding(
        "best_of_all_trainings",
        "Table 4 has the best accuracy of all trainings.",
        "section 5.3, tables 3 and 4",
        above(
            reported(OURS),
            At("table3", "accuracy"),
            TASK,
            times=100,
            margin=-0.05,  # table 3 is rounded to a tenth of a point
        ),
    ),
    Finding(
        "better_than_tan",
        "On WikiArt this fine-tuning is better than that of Tan et al. 2016, for every task.",
        "section 5.3, table 4",
        above(reported(OURS), reported("Tan et al. 2016"), TASK),
    ),
    Finding(
        "better_than_van_noord",
        "On TICC one network is better than several scales joined (van Noord and Postma 2017).",
        "section 5.3, table 4",
        above(reported(OURS, "F1"), reported("van Noord and Postma 2017", "F1"), TASK),
    ),
    Finding(
        "deeper_is_best_for_style",
        "A fine-tuned ResNet50 has the highest accuracy on style (Lecoutre et al. 2017).",
        "section 5.3, table 4",
        above(
            reported("Lecoutre et al. 2017", **STYLE),
            reported(Other(("Lecoutre et al. 2017",)), **STYLE),
            TASK,
        ),
    ),
    Finding(
        "style_is_hardest",
        "Of the tasks of WikiArt, style has the lowest accuracy.",
        "section 5.4, table 4",
        above(
            reported(OURS, task=Other(("style",)), **WIKIART),
            reported(OURS, **STYLE),
            ("dataset",),
        ),
    ),
    Finding(
        "ukiyo_e_is_plainest",
        "Ukiyo-e is the style that is recognized most often.",
        "section 5.4, figure 10",
        above(
            At("figure10", SHARE, {"true": "Ukiyo-e", "predicted": RIGHT}),
            At("figure10", SHARE, {"true": Other(("Ukiyo-e",)), "predicted": RIGHT}),
        ),
    ),
    Finding(
        "academism_is_hardest",
        "Academism is the style that is recognized least often.",
        "section 5.4, figure 10",
        above(
            At("figure10", SHARE, {"true": Other(("Academism",)), "predicted": RIGHT}),
            At("figure10", SHARE, {"true": "Academism", "predicted": RIGHT}),
        ),
    ),
    Finding(
        "academism_is_taken_for_realism",
        "Academism is taken for realism more than for any other style.",
        "section 5.4, figure 10",
        mistaken("figure10", "Academism", "Realism"),
    ),
    Finding(
        "alike_styles_are_confused",
        "Lyrical abstraction is taken for abstract expressionism more than for any other style, "
        "post-impressionism for impressionism, and rococo for baroque.",
        "section 5.4, figure 10",
        all_of(
            mistaken("figure10", "Lyrical Abstraction", "Abstract Expressionism"),
            mistaken("figure10", "Post-Impressionism", "Impressionism"),
            mistaken("figure10", "Rococo", "Baroque"),
        ),
    ),
    Finding(
        "outdoors_is_taken_for_landscape",
        "Cityscape and marina are taken for landscape more than for any other genre.",
        "section 5.4, figure 12",
        all_of(*(mistaken("figure12", true, "landscape") for true in ("cityscape", "marina"))),
    ),
    Finding(
        "faces_are_taken_for_portraits",
        "Genre and nude paintings are taken for portraits more than for any other genre.",
        "section 5.4, figure 12",
        all_of(
            *(
                mistaken("figure12", true, "portrait")
                for true in ("genre painting", "nude painting")
            )
        ),
    ),
    Finding(
        "hassam_and_monet_are_confused",
        "Childe Hassam and Claude Monet are taken for one another more than for any other artist.",
        "section 5.4, figure 13",
        confused("figure13", "Childe Hassam", "Claude Monet"),
    ),
    Finding(
        "venetians_are_confused",
        "Tintoretto, Veronese and Tiziano are taken for one another more than for any other.",
        "section 5.4, figure 13",
        confused("figure13", "Tintoretto", "Veronese, Paolo", "Tiziano Vecellio"),
    ),
    Finding(
        "tuning_decides_what_is_found",
        "A network finds more pictures alike in genre or in style where it was fine-tuned for it.",
        "section 5.5, figure 15",
        above(
            At("figure15", "precision", {"tuned for": Same("label")}),
            At("figure15", "precision", {"tuned for": Same("label", equal=False)}),
            ("label",),
        ),
    ),
    Finding(
        "neighbours_are_near",
        "For most pictures the first 1000 neighbours, of 96014, are closer than 0.4.",
        "section 5.5",
        # of fewer pictures the neighbour whose rank is the same share of them
        below(At("neighbours", "distance at the rank of 1000 of 96014"), 0.4, most),
    ),
    Finding(
        "networks_see_differently",
        "Between most networks a picture's features are farther apart than near neighbours are.",
        "section 5.5, figure 16",
        over(
            At("figure16", "cosine distance", {"first": APART, "second": PRETRAINED}),
            0.4,
            most,
        ),
    ),
)
