"""A mask that is drawn on one frame follows what it was drawn on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidstyle.subjects.following import FollowingMask

HEIGHT, WIDTH = 120, 200
Picture = NDArray[np.uint8]


def patches(seed: int, height: int, width: int, low: int, high: int) -> Picture:
    """A texture of soft patches."""
    few = np.random.default_rng(seed).integers(low, high, (height // 5, width // 5, 3), np.uint8)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


GROUND = patches(1, HEIGHT, WIDTH + 100, 20, 120)
THING = patches(2, HEIGHT, WIDTH, 120, 250)


def moment(x: int, pan: int = 0) -> tuple[Picture, Picture]:
    """A disc at ``x`` before a ground that the camera ``pan``s over; and where the disc is."""
    inside = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(inside, (x, 60), 24, 255, -1)
    moved = np.roll(THING, x, axis=1)
    picture = np.where(inside[..., None] > 0, moved, GROUND[:, pan : pan + WIDTH])
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8), inside


def agreement(one: Picture, other: Picture) -> float:
    """The area that two masks share, over that of both together."""
    return float(((one > 127) & (other > 127)).sum() / ((one > 127) | (other > 127)).sum())


def test_it_follows_a_thing_before_a_ground_that_moves_otherwise() -> None:
    for pan in (0, 2):
        mask = FollowingMask(*moment(40))
        for step in range(1, 31):
            picture, inside = moment(40 + 3 * step, pan * step)
            found = mask(picture)
        assert agreement(found, inside) > 0.85
        assert not mask.is_lost


def test_it_stays_to_the_bit_where_nothing_moves() -> None:
    picture, inside = moment(90)
    soft = np.asarray(cv2.GaussianBlur(inside, (0, 0), 3), np.uint8)
    mask = FollowingMask(picture, soft)
    for _ in range(20):
        assert np.array_equal(mask(picture), soft)


def test_it_is_lost_when_its_thing_leaves_the_picture_and_stays_so() -> None:
    mask = FollowingMask(*moment(170))
    for step in range(1, 20):
        found = mask(moment(170 + 4 * step)[0])
    assert mask.is_lost and not found.any()
    assert not mask(moment(170)[0]).any()


def test_it_outlives_a_flash() -> None:
    mask = FollowingMask(*moment(80))
    for step in range(1, 12):
        picture, inside = moment(80 + 2 * step)
        found = mask(np.full_like(picture, 255) if step == 6 else picture)
    assert agreement(found, inside) > 0.8


def test_it_does_not_spread_over_a_ground_that_looks_alike() -> None:
    """The mask has some ground around its thing, which stays behind when that moves on."""
    first, inside = moment(40)
    drawn = np.asarray(cv2.dilate(inside, np.ones((15, 15), np.uint8)), np.uint8)
    mask = FollowingMask(first, drawn)
    for step in range(1, 25):
        picture, inside = moment(40 + 4 * step)
        found = mask(picture)
    assert (found[inside > 0] > 127).mean() > 0.85
    assert (found > 127).sum() < 2 * (drawn > 127).sum()


def test_larger_frames_are_followed_small_and_masked_whole() -> None:
    def large(values: Picture) -> Picture:
        size = (4 * WIDTH, 4 * HEIGHT)
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC), np.uint8)

    first, inside = moment(60)
    mask = FollowingMask(large(first), large(inside))
    for step in range(1, 10):
        picture, inside = moment(60 + 3 * step)
        found = mask(large(picture))
    assert found.shape == (4 * HEIGHT, 4 * WIDTH)
    assert agreement(found, large(inside)) > 0.85


def test_a_mask_of_everything_stays_one_and_one_of_nothing_is_never_lost() -> None:
    everything, nothing = (
        np.full((HEIGHT, WIDTH), 255, np.uint8),
        np.zeros((HEIGHT, WIDTH), np.uint8),
    )
    whole, empty = (FollowingMask(moment(40)[0], mask) for mask in (everything, nothing))
    for step in range(1, 15):
        picture, _ = moment(40 + 5 * step, 3 * step)
        assert (whole(picture) == 255).all() and not empty(picture).any()
    assert not whole.is_lost
