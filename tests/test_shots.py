from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from vidstyle.media import Frame
from vidstyle.shots import shots

from .conftest import scene


def begins(pictures: list[np.ndarray]) -> list[int]:
    frames = (Frame(p, Fraction(i, 25), Fraction(1, 25)) for i, p in enumerate(pictures))
    return [i for i, (_, first) in enumerate(shots(frames)) if first]


def test_motion_is_no_cut() -> None:
    assert begins([scene(i) for i in range(12)]) == [0]


def test_a_cut_begins_a_shot() -> None:
    other = [255 - scene(i)[::-1] for i in range(6)]
    assert begins([scene(i) for i in range(6)] + other) == [0, 6]


def test_a_flash_of_noise_everywhere_is_no_cut() -> None:
    random = np.random.default_rng(0)
    assert begins([random.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(8)]) == [0]


def test_clips_shorter_than_the_look_ahead() -> None:
    assert begins([]) == []
    assert begins([scene(0)]) == [0]
    assert begins([scene(0), 255 - scene(0)]) == [0, 1]


def test_it_streams() -> None:
    """Memory must not grow with the clip: no more than three frames are ever held."""
    taken = 0

    def source() -> Iterator[Frame]:
        nonlocal taken
        for i in range(50):
            taken += 1
            yield Frame(scene(0), Fraction(i, 25), Fraction(1, 25))

    for given, _ in enumerate(shots(source()), 1):
        assert taken - given <= 2
