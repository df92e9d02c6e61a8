"""What the documentation tells people to type, and gives them as files, works."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from vidstyle import cli, media
from vidstyle.cli.commands import COMMANDS
from vidstyle.studio import SAMPLES

from .conftest import scene, write_video

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TINY = ["--size", "32", "--max-frames", "2", "--first-iterations", "1", "--iterations", "1"]
TINY_TRAINING = ["--max-frames", "2", "--training-steps", "2"]
FURTHER = {
    "train": [*TINY_TRAINING, "--overwrite"],
    "measure": ["--max-frames", "2"],
    "export": ["--overwrite"],
}
"""What the commands are given beside what is written."""
ELSEWHERE = {"studio", "doctor", "--cluster", "-"}
"""What has tests of its own: it ends with Ctrl-C, measures for long, starts other processes, or
reads and writes through pipes."""


def commands(page: Path) -> list[list[str]]:
    """The arguments of every ``vidstyle`` in the code blocks of a page."""
    lines = re.findall(r"^    (?:.*&& )?vidstyle (.+)$", page.read_text(), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def arguments(written: list[str]) -> list[str]:
    """The same at a tiny size."""
    if written[0] in COMMANDS:
        return [*written, *FURTHER.get(written[0], [])]
    return [*written, *TINY, *TINY_TRAINING[2:], "--overwrite"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the names that the documentation uses; a minute and more of clip."""
    frames = [scene(index, 64, 48) for index in range(16)]
    write_video(tmp_path / "clip.mp4", frames, [3000 * index for index in range(16)])
    for name in ("film.mp4", "other.mp4", "vtest.avi"):
        shutil.copy(tmp_path / "clip.mp4", tmp_path / name)
    for name in ("cat.gif", "one.gif", "two.gif"):
        shutil.copy(ROOT / "samples" / "fish.gif", tmp_path / name)
    for seed, name in enumerate(("picasso.jpg", "monet.jpg", "starry_night.jpg", "face.png")):
        picture = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        media.save_image(tmp_path / name, picture)
    (tmp_path / "samples").mkdir()
    for name in SAMPLES:
        shutil.copy(ROOT / "samples" / name, tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_works(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for written in commands(page):
        if ELSEWHERE & {*written}:
            continue
        code = cli.main(arguments(written))
        assert code == 0, f"vidstyle {' '.join(written)}: {capsys.readouterr().err}"


def test_there_are_commands() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 40


@pytest.mark.parametrize("name", ["ssh", "aws"])
def test_ray_takes_the_cluster_files(name: str) -> None:
    yaml = pytest.importorskip("yaml")
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = util.prepare_config(yaml.safe_load((DOCS / "cluster" / f"{name}.yaml").read_text()))
    util.validate_config(config)
    assert config["max_workers"] and "vidstyle" in str(config["setup_commands"])


def test_the_image_is_made_of_files_that_there_are() -> None:
    lines = (DOCS / "cluster" / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert copied and all((DOCS.parent / name).exists() for name in copied)
