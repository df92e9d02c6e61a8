"""What was edited in a painting is found, and laid over the paintings of other frames."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from vidstyle.temporal.carry import Motion
from vidstyle.temporal.edits import Edit, Layer, edited

from ..conftest import HEIGHT, WIDTH, scene

SOURCE, PAINTED = scene(0), scene(3)


def test_only_what_was_edited_counts_whatever_the_format_does_to_the_rest() -> None:
    drawn = PAINTED.copy()
    drawn[30:40, 40] = 255  # a line of one pixel
    data = io.BytesIO()
    Image.fromarray(drawn).save(data, "JPEG", quality=95)
    share = Edit.of(SOURCE, PAINTED, np.asarray(Image.open(data))).share
    assert share[32:38, 40].min() == 1
    share[24:46, 34:47] = 0
    assert share.max() == 0
    assert Edit.of(SOURCE, PAINTED, PAINTED).share.max() == 0


def test_an_edit_is_seen_where_the_scene_is_the_same() -> None:
    drawn = PAINTED.copy()
    drawn[20:40, 30:60] = 255
    edit = Edit.of(SOURCE, PAINTED, drawn)
    other = SOURCE.copy()
    other[:, 45:] = 0
    layer = edit.to(other, Motion.none(SOURCE.shape))
    assert layer.weight[24:36, 32:40].min() == 1 and layer.weight[:, 50:].max() == 0


def test_an_edit_moves_with_the_scene_and_fades_at_its_edge() -> None:
    drawn = PAINTED.copy()
    drawn[16:32, 12:36] = 255
    edit = Edit.of(SOURCE, PAINTED, drawn)
    still = Motion.none(SOURCE.shape)
    motion = Motion(still.flow + np.float32((-12, 0)), still.agreement)
    here = edit.to(SOURCE, still).weight
    moved = edit.to(np.roll(SOURCE, 12, 1), motion).weight
    assert np.allclose(moved[:, 20:-4], here[:, 8:-16], atol=1e-3)
    assert moved[24, 16] == 0 and moved[24, 28] == moved[24, 44] == 1
    assert 0 < here[24, 38] < 1 and 0 < here[13, 24] < 1


def test_a_painting_without_edits_stays_and_the_nearer_of_two_counts_more() -> None:
    nothing = Layer(PAINTED, np.zeros((HEIGHT, WIDTH), np.float32), 1)
    assert edited(PAINTED, [nothing]) is PAINTED and edited(PAINTED, []) is PAINTED
    here = nothing.weight.copy()
    here[:, :20] = 1
    there = nothing.weight.copy()
    there[:, 10:30] = 1
    near, far = (np.full_like(PAINTED, level) for level in (100, 200))
    found = edited(PAINTED, [Layer(near, here, 1), Layer(far, there, 3)])
    assert (found[:, :10] == 100).all() and (found[:, 20:30] == 200).all()
    assert (found[:, 10:20] == 110).all() and (found[:, 30:] == PAINTED[:, 30:]).all()
    at_its_own = edited(PAINTED, [Layer(near, here, 0), Layer(far, there, 3)])
    assert (at_its_own[:, 10:20] == 100).all()
