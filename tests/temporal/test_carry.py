from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from vidstyle.core.images import Image, unit
from vidstyle.temporal import flow
from vidstyle.temporal.carry import Span, blended, carried, certain
from vidstyle.temporal.painting import Painting

from ..conftest import scene

STEPS = 6
"""Frames of the scenes here …"""
MOVE = (2.6, 0.4)
"""… and pixels that each moves by, right and down."""
FLOWS = flow.Flows(flow.estimator("dis"))


def panned() -> list[Image]:
    """What a camera sees that moves over a textured ground."""
    ground = scene(0, 240, 160)
    shown = []
    for step in range(STEPS):
        shift = np.array([[1, 0, MOVE[0] * step - 60], [0, 1, MOVE[1] * step - 40]], np.float32)
        shown.append(cv2.warpAffine(ground, shift, (120, 80), flags=cv2.INTER_CUBIC))
    return shown


def strokes(shape: tuple[int, ...]) -> Image:
    """Paint of lines, which every sampling blurs."""
    rows = np.arange(shape[0])[:, None] + 2 * np.arange(shape[1])[None, :]
    lines = np.where(rows % 6 < 3, 230, 30).astype(np.uint8)
    return np.repeat(lines[..., None], 3, axis=2)


def test_composed_motion_leads_to_both_key_frames() -> None:
    span = Span.of(panned(), FLOWS)
    assert span.length == STEPS - 1
    inner = np.s_[24:-24, 24:-24]
    for at in range(STEPS):
        to_first, to_last = span.to_first[at].flow[inner], span.to_last[at].flow[inner]
        left = STEPS - 1 - at
        assert np.allclose(to_first.mean((0, 1)), -at * np.array(MOVE), atol=0.4)
        assert np.allclose(to_last.mean((0, 1)), left * np.array(MOVE), atol=0.4)
        assert np.median(span.to_first[at].agreement[inner]) > 0.8


def test_carried_paint_lies_where_its_source_went_and_stays_sharp() -> None:
    sources = panned()
    painted = strokes(sources[0].shape)
    span = Span.of(sources, FLOWS)
    picture, confidence = carried(Painting(sources[0], painted), sources[-1], span.to_first[-1])
    again = painted
    for before, after in pairwise(sources):
        again = flow.warp(again, FLOWS(after, before)[0], cv2.INTER_CUBIC)
    moved = np.roll(painted, (2, 13), (0, 1))  # five steps, in whole pixels
    inner = np.s_[28:-28, 28:-28]
    error, error_again = (
        np.abs(one[inner] - unit(moved)[inner]).mean() for one in (picture, unit(again))
    )
    assert error < 0.6 * error_again
    assert np.median(confidence[inner]) > 0.7


def test_what_comes_into_the_picture_is_not_trusted() -> None:
    sources = panned()
    span = Span.of(sources, FLOWS)
    black = np.zeros_like(sources[0])
    _, confidence = carried(Painting(sources[0], black), sources[-1], span.to_first[-1])
    assert confidence[:, :6].max() < 0.3  # the camera moves to the left, and up
    other = sources[-1].copy()
    other[30:50, 40:80] = 255 - other[30:50, 40:80]
    _, confidence = carried(Painting(sources[0], black), other, span.to_first[-1])
    assert np.median(confidence[34:46, 44:76]) < 0.05


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_mixture_of_strokes_that_do_not_meet_keeps_their_contrast(share: float) -> None:
    one = unit(strokes((60, 80, 3)))
    other = np.roll(one, 2, 1)
    sure = np.ones(one.shape[:2], np.float32)
    picture, confidence = blended((one, sure), (other, sure), share)
    plain = one + share * (other - one)
    assert confidence.min() == 1
    assert picture.std() >= plain.std()
    assert picture.std() > 0.8 * one.std()
    same, _ = blended((one, sure), (one, sure), share)
    assert np.allclose(same, one, atol=1e-5)


def test_paint_comes_from_the_key_frame_that_is_surer() -> None:
    one, other = np.zeros((40, 60, 3), np.float32), np.ones((40, 60, 3), np.float32)
    sure = np.ones((40, 60), np.float32)
    doubt = sure.copy()
    doubt[:, 30:] = 0.05
    picture, confidence = blended((one, doubt), (other, sure), 0.2)
    assert picture[:, 40:].min() > 0.9
    assert picture[:, :20].mean() == pytest.approx(0.2, abs=0.05)
    assert confidence.min() == 1


def test_confidence_is_all_or_nothing_but_for_what_is_in_between() -> None:
    kept = certain(np.array([0.0, 0.2, 0.5, 0.8, 1.0], np.float32))
    assert kept[0] == kept[1] == 0 and kept[3] == kept[4] == 1
    assert 0 < kept[2] < 1
