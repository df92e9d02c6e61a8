from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidstyle.temporal import flow
from vidstyle.temporal.painting import ColorMap, Painting
from vidstyle.temporal.strokes import strokes_for
from vidstyle.temporal.warm_start import SETTLED, TemporalState, warm_start

from ..conftest import scene

BOTH = flow.Flows(flow.dis)


def painted(source: np.ndarray) -> np.ndarray:
    """A painting that can be checked: the source with red and blue swapped."""
    return np.ascontiguousarray(source[..., ::-1])


def big(step: int) -> np.ndarray:
    return scene(step, 160, 120)


def test_what_does_not_change_stays_to_the_bit() -> None:
    memory = TemporalState.begin(big(0), painted(big(0)))
    warm = warm_start(memory, big(3), BOTH)
    assert warm.still[70:].all() and warm.still[:25].all()
    left = np.rint(warm.start * 255).astype(np.uint8)
    assert np.array_equal(left[warm.still], memory.last.painted[warm.still])


def test_noise_is_no_change() -> None:
    noisy = np.clip(big(0) + np.random.default_rng(0).normal(0, 4, big(0).shape), 0, 255)
    warm = warm_start(TemporalState.begin(big(0), painted(big(0))), noisy.astype(np.uint8), BOTH)
    assert warm.still.all()


def test_what_moves_is_carried_along_and_what_it_uncovers_is_not_kept() -> None:
    memory = TemporalState.begin(big(0), painted(big(0)))
    warm = warm_start(memory, big(3), BOTH)
    square, trail = warm.start[42:50, 12:20], warm.start[42:50, 4:8]
    assert square[..., 2].mean() > 0.7 > 0.4 > square[..., 0].mean(), "the square is painted blue"
    assert not warm.still[42:50, 4:20].any()
    ground, ghost = (painted(big(step))[42:50, 4:8] / 255 for step in (3, 0))
    assert np.abs(trail - ground).mean() < 0.6 * np.abs(trail - ghost).mean()


def test_a_moving_camera_leaves_nothing_still() -> None:
    wide = scene(0, 200, 160)
    memory = TemporalState.begin(wide[20:140, 20:180], painted(wide[20:140, 20:180]))
    warm = warm_start(memory, wide[20:140, 24:184], BOTH)
    assert not warm.still.any()
    inner = np.s_[20:-20, 20:-20]
    assert warm.trust[inner].mean() > 0.8
    assert np.abs(warm.start - painted(wide[20:140, 24:184]) / 255)[inner].mean() < 0.05


def test_the_ground_comes_back_as_it_was_when_a_passer_by_has_gone() -> None:
    ground = scene(-40, 160, 120)  # the square is outside
    memory = TemporalState.begin(ground, painted(ground))
    for _ in range(SETTLED):
        memory = warm_start(memory, ground, BOTH).remember(memory, ground, painted(ground))
    for step in (0, 8, 16):
        warm = warm_start(memory, big(step), BOTH)
        kept = np.rint(warm.start * 255)
        messy = np.where(warm.still[..., None], kept, 128)  # a bad painter
        memory = warm.remember(memory, big(step), messy.astype(np.uint8))
    after = warm_start(memory, ground, BOTH)
    assert after.still.all()
    assert np.array_equal(np.rint(after.start * 255).astype(np.uint8), painted(ground))


def test_slow_change_adds_up() -> None:
    """Each step of a fade is below the noise; the memory's source is the one that was painted."""
    source = big(0)
    memory = TemporalState.begin(source, painted(source))
    for step in range(1, 10):
        faded = np.clip(source.astype(int) + 3 * step, 0, 255).astype(np.uint8)
        warm = warm_start(memory, faded, BOTH)
        if not warm.still.all():
            break
        memory = warm.remember(memory, faded, memory.last.painted)
    assert 2 <= step <= 5


def test_recolor_gives_a_new_source_the_colors_of_its_like() -> None:
    source = big(0)
    again = ColorMap(Painting(source, painted(source)))(big(2))
    assert np.abs(again - painted(big(2)) / 255).mean() < 0.05


def test_strokes_are_taken_from_where_the_source_looks_alike() -> None:
    """The left half is dark with fine strokes, the right one light with none."""
    source = np.full((96, 128, 3), 60, np.uint8)
    source[:, 64:] = 200
    paint = source.copy()
    paint[::2, :64] += 40
    memory = Painting(source, paint)
    missing = np.zeros((96, 128), bool)
    missing[40:60, 8:120] = True
    known = np.zeros((96, 128, 3), np.float32)
    found = strokes_for(source, memory, known, np.where(missing, 0, 1).astype(np.float32))
    dark, light = found[44:56, 12:40], found[44:56, 84:116]
    assert dark.std() > 4 * light.std()
    assert abs(dark.mean()) < 0.02 and not found[:8].any()


def test_a_thing_that_fills_the_middle_is_no_camera() -> None:
    before, after = big(0), big(0)
    block = np.random.default_rng(5).integers(0, 255, (16, 20, 3), np.uint8).repeat(5, 0)
    block = block.repeat(5, 1)
    before[20:100, 20:120], after[20:100, 26:126] = block, block
    warm = warm_start(TemporalState.begin(before, painted(before)), after, BOTH)
    assert warm.still[-10:].all()


def test_strokes_add_nothing_to_the_tone() -> None:
    """What is lighter in one place of the first frame must not make all that is new lighter."""
    source = np.full((96, 128, 3), 40, np.uint8)
    paint = source.copy()
    paint[:, :40] = 160
    nothing = np.zeros((96, 128, 3), np.float32)
    found = strokes_for(source, Painting(source, paint), nothing, nothing[..., 0])
    assert np.abs(cv2.blur(found, (64, 64))[48, 64]).max() < 0.03


def test_strokes_go_on_from_those_beside_them() -> None:
    """A strip that comes into sight has what lies beside its surroundings in the painting, not
    what lies at that side of it."""
    source = np.full((96, 160, 3), 90, np.uint8)
    noise = np.random.default_rng(1).integers(0, 60, (24, 40, 3), np.uint8)
    noise = cv2.resize(noise, (160, 96), interpolation=cv2.INTER_CUBIC)
    memory = Painting(source, source + noise)
    moved = np.roll(memory.strokes, -40, 1)  # as far as the painting went on the left
    kept = np.ones((96, 160), np.float32)
    kept[:, :8] = 0
    found = strokes_for(source, memory, kept[..., None] * moved, kept)[:, :8]
    like = np.corrcoef(found.ravel(), moved[:, :8].ravel())[0, 1]
    assert like > 0.8 > np.corrcoef(memory.strokes[:, :8].ravel(), moved[:, :8].ravel())[0, 1]


def test_a_painting_takes_a_share_of_the_one_beside_it() -> None:
    memory = TemporalState.begin(big(0), painted(big(0)))
    own = np.full_like(big(0), 100)
    warm = warm_start(memory, big(3), BOTH)
    none, half = warm.over(own, 0), warm.over(own, 0.5)
    assert np.allclose(none.start, 100 / 255)
    still = warm.still
    mean = (100 + memory.last.painted[still].astype(float)) / 2
    assert np.abs(half.start[still] * 255 - mean).max() <= 0.5
    assert np.allclose(half.start[still] * 255, np.rint(half.start[still] * 255), atol=1e-3)


def test_flat_frames_are_not_trusted() -> None:
    black = np.zeros((48, 64, 3), np.uint8)
    warm = warm_start(
        TemporalState.begin(scene(0), painted(scene(0))), black, flow.Flows(flow.estimator("dis"))
    )
    assert warm.trust.max() == 0 and not warm.still.any()


def test_the_map_of_colors_of_a_large_frame_is_that_of_all_its_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also of a source that is dithered, whose neighbors differ in every second pixel."""
    ramp = np.linspace(60, 180, 192).astype(np.uint8)
    source = np.repeat(np.repeat(ramp[None, :, None], 160, 0), 3, 2)
    paint = (source * [0.9, 0.5, 0.2] + [0, 40, 90]).astype(np.uint8)
    source[::2, ::2] += 40
    quick = ColorMap(Painting(source, paint))(source)
    monkeypatch.setattr("vidstyle.temporal.painting.SAMPLED", 1)
    assert np.abs(quick - ColorMap(Painting(source, paint))(source)).max() * 255 < 1.5
