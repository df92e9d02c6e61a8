"""What people get by the defaults: clips beside styles, as one picture and as figures.

python -m benchmarks.gallery WORK --clip NAME=PATH[@SECONDS] ... --style IMAGE ... [--size N]
    [--frames N] [--json FILE]

Paintings stay in the folder WORK, and what is there is not painted again; so does the picture,
gallery.jpg: a row for each clip, the source of its last frame first, then that frame in each style.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidstyle import media, stylize
from vidstyle.core.images import Image, contact_sheet, stacked
from vidstyle.metrics import measure

from .table import Row, parser, show
from .temporal import clip_of, cut_out, frames_of

FIGURES = ("style", "texture", "content", "edge", "edge_source", "rmse", "rmse_source")


def painted(
    source: Path,
    style: Path,
    folder: Path,
    figures: Sequence[str] = FIGURES,
    has_faces: bool = False,
    **options: Any,
) -> Row:
    """These figures of a clip in a style; painted with these options unless it was before."""
    kept = folder.with_suffix(".json")
    if not kept.exists():
        options |= {"size": "full", "overwrite": True, "seamless": False}
        result = stylize(source, style, folder, **options)
        found = dataclasses.asdict(measure(source, folder, style, faces=has_faces))
        kept.write_text(
            json.dumps({"seconds": result.seconds, **{name: found[name] for name in figures}})
        )
    return json.loads(kept.read_text())


def options_of(doc: str | None, size: int, frames: int) -> argparse.Namespace:
    """What is typed: clips and styles, with these defaults."""
    made = parser(doc)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", action="append", required=True, metavar="NAME=PATH[@SECONDS]")
    made.add_argument("--style", action="append", required=True, type=Path)
    made.add_argument("--size", type=int, default=size)
    made.add_argument("--frames", type=int, default=frames)
    return made.parse_args()


def main() -> None:
    options = options_of(__doc__, size=256, frames=13)
    table: list[Row] = []
    rows: list[Image] = []
    for given in options.clip:
        name, path, start = clip_of(given)
        source = options.work / name / "source"
        cut_out(path, start, options.frames, options.size, source)
        pictures = [frames_of(source)[-1]]
        for style in options.style:
            folder = options.work / name / style.stem
            row = {"clip": name, "style image": style.stem}
            table.append(row | painted(source, style, folder))
            pictures.append(frames_of(folder)[-1])
        rows.append(contact_sheet([pictures]))
    media.save_image(options.work / "gallery.jpg", stacked(rows))
    show(table, options.json)


if __name__ == "__main__":
    main()
