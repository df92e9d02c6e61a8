"""Rewrites, or looks at, the files it is named, one after the other; a line of JSON for each.

A process of its own, so that a crash or a hang in a library is seen as one.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from vidstyle import UsageError, VidstyleError, media
from vidstyle.plan import plan

MOST_FRAMES = 60


def rewrite(path: Path, folder: Path) -> tuple[str, int]:
    """Copy a clip as a GIF or, for a video, as an mp4: how it ended, and how many frames."""
    output = folder / "out"
    try:
        clip = media.open_clip(path)
        output = folder / ("out.mp4" if clip.info.kind == "video" else "out.gif")
        size = (clip.info.width, clip.info.height)
        with media.open_writer(output, clip.info, media.format_of(output), size) as out:
            for frame in media.trim(clip, max_frames=MOST_FRAMES):
                out.write(frame)
    except (UsageError, VidstyleError) as error:
        if "\n" in str(error):
            return f"more than one line: {error}", 0
        return ("refused" if not list(folder.iterdir()) else "left something behind"), 0
    written = sum(1 for _ in media.open_clip(output))
    output.unlink()
    return "written", written


def look(path: Path, folder: Path) -> tuple[str, int]:
    """What ``vidstyle info`` reads of a clip, and a plan of painting it."""
    try:
        facts = media.describe(media.open_clip(path))
        plan(path, [folder / "style.png"], folder / "out.mkv")
    except (UsageError, VidstyleError) as error:
        return ("refused" if "\n" not in str(error) else f"more than one line: {error}"), 0
    return "read", facts["frames"]


def main() -> None:
    folder, work = Path(sys.argv[1]), {"rewrite": rewrite, "look": look}[sys.argv[2]]
    for name in sys.stdin.read().splitlines():
        try:
            ended, frames = work(Path(name), folder)
        except Exception as error:
            ended, frames = f"{type(error).__name__}: {error}", 0
        row = {
            "file": name,
            "ended": ended,
            "frames": frames,
            "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
