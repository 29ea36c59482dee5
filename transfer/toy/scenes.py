"""What a toy picture shows: the compositions of the schools, drawn as a plan of roles.

Each scene draws with a PIL pen on a blank plan (see `motifs`) of the given width and height.
"""

import numpy as np

from transfer.toy.motifs import (
    ACCENT,
    DARK,
    FAR,
    LIGHT,
    MID,
    NEAR,
    SKY,
    ball,
    boat,
    bottle,
    house,
    ink,
    mill,
    ridge,
    sky,
    tree,
)


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
