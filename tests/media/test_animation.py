from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from vidstyle import UsageError, media
from vidstyle.core.frames import Frame

from ..conftest import HEIGHT, WIDTH, scene
from .test_video import copy


def test_a_gif_is_read_as_it_plays(gif: Path) -> None:
    clip = media.open_clip(gif)
    frames = list(clip)
    assert clip.info.loop == 3
    assert [f.duration for f in frames] == [Fraction(n, 100) for n in (5, 10, 7, 20)]
    assert [f.time for f in frames] == [Fraction(n, 100) for n in (0, 5, 15, 22)]
    for frame in frames:
        assert frame.alpha is not None
        assert frame.alpha[:, :8].max() == 0 and frame.alpha[:, 8:].min() == 255


@pytest.mark.parametrize("suffix", [".gif", ".apng", ".webp"])
def test_delays_loops_and_transparency_come_back(gif: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"copy{suffix}"
    written = copy(gif, output)
    clip = media.open_clip(output)
    read = list(clip)
    assert clip.info.loop == 3
    assert [(f.time, f.duration) for f in read] == [(f.time, f.duration) for f in written]
    for before, after in zip(written, read, strict=True):
        assert before.alpha is not None and after.alpha is not None
        assert np.array_equal(before.alpha, after.alpha)
        seen = before.alpha > 0
        lossy = 8 if suffix == ".webp" else 6  # half the color resolution, as JPEG
        assert np.abs(before.rgb.astype(int) - after.rgb)[seen].mean() < lossy


@pytest.mark.parametrize("loop_count", [0, 1, 4])
def test_how_often_it_plays_is_kept(loop_count: int, tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    media.save_image(still, scene(0))
    info = media.open_clip(still).info
    for suffix in (".gif", ".apng", ".webp"):
        output = tmp_path / f"{loop_count}{suffix}"
        file_format = media.format_of(output)
        with media.open_writer(output, info, file_format, (WIDTH, HEIGHT), loop=loop_count) as out:
            for i in range(3):
                out.write(Frame(scene(i), Fraction(i, 10), Fraction(1, 10)))
        assert media.open_clip(output).info.loop == loop_count


def through_a_gif(folder: Path, count: int, rate: int) -> list[Frame]:
    """So many frames, ``rate`` a second, as they are read back."""
    still = folder / "still.png"
    media.save_image(still, scene(0))
    info = media.open_clip(still).info
    output = folder / "fast.gif"
    with media.open_writer(output, info, media.format_of(output), (WIDTH, HEIGHT)) as out:
        for i in range(count):
            out.write(Frame(scene(i), Fraction(i, rate), Fraction(1, rate)))
    return list(media.open_clip(output))


def test_thirty_frames_a_second_stay_in_time(tmp_path: Path) -> None:
    """A GIF counts hundredths: single delays are rounded, their sum is not."""
    read = through_a_gif(tmp_path, 24, 30)
    assert len(read) == 24
    assert sum(f.duration for f in read) == Fraction(80, 100)
    assert {f.duration for f in read} == {Fraction(3, 100), Fraction(4, 100)}


def test_a_still_part_of_a_gif_does_not_flicker(tmp_path: Path) -> None:
    """One palette for the shot: what does not change keeps its color, to the bit."""
    still = tmp_path / "still.png"
    media.save_image(still, scene(0))
    info = media.open_clip(still).info
    output = tmp_path / "calm.gif"
    with media.open_writer(output, info, media.format_of(output), (WIDTH, HEIGHT)) as out:
        for i in range(6):
            out.write(Frame(scene(i), Fraction(i, 10), Fraction(1, 10)))
    first, *rest = media.open_clip(output)
    for frame in rest:
        assert np.array_equal(frame.rgb[:10], first.rgb[:10])


def test_delays_of_nothing_play_as_browsers_play_them(tmp_path: Path) -> None:
    pictures = [Image.fromarray(scene(i)) for i in range(3)]
    path = tmp_path / "hurry.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[0, 10, 20])
    durations = [f.duration for f in media.open_clip(path)]
    assert durations == [Fraction(1, 10), Fraction(1, 10), Fraction(2, 100)]
    assert media.open_clip(path).info.loop == 1


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_sequence_is_an_animation(tmp_path: Path) -> None:
    pictures = [Image.fromarray(scene(i)) for i in range(3)]
    path = tmp_path / "walk.avif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[40, 80, 120])
    clip = media.open_clip(path)
    assert clip.info.kind == "animation" and clip.info.container == "avif"
    assert [f.duration for f in clip] == [Fraction(n, 1000) for n in (40, 80, 120)]


def test_a_truncated_gif_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = [Image.fromarray(random.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(10)]
    path = tmp_path / "whole.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    part = tmp_path / "part.gif"
    part.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    clip = media.open_clip(part)
    assert 2 <= len(list(clip)) < 10
    assert clip.notes


def test_stills_in_natural_order(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        media.save_image(tmp_path / f"f{number}.png", np.full((40, 50, 3), number, np.uint8))
    assert [int(f.rgb[0, 0, 0]) for f in media.open_clip(tmp_path)] == [1, 2, 10]
    assert [int(f.rgb[0, 0, 0]) for f in media.open_clip(tmp_path / "f?.png")] == [1, 2]
    (single,) = media.open_clip(tmp_path / "f10.png")
    assert single.rgb.shape == (40, 50, 3)
    media.save_image(tmp_path / "f3.png", np.zeros((30, 50, 3), np.uint8))
    with pytest.raises(UsageError, match="same size"):
        list(media.open_clip(tmp_path))


def test_each_shot_of_a_gif_has_its_own_palette(tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    media.save_image(still, scene(0))
    info = media.open_clip(still).info
    output = tmp_path / "cut.gif"
    pictures = [scene(0), scene(1), 255 - scene(2), 255 - scene(3), 255 - scene(4)]
    with media.open_writer(output, info, media.format_of(output), (WIDTH, HEIGHT)) as out:
        for i, picture in enumerate(pictures):
            if i in (0, 2):
                out.begin_shot()
            out.write(Frame(picture, Fraction(i, 10), Fraction(1 + i, 10)))
    read = list(media.open_clip(output))
    assert [f.time for f in read] == [Fraction(i, 10) for i in range(5)]
    assert read[-1].duration == Fraction(5, 10)
    for frame, picture in zip(read, pictures, strict=True):
        assert np.abs(frame.rgb.astype(int) - picture).mean() < 6


def test_what_is_faster_than_a_gif_can_be_is_left_out(tmp_path: Path) -> None:
    read = through_a_gif(tmp_path, 20, 100)
    assert [f.time for f in read] == [Fraction(i, 50) for i in range(10)]
    assert read[-1].duration == Fraction(2, 100)
