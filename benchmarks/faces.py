"""Faces: how many of a clip are still seen in its painting, and how far their features moved.

python -m benchmarks.faces WORK --clip NAME=PATH[@SECONDS] ... --style IMAGE ... [--size N]
    [--frames N] [--json FILE]

Each clip is painted in each style with ``--faces off``, ``on`` and ``more``. Paintings stay in the
folder WORK, and what is there is not painted again; so does the picture, faces.jpg: a row for each
clip and style, its first frame and those three.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidstyle import media
from vidstyle.core.images import Image, contact_sheet, resized

from .gallery import painted
from .table import Row, parser, show
from .temporal import clip_of, cut_out, frames_of

FIGURES = ("faces", "faces_found", "faces_moved", "style", "texture", "content")
WAYS = ("off", "on", "more")


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", action="append", required=True, metavar="NAME=PATH[@SECONDS]")
    made.add_argument("--style", action="append", required=True, type=Path)
    made.add_argument("--size", type=int, default=320)
    made.add_argument("--frames", type=int, default=5)
    options = made.parse_args()
    table: list[Row] = []
    rows: list[list[Image]] = []
    for given in options.clip:
        name, path, start = clip_of(given)
        source = options.work / name / "source"
        cut_out(path, start, options.frames, options.size, source)
        for style in options.style:
            pictures = [frames_of(source)[0]]
            for faces in WAYS:
                folder = options.work / name / f"{style.stem}-{faces}"
                row = {"clip": name, "style image": style.stem, "--faces": faces}
                table.append(row | painted(source, style, folder, FIGURES, True, faces=faces))
                pictures.append(frames_of(folder)[0])
            rows.append(pictures)
    sheets = [contact_sheet([pictures]) for pictures in rows]
    width = min(sheet.shape[1] for sheet in sheets)
    media.save_image(options.work / "faces.jpg", stacked(sheets, width))
    show(table, options.json)


def stacked(sheets: list[Image], width: int) -> Image:
    """The sheets one below the other, each of this width."""
    return np.vstack(
        [resized(one, (width, round(one.shape[0] * width / one.shape[1]))) for one in sheets]
    )


if __name__ == "__main__":
    main()
