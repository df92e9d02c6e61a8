"""What is known, and refused, before any painting."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

import vidstyle
from vidstyle import Settings, UsageError, media, networks
from vidstyle.cli import main
from vidstyle.core.devices import container_memory
from vidstyle.plan import PaintPlan, plan
from vidstyle.plan.styles import brush_told
from vidstyle.settings import recipes

from ..conftest import contents, not_yet, scene, write_video

pytestmark = pytest.mark.usefixtures("unpainted")


def counted(clip: str, output: str = "x.webp", **options: object) -> int | None:
    return plan(clip, ["stripes.png"], output, settings=Settings(**options)).footage.frames  # type: ignore[arg-type]


def test_the_plan_of_an_animation_knows_its_times(workdir: Path) -> None:
    """Delays of 50, 100, 70 and 200 ms."""
    assert counted("walk.gif") == 4
    assert counted("walk.gif", end=0.1) == 2
    assert counted("walk.gif", start=0.06, end=0.15) == 1
    assert counted("walk.gif", start=0.1, end=0.16) == 2
    assert counted("walk.gif", fps=10) == 5
    assert counted("walk.gif", "one.jpg", end=0.05) == 1
    with pytest.raises(UsageError, match="holds one frame"):
        counted("walk.gif", "one.jpg", end=0.06)
    with pytest.raises(UsageError, match="no frame between"):
        counted("walk.gif", start=0.5)


def test_the_plan_of_a_video_counts_what_is_painted(workdir: Path) -> None:
    for start, end in ((0.0, None), (0.02, None), (0.04, 0.16), (0.05, 0.13), (0.19, None)):
        options = {"start": start, "end": end}
        made = vidstyle.stylize(
            "walk.mp4", "stripes.png", "x.mp4", size=64, overwrite=True, **options
        )
        assert counted("walk.mp4", **options) == made.frames
    with pytest.raises(UsageError, match="no frame between"):
        counted("walk.mp4", start=7200)


SIZES = {
    # name: (width, height), and what they become by default, in full, at 512, as a preview
    "small.mp4": ((176, 144), (176, 144), (176, 144), (512, 418), (176, 144)),
    "odd.mp4": ((101, 57), (100, 56), (102, 58), (512, 288), (100, 56)),
    "large.mp4": ((640, 360), (512, 288), (640, 360), (512, 288), (208, 116)),
    "upright.mkv": ((360, 640), (288, 512), (360, 640), (288, 512), (116, 208)),
    "sticker.gif": ((128, 96), (128, 96), (128, 96), (512, 384), (128, 96)),
    "odd.gif": ((101, 57), (101, 57), (101, 57), (512, 289), (101, 57)),
    "large.gif": ((600, 200), (512, 171), (600, 200), (512, 171), (208, 69)),
    "small.png": ((90, 64), (90, 64), (90, 64), (512, 364), (90, 64)),
    "large.jpg": ((800, 533), (512, 341), (800, 533), (512, 341), (208, 139)),
    "just.png": ((512, 31), (512, 31), (512, 31), (512, 31), (208, 13)),
}


@pytest.mark.parametrize("name", SIZES)
def test_nothing_is_enlarged_unasked(name: str, workdir: Path) -> None:
    (width, height), *wanted = SIZES[name]
    pictures = [scene(step, width, height) for step in range(2)]
    if Path(name).suffix in (".mp4", ".mkv"):
        write_video(workdir / name, pictures, pixels="yuv444p")
    elif name.endswith(".gif"):
        first, second = map(Image.fromarray, pictures)
        first.save(name, save_all=True, append_images=[second], duration=100, loop=0)
    else:
        Image.fromarray(pictures[0]).save(name)
    ways: list[tuple[dict[str, Any], int | None]] = [
        ({}, None), ({"size": "full"}, None), ({"size": 512}, None), ({}, 2)
    ]  # fmt: skip
    for (given, preview), size in zip(ways, wanted, strict=True):
        planned = plan(
            name, ["stripes.png"], settings=Settings(**given), overwrite=True, preview=preview
        )
        odd = any("has no odd sizes" in note for note in planned.notes)
        assert odd == (planned.size != size), planned.notes
        told = any("--size 512 enlarges it" in note for note in planned.notes)
        assert told == (not given and preview is None and max(size) < 256), planned.notes
        if preview is None:
            made = vidstyle.stylize(name, "stripes.png", overwrite=True, **given)
        else:
            made = vidstyle.preview(name, "stripes.png", frames=preview, overwrite=True)
        info = media.open_clip(made.output).info
        assert (info.width, info.height) == size, (given, preview)


def test_a_clip_that_is_too_small_is_enlarged_only_if_asked(workdir: Path) -> None:
    Image.fromarray(scene(0, 24, 16)).save("tiny.png")
    with pytest.raises(UsageError, match="24x16 is too small to be painted: use --size 32"):
        plan("tiny.png", ["stripes.png"])
    assert plan("tiny.png", ["stripes.png"], settings=Settings(size=32)).size[0] == 32


def test_a_start_inside_a_frame_makes_a_short_first_frame(workdir: Path) -> None:
    """Clocks of one tick a frame: two frames would round to one tick."""
    write_video(
        workdir / "ten.avi", [scene(i) for i in range(8)], [*range(8)], base=Fraction(1, 10)
    )
    for clip, output in (("ten.avi", "a.mp4"), ("ten.avi", "a.mkv"), ("walk.gif", "b.mp4")):
        made = vidstyle.stylize(
            clip, "stripes.png", output, size=64, start=0.35 if "a" in output else 0.055
        )
        frames = [*media.open_clip(output)]
        assert len(frames) == made.frames
        first = Fraction(1, 20) if clip == "ten.avi" else Fraction(95, 1000)
        assert frames[1].time == pytest.approx(first, abs=0.001)


def test_masks_styles_and_clips_are_refused_by_their_size_before_they_are_decoded(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((400, 500), np.uint8)).save("large.png")
    Image.fromarray(np.zeros((400, 500), np.uint8)).save("large.gif")
    write_video(workdir / "large.mp4", [np.zeros((400, 500, 3), np.uint8)])
    monkeypatch.setattr(Image.Image, "convert", lambda *given: pytest.fail("it was decoded"))
    monkeypatch.setattr(media.video, "shown_picture", lambda frame: pytest.fail("it was decoded"))
    limit = ("--max-pixels", "100000")
    for clip in ("large.png", "large.gif", "large.mp4"):
        for command in (
            (clip, "--style", "stripes.png", *limit),
            ("info", clip, *limit),
            ("measure", clip, "walk.mp4", "--style", "large.png", *limit),
        ):
            assert main([*command]) == 2
            assert "more than --max-pixels 100000" in capsys.readouterr().err


def test_what_cannot_be_encoded_is_refused_at_once(
    workdir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(workdir)
    for more, word in (
        (("-o", "x.mp4", "--crf", 70), "at most 51"),
        (("-o", "x.webm", "--crf", 64), "at most 63"),
        (("-o", "x.gif", "--codec", "nonsense"), "unknown codec"),
        (("-o", "x.gif", "--loop", 70000), "at most 65535"),
        (("-o", "x.webp", "--size", 20000), "at most 16383"),
        (("-o", "x.mp4", "--codec", "vp8"), "vp9"),
        (("-o", "x.mp4", "--fps", 1e6), "at most 1000"),
    ):
        command = ["walk.mp4", "--style", "stripes.png", *map(str, more)]
        with monkeypatch.context() as patch:
            patch.setattr(networks, "load", not_yet)
            assert main([*command, "--max-pixels", "1000000000"]) == 2
        shown = capsys.readouterr().err
        assert word in shown and len(shown.splitlines()) == 1
    assert contents(workdir) == before
    made = vidstyle.stylize("walk.gif", "stripes.png", "x.gif", size=64, codec="h264", crf=20)
    assert "gif has no codec: --codec, --crf have no effect" in made.notes


@pytest.mark.parametrize(
    ("mode", "values", "wanted"),
    [
        ("float", np.float32([0.0, 0.5, 1.0]), [0, 128, 255]),
        ("float of 255", np.float32([0.0, 127.5, 255.0]), [0, 128, 255]),
        ("bright float", np.float32([0.0, 500.0, 1000.0]), [0, 128, 255]),
        ("32 bits", np.int32([0, 2**30, 2**31 - 1]), [0, 128, 255]),
        ("16 bits in 32", np.int32([0, 32768, 65535]), [0, 128, 255]),
        ("16 bits", np.uint16([0, 32768, 65535]), [0, 128, 255]),
    ],
)
def test_gray_of_every_depth_is_read_as_it_looks(
    mode: str, values: np.ndarray, wanted: list[int], tmp_path: Path
) -> None:
    Image.fromarray(np.tile(values, (4, 1))).save(tmp_path / "gray.tif")
    picture, alpha = media.read_image(tmp_path / "gray.tif")
    assert alpha is None and np.abs(picture[0, :, 0].astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("damage", "told"),
    [("size", "not that of the first image"), ("content", "cannot be read as an image")],
)
def test_every_picture_of_a_folder_is_looked_at_before_the_first_is_painted(
    damage: str, told: str, style: Path, tmp_path: Path
) -> None:
    good, bad, out = (tmp_path / name for name in ("good", "bad", "out.mp4"))
    good.mkdir()
    for number in range(8):
        Image.fromarray(scene(number)).save(good / f"{number}.png")
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.rot90(scene(1)).copy()).save(good / "1.jpg", exif=turned)
    (good / "1.png").unlink()
    shutil.copytree(good, bad)
    if damage == "size":
        Image.fromarray(scene(6)[:, :40]).save(bad / "6.png")
    else:
        (bad / "6.png").write_text("no picture")
    before = contents(tmp_path)
    plan(good, [style], out)
    for options in ({}, {"start": 0.2, "max_frames": 2}):
        with pytest.raises(UsageError, match=told):
            plan(bad, [style], out, settings=Settings(**options))
    with pytest.raises(UsageError, match=told):
        plan(good, [style], out, masks=[bad])
    for options in ({"end": 0.24}, {"max_frames": 6}):
        plan(bad, [style], out, settings=Settings(**options))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("version", [1, 2])
def test_the_memory_of_a_container_is_its_limit(version: int, tmp_path: Path) -> None:
    top = tmp_path / "sys/fs/cgroup" / ("memory" if version == 1 else "")
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        2: ("memory.max", "memory.current"),
    }[version]
    inner = top / "box" / "task"
    inner.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    line = "4:memory:/box/task" if version == 1 else "0::/box/task"
    (tmp_path / "proc/self/cgroup").write_text(f"9:name=systemd:/\n{line}\n")
    assert container_memory(tmp_path) is None
    (inner / names[0]).write_text("max\n")
    (inner / names[1]).write_text("100\n")
    assert container_memory(tmp_path) is None
    (top / "box" / names[0]).write_text("5000\n")  # of the group above
    (top / "box" / names[1]).write_text("2000\n")
    assert container_memory(tmp_path) == 3000
    (top / "box" / "memory.stat").write_text("anon 1500\ninactive_file 400\n")
    assert container_memory(tmp_path) == 3400


def test_a_brush_that_does_not_fit_is_told(style: Path, video: Path, tmp_path: Path) -> None:
    def notes(**options: Any) -> str:
        return " ".join(plan(video, [style], tmp_path / "o", settings=Settings(**options)).notes)

    assert "too fine to be painted: use --size 400" in notes(size=80, brush=1.0)
    assert "which makes its strokes soft" in notes(size=400, brush=15.0)
    assert "brush" not in notes(size=80, brush=8.0) + notes(size=80)


def test_a_preview_has_the_strokes_of_the_painting(style: Path, tmp_path: Path) -> None:
    def strokes(made: PaintPlan) -> str:
        return brush_told(made.schedule.pictures, made.size, made.settings).split(" %")[0]

    large = write_video(tmp_path / "large.mp4", [scene(i, 480, 360) for i in range(2)])
    whole = plan(large, [style], tmp_path / "whole.mp4")
    small = plan(large, [style], tmp_path / "small.mp4", preview=1)
    assert max(small.size) < max(whole.size)
    assert strokes(whole) == strokes(small)
    given = plan(large, [style], tmp_path / "s.mp4", preview=1, settings=Settings(brush=5.0))
    assert strokes(given) == "5"


@pytest.mark.parametrize("brush", [0, 0.05, 16, 200])
def test_a_brush_out_of_its_range_is_refused(brush: float) -> None:
    with pytest.raises(UsageError, match="brush is"):
        Settings(brush=brush)


def test_a_brush_goes_before_a_recipe_that_says_the_same() -> None:
    assert "style_scale" in recipes.load("gatys").options
    Settings(**recipes.load("gatys", {"brush"}).options | {"brush": 4.0})
    with pytest.raises(UsageError, match="say the same"):
        Settings(brush=4.0, style_scale=2.0)
