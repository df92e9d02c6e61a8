"""The commands that the documentation tells people to type, at a tiny size.

    python -m tests.documented [FOLDER]

runs all of them in a folder, as somebody would who reads it from the first page to the last; by
default in this copy of the repository.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from vidstyle import cli, media
from vidstyle.cli.commands import COMMANDS
from vidstyle.studio import SAMPLES
from vidstyle.studio.votes import Ballot, Vote

from .conftest import scene, write_video
from .subjects.drawn import person

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TINY = ["--size", "32", "--max-frames", "2", "--first-iterations", "1", "--iterations", "1"]
TINY_TRAINING = ["--max-frames", "2", "--training-steps", "2"]
FURTHER = {
    "train": [*TINY_TRAINING, "--overwrite"],
    "measure": ["--max-frames", "2"],
    "export": ["--overwrite"],
    "mask": ["--overwrite"],
}
"""What the commands are given beside what is written."""
ELSEWHERE = {"studio", "vote", "doctor", "--cluster", "-"}
"""What has tests of its own: it ends with Ctrl-C, measures for long, starts other processes, or
reads and writes through pipes."""


def written(page: Path) -> list[list[str]]:
    """The arguments of every ``vidstyle`` in the code blocks of a page."""
    lines = re.findall(r"^    (?:.*&& \S*|.*; \S*)?vidstyle (.+)$", page.read_text(), re.MULTILINE)
    return [shlex.split(line.replace("\\", "/"), comments=True) for line in lines]


def commands(page: Path) -> Iterator[list[str]]:
    """Those that are run, at a tiny size."""
    for given in written(page):
        if ELSEWHERE & {*given}:
            continue
        if given[0] in COMMANDS:
            yield [*given, *FURTHER.get(given[0], [])]
        else:
            yield [*given, *TINY, *TINY_TRAINING[2:], "--overwrite"]


def prepare(folder: Path) -> None:
    """Make files of the names that the documentation uses; a minute and more of clip."""
    frames = [scene(index, 64, 48) for index in range(16)]
    write_video(folder / "clip.mp4", frames, [3000 * index for index in range(16)])
    for name in ("film.mp4", "other.mp4", "vtest.avi"):
        shutil.copy(folder / "clip.mp4", folder / name)
    write_video(folder / "me.mp4", [person(middle=100 + index)[0] for index in range(4)])
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    for name in SAMPLES:
        if not (samples / name).exists():
            shutil.copy(ROOT / "samples" / name, samples)
    for name in ("cat.gif", "one.gif", "two.gif"):
        shutil.copy(samples / "fish.gif", folder / name)
    for name in ("scene.mp4", "scene.picasso.mp4"):
        shutil.copy(folder / "clip.mp4", folder / name)
    (folder / "flow").mkdir(exist_ok=True)
    cv2.writeOpticalFlow(str(folder / "flow" / "0001.flo"), np.zeros((48, 64, 2), np.float32))
    for name in ("votes.json", "hers.json"):
        Ballot(folder / name).add(Vote("bikes", "fine", "broad", "fine", name, 3.0))
    for seed, name in enumerate(("picasso.jpg", "monet.jpg", "starry_night.jpg", "face.png")):
        picture = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        media.save_image(folder / name, picture)


def main(folder: Path = ROOT) -> int:
    prepare(folder)
    os.chdir(folder)
    for page in PAGES:
        for command in commands(page):
            print("vidstyle", shlex.join(command), flush=True)
            if code := cli.main([*command, "--quiet"] if command[0] not in COMMANDS else command):
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
