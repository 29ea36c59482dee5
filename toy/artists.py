"""The invented schools and artists of the toy collection, as data.

Nobody here ever lived. A school is a habit of composition, an artist a palette and a hand, and
materials are shared by all, so that no label can be read off from another.
"""

from dataclasses import dataclass

# Share of each kind of scene in a school's work; the kinds are the functions of `scenes`.
SCHOOLS = {
    "Northern Light School": {"landscape": 0.70, "still_life": 0.10, "figure": 0.20},
    "Long Table School": {"still_life": 0.70, "figure": 0.20, "grid": 0.10},
    "Grid House": {"grid": 0.70, "still_life": 0.15, "landscape": 0.15},
    "Night Harbour Circle": {"night": 0.70, "landscape": 0.15, "figure": 0.15},
}
MATERIALS = ("oil on canvas", "watercolour on paper", "etching", "woodcut")
TYPES = dict(zip(MATERIALS, ("painting", "drawing", "print", "print"), strict=True))


@dataclass(frozen=True)
class Artist:
    """One invented artist.

    name: as the CSV prints it, faults of museum files included; palette: seven RGB hex colours
    for light, sky, far, mid, near, dark, accent; materials: shares in the order of MATERIALS;
    weight: share of the collection, any unit; direction: a rule of `hands.directions`; length
    and width of a stroke in pixels of the finished picture; bend: curvature as a share of the
    length; jitter: standard deviation of a stroke's brightness, in grey levels of 255.
    """

    name: str
    school: str
    palette: str
    materials: tuple
    weight: float
    direction: str
    length: float
    width: float
    bend: float
    jitter: float


_NORTH, _TABLE, _GRID, _NIGHT = SCHOOLS
ARTISTS = (
    Artist(
        "Ilse Varrendonk",
        _NORTH,
        "f3ead2 a9c4d6 7f97a8 8e9460 5f6b3c 33382f c4663a",
        (0.55, 0.25, 0.15, 0.05),
        14,
        "horizontal",
        22,
        4.0,
        0.02,
        10,
    ),
    Artist(
        r"Bo\xc3\xabl Tarn",
        _NORTH,
        "fbeec1 8fb7c9 6f9488 b5a642 6e7f2b 2d3a2a d9822b",
        (0.60, 0.10, 0.15, 0.15),
        11,
        "swirl",
        11,
        5.0,
        0.22,
        15,
    ),
    Artist(
        'Maartje Quill, "de Jonge"',
        _NORTH,
        "fff4dc b7cfe8 a7a5cf 9cbf8a 6fa08c 4c4f74 ee8f7c",
        (0.45, 0.35, 0.05, 0.15),
        8,
        "random",
        5.0,
        4.6,
        0.0,
        20,
    ),
    Artist(
        "Oskar Penhallow",
        _TABLE,
        "f0dcae 6b4a34 54382a 9b6a3c 7a4526 22160f b8321f",
        (0.70, 0.05, 0.20, 0.05),
        12,
        "contour",
        16,
        4.2,
        0.12,
        8,
    ),
    Artist(
        "Livia Santorre",
        _TABLE,
        "fff6d5 7cc4bd 4f9fa6 f2cf4a e6a032 2f5a63 e2573f",
        (0.35, 0.50, 0.05, 0.10),
        10,
        "vertical",
        10,
        5.2,
        0.04,
        16,
    ),
    Artist(
        "Tobias Emberly",
        _TABLE,
        "f6e7dc c9a9a2 a58a8c b9b07c 8a7f55 4a3b40 c25b6e",
        (0.30, 0.20, 0.40, 0.10),
        7,
        "crossed",
        13,
        2.4,
        0.0,
        13,
    ),
    Artist(
        "Anneke Rood",
        _GRID,
        "f7f3e8 e5ddc8 2f62a8 f0c22e d8402f 1d1d22 d8402f",
        (0.50, 0.15, 0.05, 0.30),
        10,
        "right_angles",
        26,
        9.0,
        0.0,
        6,
    ),
    Artist(
        "Zdenek Halavy",
        _GRID,
        "efe4c6 b9c2b4 5c7da0 c99a45 9a5a2e 1f232b e0b84a",
        (0.40, 0.10, 0.25, 0.25),
        8,
        "diagonal",
        18,
        3.0,
        0.02,
        14,
    ),
    Artist(
        "Pilar Monteagua",
        _GRID,
        "f5e3c8 d9a679 b5663f 3fa39a 7d3f2c 33241f e9c46a",
        (0.45, 0.35, 0.05, 0.15),
        6,
        "radial",
        7.0,
        5.0,
        0.1,
        18,
    ),
    Artist(
        "Kasimir Noct",
        _NIGHT,
        "ffe9a0 27408b 1f2f66 34508f 1b2a4a 0d1226 f4b82e",
        (0.60, 0.15, 0.10, 0.15),
        9,
        "swirl",
        19,
        3.2,
        0.18,
        16,
    ),
    Artist(
        "Freya Lindqvale",
        _NIGHT,
        "f8d9a8 2f5a55 234743 3f6b52 26382c 0f1a17 e8742c",
        (0.40, 0.35, 0.20, 0.05),
        8,
        "horizontal",
        9,
        4.4,
        0.06,
        15,
    ),
    Artist(
        "Hugo Marlowe-Teal",
        _NIGHT,
        "e9e6f2 5a4f86 463c6b 7a6fa0 3a3358 17142a 8fd3d1",
        (0.25, 0.15, 0.35, 0.25),
        5,
        "vertical",
        24,
        3.0,
        0.04,
        11,
    ),
)
ANONYMOUS = "anoniem"  # the word of the Rijksmuseum's file for an unknown hand
ANONYMOUS_SHARE = 0.04  # of the pictures: a known hand whose name is lost
SCHOOL_PALETTE_SHARE = (
    0.6  # of the pictures: painted with any palette of the school, so that colour tells less
)
