"""Optimized images (feature visualization) after Lucid: param, transform, objectives, render.

What there is, with an example each (network: what models.load gives, or any keras.Model):

    from visualization.optvis import maco, objectives, param, render, transform

    images = render.render_vis(network, "mixed4a:52")      what excites a channel: a list of arrays
    images = render.render_vis(network, "softmax2:tabby cat")   or a class, by its name
    for done in render.render_channels(network, "mixed4a", [52, 60], steps=512):
        done.image, done.clean_score                       many channels, compiled once

    obj = objectives.channel("mixed4a", 52) - 0.1 * objectives.total_variation()
    param_f = lambda: param.image(128, batch=4)            how images are stored: four at a time
    param_f = lambda: maco.maco(224)                       or as phases of a fixed spectrum
    transforms = [transform.pad(16), transform.jitter(8)]  how they are moved between steps
    images = render.render_vis(network, obj, param_f, transforms=transforms, thresholds=(64, 512))

    visualization.show(images)                             in a notebook, or as a PIL image
    visualization.save(images, "channel.png")

Names, order and defaults of arguments are Lucid's; docs/optimized_images.md has a Lucid script
line by line. optvis.ascent holds the loop, optvis.redirected_relu its first steps' gradients.
"""

from models.command import import_keras

__all__ = ["maco", "objectives", "param", "render", "transform"]

import_keras()
