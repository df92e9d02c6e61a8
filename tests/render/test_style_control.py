"""Masks, styles over time, recipes and what they show on the way, by the command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from vidstyle import Settings, UsageError, media, stylize
from vidstyle.core import events
from vidstyle.core.frames import Frame
from vidstyle.core.images import resized_apart
from vidstyle.objective.masks import masked
from vidstyle.objective.styles import style_picture
from vidstyle.plan import describe, plan
from vidstyle.settings import recipes

from ..conftest import HEIGHT, QUICK, QUICK_OPTIONS, WIDTH, Run, scene, write_video

FAST = (*QUICK_OPTIONS, "--quiet")


def frames(path: Path) -> list[np.ndarray]:
    return [frame.rgb.astype(int) for frame in media.open_clip(path)]


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A mask of the left half."""
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mask[:, : WIDTH // 2] = 255
    media.save_image(tmp_path / "left.png", mask)
    return tmp_path / "left.png"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    media.save_image(tmp_path / "other.png", scene(9)[::-1].copy())
    return tmp_path / "other.png"


def test_what_is_masked_stays_unpainted_up_to_a_soft_edge(
    video: Path, style: Path, left: Path, tmp_path: Path, vidstyle: Run
) -> None:
    done = vidstyle(video, "--style", style, "--mask", left, *FAST, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    before, after = frames(video), frames(tmp_path / "out")
    assert len(after) == 5
    for source, painted in zip(before, after, strict=True):
        assert np.array_equal(painted[:, :26], source[:, :26])
        assert np.abs(painted[:, 40:] - source[:, 40:]).mean() > 1


def test_a_mask_clip_goes_frame_by_frame(video: Path, style: Path, tmp_path: Path) -> None:
    """The mask walks along; what it leaves is painted, also of a trimmed clip."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for i in range(5):
        mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        mask[:, 12 * i : 12 * i + 12] = 255
        media.save_image(folder / f"{i}.png", mask)
    result = stylize(
        video,
        style,
        tmp_path / "out",
        masks=[folder],
        start=0.04,
        size=64,
        first_iterations=3,
        iterations=2,
        feather=0.0,
    )
    before, after = frames(video)[1:], frames(result.output)
    assert len(after) == 4
    for i, (source, painted) in enumerate(zip(before, after, strict=True), 1):
        inside = np.zeros(WIDTH, bool)
        inside[12 * i : 12 * i + 12] = True
        assert np.array_equal(painted[:, inside], source[:, inside])
        assert np.abs(painted[:, ~inside] - source[:, ~inside]).mean() > 1


def test_a_region_has_a_style_of_its_own(
    video: Path, style: Path, left: Path, other: Path, tmp_path: Path
) -> None:
    options = QUICK | {"first_iterations": 12, "iterations": 3, "max_frames": 2}
    plain = stylize(video, style, tmp_path / "plain", **options)
    split = stylize(video, style, tmp_path / "split", masks=[(left, other)], **options)
    there = stylize(video, other, tmp_path / "there", **options)
    a, b, c = (frames(r.output)[0] for r in (plain, split, there))
    half = WIDTH // 2
    assert np.abs(b[:, half + 8 :] - a[:, half + 8 :]).mean() < np.abs(b - a)[:, : half - 8].mean()
    assert np.abs(b[:, : half - 8] - c[:, : half - 8]).mean() < np.abs(b - a)[:, : half - 8].mean()


def test_a_mask_of_another_size_is_resized_with_a_notice_and_of_another_length_refused(
    video: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    small = tmp_path / "small.png"
    media.save_image(small, np.full((20, 20, 3), 255, np.uint8))
    fast = {"size": 64, "first_iterations": 1, "iterations": 1, "max_frames": 1}
    result = stylize(video, style, tmp_path / "out", masks=[small], **fast)
    assert any("small.png is resized from 20x20" in note for note in result.notes)
    short = write_video(tmp_path / "short.mp4", [scene(i) for i in range(3)])
    done = vidstyle(video, "--style", style, "--mask", short, *FAST, "-o", tmp_path / "no.mp4")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "a mask of 3 frames for a clip of 5" in done.stderr
    done = vidstyle(video, "--style", style, "--mask", "none.png", *FAST)
    assert done.returncode == 2 and "none.png: no such file" in done.stderr
    assert not (tmp_path / "no.mp4").exists()


def test_the_style_changes_along_the_clip(
    video: Path, style: Path, other: Path, tmp_path: Path, vidstyle: Run
) -> None:
    """It ends as the other painting."""
    common = {
        **{"size": 64, "first_iterations": 30, "iterations": 15, "content_layers": ("relu3_1",)},
        "style_layers": ("relu1_1", "relu2_1", "relu3_1"),
    }
    out = [tmp_path / name for name in ("over", "first", "second")]
    stylize(video, style, out[0], style_at=[(0.03, style), (0.13, other)], **common)
    stylize(video, style, out[1], **common)
    stylize(video, other, out[2], **common)
    over, first, second = map(frames, out)
    assert np.array_equal(over[0], first[0])
    means = [[frame.mean((0, 1)) for frame in clip] for clip in (over, first, second)]
    far = [np.abs(means[0][i] - means[1][i]).mean() for i in range(5)]
    near = np.abs(means[0][4] - means[2][4]).mean()
    assert far[1] < far[4] and far[4] > 1.5 * near
    done = vidstyle(
        video, "--style", style, "--style-at", f"soon={other}", "-o", tmp_path / "x.mp4"
    )
    assert done.returncode == 2 and "SECONDS=IMAGE" in done.stderr


@pytest.mark.parametrize(
    "wish",
    [{"style_weight": 0.0, "content_layers": ("relu2_1",)}, {"content_weight": 0.0}],
    ids=["content", "texture"],
)
def test_reconstruction_of_one_from_noise(
    wish: dict, video: Path, style: Path, tmp_path: Path
) -> None:
    """Each without the other: the loss falls from that of noise; content needs no style."""
    losses: list[float] = []
    result = stylize(
        video,
        () if "style_weight" in wish else style,
        tmp_path / "out.png",
        max_frames=1,
        init="noise",
        size=64,
        first_iterations=40,
        listener=lambda event: losses.extend([event.step.loss] if hasattr(event, "step") else []),
        **wish,
    )
    assert losses[-1] < losses[0] / 3
    if "style_weight" in wish:
        painted, source = frames(result.output)[0], frames(video)[0]
        correlation = np.corrcoef(painted.mean(-1).ravel(), source.mean(-1).ravel())[0, 1]
        assert correlation > 0.8


@pytest.mark.parametrize("clip", ["video", "gif"])
@pytest.mark.parametrize("recipe", [recipe.name for recipe in recipes.every()])
def test_every_recipe_paints_a_clip_and_a_gif(
    recipe: str, clip: str, style: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = recipes.load(recipe).options | {
        "size": "full", "max_frames": 2, "first_iterations": 4, "iterations": 2
    }  # fmt: skip
    if options.get("learning_rate", 1.0) < 1e-3:  # until a pixel has moved by a level
        options["first_iterations"] = 12
    source = request.getfixturevalue(clip)
    losses: dict[int, list[float]] = {}

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Stepped):
            losses.setdefault(event.frame, []).append(event.step.loss)

    result = stylize(source, style, tmp_path / "out", listener=listen, **options)
    assert np.isfinite(result.losses).all()
    assert losses[1][-1] < losses[1][1], "the first step may lead away from the content"
    painted = frames(result.output)
    assert result.frames == len(painted) == 2
    for before, after in zip(frames(source), painted, strict=False):
        changed = (after - before)[:, 10:]  # beside what is clear
        assert np.abs(changed).mean() > 0.1, "it is painted"
        if options.get("keep_colors") == "luma":
            assert np.abs(changed.mean((0, 1)) @ [0.5, -1, 0.5]) < 5


@pytest.mark.parametrize("name", ["vgg16", "googlenet"])
def test_weights_of_the_other_networks_from_a_file(
    name: str, video: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    torch.save(
        torchvision.models.get_model(name, weights=None, init_weights=False).state_dict(), path
    )
    recipe = {"vgg16": "vgg16-multistyle", "googlenet": "googlenet"}[name]
    small = ("--size", 64, "--first-iterations", 3)
    done = vidstyle(
        video, "--style", style, "--recipe", recipe, "--weights", path, *small,
        "--max-frames", 1, "-o", tmp_path / "out.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    swapped = {"vgg16": "googlenet", "googlenet": "vgg16-multistyle"}[name]
    done = vidstyle(
        video, "--style", style, "--recipe", swapped, "--weights", path, *small,
        "-o", tmp_path / "no.mp4",
    )  # fmt: skip
    assert done.returncode == 2 and "these are not the weights of" in done.stderr


def test_a_border_that_is_cut_off_is_told(video: Path, style: Path, tmp_path: Path) -> None:
    picture = media.read_image(style)[0]
    scan = tmp_path / "scan.png"
    media.save_image(scan, np.pad(picture, ((20, 20), (30, 30), (0, 0))))
    painted: dict[str, Any] = {}
    for name, look, options in (
        ("plain", style, {}),
        ("trimmed", scan, {}),
        ("kept", scan, {"trim": False}),
    ):
        made = stylize(video, look, tmp_path / f"{name}.png", max_frames=1, **options, **QUICK)
        told = [note for note in made.notes if "border" in note]
        assert [("116x80 becomes" in note) for note in told] == [True] * (name == "trimmed")
        painted[name] = media.read_image(made.output)[0].astype(int)
    work = plan(video, [scan], tmp_path / "planned.png", settings=Settings(**QUICK, max_frames=1))
    assert "116x80 becomes" in describe(work).notes, "and before there is anything to paint"
    far = np.abs(painted["kept"] - painted["plain"]).mean()
    assert np.abs(painted["trimmed"] - painted["plain"]).mean() < 0.5 * far


def test_nothing_of_a_failed_run_stays(video: Path, style: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a style"):
        stylize(video, (), tmp_path / "out.mp4", style_weight=0.0, report=True)
    with pytest.raises(UsageError, match="no style"):
        stylize(video, (), tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_a_mask_is_taken_by_its_shape_in_all_its_frames_or_in_none(tmp_path: Path) -> None:
    """Its second frame is opaque all over: all of it is inside, not what is white in it."""
    clear = np.zeros((48, 64, 4), np.uint8)
    opaque = clear.copy()
    opaque[..., 3] = 255
    (tmp_path / "masks").mkdir()
    for number, picture in enumerate((clear, opaque, clear)):
        Image.fromarray(picture).save(tmp_path / "masks" / f"{number}.png")
    Image.fromarray(opaque).save(
        tmp_path / "mask.webp",
        save_all=True,
        append_images=[Image.fromarray(clear), Image.fromarray(opaque)],
        duration=50,
        lossless=True,
    )
    frames = [Frame(scene(i), Fraction(i, 25), Fraction(1, 25)) for i in range(3)]
    for name, wanted in (("masks", [0, 255, 0]), ("mask.webp", [255, 0, 255])):
        covered = [*masked(frames, [media.open_clip(tmp_path / name)])]
        assert [int(frame.masks[0].mean()) for frame in covered] == wanted


def test_colors_behind_what_is_clear_do_not_count(tmp_path: Path) -> None:
    """A red disc whose clear surroundings are green, as no one sees: halved, its edge stays red."""
    rows, columns = np.mgrid[:96, :96] - 48
    inside = rows**2 + columns**2 < 40**2
    picture = np.where(inside[..., None], (200, 0, 0), (0, 250, 0)).astype(np.uint8)
    alpha = np.where(inside, 255, 0).astype(np.uint8)
    for size in ((41, 41), (150, 150)):
        small, clear = resized_apart(picture, alpha, size)
        seen = small[clear > 8]
        assert seen[:, 1].max() <= 1 and seen[:, 0].min() >= 198
    path = tmp_path / "disc.png"
    media.save_image(path, picture, alpha)
    style = style_picture(path)
    assert style.shape == (79, 79, 3) and style[..., 1].max() == 0
    media.save_image(path, picture, np.zeros_like(alpha))
    with pytest.raises(UsageError, match="wholly transparent"):
        style_picture(path)
