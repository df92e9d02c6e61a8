"""Masks that are found, or follow, beside those that are given for each frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.frames import FOUND, Found, Frame
from ..core.images import Image
from ..objective.masks import softened
from .following import FollowingMask
from .people import Likelihood, PersonMask


@dataclass(frozen=True)
class Follows:
    """A mask that is given for the first frame, and follows what it shows."""

    name: str
    """Of its file, for messages."""


Kind = Found | Follows | None
"""How the layers of a mask come about. None means that each frame has been given one."""


def with_masks(
    frames: Iterable[Frame], kinds: Sequence[Kind], find: Likelihood, feather: float
) -> Iterator[Frame]:
    """Complete the masks of frames.

    What is found begins anew with each shot and segment, so that a segment is the same wherever it
    is painted. What follows is lost where the first shot ends.

    Args:
        frames: from the beginning on, with shots and segments marked, and a layer of each mask that
            is not found.
        kinds: of the masks.
        find: says where people are.
        feather: pixels over which edges are softened.

    Yields:
        Each frame with a layer of each mask, and a note where one was lost.
    """
    people = PersonMask(find)
    following: dict[int, FollowingMask] = {}
    for count, frame in enumerate(frames):
        if frame.starts_shot or frame.starts_segment:
            people.begin()
        found = people(frame.rgb) if {*FOUND} & {*kinds} else None
        given, layers = iter(frame.masks), list[Image]()
        notes: list[str] = []
        for number, kind in enumerate(kinds):
            if isinstance(kind, str):
                assert found is not None
                inside = found if kind == "person" else np.asarray(255 - found, np.uint8)
                layers.append(softened(inside, (inside.shape[1], inside.shape[0]), feather))
            elif kind is None:
                layers.append(next(given))
            elif count == 0:
                layers.append(next(given))
                following[number] = FollowingMask(frame.rgb, layers[-1])
            else:
                next(given)
                layers.append(_followed(following[number], frame, kind, notes))
        yield replace(frame, masks=tuple(layers), notes=tuple(notes))


def _followed(mask: FollowingMask, frame: Frame, kind: Follows, notes: list[str]) -> Image:
    """Return the layer of a mask that follows, and add to the ``notes`` if it was lost."""
    had = not mask.is_lost
    if frame.starts_shot:
        mask.is_lost = True
    layer = mask(frame.rgb)
    if had and mask.is_lost:
        why = "another shot begins" if frame.starts_shot else "it is out of sight"
        notes.append(
            f"{kind.name}: lost {float(frame.time):.2f} s in, where {why} (--no-follow keeps a "
            f"mask in its place)"
        )
    return layer
