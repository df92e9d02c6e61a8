"""Masks that are found, that follow, and that are given, side by side."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidstyle.core.frames import Frame
from vidstyle.core.images import Image
from vidstyle.subjects.masks import Follows, Kind, with_masks

from .drawn import scene

HALF = np.zeros((48, 64), np.uint8)
HALF[:, :32] = 255


def upper(picture: Image) -> NDArray[np.float32]:
    """Find a person in the upper half."""
    found = np.zeros(picture.shape[:2], np.float32)
    found[: len(found) // 2] = 1
    return found


def frames(count: int, *masks: Image, shots: tuple[int, ...] = (0,)) -> list[Frame]:
    still = Frame(scene(48, 64), Fraction(0), Fraction(1, 10), masks=masks)
    return [
        replace(still, time=Fraction(number, 10), starts_shot=number in shots)
        for number in range(count)
    ]


def layers(kinds: list[Kind], clip: list[Frame]) -> list[tuple[Image, ...]]:
    return [frame.masks for frame in with_masks(clip, kinds, upper, 0.0)]


def test_each_mask_is_in_its_place() -> None:
    kinds: list[Kind] = ["background", None, "person", Follows("half.png")]
    given = np.full((48, 64), 9, np.uint8)
    for ground, same, people, followed in layers(kinds, frames(3, given, HALF)):
        assert people[:16].min() == 255 and people[32:].max() == 0
        assert np.array_equal(ground, 255 - people)
        assert np.array_equal(same, given)
        assert np.array_equal(followed, HALF)


def test_a_mask_that_follows_ends_with_its_shot_and_says_so_once() -> None:
    clip = [*with_masks(frames(6, HALF, shots=(0, 3)), [Follows("half.png")], upper, 0.0)]
    assert [frame.masks[0].any() for frame in clip] == [True] * 3 + [False] * 3
    told = [note for frame in clip for note in frame.notes]
    assert len(told) == 1
    assert told[0].startswith("half.png: lost 0.30 s in, where another shot begins")
    assert clip[3].notes == tuple(told)


def test_edges_of_what_is_found_are_softened() -> None:
    (frame,) = with_masks(frames(1), ["person"], upper, 8.0)
    (sharp,) = with_masks(frames(1), ["person"], upper, 0.0)
    between = [((mask > 9) & (mask < 246)).sum() for mask in (sharp.masks[0], frame.masks[0])]
    assert between[1] > between[0]
