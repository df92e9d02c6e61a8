"""Faces: how many of a clip are still seen in its painting, and how far their features moved.

python -m benchmarks.faces WORK --clip NAME=PATH[@SECONDS] ... --style IMAGE ... [--size N]
    [--frames N] [--json FILE]

Each clip is painted in each style with ``--faces off``, ``on`` and ``more``. Paintings stay in the
folder WORK, and what is there is not painted again; so does the picture, faces.jpg: a row for each
clip and style, its first frame and those three.
"""

from __future__ import annotations

from vidstyle import media
from vidstyle.core.images import Image, contact_sheet, stacked

from .gallery import options_of, painted
from .table import Row, show
from .temporal import clip_of, cut_out, frames_of

FIGURES = ("faces", "faces_found", "faces_moved", "style", "texture", "content")
WAYS = ("off", "on", "more")


def main() -> None:
    options = options_of(__doc__, size=320, frames=5)
    table: list[Row] = []
    rows: list[Image] = []
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
            rows.append(contact_sheet([pictures]))
    media.save_image(options.work / "faces.jpg", stacked(rows))
    show(table, options.json)


if __name__ == "__main__":
    main()
