"""How long a step takes on this machine, by a few of them; and a time as people say it."""

import time

STEPS = 2  # that are timed, behind one that compiles
MINUTE, HOUR = 60.0, 3600.0


def measure(step):
    """Seconds of a step, the least of STEPS behind one that compiles.

    Args:
        step: function without arguments, which returns when the step is done.
    """
    step()
    took = []
    for _ in range(STEPS):
        began = time.perf_counter()
        step()
        took.append(time.perf_counter() - began)
    return min(took)


def shown(seconds):
    """A time as text: `40 s`, `12 min`, `3.5 h`."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < HOUR else f"{seconds / HOUR:.1f} h"
