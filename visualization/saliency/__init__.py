"""Saliency: which pixels a network's answer comes from. A published method a file, one signature.

What there is, with an example each (network: what models.load gives, or any keras.Model; pictures:
(N, H, W, 3) RGB from 0 to 255, of the network's size):

    from visualization.saliency import METHODS

    masks = METHODS["grad_cam"](network)(pictures)           of the classes predicted: (N, H, W)
    masks = METHODS["grad_cam"](network)(pictures, 281)      of another class
    masks = METHODS["visual_backprop"](network)(pictures)    of no class
    masks = METHODS["saliency"](network, logits=False)(pictures)       of the probability
    masks = METHODS["smooth_grad"](network, samples=25)(pictures)      noisy copies
    masks = METHODS["guided_backprop"](network)(pictures)    networks with ReLU
    masks = METHODS["integrated_gradients"](network)(pictures)         signed

Whether a mask means anything: saliency.randomisation.randomisation (does it change with the
weights?), saliency.deletion_insertion.deletion and insertion (does the answer change with what it
marks?). docs/saliency.md has pictures; saliency.methods says more of METHODS.
"""

from visualization.saliency.methods import METHODS

__all__ = ["METHODS"]
