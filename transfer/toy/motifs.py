"""The parts of toy scenes, drawn as a plan of roles, before any brush.

A plan is an RGB picture whose red band is a role, the number of a palette colour (LIGHT ...
ACCENT), and whose green band is a brightness, 128 for the palette's own. Every part draws with a
PIL pen on a plan; positions and sizes are pixels.
"""

import numpy as np

LIGHT, SKY, FAR, MID, NEAR, DARK, ACCENT = range(7)
EVEN = 128  # the brightness that leaves a palette colour as it is


def ink(role, shade=1.0):
    """One colour of a plan: a role and its brightness as a factor in [0, 2)."""
    return role, int(np.clip(EVEN * shade, 0, 255)), 0


def ball(pen, x, y, radius, role, squash=1.0):
    """Draw a ball lit from the upper left; squash: its height over its width."""
    for step in np.linspace(0, 1, 6):
        r, cx, cy = radius * (1 - 0.8 * step), x - 0.25 * radius * step, y - 0.3 * radius * step
        box = (cx - r, cy - r * squash, cx + r, cy + r * squash)
        pen.ellipse(box, fill=ink(role, 0.5 + 0.85 * step))


def sky(pen, rng, w, horizon, low, high):
    """Fill the sky with bands that go from brightness `high` at the top to `low`."""
    for band in range(12):
        top = horizon * band / 12
        shade = high + (low - high) * band / 11 + rng.normal(0, 0.02)
        pen.rectangle((0, top, w, horizon), fill=ink(SKY, shade))


def ridge(pen, rng, w, base, rise, role, shade):
    """Draw a line of hills on `base`, about `rise` pixels high."""
    xs = np.linspace(0, w, 12)
    ys = base - rise * np.abs(np.cumsum(rng.normal(0, 0.35, 12)))
    pen.polygon([(0, base + 2), *zip(xs, ys, strict=True), (w, base + 2)], fill=ink(role, shade))


def tree(pen, rng, x, foot, size):
    """Draw a tree of height `size` whose foot is at (x, foot)."""
    lean = rng.normal(0, 0.1) * size
    trunk = (x - size * 0.05, foot, x + size * 0.05, foot, x + lean, foot - size * 0.7)
    pen.polygon(trunk, fill=ink(DARK))
    for dx, dy in rng.normal(0, 0.17, (22, 2)) * size:
        r = size * rng.uniform(0.08, 0.16)
        cx, cy = x + lean + dx, foot - size * 0.8 + dy
        shade = 1.0 - 1.6 * (dx + dy) / size * 0.7
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=ink(NEAR, np.clip(shade, 0.5, 1.7)))


def house(pen, rng, x, foot, size, wall, roof, window):
    """Draw a gabled house, its left foot at (x, foot); wall, roof, window: roles."""
    w, h = size * rng.uniform(0.7, 1.2), size * rng.uniform(0.5, 0.9)
    pen.rectangle((x, foot - h, x + w, foot), fill=ink(wall, rng.uniform(0.8, 1.2)))
    pen.rectangle((x + w * 0.7, foot - h, x + w, foot), fill=ink(wall, 0.65))
    gable = (x - 2, foot - h, x + w + 2, foot - h, x + w * 0.5, foot - h - size * 0.5)
    pen.polygon(gable, fill=ink(roof, rng.uniform(0.8, 1.1)))
    for wx in (0.2, 0.55):
        box = (x + w * wx, foot - h * 0.7, x + w * (wx + 0.2), foot - h * 0.35)
        pen.rectangle(box, fill=ink(window))


def mill(pen, rng, x, foot, size):
    """Draw a windmill of height `size`, its sails turned at random."""
    body = (x - size * 0.2, foot, x + size * 0.2, foot, x + size * 0.1, foot - size)
    pen.polygon((*body, x - size * 0.1, foot - size), fill=ink(DARK, 1.3))
    turn = rng.uniform(0, np.pi / 2)
    for angle in turn + np.arange(4) * np.pi / 2:
        end = x + size * 0.6 * np.cos(angle), foot - size + size * 0.6 * np.sin(angle)
        pen.line((x, foot - size, *end), fill=ink(ACCENT), width=max(2, int(size * 0.09)))


def bottle(pen, x, top, foot, half, role):
    """Draw a bottle of half width `half` around x, its glass lit on the left."""
    neck = top + (foot - top) * 0.4
    outline = ((half, foot), (half, neck), (half / 3, neck - half), (half / 3, top))
    left = [(x - dx, y) for dx, y in outline]
    pen.polygon(left + [(x + dx, y) for dx, y in outline[::-1]], fill=ink(role, 0.9))
    pen.rectangle((x - half * 0.6, neck, x - half * 0.3, foot - 4), fill=ink(role, 1.7))


def boat(pen, x, y, size):
    """Draw a dark hull with a bare mast; x, y: the left end of its rail."""
    low = y + size * 0.3
    hull = (x, y, x + size, y, x + size * 0.8, low, x + size * 0.2, low)
    pen.polygon(hull, fill=ink(DARK))
    pen.line((x + size / 2, y, x + size / 2, y - size * 1.3), fill=ink(DARK), width=4)
