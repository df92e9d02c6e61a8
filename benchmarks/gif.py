"""How GIFs of painted frames look, written by vidstyle, by Pillow and by FFmpeg's palettegen.

    python -m benchmarks.gif PAINTED SOURCE [--json FILE]

PAINTED is a folder of painted frames (``vidstyle SOURCE --style … -o PAINTED``), SOURCE its clip.
Flicker is the mean absolute change, from frame to frame, of pixels that do not change in the
source; that of the painted frames themselves is the first row.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidstyle import media
from vidstyle.core.frames import Frame

from .table import Row, parser, show

Pictures = list[NDArray[np.uint8]]
DELAY = Fraction(1, 10)
UNCHANGED = 4
"""Levels that a pixel of the source may change by and still count as still."""


def by_vidstyle(pictures: Pictures, path: Path) -> None:
    height, width = pictures[0].shape[:2]
    info = media.ClipInfo(path, "animation", "gif", "gif", width, height, len(pictures), None)
    with media.open_writer(path, info, media.FORMATS["gif"], (width, height)) as out:
        for index, picture in enumerate(pictures):
            out.write(Frame(picture, index * DELAY, DELAY))


def by_pillow(pictures: Pictures, path: Path) -> None:
    first, *rest = [Image.fromarray(p) for p in pictures]
    first.save(path, save_all=True, append_images=rest, duration=100, loop=0)


def by_ffmpeg(pictures: Pictures, path: Path, dither: str) -> None:
    """Two passes: one palette of the whole clip, then its use."""
    height, width = pictures[0].shape[:2]
    frames = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = index * 10, Fraction(1, 100)
        frames.append(frame)
    given = {
        "video_size": f"{width}x{height}", "pix_fmt": "rgb24", "time_base": "1/100",
        "pixel_aspect": "1/1",
    }  # fmt: skip

    def source(graph: Any) -> Any:
        return graph.add("buffer", ":".join(f"{k}={v}" for k, v in given.items()))

    graph = av.filter.Graph()
    gather, find, sink = source(graph), graph.add("palettegen"), graph.add("buffersink")
    gather.link_to(find)
    find.link_to(sink)
    graph.configure()
    for frame in frames:
        gather.push(frame)
    gather.push(None)
    palette: Any = sink.pull()

    graph = av.filter.Graph()
    pictures_in = source(graph)
    palette_in = graph.add(
        "buffer", f"video_size=16x16:pix_fmt={palette.format.name}:time_base=1/100"
    )
    use, sink = graph.add("paletteuse", f"dither={dither}"), graph.add("buffersink")
    pictures_in.link_to(use, 0, 0)
    palette_in.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    palette.pts, palette.time_base = 0, Fraction(1, 100)
    palette_in.push(palette)
    palette_in.push(None)
    with av.open(str(path), "w", format="gif", options={"final_delay": "10"}) as out:
        stream: Any = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        stream.codec_context.time_base = Fraction(1, 100)
        for pushed in [*frames, None]:
            pictures_in.push(pushed)
            while True:
                try:
                    ready = sink.pull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
                out.mux(stream.encode(ready))
        out.mux(stream.encode(None))


def quality(name: str, written: Pictures, painted: Pictures, still: list[Any], size: int) -> Row:
    error = np.mean(
        [np.square(a.astype(float) - b).mean() for a, b in zip(written, painted, strict=True)]
    )
    changes = [
        np.abs(written[i + 1].astype(float) - written[i])[mask].mean()
        for i, mask in enumerate(still)
        if mask.any()
    ]
    return {
        "written by": name,
        "kB": size // 1024,
        "PSNR": 10 * math.log10(255**2 / max(float(error), 1e-9)),
        "flicker": float(np.mean(changes)),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("painted", type=Path)
    options.add_argument("source", type=Path)
    given = options.parse_args()
    painted = [frame.rgb for frame in media.open_clip(given.painted)]
    size = painted[0].shape[1::-1]
    source = [
        cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA).astype(int)
        for frame, _ in zip(media.open_clip(given.source), painted, strict=False)
    ]
    still = [np.abs(b - a).max(-1) <= UNCHANGED for a, b in itertools.pairwise(source)]
    rows = [quality("(painted frames)", painted, painted, still, 0)]
    writers: dict[str, Callable[[Pictures, Path], None]] = {
        "vidstyle": by_vidstyle,
        "Pillow": by_pillow,
        "FFmpeg palettegen, sierra2_4a": lambda p, f: by_ffmpeg(p, f, "sierra2_4a"),
        "FFmpeg palettegen, bayer": lambda p, f: by_ffmpeg(p, f, "bayer:bayer_scale=3"),
        "FFmpeg palettegen, no dither": lambda p, f: by_ffmpeg(p, f, "none"),
    }
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, write) in enumerate(writers.items()):
            path = Path(folder) / f"{index}.gif"
            write(painted, path)
            written = [frame.rgb for frame in media.open_clip(path)]
            rows.append(quality(name, written, painted, still, path.stat().st_size))
    show(rows, given.json)


if __name__ == "__main__":
    main()
