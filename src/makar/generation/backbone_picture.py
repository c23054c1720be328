"""A backbone as a picture: the trace of its CA atoms from its broadest side, and its torsions on a Ramachandran plot.

The trace runs from blue (the N end) to red; what is nearer is drawn later and wider. The shaded part of the plot is where residues of
ideal bonds, angles and hard atoms can be (``makar.data.ramachandran``). The picture is of the structure as it is: it is turned, and never
mirrored.
"""

import numpy as np
from PIL import Image, ImageDraw

from makar.data.backbone import Backbone
from makar.data.backbone_geometry import torsions
from makar.data.ramachandran import GRID_DEGREES, allowed_map

SIDE, MARGIN = 320, 24
PAPER, INK, SHADE = (255, 255, 255), (90, 90, 90), (222, 232, 222)
FIRST, LAST = np.array((40, 70, 200)), np.array((205, 45, 35))
FINER = 3
"""Pictures are drawn so many times as large and reduced, so that lines are smooth."""


def backbone_picture(backbone: Backbone) -> np.ndarray:
    """Return a picture of a backbone, uint8 ``[320, 640, 3]``."""
    whole = np.concatenate([trace_picture(backbone), torsion_picture([backbone])], axis=1)
    return np.ascontiguousarray(whole)


def trace_picture(backbone: Backbone) -> np.ndarray:
    """Return the trace of the CA atoms, uint8 ``[320, 320, 3]``."""
    size = SIDE * FINER
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    places = broadest_side(backbone.trace.astype(np.float64))
    span = max(1.0, float(np.ptp(places[:, :2], axis=0).max()))
    flat = (places[:, :2] - (places[:, :2].max(0) + places[:, :2].min(0)) / 2) / span
    flat = (flat * (1, -1) + 0.5) * (size - 2 * MARGIN * FINER) + MARGIN * FINER
    depth = places[:, 2] - places[:, 2].min()
    near = depth / max(1.0, float(depth.max()))
    count = len(places)
    for place in sorted(range(count - 1), key=lambda one: float(near[one] + near[one + 1])):
        share = place / max(1, count - 2)
        colour = tuple(int(value) for value in FIRST + share * (LAST - FIRST))
        width = round(FINER * (3.0 + 3.0 * float(near[place] + near[place + 1]) / 2))
        start, end = (tuple(float(value) for value in flat[one]) for one in (place, place + 1))
        draw.line([start, end], fill=colour, width=width)
        for x, y in (start, end):
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)
    return _reduced(image)


def torsion_picture(backbones: list[Backbone]) -> np.ndarray:
    """Return the torsions of some backbones on a Ramachandran plot, phi to the right and psi upwards, uint8 ``[320, 320, 3]``."""
    size, edge = SIDE * FINER, MARGIN * FINER
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    inner = size - 2 * edge

    def at(phi: float, psi: float) -> tuple[float, float]:
        return edge + (phi + 180) / 360 * inner, edge + (180 - psi) / 360 * inner

    half = GRID_DEGREES / 2
    for row, column in np.argwhere(allowed_map()):
        phi, psi = -180 + GRID_DEGREES * row, -180 + GRID_DEGREES * column
        # A cell at the edge is half on either side.
        left, top = at(max(-180.0, phi - half), min(180.0, psi + half))
        right, bottom = at(min(180.0, phi + half), max(-180.0, psi - half))
        draw.rectangle((left, top, right, bottom), fill=SHADE)
    draw.rectangle((edge, edge, size - edge, size - edge), outline=INK, width=FINER)
    for line in ((at(-180, 0), at(180, 0)), (at(0, -180), at(0, 180))):
        draw.line(line, fill=INK, width=1)
    radius = 2.2 * FINER
    for backbone in backbones:
        found = torsions(backbone)[:, :2]
        for phi, psi in found[~np.isnan(found).any(1)]:
            x, y = at(float(phi), float(psi))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(int(value) for value in FIRST))
    return _reduced(image)


def broadest_side(places: np.ndarray) -> np.ndarray:
    """Return places turned so that they spread most to the right, then upwards, then towards the eye; never mirrored."""
    centred = places - places.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=True)
    axes = axes * np.array([1.0, 1.0, np.sign(np.linalg.det(axes)) or 1.0])[:, None]
    turned: np.ndarray = centred @ axes.T
    return turned


def _reduced(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)
