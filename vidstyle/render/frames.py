"""The frames of a plan, as they are painted: the wanted ones, at its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, dropwhile, islice

import numpy as np
from numpy.typing import NDArray

from .. import media
from ..core.errors import VidstyleError
from ..core.frames import Frame
from ..core.images import filled, resized, resized_apart
from ..objective.masks import masked, softened
from ..plan import GivenKey, Plan
from ..settings import Settings, rate_of, seconds
from ..temporal.keys import keyed
from ..temporal.shots import Cuts, segmented, shots, thumbnail

READ_AHEAD = 4
"""Frames that are read before they are painted, at most."""


def frames_of(work: Plan) -> Iterator[Frame]:
    """The frames to be painted, each with whether it begins a shot or a segment, and whether it is
    a key frame."""
    frames = (_prepared(frame, work) for frame in _wanted(_source(work), work))
    found = _given(_divided(frames, work), work)
    leads_back = bool(work.keys) and work.settings.segment is None and not work.closes
    return _keyed(found, work, leads_back)


@dataclass(frozen=True)
class Segment:
    """Frames that are painted one after the other, by themselves."""

    number: int
    """Its own among all, from 0 on."""
    first: int
    """That of its first frame."""
    places: tuple[tuple[Fraction, Fraction], ...]
    """When each frame begins, and how long it lasts."""
    starts_shot: bool
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    """Thumbnails of its first frame and of its last."""

    @property
    def frames(self) -> list[Frame]:
        """Its frames, without their pictures."""
        nothing = np.zeros((0, 0, 3), np.uint8)
        return [
            Frame(nothing, *place, starts_shot=self.starts_shot and index == 0)
            for index, place in enumerate(self.places)
        ]


def outlines(work: Plan, start: Fraction, end: Fraction | None, seek: bool = True) -> list[Frame]:
    """The clip's own frames that begin from ``start`` to ``end`` seconds, as thumbnails; from
    where the plan starts on, also the one that is shown then.

    Without ``seek``, the file is read from its beginning: some cannot be read otherwise.
    """
    found = []
    for frame in media.frames_since(work.clip, start) if seek else work.clip:
        if end is not None and frame.time >= end:
            break
        shown = start == work.settings.span[0] and frame.time + frame.duration > start
        if frame.time >= start or shown:
            small = thumbnail(_prepared(frame, work).rgb)
            found.append(replace(frame, rgb=small, alpha=None))
    return found


def segments_of(work: Plan, outlines: Iterable[Frame]) -> Iterator[Segment]:
    """The segments of a clip with these ``outlines``."""
    held: list[Frame] = []
    number, first = 0, 0

    def whole() -> Segment:
        places = tuple((frame.time, frame.duration) for frame in held)
        pictures = held[0].rgb, held[-1].rgb
        return Segment(number, first, places, held[0].starts_shot, pictures)

    for frame in _divided(_wanted(outlines, work), work):
        if frame.starts_segment and held:
            yield whole()
            number, first, held = number + 1, first + len(held), []
        held.append(frame)
    if held:
        yield whole()


def frames_in(work: Plan, segment: Segment) -> Iterator[Frame]:
    """The frames of a segment, as ``frames_of`` has them.

    Raises:
        VidstyleError: the clip has others now.
    """
    return _keyed(_given(_read(work, segment), work, segment.first), work)


def _read(work: Plan, segment: Segment) -> Iterator[Frame]:
    begins = segment.places[0][0]
    frames = _from(work, segment, _source(work, begins + work.settings.span[0]))
    first = next(frames, None)
    if first is None or first.time != begins:  # some files cannot be read from the middle
        frames = _from(work, segment, _source(work))
        first = next(frames, None)
    rest = () if first is None else chain([first], frames)
    read = 0
    for frame, place in zip(rest, segment.places, strict=False):
        if (frame.time, frame.duration) != place:
            break
        starts = segment.starts_shot and read == 0
        yield replace(_prepared(frame, work), starts_shot=starts, starts_segment=read == 0)
        read += 1
    if read < len(segment.places):
        raise VidstyleError(
            f"{work.clip.info.path}: frame {segment.first + read + 1} reads otherwise than before: "
            f"has the file changed?"
        )


def _from(work: Plan, segment: Segment, source: Iterator[Frame]) -> Iterator[Frame]:
    """The frames of a ``source`` from the first one of a segment on."""
    begins = segment.places[0][0]
    return dropwhile(lambda frame: frame.time < begins, _wanted(source, work, segment.first))


def _source(work: Plan, since: Fraction | None = None) -> Iterator[Frame]:
    """The clip's own frames with their masks, from about so many seconds on."""
    if work.masks:  # which are counted from the first frame on
        return masked(work.clip, work.masks)
    return iter(work.clip) if since is None else media.frames_since(work.clip, since)


def _wanted(frames: Iterable[Frame], work: Plan, first: int = 0) -> Iterator[Frame]:
    """Those of the clip's ``frames`` that are wanted, from number ``first`` on, which comes after
    the first of these, as many a second as are wanted."""
    settings = work.settings
    shown = media.trim(frames, *settings.span)
    if settings.fps:
        shown = media.resample(shown, rate_of(settings.fps), first)
    return shown if first else islice(shown, settings.max_frames)


def _divided(frames: Iterable[Frame], work: Plan) -> Iterator[Frame]:
    """Each frame with whether it begins a shot, and a segment."""
    settings = work.settings
    return segmented(shots(frames, _cuts(settings, settings.span[0])), settings.segment)


def _given(frames: Iterable[Frame], work: Plan, first: int = 0) -> Iterator[Frame]:
    """Each frame, counted from ``first`` on, with its painting where that is given."""
    for number, frame in enumerate(frames, first + 1):
        for key in keys_at(work, number, frame):
            painting = filled(*media.read_image(key.path, work.settings.max_pixels))
            frame = replace(frame, painting=resized(painting, (work.width, work.height)))
        yield frame


def keys_at(work: Plan, number: int, frame: Frame) -> list[GivenKey]:
    """The paintings that are given for a frame, by its ``number``, from 1 on, or its time."""
    shown = frame.time + work.settings.span[0]
    return [
        key
        for key in work.keys
        if key.number == number
        or (key.time is not None and shown <= key.time < shown + frame.duration)
    ]


def _keyed(frames: Iterable[Frame], work: Plan, leads_back: bool = False) -> Iterator[Frame]:
    """Each frame with whether it is a key frame."""
    settings = work.settings
    if settings.engine != "keyframes" or settings.flow == "none":
        return iter(frames)
    return keyed(frames, settings.key_every, leads_back)


def _cuts(settings: Settings, start: Fraction) -> Cuts:
    """Where shots begin, in seconds from ``start``."""
    if settings.cuts == "auto" or settings.cuts == "none":
        return settings.cuts
    times = (seconds(cut) - start for cut in settings.cuts)
    return tuple(time for time in times if time > 0)


def _prepared(frame: Frame, work: Plan) -> Frame:
    """``frame`` and its masks at the painting's size, its transparent part in the mean color of
    the rest, not in a chance one.
    """
    size = work.width, work.height
    scaled = _scaled(frame, size)
    masks = tuple(softened(mask, size, work.settings.feather) for mask in frame.masks)
    return replace(scaled, rgb=filled(scaled.rgb, scaled.alpha), masks=masks)


def _scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    if frame.rgb.shape[1::-1] == size:
        return frame
    if frame.alpha is None:
        return replace(frame, rgb=resized(frame.rgb, size))
    rgb, alpha = resized_apart(frame.rgb, frame.alpha, size)
    return replace(frame, rgb=rgb, alpha=alpha)
