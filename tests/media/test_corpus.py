"""Damaged files of every kind: each is read as far as it goes, or refused in one line.

The whole corpus is run by ``pytest -m slow -n 0 -s``: some hundreds of fuzzed and cut copies of the
samples and, where ``VIDSTYLE_CORPUS`` names a folder (the ``Tests/images`` of Pillow's source
distribution, say), every GIF, PNG, WebP and video in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidstyle import media

from ..conftest import scene, write_video

SAMPLES = Path(__file__).parents[2] / "samples"
LONGEST = 20.0
"""Seconds a file may take."""
MOST_MEMORY = 2000.0
"""MB that reading may need, whatever a file claims."""
SUFFIXES = (".gif", ".png", ".apng", ".webp", ".mp4", ".avi", ".mkv", ".webm", ".mov", ".mpg")


def run(files: list[Path], folder: Path) -> list[dict[str, Any]]:
    """Rewrite the files in worker processes; one that crashes or hangs is replaced."""
    rows: list[dict[str, Any]] = []
    while len(rows) < len(files):
        left = files[len(rows) :]
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.media.corpus_worker", str(folder)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            out, _ = worker.communicate("\n".join(map(str, left)), LONGEST * (1 + len(left) / 4))
        except subprocess.TimeoutExpired:
            worker.kill()
            out, _ = worker.communicate()
        found = [json.loads(line) for line in out.splitlines()]
        rows += found
        if len(found) < len(left):
            rows.append(
                {"file": str(left[len(found)]), "ended": f"died ({worker.returncode})",
                 "frames": 0, "MB": 0.0}
            )  # fmt: skip
    return rows


def accumulator(rows: list[dict[str, Any]]) -> None:
    counts = Counter(row["ended"] for row in rows)
    print(f"\n{len(rows)} files: {dict(counts)}, {sum(r['frames'] for r in rows)} frames written")
    bad = [row for row in rows if row["ended"] not in ("written", "refused")]
    assert not bad
    assert [r for r in rows if r["ended"] == "written" and not r["frames"]] == []
    assert max(row["MB"] for row in rows) < MOST_MEMORY


def originals(folder: Path) -> list[Path]:
    """One small clip of each container."""
    pictures = [scene(i) for i in range(6)]
    videos = [
        write_video(folder / name, pictures, codec=codec, base=base, times=times, options={})
        for name, codec, base, times in (
            ("a.mp4", "libx264", Fraction(1, 600), None),
            ("b.mkv", "libx264", Fraction(1, 600), None),
            ("c.webm", "libvpx-vp9", Fraction(1, 600), None),
            ("d.avi", "mpeg4", Fraction(1, 25), list(range(6))),
            ("e.mpg", "mpeg2video", Fraction(1, 25), list(range(6))),
        )
    ]
    info = media.open_clip(videos[0]).info
    for name in ("f.gif", "g.apng", "h.webp"):
        output = folder / name
        with media.open_writer(output, info, media.format_of(output), (64, 48)) as out:
            for frame in media.open_clip(videos[0]):
                out.write(frame)
        videos.append(output)
    return [*videos, SAMPLES / "fish.gif", SAMPLES / "city.mp4"]


def damaged(folder: Path, copies: int, seed: int = 0) -> list[Path]:
    """Copies of each original with bytes changed, cut short, or with a part taken out."""
    random = np.random.default_rng(seed)
    made = []
    for original in originals(folder):
        whole = np.frombuffer(original.read_bytes(), np.uint8)
        for copy in range(copies):
            data = whole.copy()
            kind = copy % 3
            if kind == 0:  # the header is where it hurts most
                reach = len(data) if copy % 2 else min(len(data), 400)
                places = random.integers(0, reach, random.integers(1, 30))
                data[places] = random.integers(0, 256, len(places))
            elif kind == 1:
                data = data[: random.integers(1, len(data))]
            else:
                begin = int(random.integers(0, len(data)))
                data = np.delete(data, np.s_[begin : begin + int(random.integers(1, 2000))])
            path = folder / f"{original.stem}-{copy}{original.suffix}"
            path.write_bytes(data.tobytes())
            made.append(path)
    return made


def test_damaged_clips_end_well(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    accumulator(run(damaged(tmp_path, copies=6), tmp_path / "out"))


@pytest.mark.slow
def test_hundreds_of_damaged_clips_end_well(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    accumulator(run(damaged(tmp_path, copies=50, seed=1), tmp_path / "out"))


@pytest.mark.slow
@pytest.mark.skipif("VIDSTYLE_CORPUS" not in os.environ, reason="VIDSTYLE_CORPUS names no folder")
def test_every_file_of_a_corpus_ends_well(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    folder = Path(os.environ["VIDSTYLE_CORPUS"])
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    assert files
    accumulator(run(files, tmp_path / "out"))
