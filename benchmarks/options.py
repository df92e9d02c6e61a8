"""What an option changes in a picture: a sheet of each, for the page of options.

python -m benchmarks.options FOLDER [--clip PATH] [--style IMAGE] [--size N] [--only NAME,NAME]

Paints the first frame of the clip by itself, once for each value, all else as by default. What the
pictures show, from left to right after the source, is written beside them, as values.json.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from vidstyle import media, stylize
from vidstyle.core.images import Image, contact_sheet, within

from .table import parser

SAMPLES = Path(__file__).parents[1] / "samples"
VALUES: dict[str, tuple[Any, ...]] = {
    "content_weight": (0.5, 2.5, 10),
    "plain_content": (0, 0.4, 1),
    "style_weight": (2, 8, 30),
    "brush": (2.5, 5, 10),
    "trim": (False, True),
    "strength": (0.3, 0.6, 1),
    "keep_colors": ("none", "luma", "histogram", "covariance"),
    "tv_weight": (0, 2, 20),
    "content_layers": (["relu2_2"], ["relu4_2"], ["relu5_2"]),
    "style_layers": (["relu1_1", "relu2_1"], ["relu3_1", "relu4_1"], ["relu4_1", "relu5_1"]),
    "first_iterations": (10, 60, 200),
    "coarse_to_fine": (1, 2),
    "first_init": ("content", "noise"),
    "optimizer": ("lbfgs", "adam"),
    "pooling": ("max", "avg"),
    "quality": ("draft", "good", "best"),
}
"""The values of each option, from left to right."""


def painted(source: Path, style: Path, folder: Path, **options: Any) -> Image:
    """A still, painted with these options."""
    result = stylize(source, style, folder / "painted.png", size="full", overwrite=True, **options)
    picture, _ = media.read_image(result.output)
    return picture


def _option(name: str) -> str:
    return name.replace("_", "-")


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("folder", type=Path)
    made.add_argument("--clip", type=Path, default=SAMPLES / "city.mp4")
    made.add_argument("--style", type=Path, default=SAMPLES / "starry_night.jpg")
    made.add_argument("--size", type=int, default=192)
    made.add_argument("--only", default=",".join(VALUES))
    options = made.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    shown = {_option(name): [_text(value) for value in values] for name, values in VALUES.items()}
    (options.folder / "values.json").write_text(json.dumps(shown, indent=1) + "\n")
    frame = next(iter(media.open_clip(options.clip)))
    source = within(frame.rgb, options.size)
    with tempfile.TemporaryDirectory() as made_here:
        folder = Path(made_here)
        still = folder / "source.png"
        media.save_image(still, source)
        for name in options.only.split(","):
            row = [painted(still, options.style, folder, **{name: value}) for value in VALUES[name]]
            sheet = contact_sheet([[source, *row]])
            media.save_image(options.folder / f"{_option(name)}.jpg", sheet)
            print(name, *VALUES[name])


if __name__ == "__main__":
    main()
