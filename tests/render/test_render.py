"""Whole clips, painted by the real network at tiny sizes."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import vidstyle
from vidstyle import UsageError, media
from vidstyle.core import devices, events
from vidstyle.core.frames import Frame
from vidstyle.engines import base

from ..conftest import QUICK, STYLE_LAYERS, scene, write_video
from ..media.test_video import sound_of

FAST = QUICK | {"iterations": 3, "first_iterations": 4}


def frames(path: Path) -> list[Frame]:
    return list(media.open_clip(path))


def test_a_video_is_painted_with_its_times_and_sound(
    video: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "painted.mp4"
    result = vidstyle.stylize(video, style, output, **FAST)
    source, painted = frames(video), frames(output)
    assert result.output == output and result.frames == len(painted) == len(source) == 5
    assert [(f.time, f.duration) for f in painted] == [(f.time, f.duration) for f in source]
    assert sound_of(output) == sound_of(video)
    changed = [
        np.abs(a.rgb.astype(int) - b.rgb).mean() for a, b in zip(source, painted, strict=True)
    ]
    assert min(changed) > 3, "every frame is painted"
    assert len(result.losses) == 5


def test_a_gif_is_painted_with_its_delays_loop_and_transparency(
    gif: Path, style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "painted.gif"
    vidstyle.stylize(gif, style, output, **FAST)
    source, painted = frames(gif), frames(output)
    assert [(f.time, f.duration) for f in painted] == [(f.time, f.duration) for f in source]
    assert media.open_clip(output).info.loop == 3
    for before, after in zip(source, painted, strict=True):
        assert before.alpha is not None and after.alpha is not None
        assert np.array_equal(before.alpha, after.alpha)


def test_painting_lowers_the_loss_and_what_is_still_stays(
    video: Path, style: Path, tmp_path: Path
) -> None:
    seen: dict[int, list[float]] = {}

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Stepped):
            seen.setdefault(event.frame, []).append(event.step.loss)

    folder = tmp_path / "frames"
    vidstyle.stylize(
        video, style, folder, listener=listen, size=128, iterations=3, first_iterations=25
    )
    assert seen[1][-1] < 0.7 * seen[1][0]
    pictures = [f.rgb for f in frames(folder)]
    assert len(pictures) == 5
    for before, after in pairwise(pictures):
        below = np.s_[-12:, :]  # the square walks higher up
        assert np.array_equal(before[below], after[below])
        assert not np.array_equal(before, after)


def test_the_same_seed_paints_the_same(video: Path, style: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        vidstyle.stylize(video, style, tmp_path / name, max_frames=2, init="noise", **FAST)
    for one, other in zip(frames(tmp_path / "a"), frames(tmp_path / "b"), strict=True):
        assert np.array_equal(one.rgb, other.rgb)


def test_a_frame_that_repeats_is_painted_once(style: Path, tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.mkdir()
    for number, step in enumerate((0, 0, 4)):
        media.save_image(path / f"{number}.png", scene(step))
    steps: list[int] = []
    folder = tmp_path / "out"
    vidstyle.stylize(
        path,
        style,
        folder,
        **FAST,
        listener=lambda e: steps.append(e.frame) if isinstance(e, events.Stepped) else None,
    )
    first, second, third = (f.rgb for f in frames(folder))
    assert np.array_equal(first, second) and not np.array_equal(second, third)
    assert set(steps) == {1, 3}


@pytest.mark.parametrize("init", ["content", "noise", "previous", "warped"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_every_way_to_begin_and_to_optimize(
    init: str, optimizer: str, video: Path, style: Path, tmp_path: Path
) -> None:
    """Steps lower the loss of each frame; what the second one begins from tells the ways apart."""
    losses: dict[int, list[float]] = {}
    pictures: dict[int, np.ndarray] = {}

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Stepped):
            losses.setdefault(event.frame, []).append(event.step.loss)
            pictures.setdefault(event.frame, event.step.picture().astype(int))

    folder = tmp_path / "painted"
    vidstyle.stylize(
        video,
        style,
        folder,
        init=init,
        optimizer=optimizer,
        max_frames=2,
        listener=listen,
        **FAST | {"iterations": 4},
    )
    source, painted = ([f.rgb.astype(int) for f in frames(path)] for path in (video, folder))
    assert {*losses} == {1, 2}
    assert all(np.isfinite(seen).all() and seen[-1] < seen[0] for seen in losses.values())
    # After one step, a picture is still near to what it was begun from: the second frame to the
    # first one as that was then, or as it was in the end. The ground is still.
    ground = np.s_[-12:, :]
    anew, on = (np.abs(pictures[2] - one)[ground].mean() for one in (pictures[1], painted[0]))
    assert (anew < on) == (init in ("content", "noise")), (anew, on)
    assert (np.abs(pictures[1] - source[0]).mean() > 25) == (init == "noise")
    if init in ("previous", "warped"):
        kept = (painted[0] == painted[1])[ground].mean()
        assert (kept > 0.5) == (init == "warped"), kept


def test_part_of_a_clip(video: Path, style: Path, tmp_path: Path) -> None:
    output = tmp_path / "part.mp4"
    vidstyle.stylize(video, style, output, start=0.04, end=0.16, **FAST)
    assert [f.time for f in frames(output)] == [Fraction(i, 25) for i in range(3)]
    with pytest.raises(UsageError, match="no frame between"):
        vidstyle.stylize(video, style, tmp_path / "none.mp4", start=9, **FAST)
    assert not (tmp_path / "none.mp4").exists()


def test_the_sound_ends_with_the_last_frame_that_is_asked_for(style: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "long.mp4", [scene(i) for i in range(25)], sound="aac")
    output = tmp_path / "part.mp4"
    vidstyle.stylize(clip, style, output, max_frames=3, **FAST)
    with av.open(str(output)) as container:
        heard = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert heard and max(heard) < 0.12 + 0.03


def test_a_clip_with_a_cut_becomes_a_gif(style: Path, tmp_path: Path) -> None:
    pictures = [scene(i) for i in range(3)] + [255 - scene(i)[::-1] for i in range(3)]
    clip = write_video(tmp_path / "cut.mp4", pictures)
    begun: list[int] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Painted) and event.first:
            begun.append(event.frame)

    vidstyle.stylize(clip, style, tmp_path / "cut.gif", listener=listen, **FAST)
    assert begun == [1, 4]
    assert len(frames(tmp_path / "cut.gif")) == 6


def test_colors_from_the_clip(video: Path, style: Path, tmp_path: Path) -> None:
    """The style is gray-green stripes; the clip has a red square that keeps its color."""
    red: dict[str, list[float]] = {}
    shown = {}
    for keep in ("none", "luma", "histogram", "covariance"):
        folder = tmp_path / keep
        vidstyle.stylize(video, style, folder, keep_colors=keep, max_frames=2, **FAST)
        shown[keep] = [f.rgb for f in frames(folder)]
        red[keep] = [np.ptp(rgb.reshape(-1, 3).mean(0)) for rgb in shown[keep]]
    source = [np.ptp(f.rgb.reshape(-1, 3).mean(0)) for f in frames(video)[:2]]
    for found, wanted in zip(red["luma"], source, strict=True):
        assert found == pytest.approx(wanted, abs=4)
    for one, other in combinations(shown, 2):
        assert np.abs(shown[one][0].astype(int) - shown[other][0]).mean() > 2, (one, other)


def test_a_temporal_weight_holds_a_frame_to_the_one_before(style: Path, tmp_path: Path) -> None:
    pictures = [np.roll(scene(0), 5 * i, 1) for i in range(2)]
    clip = write_video(tmp_path / "pan.mp4", pictures)
    options = FAST | {"iterations": 8, "tolerance": 0.0, "cuts": "none"}
    apart = []
    for weight in (0.0, 20.0, 2000.0):
        folder = tmp_path / f"{weight:g}"
        vidstyle.stylize(clip, style, folder, temporal_weight=weight, **options)
        before, after = (f.rgb.astype(int) for f in frames(folder))
        apart.append(np.square(after[:, 15:-10] - before[:, 10:-15]).mean())
    assert apart[0] > apart[1] > 2 * apart[2], apart


def test_strength_and_scale_of_the_style(video: Path, style: Path, tmp_path: Path) -> None:
    shown = {}
    for name, options in {
        "whole": {}, "half": {"strength": 0.5}, "large": {"style_scale": 2.0}
    }.items():  # fmt: skip
        folder = tmp_path / name
        vidstyle.stylize(video, style, folder, max_frames=1, **options, **FAST)
        shown[name] = frames(folder)[0].rgb.astype(int)
    source = frames(video)[0].rgb
    assert np.abs(shown["half"] - (shown["whole"] + source) / 2).max() <= 1
    assert not np.array_equal(shown["large"], shown["whole"])


def test_a_clip_turns_into_its_painting(video: Path, style: Path, tmp_path: Path) -> None:
    shown = {}
    for name, fade in {"whole": (), "faded": ("0:00.16=1", "0.04=0")}.items():
        vidstyle.stylize(video, style, tmp_path / name, fade=fade, **FAST)
        shown[name] = [frame.rgb.astype(float) for frame in frames(tmp_path / name)]
    sources = [frame.rgb for frame in frames(video)]
    for one, painted, source, share in zip(
        shown["faded"], shown["whole"], sources, (0, 0, 1 / 3, 2 / 3, 1), strict=True
    ):
        assert np.abs(one - (source + share * (painted - source))).max() <= 1


def test_cuts_are_times_of_the_clip(video: Path, style: Path, tmp_path: Path) -> None:
    begun: list[int] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Painted) and event.first:
            begun.append(event.frame)

    vidstyle.stylize(
        video, style, tmp_path / "x", start=0.04, cuts=(0.02, 0.12), listener=listen, **FAST
    )
    assert begun == [1, 3]


def test_a_loop_closes(style: Path, tmp_path: Path) -> None:
    """A square that walks to and fro: frames that are alike in the source, at both ends."""
    pictures = [scene(i) for i in (0, 2, 4, 6, 5, 4, 3, 2, 1)]
    source = tmp_path / "loop"
    source.mkdir()
    for i, picture in enumerate(pictures):
        media.save_image(source / f"{i}.png", picture)
    layers = {"style_layers": STYLE_LAYERS[:3], "content_layers": ("relu3_2",)}
    seams = []
    for closes in (False, True):
        output = tmp_path / f"painted{closes}"
        result = vidstyle.stylize(
            source, style, output, size="full", seamless=closes, report=True, iterations=6,
            first_iterations=10, **layers,
        )  # fmt: skip
        assert result.measures is not None and result.frames == 9
        seams.append(result.measures.seam)
    assert seams[1] < seams[0] and seams[1] < 1.3


def test_a_shot_that_fades_in_is_painted_in_the_end(style: Path, tmp_path: Path) -> None:
    source = tmp_path / "fade"
    source.mkdir()
    for i in range(4):
        picture = (scene(0) * (0.1 + 0.3 * i)).astype(np.uint8)
        media.save_image(source / f"{i}.png", picture)
    media.save_image(tmp_path / "whole.png", scene(0))
    options = QUICK | {"size": "full", "iterations": 5, "first_iterations": 15}
    vidstyle.stylize(source, style, tmp_path / "faded", cuts="none", **options)
    vidstyle.stylize(tmp_path / "whole.png", style, tmp_path / "one.png", **options)
    faded, one = frames(tmp_path / "faded")[-1].rgb, frames(tmp_path / "one.png")[0].rgb
    assert np.abs(faded.mean((0, 1)) - one.mean((0, 1))).max() < 12
    assert 0.8 < faded.std() / one.std() < 1.2


def test_a_still_is_a_clip_of_one_frame(style: Path, tmp_path: Path) -> None:
    still = tmp_path / "still.jpg"
    media.save_image(still, scene(0))
    second = tmp_path / "second.png"
    media.save_image(second, scene(3))
    result = vidstyle.stylize(still, [(style, 2.0), second, style], **FAST)
    assert result.output == tmp_path / "still.stripes+second.jpg"
    assert result.frames == 1
    assert frames(result.output)[0].rgb.shape == (48, 64, 3)


def test_a_folder_becomes_a_folder(style: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    folder.mkdir()
    for i in range(2):
        media.save_image(folder / f"{i}.png", scene(i))
    result = vidstyle.stylize(folder, style, **FAST)
    assert result.output == tmp_path / "shots.stripes"
    assert sorted(p.name for p in result.output.iterdir()) == ["000001.png", "000002.png"]


def test_a_preview_has_a_contact_sheet(video: Path, style: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(video.read_bytes())
    result = vidstyle.preview(clip, style, frames=2, **FAST)
    assert result.output == tmp_path / "clip.stripes.preview.mp4"
    assert result.frames == len(frames(result.output)) == 2
    assert result.sheet == tmp_path / "clip.stripes.preview.png"
    sheet, _ = media.read_image(result.sheet)
    assert sheet.shape[0] > 2 * 48 and sheet.shape[1] > 2 * 64


def test_it_paints_around_what_is_transparent(gif: Path, style: Path, tmp_path: Path) -> None:
    """The colors under the transparent part are chance: they must not change the painting."""
    results = []
    for hidden in (0, 255):
        folder = tmp_path / f"in{hidden}"
        folder.mkdir()
        for i, frame in enumerate(frames(gif)[:2]):
            assert frame.alpha is not None
            rgb = np.where(frame.alpha[..., None] > 0, frame.rgb, hidden).astype(np.uint8)
            media.save_image(folder / f"{i}.png", rgb, frame.alpha)
        output = tmp_path / f"out{hidden}"
        vidstyle.stylize(folder, style, output, **FAST)
        results.append(frames(output))
    for one, other in zip(*results, strict=True):
        assert np.array_equal(one.rgb, other.rgb)


def test_the_size_is_the_longer_side_and_even_for_video(
    video: Path, style: Path, tmp_path: Path
) -> None:
    result = vidstyle.stylize(
        video, style, tmp_path / "x.mp4", size=50, max_frames=1, iterations=1, first_iterations=1
    )
    assert (result.width, result.height) == (50, 38)
    with pytest.raises(UsageError, match=r"--size \d+ or less"):
        vidstyle.stylize(video, style, tmp_path / "y.mp4", size=200_000)
    assert not (tmp_path / "y.mp4").exists()


def test_lost_transparency_is_said(gif: Path, style: Path, tmp_path: Path) -> None:
    result = vidstyle.stylize(gif, style, tmp_path / "x.mp4", max_frames=1, **FAST)
    assert result.notes == ("mp4 cannot hold transparency: transparent parts are painted over",)
    result = vidstyle.stylize(gif, style, tmp_path / "x.webm", max_frames=1, **FAST)
    assert result.notes == ()
    (frame,) = frames(tmp_path / "x.webm")
    assert frame.alpha is not None and frame.alpha.min() < 30


@pytest.mark.parametrize("camera", ["still", "moving"])
def test_a_frame_that_does_not_fit_is_painted_in_tiles_and_looks_the_same(
    camera: str, video: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if camera == "moving":
        video = write_video(tmp_path / "pan.mp4", [np.roll(scene(i), 5 * i, 1) for i in range(2)])
    shallow = {"content_weight": 0.0, "style_layers": ("relu1_1", "relu2_1"), "precision": "fp32"}
    quick = {"first_iterations": 4, "iterations": 2, "max_frames": 2, "size": 96, "device": "cpu"}
    options = shallow | quick
    whole = vidstyle.stylize(video, style, tmp_path / "whole", **options)
    each = base.BYTES_A_PIXEL[torch.float32]
    monkeypatch.setattr(base, "SMALLEST_TILE", 0)
    free = 96 * 72 * base.BYTES_KEPT + 2400 * each
    monkeypatch.setattr(devices, "free_memory", lambda device: free)
    parts = vidstyle.stylize(video, style, tmp_path / "parts", **options)
    assert "tiles" in " ".join(parts.notes) and "tiles" not in " ".join(whole.notes)
    frames = zip(media.open_clip(parts.output), media.open_clip(whole.output), strict=True)
    apart = [np.abs(one.rgb.astype(int) - other.rgb) for one, other in frames]
    assert apart[0].max() <= 2
    assert parts.losses[0] == pytest.approx(whole.losses[0], rel=1e-3)
    if camera == "moving":
        assert apart[1].max() <= 2
        assert parts.losses[1] == pytest.approx(whole.losses[1], rel=1e-3)
    else:  # without tiles, what surrounds a window stays as it was
        assert apart[1].mean() < 2
        assert parts.losses[1] == pytest.approx(whole.losses[1], rel=0.1)


def test_what_does_not_fit_even_in_tiles_is_refused_with_a_size_that_does(
    video: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "free_memory", lambda device: 30_000_000)
    with pytest.raises(UsageError, match=r"are free: use --size \d+ or less"):
        vidstyle.stylize(video, style, tmp_path / "out.mp4", size=512)
    assert not (tmp_path / "out.mp4").exists()
