"""Every recipe on the same clip and style: its time, its figures, its picture.

python -m benchmarks.recipes WORK --clip PATH --style IMAGE [--size N] [--frames N] [--json FILE]

Paintings stay in the folder WORK, and what is there is not painted again; so does the contact
sheet, recipes.jpg: the source first, then a row for each recipe.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from vidstyle import media, stylize
from vidstyle.core.images import contact_sheet, resized
from vidstyle.settings import recipes

from .table import Row, parser, show

FIGURES = ("style", "content", "rmse", "motion")


def paint(name: str, options: dict[str, Any], clip: Path, style: Path, work: Path) -> Row:
    """The figures of one recipe; painted unless it was before."""
    kept = work / f"{name}.json"
    if not kept.exists():
        result = stylize(clip, style, work / name, overwrite=True, report=True, **options)
        assert result.measures is not None
        found = dataclasses.asdict(result.measures)
        row = {"seconds a frame": result.seconds / result.frames}
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
    table, rows = [], []
    for name, chosen in known.items():
        table.append(paint(name, chosen | same, options.clip, options.style, options.work))
        rows.append([frame.rgb for frame in media.open_clip(options.work / name)])
    size = rows[0][0].shape[1::-1]
    source = [
        frame.rgb for frame in media.trim(media.open_clip(options.clip), max_frames=options.frames)
    ]
    rows.insert(0, [resized(picture, size) for picture in source])
    media.save_image(options.work / "recipes.jpg", contact_sheet(rows))
    show(table, options.json)


if __name__ == "__main__":
    main()
