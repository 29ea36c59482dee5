"""What a toy picture shows: the compositions of the schools, drawn as a plan, before any brush.

A plan is an RGB picture whose red band is a role, the number of a palette colour (LIGHT ...
ACCENT), and whose green band is a brightness, 128 for the palette's own. Scenes and their parts
draw with a PIL pen on a plan; positions and sizes are pixels.
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


def landscape(pen, rng, w, h):
    """Draw a wide sky over a low horizon, with trees, houses or a mill and a path or canal."""
    horizon = h * rng.uniform(0.58, 0.78)
    sky(pen, rng, w, horizon, low=1.35, high=rng.uniform(0.75, 1.0))
    for x, y in rng.uniform((0, 0.1 * h), (w, 0.75 * horizon), (rng.integers(2, 6), 2)):
        for dx, dy in rng.normal(0, 1, (9, 2)) * (w * 0.07, h * 0.02):
            r = w * rng.uniform(0.02, 0.06)
            box = (x + dx - r * 1.5, y + dy - r * 0.6, x + dx + r * 1.5, y + dy + r * 0.6)
            pen.ellipse(box, fill=ink(LIGHT, rng.uniform(0.85, 1.05)))
    ridge(pen, rng, w, horizon, h * 0.09, FAR, 1.0)
    pen.rectangle((0, horizon, w, h), fill=ink(MID, 1.1))
    ridge(pen, rng, w, h * 0.95, h * 0.08, NEAR, 0.9)
    pen.rectangle((0, h * 0.94, w, h), fill=ink(NEAR, 0.7))
    x, foot = w * rng.uniform(0.2, 0.8), w * rng.uniform(-0.1, 1.1)
    path = (x, horizon, x + w * 0.02, horizon, foot + w * 0.25, h, foot - w * 0.1, h)
    pen.polygon(path, fill=ink(rng.choice([LIGHT, SKY]), 0.9))
    for _ in range(rng.integers(0, 3)):
        place = w * rng.uniform(0, 0.9), horizon + h * rng.uniform(0, 0.1), h * 0.16
        house(pen, rng, *place, LIGHT, ACCENT, DARK)
    if rng.random() < 0.35:
        mill(pen, rng, w * rng.uniform(0.15, 0.85), horizon + 0.03 * h, h * rng.uniform(0.2, 0.35))
    for _ in range(rng.integers(1, 5)):
        tree(
            pen,
            rng,
            w * rng.random(),
            horizon + h * rng.uniform(0, 0.25),
            h * rng.uniform(0.15, 0.5),
        )


def still_life(pen, rng, w, h):
    """Draw fruit, a bottle and a bowl heaped at the centre of a table, before a dim wall."""
    table = h * rng.uniform(0.55, 0.7)
    sky(pen, rng, w, h, low=1.15, high=0.7)
    pen.rectangle((0, 0, w * rng.uniform(0.2, 0.5), table), fill=ink(FAR, 0.8))
    pen.rectangle((0, table, w, h), fill=ink(MID, 0.95))
    pen.polygon((w * 0.1, table, w * 0.7, table, w * 0.85, h, w * 0.2, h), fill=ink(LIGHT, 0.9))
    for _ in range(rng.integers(1, 3)):
        x, top = w * rng.uniform(0.3, 0.7), h * rng.uniform(0.12, 0.3)
        bottle(pen, x, top, table + h * 0.1, w * 0.06, rng.choice([DARK, NEAR, FAR]))
    bowl = w * rng.uniform(0.35, 0.65), table + h * 0.08, w * rng.uniform(0.14, 0.22)
    heap = rng.uniform(-1, 1, (rng.integers(3, 9), 2)) * (w * 0.24, h * 0.11)
    for dx, dy in heap[np.argsort(heap[:, 1])]:
        x, y, r = w * 0.5 + dx, table + dy, min(w, h) * rng.uniform(0.06, 0.11)
        pen.ellipse((x - r, y + r * 0.5, x + r * 2.0, y + r * 1.1), fill=ink(DARK, 1.1))
        ball(pen, x, y, r, rng.choice([ACCENT, ACCENT, NEAR, MID, LIGHT]), 0.92)
    x, y, r = bowl
    pen.pieslice((x - r, y - r * 0.2, x + r, y + r * 1.2), 0, 180, fill=ink(FAR, 1.1))
    pen.ellipse((x - r, y + r * 0.3, x + r, y + r * 0.7), fill=ink(FAR, 1.5))


def grid(pen, rng, w, h):
    """Draw an abstract division of the plane: boxes cut again and again, bars and discs."""
    boxes, cuts = [(0.0, 0.0, float(w), float(h))], int(rng.integers(6, 16))
    for _ in range(cuts):
        areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes]
        x0, y0, x1, y1 = boxes.pop(int(np.argmax(areas)))
        at = rng.uniform(0.25, 0.75)
        if x1 - x0 > y1 - y0:
            x = x0 + at * (x1 - x0)
            boxes += [(x0, y0, x, y1), (x, y0, x1, y1)]
        else:
            y = y0 + at * (y1 - y0)
            boxes += [(x0, y0, x1, y), (x0, y, x1, y1)]
    bar = int(rng.integers(0, 3)) * max(2, int(0.012 * w))
    for box in boxes:
        role = rng.choice(7, p=[0.28, 0.17, 0.14, 0.14, 0.11, 0.06, 0.10])
        pen.rectangle(box, fill=ink(role, rng.uniform(0.85, 1.15)))
        if rng.random() < 0.25:
            r = 0.38 * min(box[2] - box[0], box[3] - box[1])
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            pen.ellipse((x - r, y - r, x + r, y + r), fill=ink(rng.choice([DARK, ACCENT, SKY])))
    for box in boxes:
        if bar:
            pen.rectangle(box, outline=ink(DARK), width=bar)


def night(pen, rng, w, h):
    """Draw a harbour by night: moon and stars, lit houses on a quay, boats, reflections."""
    quay = h * rng.uniform(0.5, 0.66)
    sky(pen, rng, w, quay, low=1.3, high=0.75)
    x, y, r = (
        w * rng.uniform(0.15, 0.85),
        quay * rng.uniform(0.15, 0.5),
        h * rng.uniform(0.04, 0.09),
    )
    for halo, shade in ((2.4, 1.25), (1.7, 1.6)):
        box = (x - r * halo, y - r * halo, x + r * halo, y + r * halo)
        pen.ellipse(box, fill=ink(SKY, shade))
    pen.ellipse((x - r, y - r, x + r, y + r), fill=ink(LIGHT))
    for sx, sy in rng.uniform((0, 0), (w, quay * 0.8), (rng.integers(3, 18), 2)):
        pen.ellipse((sx - 2, sy - 2, sx + 3, sy + 3), fill=ink(LIGHT, 0.9))
    pen.rectangle((0, quay, w, h), fill=ink(MID, 0.8))
    for _ in range(rng.integers(3, 8)):
        place, size = w * rng.uniform(-0.05, 0.95), h * rng.uniform(0.12, 0.24)
        house(pen, rng, place, quay, size, NEAR, DARK, ACCENT)
        for row in range(6):
            ry, rx = quay + h * 0.05 * (row + 0.6), place + size * rng.uniform(0.1, 0.6)
            glow = (rx, ry, rx + size * 0.35, ry + h * 0.018)
            pen.rectangle(glow, fill=ink(ACCENT, 1.0 - 0.1 * row))
    for row in range(7):
        ry, half = quay + (h - quay) * (row + 0.5) / 7, r * rng.uniform(0.4, 1.3)
        pen.rectangle((x - half, ry, x + half, ry + h * 0.014), fill=ink(LIGHT, 0.9))
    for _ in range(rng.integers(1, 4)):
        boat(pen, w * rng.uniform(0.1, 0.8), h * rng.uniform(0.72, 0.92), w * 0.13)


def figure(pen, rng, w, h):
    """Draw a bust before a plain wall: hat or hair, collar, one lit side of the face."""
    sky(pen, rng, w, h, low=0.8, high=1.1)
    x, y, r = (
        w * rng.uniform(0.4, 0.6),
        h * rng.uniform(0.3, 0.42),
        min(w, h) * rng.uniform(0.14, 0.2),
    )
    pen.ellipse(
        (x - r * 2.4, y + r * 1.3, x + r * 2.4, h * 1.5), fill=ink(rng.choice([DARK, NEAR]))
    )
    pen.polygon(
        (x - r * 0.4, y, x + r * 0.4, y, x + r * 0.7, y + r * 1.9, x - r * 0.7, y + r * 1.9),
        fill=ink(LIGHT, 0.7),
    )
    pen.polygon((x - r, y + r * 1.4, x + r, y + r * 1.4, x, y + r * 2.4), fill=ink(ACCENT))
    pen.ellipse((x - r * 1.1, y - r * 1.6, x + r * 1.1, y + r), fill=ink(DARK, 1.2))
    ball(pen, x, y, r * 0.9, LIGHT, 1.25)
    if rng.random() < 0.5:
        pen.pieslice(
            (x - r * 1.2, y - r * 1.7, x + r * 1.2, y + r * 0.3), 180, 360, fill=ink(ACCENT, 0.8)
        )
        pen.rectangle((x - r * 1.7, y - r * 0.75, x + r * 1.7, y - r * 0.5), fill=ink(ACCENT, 0.6))
    for side in (-0.38, 0.3):
        eye = (x + r * side - 4, y - 3, x + r * side + 4, y + 4)
        pen.ellipse(eye, fill=ink(DARK))
    pen.line((x, y + 2, x - r * 0.12, y + r * 0.4), fill=ink(LIGHT, 0.6), width=3)
    pen.line((x - r * 0.3, y + r * 0.72, x + r * 0.25, y + r * 0.7), fill=ink(ACCENT, 0.8), width=4)


SCENES = {
    "landscape": landscape,
    "still_life": still_life,
    "grid": grid,
    "night": night,
    "figure": figure,
}
