from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from vidstyle.core.frames import Frame
from vidstyle.core.images import Image
from vidstyle.temporal.keys import CLOSEST, keyed, lines_up

from ..conftest import scene


def frames(
    pictures: Sequence[Image], starts: Sequence[int] = (0,), given: Sequence[int] = ()
) -> Iterator[Frame]:
    for at, picture in enumerate(pictures):
        yield Frame(
            picture,
            Fraction(at, 25),
            Fraction(1, 25),
            starts_shot=at in starts,
            painting=picture if at in given else None,
        )


def keys(found: Iterator[Frame]) -> list[int]:
    return [at for at, frame in enumerate(found) if frame.is_key]


def panned(step: int, count: int) -> list[Image]:
    """What a camera sees that moves over a textured ground by ``step`` pixels a frame."""
    ground = scene(0, 160 + step * count, 80)
    return [ground[:, step * at : step * at + 160] for at in range(count)]


def test_a_shot_begins_and_ends_with_key_frames_and_has_one_every_so_often() -> None:
    still = [scene(0)] * 20
    assert keys(keyed(frames(still, starts=(0, 13)), 6)) == [0, 6, 12, 13, 19]
    assert keys(keyed(frames(still[:1]), 6)) == [0]
    assert keys(keyed(frames([]), 6)) == []


def test_key_frames_are_closer_where_less_of_the_last_one_is_seen() -> None:
    slow, fast = (keys(keyed(frames(panned(step, 20)), 12)) for step in (1, 8))
    assert slow == [0, 12, 19]
    assert fast[:4] == [0, CLOSEST, 2 * CLOSEST, 3 * CLOSEST]


def test_frames_stream() -> None:
    seen = 0

    def counted() -> Iterator[Frame]:
        nonlocal seen
        for frame in frames([scene(0)] * 30):
            seen += 1
            yield frame

    for at, _ in enumerate(keyed(counted(), 12)):
        assert seen <= at + 2


def test_a_painting_that_is_given_is_a_key_frame() -> None:
    still = [scene(0)] * 20
    assert keys(keyed(frames(still, given=(4,)), 12)) == [0, 4, 16, 19]


def test_what_comes_before_a_given_painting_may_follow_it() -> None:
    still = [scene(0)] * 40
    found = keyed(frames(still, starts=(0, 30), given=(5, 16)), 12, leads_back=True)
    assert keys(found) == [5, 16, 28, 29, 30, 39]
    # Not over a cut, nor from further away than key frames stand.
    found = keyed(frames(still, starts=(0, 4), given=(5,)), 12, leads_back=True)
    assert keys(found) == [0, 3, 5, 17, 29, 39]
    assert keys(keyed(frames(still, given=(20,)), 12, leads_back=True)) == [0, 20, 32, 39]


def test_a_painting_that_does_not_lie_over_its_frame_is_seen() -> None:
    source = scene(3, 160, 120)
    painting = 255 - np.clip(source.astype(int) * 0.6 + 20, 0, 255).astype(np.uint8)
    assert lines_up(painting, source)
    assert not lines_up(np.roll(painting, 20, 1), source)
    assert not lines_up(painting[:, ::-1].copy(), source)
    assert lines_up(np.full_like(source, 80), source)  # nothing to compare
