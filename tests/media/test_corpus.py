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
from PIL import Image

from vidstyle import media

from ..conftest import scene, write_video

SAMPLES = Path(__file__).parents[2] / "samples"
LONGEST = 20.0
"""Seconds a file may take."""
MOST_MEMORY = 2000.0
"""MB that reading may need, whatever a file claims."""
SUFFIXES = (".gif", ".png", ".apng", ".webp", ".mp4", ".avi", ".mkv", ".webm", ".mov", ".mpg")


def run(files: list[Path], folder: Path, what: str = "rewrite") -> list[dict[str, Any]]:
    """Rewrite the files, or look at them, in worker processes; one that crashes or hangs is
    replaced."""
    rows: list[dict[str, Any]] = []
    while len(rows) < len(files):
        left = files[len(rows) :]
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.media.corpus_worker", str(folder), what],
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


def check(rows: list[dict[str, Any]]) -> None:
    counts = Counter(row["ended"] for row in rows)
    print(f"\n{len(rows)} files: {dict(counts)}, {sum(r['frames'] for r in rows)} frames")
    bad = [row for row in rows if row["ended"] not in ("written", "read", "refused")]
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
    """Copies of each original with bytes changed, cut short, with a part taken out, or joined with
    another one."""
    random = np.random.default_rng(seed)
    made = []
    seeds = originals(folder)
    for original in seeds:
        whole = np.frombuffer(original.read_bytes(), np.uint8)
        for copy in range(copies):
            data = whole.copy()
            kind = copy % 4
            if kind == 0:  # the header is where it hurts most
                reach = len(data) if copy % 2 else min(len(data), 400)
                places = random.integers(0, reach, random.integers(1, 30))
                data[places] = random.integers(0, 256, len(places))
            elif kind == 1:
                data = data[: random.integers(1, len(data))]
            elif kind == 2:
                other = np.frombuffer(random.choice(np.array(seeds)).read_bytes(), np.uint8)
                at = random.integers(0, len(data)), random.integers(0, len(other))
                data = np.concatenate([data[: at[0]], other[at[1] :]])
            else:
                begin = int(random.integers(0, len(data)))
                data = np.delete(data, np.s_[begin : begin + int(random.integers(1, 2000))])
            path = folder / f"{original.stem}-{copy}{original.suffix}"
            path.write_bytes(data.tobytes())
            made.append(path)
    return made


def test_damaged_clips_end_well(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    check(run(damaged(tmp_path, copies=6), tmp_path / "out"))


@pytest.mark.slow
def test_hundreds_of_damaged_clips_end_well(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    check(run(damaged(tmp_path, copies=50, seed=1), tmp_path / "out"))


def looked_at(folder: Path, copies: int, seed: int) -> None:
    Image.fromarray(scene(0)).save(folder / "style.png")
    check(run(damaged(folder, copies, seed), folder, "look"))


def test_damaged_clips_are_planned_or_refused(tmp_path: Path) -> None:
    looked_at(tmp_path, 4, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_damaged_clips_are_planned_or_refused(seed: int, tmp_path: Path) -> None:
    looked_at(tmp_path, 100, 100 + seed)


@pytest.mark.slow
@pytest.mark.skipif("VIDSTYLE_CORPUS" not in os.environ, reason="VIDSTYLE_CORPUS names no folder")
def test_every_file_of_a_corpus_ends_well(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    folder = Path(os.environ["VIDSTYLE_CORPUS"])
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    assert files
    check(run(files, tmp_path / "out"))
