"""lucent 0.1.8: render_vis with its own defaults, on torchvision's GoogLeNet.

The network is torchvision's googlenet (with batch normalisation, 3x3 convolutions in place of 5x5)
cut after the convolution of inception4d's 3x3 branch, 288 channels, random weights: the like
place of the like network. lucent enlarges pictures below 224 pixels before the network; here it
leaves them at their size, which makes it faster. A batch is a sum of channel objectives.
"""

import torch
import torchvision
from lucent.optvis import objectives, param, render

from benchmarks.peers import serving


class ToMixed4d(torch.nn.Module):
    """GoogLeNet up to the 3x3 convolution of its module 4d, without those behind it."""

    STEM = ("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b")
    STEM += ("maxpool3", "inception4a", "inception4b", "inception4c")

    def __init__(self):
        super().__init__()
        whole = torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False)
        self.stem = torch.nn.Sequential(*(getattr(whole, name) for name in self.STEM))
        self.bottleneck, last = whole.inception4d.branch2
        self.target = last.conv

    def forward(self, pixels):
        return self.target(self.bottleneck(self.stem(pixels)))


def prepare(size, batch):
    """Make run(steps) for the first `batch` channels."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = ToMixed4d().to(device).eval()
    objective = sum(objectives.channel("target", i, batch=i) for i in range(batch))

    def run(steps):
        render.render_vis(
            model,
            objective,
            lambda: param.image(size, batch=batch),
            thresholds=(steps,),
            progress=False,
            show_image=False,
            fixed_image_size=size,
        )

    return run


if __name__ == "__main__":
    serving.serve(prepare)
