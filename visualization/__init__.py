"""What a trained network looks at, and what training changed inside it.

What there is, with an example each:

    from visualization.saliency import METHODS
    masks = METHODS["grad_cam"](network)(pictures)      which pixels an answer comes from

    from visualization.optvis import render
    images = render.render_vis(network, "mixed4a:52")   what excites a channel most

    visualization.show(images)                          in a notebook, or as a PIL image
    visualization.save(images, "channel_52.png")        as one picture file

As commands, each with a help: python visualization/deep_viz.py (masks of pictures side by side),
python -m visualization.render (images of a layer's channels, in a folder), python -m
visualization.sheet (one sheet of several such folders), python -m visualization.compare (what
training changed between two networks, in numbers, figures and an atlas).

`network` is what models.load gives, or any keras.Model of RGB pictures. More:
help(visualization.saliency), help(visualization.optvis), docs/saliency.md,
docs/optimized_images.md. What stands behind the commands: visualization.views (masks of picture
files), visualization.channel_images (images of channels in a folder), visualization.activations
(pictures that excite a channel), visualization.atlas (a page to browse all channels in, before and
after).
"""

import models  # noqa: F401 -- first of all: with it, an interrupt of what follows is one line

__all__ = ["save", "show"]


def show(images):
    """Show optimized images: in a notebook below the cell, elsewhere as the PIL image returned.

    Args:
        images: what render_vis gives (a list, a row each of its items), or an array (N, H, W, 3
            or 4) or (H, W, 3 or 4): float RGB(A) in [0, 1], or uint8.

    Returns:
        PIL.Image.Image; None in a notebook, where it is displayed.

    Example:
        visualization.show(render.render_vis(network, "mixed4a:52"))
    """
    from visualization import images as library

    return library.show(images)


def save(images, path):
    """Write optimized images as one picture file, whole or not at all.

    Args:
        images: as for show.
        path: of the file, which ends in .png or .jpg.

    Returns:
        The path, as a pathlib.Path.

    Example:
        visualization.save(render.render_vis(network, "mixed4a:52"), "channel_52.png")
    """
    from visualization import images as library

    return library.save(images, path)
