"""Contact sheets: the source above, the painting below, some frames side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .pictures import Image, resized

GAP = 4


def contact_sheet(rows: Sequence[Sequence[Image]], width: int = 1280) -> Image:
    """Rows of pictures of one size as one picture, ``width`` pixels wide at most."""
    high, wide = rows[0][0].shape[:2]
    scale = min(1.0, (width / len(rows[0]) - GAP) / wide)
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    sheet = np.full(
        (len(rows) * (size[1] + GAP) + GAP, len(rows[0]) * (size[0] + GAP) + GAP, 3), 255, np.uint8
    )
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            top, left = GAP + r * (size[1] + GAP), GAP + c * (size[0] + GAP)
            sheet[top : top + size[1], left : left + size[0]] = resized(picture, size)
    return sheet
