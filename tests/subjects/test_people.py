"""People are told from what is behind them, and their mask is steady and follows outlines."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidstyle.subjects.people import EDGE_CONTRAST, PersonFinder, PersonMask, shows_somebody

from .drawn import person, scene

Mask = NDArray[np.uint8]


@pytest.fixture(scope="module")
def find() -> PersonFinder:
    return PersonFinder()


def agreement(one: Mask, other: Mask) -> float:
    """The area that two masks share, over that of both together."""
    inside, there = one > 127, other > 127
    return float((inside & there).sum() / (inside | there).sum())


@pytest.mark.parametrize(
    ("height", "width", "middle"), [(144, 256, 70), (144, 256, 180), (240, 160, 80), (160, 160, 80)]
)
def test_a_person_is_found_in_wide_high_and_square_pictures(
    find: PersonFinder, height: int, width: int, middle: int
) -> None:
    picture, inside = person(height, width, middle)
    assert shows_somebody(find(picture))
    assert agreement(PersonMask(find)(picture), inside) > 0.9


def test_a_person_in_a_part_of_a_high_picture_is_found(find: PersonFinder) -> None:
    """A third is found in the whole of it, which the network sees from far off."""
    picture, inside = person(640, 144, 70)
    assert agreement(PersonMask(find)(picture), inside) > 0.7


def test_nobody_is_found_before_a_wall(find: PersonFinder) -> None:
    assert not shows_somebody(find(scene(144, 256)))
    assert (PersonMask(find)(scene(144, 256)) > 127).mean() < 0.01


@pytest.mark.parametrize("size", [(48, 32), (1, 60), (1300, 700)])
def test_a_mask_has_the_size_of_its_frame(find: PersonFinder, size: tuple[int, int]) -> None:
    height, width = size
    mask = PersonMask(find)(np.full((height, width, 3), 90, np.uint8))
    assert mask.shape == (height, width) and mask.dtype == np.uint8


def test_a_mask_follows_a_person_who_moves(find: PersonFinder) -> None:
    mask = PersonMask(find)
    for step in range(6):
        picture, inside = person(middle=100 + 6 * step)
        assert agreement(mask(picture), inside) > 0.9


def test_a_mask_is_steady_where_nothing_moves(find: PersonFinder) -> None:
    picture, _ = person()
    noise = np.random.default_rng(0)
    mask, found = PersonMask(find), []
    for _ in range(5):
        grain = noise.normal(0, 4, picture.shape)
        found.append(mask(np.clip(picture + grain, 0, 255).astype(np.uint8)))
    changes = [np.abs(a.astype(int) - b).sum() / 255 for a, b in pairwise(found)]
    assert max(changes) < 0.01 * (found[0] > 127).sum()


def test_what_flickers_is_damped_within_a_shot_and_not_across_its_beginning() -> None:
    seen = iter([1.0, 0.0, 0.0])
    mask = PersonMask(lambda picture: np.full(picture.shape[:2], next(seen), np.float32))
    picture, _ = person()
    assert (mask(picture) == 255).all()
    assert (mask(picture) > 127).mean() > 0.9
    mask.begin()
    assert (mask(picture) == 0).all()


def test_the_edge_of_a_coarse_mask_follows_outlines() -> None:
    picture, inside = person()
    large = cv2.resize(picture, (1024, 576), interpolation=cv2.INTER_CUBIC)
    wanted = cv2.resize(inside, (1024, 576))
    coarse = cv2.resize(inside, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    plain = cv2.resize(coarse, (1024, 576))
    steeper = (EDGE_CONTRAST * (plain - 0.5) + 0.5).clip(0, 1)
    follows = PersonMask(lambda picture: coarse)(large)
    wrong = [np.abs(255.0 * mask - wanted).sum() for mask in (plain, steeper, follows / 255)]
    assert wrong[2] < 0.8 * wrong[1] < 0.8 * wrong[0]
