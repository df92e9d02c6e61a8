"""A preview shows a detail of the painting at its own size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidstyle import Settings, media, preview
from vidstyle.plan import PaintPlan, plan
from vidstyle.plan.styles import with_brush_of_part
from vidstyle.render.compose import Composer
from vidstyle.render.detail import DETAIL_SIDE, paint_detail

from ..conftest import QUICK, scene, write_video
from ..subjects.drawn import scene as faces

LARGE = (640, 400)


def made(clip: Path, style: Path, **options: object) -> PaintPlan:
    settings = replace(Settings(), **QUICK | {"size": 640} | options)
    return plan(clip, [style], clip.with_name("out.mkv"), settings=settings, preview=1)


def clip_of(folder: Path, picture: np.ndarray) -> Path:
    return write_video(folder / "large.mp4", [picture])


def test_the_detail_is_the_largest_face(style: Path, tmp_path: Path) -> None:
    picture = faces(LARGE[1], LARGE[0], (20, 20, 90), (400, 160, 200))
    done = made(clip_of(tmp_path, picture), style)
    found = paint_detail(done, Composer.of(done.settings, done.schedule), lambda event: None)
    assert found is not None and done.detail is not None and done.detail.size == LARGE
    source, shown = found
    assert source.shape == shown.shape == (DETAIL_SIDE, DETAIL_SIDE, 3)
    left, top = 640 - DETAIL_SIDE, 400 - DETAIL_SIDE
    wanted = picture[top - 10 : top + DETAIL_SIDE, left - 30 :]
    best = min(
        np.abs(wanted[y : y + DETAIL_SIDE, x : x + DETAIL_SIDE].astype(int) - source).mean()
        for y in range(0, 11, 2)
        for x in range(0, 31, 2)
    )
    assert best < 8 and np.abs(shown.astype(int) - source).mean() > 2


def test_the_detail_is_where_most_is_to_be_seen(style: Path, tmp_path: Path) -> None:
    picture = np.full((*LARGE[::-1], 3), 90, np.uint8)
    picture[300:390, 10:200] = np.random.default_rng(0).integers(0, 255, (90, 190, 1), np.uint8)
    done = made(clip_of(tmp_path, picture), style)
    found = paint_detail(done, Composer.of(done.settings, done.schedule), lambda event: None)
    assert found is not None
    assert found[0].std() > 0.8 * picture[400 - DETAIL_SIDE :, :DETAIL_SIDE].std()


def test_it_takes_more_steps_than_the_small_frames(style: Path, tmp_path: Path) -> None:
    done = made(clip_of(tmp_path, scene(0, *LARGE)), style, first_iterations=23)
    steps: list[object] = []
    paint_detail(done, Composer.of(done.settings, done.schedule), steps.append)
    assert done.settings.first_iterations == 20 and len(steps) >= 23


def test_its_strokes_have_the_pixels_of_the_painting(style: Path) -> None:
    picture = media.read_image(style)[0]
    for settings in (Settings(), Settings(brush=4.0), Settings(style_scale=1.5)):
        part = with_brush_of_part([picture], (1280, 720), (256, 256), settings)
        whole = with_brush_of_part([picture], (1280, 720), (1280, 720), settings)
        assert part.style_scale is not None and whole.style_scale is not None
        pixels = part.style_scale * 256, whole.style_scale * (1280 * 720) ** 0.5
        assert pixels[0] == pytest.approx(pixels[1])


def test_without_a_style_there_is_no_brush_to_be_scaled() -> None:
    settings = Settings(brush=4.0, style_weight=0)
    assert with_brush_of_part([], (1280, 720), (256, 256), settings) == settings


def test_the_sheet_of_a_preview_has_the_detail_below(style: Path, tmp_path: Path) -> None:
    large = clip_of(tmp_path, scene(0, *LARGE))
    with_detail = preview(large, style, frames=1, **QUICK | {"size": 640})
    assert with_detail.sheet is not None
    sheet = media.read_image(with_detail.sheet)[0]
    assert sheet.shape[0] > 2 * 130 + DETAIL_SIDE and sheet.shape[1] >= 2 * DETAIL_SIDE
    plain = preview(large, style, frames=1, overwrite=True, **QUICK | {"size": 224})
    assert plain.sheet is not None
    assert media.read_image(plain.sheet)[0].shape[0] < DETAIL_SIDE + 130
