"""A package of another author adds an engine, a formula, a format and a recipe, as the docs say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

import vidstyle
from vidstyle import extension
from vidstyle.core.registry import Registry
from vidstyle.media.encoders import FolderEncoder
from vidstyle.objective.losses import formula

from .documented import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
LONGEST = 30
"""Lines of an example, at most."""
QUICK = ("--size", "64", "--max-frames", "2", "--iterations", "1", "--first-iterations", "1")


def examples() -> list[tuple[str, str]]:
    """The files of the examples for other packages: each block's name and text."""
    outside = PAGE[: PAGE.index("## What takes a change to vidstyle")]
    return re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", outside, re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder for ``PYTHONPATH`` in which the package of the examples is installed."""
    files: dict[str, str] = {}
    for name, text in examples():
        files[name] = files.get(name, "") + text
    about = files.pop("pyproject.toml")
    points = about.replace("project.entry-points.", "").replace('"', "")
    facts = tmp_path / "own-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(points)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_each_example_is_short() -> None:
    found = examples()
    assert {name for name, _ in found} == {"own.py", "broad.toml", "pyproject.toml"}
    assert max(len(text.splitlines()) for _, text in found) <= LONGEST


def test_the_examples_are_on_the_command_line(package: Path, video: Path, style: Path) -> None:
    told = {}
    for name, options in {
        "engine": ("--engine", "recolor", "-o", package / "out"),
        "formula": ("--loss", "johnson", "-o", package / "by.gif", *QUICK),
        "format": ("-o", package / "out.tif", "--engine", "recolor"),
        "recipe": ("--recipe", "broad", "--dry-run"),
    }.items():
        command = [sys.executable, "-m", "vidstyle", video, "--style", style, *options]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(package), *sys.path])}
        told[name] = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, env=environment, check=False
        )
        assert told[name].returncode == 0, told[name].stderr
    assert len([*(package / "out").glob("*.png")]) == 5
    with Image.open(package / "out.tif") as pages:
        assert getattr(pages, "n_frames", 1) == 5


def test_a_program_registers_its_own(
    monkeypatch: pytest.MonkeyPatch, video: Path, style: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(extension.ENGINES, "things", dict(extension.ENGINES.things))

    class Negative(extension.BaseEngine):
        has_loss = False

        @staticmethod
        def cost(settings: object, size: tuple[int, int], frames: int) -> float:
            return 0.0

        def paint(self, frame: extension.Frame, on_step: object = None) -> tuple[object, float]:
            return 255 - frame.rgb, 0.0

    extension.ENGINES.register("negative", Negative)
    made = vidstyle.stylize(video, style, tmp_path / "out", engine="negative", size=64)
    assert made.frames == 5 and made.losses == ()
    with pytest.raises(ValueError, match="already"):
        extension.ENGINES.register("gatys", Negative)
    with pytest.raises(vidstyle.UsageError, match="did you mean 'negative'"):
        vidstyle.Settings(engine="negativ")


def test_what_cannot_be_imported_is_told_in_one_line() -> None:
    broken: Registry[object] = Registry("vidstyle.engines", {})
    broken.places["lost"] = EntryPoint("lost", "not_there:Engine", "vidstyle.engines")
    assert "lost" in broken
    with pytest.raises(vidstyle.UsageError, match=r"lost of vidstyle\.engines cannot be loaded"):
        broken["lost"]


def test_what_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no encoder of its own"):
        extension.Format("avi", "video", ("h264",), encoder=FolderEncoder)
    monkeypatch.setattr(extension.LOSSES, "things", {"odd": object()})
    with pytest.raises(vidstyle.UsageError, match=r"odd of vidstyle\.losses is no LossScaling"):
        formula("odd")


def test_the_public_surface_is_what_it_says() -> None:
    assert vidstyle.__all__ == [
        "Event", "KeysResult", "Learned", "Listener", "LookedAt", "MaskResult", "Metrics", "Notice",
        "Painted", "Result", "Settings", "Started", "Step", "Stepped", "TrainingResult",
        "UsageError", "VidstyleError", "__version__", "correct", "keyframes", "mask", "measure",
        "preview", "stylize", "train",
    ]  # fmt: skip
    assert extension.__all__ == [
        "CAFFE_RANGE", "ENGINES", "FORMATS", "LOSSES", "RECIPES", "UNIT_RANGE", "BaseEngine",
        "ClipEngine", "Encoder", "Engine", "Field", "Format", "Frame", "Image", "Learner",
        "LossScaling", "OnStep", "OptimizingEngine", "Registry", "State", "StyleSchedule",
    ]  # fmt: skip
    for module in (vidstyle, extension):
        for name in module.__all__:
            assert getattr(module, name) is not None
