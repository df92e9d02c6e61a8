"""Some frames of a clip, to see what it is like before it is painted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from .. import media
from ..core.frames import Frame
from ..media import Clip
from ..settings import Settings


def samples(clip: Clip, settings: Settings, count: int) -> Iterator[Frame]:
    """Yield frames of the wanted part of a clip, the first one first.

    Args:
        clip: the clip.
        settings: which part of it is wanted.
        count: how many frames of a video, at even distances. Of others, whose frames can only be
            read in their order, all are yielded.
    """
    start, end = settings.span
    until = clip.info.duration if end is None else end
    wanted = media.trim(media.frames_since(clip, start), start, end)
    if clip.info.kind != "video" or until is None:  # there is no going to a time
        yield from wanted
        return
    yield from islice(wanted, 1)
    for number in range(1, count):
        yield media.frame_at(clip, start + (until - start) * Fraction(number, count))
