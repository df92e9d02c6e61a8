"""Every recipe on the same clip and style: its time, its figures, its picture.

python -m benchmarks.recipes WORK --clip PATH --style IMAGE [--size N] [--frames N] [--json FILE]

Paintings stay in the folder WORK, and what is there is not painted again; so does the contact
sheet, recipes.jpg: the last frame of the source first, then that of each recipe. Seconds are those
of all processor cores together.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from vidstyle import media, stylize
from vidstyle.core.images import contact_sheet, resized
from vidstyle.settings import recipes

from .table import Row, parser, show
from .temporal import frames_of

FIGURES = ("style", "content", "rmse", "motion")
SHOWN_WIDTH, COLUMNS = 288, 4
"""Of the contact sheet: pixels of a cell, and cells of a row."""


def paint(name: str, options: dict[str, Any], clip: Path, style: Path, work: Path) -> Row:
    """The figures of one recipe; painted unless it was before."""
    kept = work / f"{name}.json"
    if not kept.exists():
        began = time.process_time()
        result = stylize(clip, style, work / name, overwrite=True, report=True, **options)
        seconds = time.process_time() - began
        assert result.measures is not None
        found = dataclasses.asdict(result.measures)
        row = {"seconds a frame": seconds / result.frames}
        kept.write_text(json.dumps(row | {figure: found[figure] for figure in FIGURES}))
    return {"recipe": name, **json.loads(kept.read_text())}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", type=Path, required=True)
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--size", type=int, default=96)
    made.add_argument("--frames", type=int, default=3)
    options = made.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    same = {"size": options.size, "max_frames": options.frames}
    known: dict[str, dict[str, Any]] = {"(defaults)": {}} | {
        recipe.name: recipe.options for recipe in recipes.every()
    }
    table = []
    for name, chosen in known.items():
        table.append(paint(name, chosen | same, options.clip, options.style, options.work))
    source = frames_of(options.clip)[: options.frames][-1]
    lasts = [source, *(frames_of(options.work / name)[-1] for name in known)]
    size = SHOWN_WIDTH, round(SHOWN_WIDTH * source.shape[0] / source.shape[1])
    cells = [resized(picture, size) for picture in lasts]
    rows = [cells[at : at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
    media.save_image(options.work / "recipes.jpg", contact_sheet(rows))
    show(table, options.json)


if __name__ == "__main__":
    main()
