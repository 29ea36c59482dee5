"""The variants of a picture that training draws: mirrored, shifted, cropped; and what a test sees.

Everything is cut from the picture as it is stored, whole pixels of it, so a variant is the same
bytes on every backend. What is drawn for a picture in an epoch is decided by the seed, the epoch
and the picture's number in its store alone: in any order of batches, and after any resumption.
"""

from dataclasses import dataclass

import numpy as np

from models.errors import InputError
from transfer import pictures

DRAWN = 3  # numbers that are drawn for a picture in an epoch: mirrored, down, to the right
_FRACTION = 2.0**-53  # the upper 53 of 64 random bits as a number from 0 to below 1


@dataclass(frozen=True)
class Augmentation:
    """How pictures are stored for a network of a given size, and what is drawn from them.

    meaning: one line for people. keeps_proportion: whether the smaller side is made so long and the
    other follows; else the picture is squeezed into a square. stored: (pixels that are stored, of
    so many that the network sees); at other sizes in proportion. mirrored: whether every other
    variant is. shift: the most that a picture is moved in a direction, as a fraction of its side;
    what comes into view there is the outermost row or column again.
    """

    name: str
    meaning: str
    keeps_proportion: bool = False
    stored: tuple = (1, 1)
    mirrored: bool = False
    shift: float = 0.0

    def stored_side(self, size):
        """The smaller side, in pixels, that pictures are stored with for a network of `size`."""
        pixels, of = self.stored
        return (2 * pixels * size + of) // (2 * of)

    @property
    def cuts(self):
        """Whether the network sees a part of what is stored."""
        return self.stored[0] > self.stored[1]

    @property
    def changes(self):
        """Whether training draws anything."""
        return self.mirrored or self.shift > 0 or self.cuts


AUGMENTATIONS = {
    each.name: each
    for each in (
        Augmentation("none", "every picture as it is, squeezed into a square"),
        # Gonthier et al. 2020, appendix A, "Small transformation": horizontal flip and/or
        # translation of 28 pixels at most, of 224. The border as Keras's ImageDataGenerator fills
        # it when it shifts (fill_mode, by default nearest); that one also shifts by fractions of a
        # pixel, this one does not.
        Augmentation(
            "flip_shift",
            "every other picture mirrored, all shifted by up to an eighth of the side",
            mirrored=True,
            shift=1 / 8,
        ),
        # The same, "Random crops": 224 x 224 out of a picture whose smallest side is 256. Not
        # mirrored. The paper does not say what the test sees; the released code has the crop in
        # the middle of such a picture for it (load_and_crop_img with target_size 256).
        Augmentation(
            "crop",
            "squares cut anywhere out of a picture that keeps its proportion, its smaller side "
            "256 for a square of 224; tested in the middle",
            keeps_proportion=True,
            stored=(256, 224),
        ),
        # Cetinic et al. 2018, sections 3.2 and 3.3: pictures of 256 x 256, crops of 227, mirrored;
        # Caffe cuts in the middle when it tests (its DataTransformer).
        Augmentation(
            "mirror_crop",
            "squares cut anywhere out of a picture squeezed into a square, 227 of 256, every other "
            "one mirrored; tested in the middle",
            stored=(256, 227),
            mirrored=True,
        ),
    )
}


def named(name):
    """The Augmentation of a name; InputError where there is none."""
    if name not in AUGMENTATIONS:
        raise InputError(f"augmentation is {name!r}; accepted: {', '.join(AUGMENTATIONS)}")
    return AUGMENTATIONS[name]


def draws(seed, epoch, count):
    """What is drawn for every picture of a store in an epoch.

    Args:
        seed: of the training, 0 or above.
        epoch: counted from 0.
        count: of pictures.

    Returns:
        float64 (count, DRAWN), each from 0 to below 1. A row does not depend on how many follow.
        They are the raw bits of Philox (Salmon et al. 2011), which NumPy keeps the same for good.
    """
    bits = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(count * DRAWN)
    return ((bits >> np.uint64(11)) * _FRACTION).reshape(count, DRAWN)


def augment(stored, numbers, augmentation, size, seed, epoch):
    """Draw one variant of each picture.

    Args:
        stored: sequence of uint8 arrays (H, W, 3), pictures as they are stored for `size`.
        numbers: the pictures' numbers in their store.
        augmentation: Augmentation.
        size: side of the variants in pixels.
        seed, epoch: as for draws.

    Returns:
        uint8 (n, size, size, 3).

    Raises:
        InputError: a picture that is smaller than what is cut out of it, or no square of `size`
            where nothing is cut.
    """
    drawn = draws(seed, epoch, max(numbers, default=-1) + 1)
    variants = np.empty((len(stored), size, size, 3), np.uint8)
    for variant, picture, number in zip(variants, stored, numbers, strict=True):
        _check(picture, augmentation, size)
        draw(variant, picture, augmentation, drawn[number])
    return variants


def _check(picture, augmentation, size):
    height, width = picture.shape[:2]
    cuts = augmentation.cuts
    if (min(height, width) < size) if cuts else ((height, width) != (size, size)):
        needed = "pictures at least as large" if cuts else "pictures of that size"
        raise InputError(
            f"augmentation {augmentation.name} gives squares of {size} pixels, the picture has "
            f"{width} x {height}; accepted: {needed}"
        )


def draw(variant, picture, augmentation, drawn):
    """Write one variant of a stored picture.

    Args:
        variant: uint8 (size, size, 3), written.
        picture: uint8 (H, W, 3), as stored for that size.
        augmentation: Augmentation.
        drawn: a row of draws.
    """
    mirrored = augmentation.mirrored and drawn[0] < 0.5
    target = variant[:, ::-1] if mirrored else variant
    if mirrored:  # whole pixels, three bytes each: half the time of one byte after another
        target, picture = target.view("V3")[..., 0], picture.view("V3")[..., 0]
    size = len(variant)
    if augmentation.shift:
        most = int(augmentation.shift * size)
        down, right = (int(part * (2 * most + 1)) - most for part in drawn[1:])
        _shift(target, picture, down, right)
    else:
        top, left = (
            int(part * (side - size + 1))
            for part, side in zip(drawn[1:], picture.shape[:2], strict=True)
        )
        target[:] = picture[top : top + size, left : left + size]


def _shift(target, picture, down, right):
    """Move a picture by so many pixels; the outermost rows and columns fill what is left free."""
    height, width = target.shape[:2]
    top, bottom = max(down, 0), height + min(down, 0)
    first, last = max(right, 0), width + min(right, 0)
    target[top:bottom, first:last] = picture[
        top - down : bottom - down, first - right : last - right
    ]
    target[top:bottom, :first] = target[top:bottom, first : first + 1]
    target[top:bottom, last:] = target[top:bottom, last - 1 : last]
    target[:top] = target[top]
    target[bottom:] = target[bottom - 1]


def middle(picture, size):
    """What a test sees of a stored picture: the square of `size` in its middle, a view."""
    top, left = ((side - size) // 2 for side in picture.shape[:2])
    return picture[top : top + size, left : left + size]


def read(path, size, name=None):
    """Read a picture file as a test shows it to a network that was trained with an augmentation.

    Args:
        path: file that pictures.encoded takes.
        size: side of the result in pixels.
        name: of the augmentation; None where it is not known, as for `none`.

    Returns:
        float32 array (size, size, 3), RGB, whole numbers from 0 to 255.

    Raises:
        InputError: what is wrong with the file, or no such augmentation.
    """
    chosen = named(name or "none")
    picture = pictures.stored(path, chosen.stored_side(size), chosen.keeps_proportion)
    return middle(picture, size).astype(np.float32)


def lines_on_whole(networks):
    """A line for each network that a test showed the middle of pictures, where it now sees all.

    Args:
        networks: of models.network.Network.
    """
    for network in networks:
        if named(network.augmentation or "none").cuts:
            yield f"{network.spec} was tested on the middle of pictures; here it sees all of each"
