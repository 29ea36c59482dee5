"""An invented atlas: its numbers are those of its top sets, and the same for the same seed."""

import numpy as np

from benchmarks.made_up_atlas import DEAD_IN, IMAGES, STYLES, Sizes, made_up_atlas, optimized_images


def test_numbers_follow_from_the_top_sets(tmp_path):
    sizes = Sizes(layers=3, channels=2 * DEAD_IN, pictures=60, k=10, with_images=False)
    made = made_up_atlas(tmp_path / "a", sizes)
    layers = [(layer.name, list(layer.channels)) for layer in made.layers]
    assert len({name for name, _ in layers}) == 3
    channels = [channel for _, rows in layers for channel in rows]
    assert len(channels) == sizes.channels and len(made.pictures) == 60
    overlaps = [np.mean([c.overlap for c in rows if c.overlap is not None]) for _, rows in layers]
    assert overlaps[0] > overlaps[1] > overlaps[2]  # deeper layers change more
    for channel in channels:
        before, after = channel.before, channel.after
        assert len(set(before.pictures)) == 10 and (np.diff(before.scores) <= 0).all()
        if channel.dead:
            assert len(after.pictures) == 0 and channel.overlap is None
            continue
        assert len(set(after.pictures)) == 10
        assert channel.overlap == len(set(before.pictures) & set(after.pictures)) / 10
        style, share = after.shares[0]
        labels = [made.pictures[number].label for number in after.pictures]
        assert share == labels.count(STYLES[style]) / 10
        assert 0 <= channel.entropy_after <= 1


def test_the_same_seed_gives_the_same(tmp_path):
    sizes = Sizes(layers=2, channels=4, pictures=12, k=5)
    one, same, other = (
        made_up_atlas(tmp_path / name, sizes, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )

    def tops(atlas):
        return [c.after.pictures.tolist() for layer in atlas.layers for c in layer.channels]

    first = tops(one)
    assert first == tops(same) != tops(other)
    for a, b in zip(one.pictures, same.pictures, strict=True):
        assert a.path.read_bytes() == b.path.read_bytes()


def test_optimized_images_differ():
    assert len(set(optimized_images())) == IMAGES
