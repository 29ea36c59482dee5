"""Redirected ReLU gradients, as in Lucid: a channel that no picture excites can start.

Where a ReLU lets no gradient at all through to an image, the gradient of that image passes wherever
it would not push a cut-off value further into the region where the ReLU is flat.
"""

from keras import ops


def activation(max_value=None):
    """Make a ReLU whose gradient is redirected; Lucid uses it for the first 16 steps.

    The forward pass is the plain ReLU's.

    Args:
        max_value: upper bound of the ReLU (6 for ReLU6), None for none.

    Returns:
        Function of a tensor (N, ...) of any float type, giving the same shape and type. Its
        gradient is right for a loss that is descended (an upstream gradient above 0 pushes the
        value lower).

    Source: Lucid, misc/redirected_relu_grad.py.
    """

    @ops.custom_gradient
    def relu(x):
        y = ops.maximum(x, 0) if max_value is None else ops.clip(x, 0, max_value)

        def gradient(upstream):
            return _gradient(y, upstream, max_value)

        return y, gradient

    return relu


def _gradient(y, upstream, max_value):
    """Gradient to the ReLU's input from its output; y alone, so that the input is not kept."""
    zero = ops.zeros_like(upstream)
    passes = y > 0 if max_value is None else ops.logical_and(y > 0, y < max_value)
    through = ops.where(passes, upstream, zero)
    inner_axes = tuple(range(1, len(through.shape)))
    blocked = ops.max(ops.abs(through), axis=inner_axes, keepdims=True) == 0
    outward = ops.logical_and(y <= 0, upstream > 0)
    if max_value is not None:
        beyond = ops.logical_and(y >= max_value, upstream < 0)
        outward = ops.logical_or(outward, beyond)
    return ops.where(blocked, ops.where(outward, zero, upstream), through)
