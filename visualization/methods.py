"""METHODS: every saliency method by name, all with one signature.

    masks = METHODS[name](network, logits=True, batch_size=16, **its own)(pictures, targets=None)

Building compiles nothing yet; the first call does, once for each shape of pictures, and later
calls reuse it. A built method reads the network's weights as they are when it is called.

network: keras.Model or models.network.Network. pictures: (N, H, W, 3), RGB in [0, 255], uint8 or
another number type, of the network's own size. targets: class index for all pictures or one for
each (models.graph.target_index turns names into them); None for the classes predicted. masks:
float32 (N, H, W); `visual_backprop` in [0, 1], `integrated_gradients` signed, the others
at least 0.
"""

from visualization.grad_cam import grad_cam
from visualization.guided_backprop import guided_backprop
from visualization.integrated_gradients import integrated_gradients
from visualization.saliency import saliency
from visualization.smooth_grad import smooth_grad
from visualization.visual_backprop import visual_backprop

METHODS = {
    "visual_backprop": visual_backprop,
    "saliency": saliency,
    "smooth_grad": smooth_grad,
    "guided_backprop": guided_backprop,
    "integrated_gradients": integrated_gradients,
    "grad_cam": grad_cam,
}
