"""A face that is seen in most frames is one in all of them."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vidstyle.core.faces import Face, as_array, from_array
from vidstyle.core.frames import Frame
from vidstyle.subjects.tracks import with_faces


def face(left: float, score: float = 0.9, width: float = 40) -> Face:
    box = np.array([left, 10, left + width, 10 + width], np.float32)
    points = np.stack([np.linspace(left, left + width, 6), np.full(6, 30)], -1).astype(np.float32)
    return Face(box, points, score)


def frames(count: int, shots: Sequence[int] = (0,), segments: Sequence[int] = ()) -> list[Frame]:
    return [
        replace(
            Frame(np.full((4, 4, 3), number, np.uint8), Fraction(number), Fraction(1)),
            starts_shot=number in shots,
            starts_segment=number in segments,
        )
        for number in range(count)
    ]


def followed(seen: Sequence[list[Face]], **marks: Sequence[int]) -> list[list[float]]:
    """The left sides of the faces in each frame, given what is seen."""
    clip = frames(len(seen), **marks)
    found = with_faces(clip, lambda picture: seen[int(picture[0, 0, 0])])
    return [sorted(float(one.box[0]) for one in frame.faces) for frame in found]


def test_a_face_that_is_missed_once_is_between_its_neighbors() -> None:
    seen = [[face(4 * number)] for number in range(7)]
    seen[3] = []
    assert followed(seen) == [[0], [4], [8], [12], [16], [20], [24]]


def test_what_is_seen_once_is_no_face() -> None:
    seen: list[list[Face]] = [[], [], [face(0)], [], [], [face(100), face(0)], []]
    assert followed(seen) == [[]] * 7


def test_what_is_never_sure_is_no_face() -> None:
    assert followed([[face(0, 0.45)]] * 5) == [[]] * 5
    once = [[face(0, 0.45)]] * 2 + [[face(0, 0.7)]] + [[face(0, 0.45)]] * 4
    assert followed(once) == [[0]] * 5 + [[]] * 2


def test_two_people_are_two_faces() -> None:
    assert followed([[face(0), face(200)]] * 5) == [[0, 200]] * 5


@pytest.mark.parametrize("marks", [{"shots": (0, 2)}, {"segments": (2,)}])
def test_nothing_is_seen_across_a_cut(marks: dict[str, Sequence[int]]) -> None:
    seen = [[face(0)]] * 2 + [[]] * 3
    assert followed(seen, **marks) == [[0], [0], [], [], []]


def test_a_segment_has_the_same_faces_by_itself() -> None:
    seen = [[face(0)], [face(3)], [], [face(9)], [face(12)], [], [face(18)]]
    whole = followed(seen, segments=(3,))
    assert whole[3:] == followed(seen[3:])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_clips(count: int) -> None:
    assert followed([[face(0)]] * count) == [[0]] * count


def test_faces_come_back_from_an_array() -> None:
    faces = (face(1.5, 0.7), face(70))
    for one, other in zip(faces, from_array(as_array(faces)), strict=True):
        assert np.array_equal(one.box, other.box)
        assert np.array_equal(one.points, other.points)
        assert one.score == other.score
