"""The frames of a clip as they are painted: the wanted ones, at the painting's size."""

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
from ..core.images import Image, filled, resized, resized_apart
from ..engines import engine_class
from ..objective.masks import masked, softened
from ..plan import Bars, Footage, GivenKey
from ..plan.keys import has_shape
from ..settings import Settings, rate_of, seconds
from ..subjects.faces import FaceDetector
from ..subjects.masks import Follows, with_masks
from ..subjects.people import PersonFinder
from ..subjects.tracks import with_faces
from ..temporal.keys import keyed, lines_up
from ..temporal.shots import Cuts, segmented, shots, thumbnail

READ_AHEAD = 8
"""Frames that are read before they are painted, at most."""


@dataclass(frozen=True)
class Segment:
    """Frames that are painted one after the other, independently of others."""

    number: int
    """Counted from 0."""
    first: int
    """The number of its first frame in the clip, counted from 0."""
    places: tuple[tuple[Fraction, Fraction], ...]
    """The time and the duration of each frame, in seconds."""
    starts_shot: bool
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    """Thumbnails of its first and its last frame."""

    @property
    def begins(self) -> Fraction:
        """The time of its first frame, in seconds."""
        return self.places[0][0]

    @property
    def frames(self) -> list[Frame]:
        """Its frames, without their pictures."""
        nothing = np.zeros((0, 0, 3), np.uint8)
        return [
            Frame(nothing, *place, starts_shot=self.starts_shot and index == 0)
            for index, place in enumerate(self.places)
        ]


def frames_of(footage: Footage) -> Iterator[Frame]:
    """Read the frames, with the faces in them, and mark where shots and segments begin, and which
    are key frames."""
    seen = _with_faces(_masked(_from_the_start(footage), footage), footage)
    return _keyed(_given(seen, footage), footage, footage.leads_back)


def frames_in(footage: Footage, segment: Segment) -> Iterator[Frame]:
    """Read the frames of one segment, as ``frames_of`` gives them.

    Raises:
        VidstyleError: the clip has other frames than when the segment was cut.
    """
    if any(isinstance(kind, Follows) for kind in footage.mask_kinds):
        whole = _masked(_from_the_start(footage), footage)
        frames = _of_segment(dropwhile(lambda f: f.time < segment.begins, whole), footage, segment)
    else:
        frames = _masked(_read(footage, segment), footage)
    return _keyed(_given(_with_faces(frames, footage), footage, segment.first), footage)


def outlines(
    footage: Footage, start: Fraction, end: Fraction | None, seek: bool = True
) -> list[Frame]:
    """Read a part of the clip as thumbnails, from which segments can be cut.

    Args:
        footage: the whole.
        start, end: of the part, in seconds of the clip. Where the footage starts, the frame that is
            shown at that time counts, too.
        seek: whether to begin reading near ``start``. Some files must be read from the beginning.

    Returns:
        The frames that begin in that part.
    """
    found = []
    for frame in media.frames_since(footage.clip, start) if seek else footage.clip:
        if end is not None and frame.time >= end:
            break
        shown = start == footage.settings.span[0] and frame.time + frame.duration > start
        if frame.time >= start or shown:
            small = thumbnail(_prepared(frame, footage).rgb)
            found.append(replace(frame, rgb=small, alpha=None))
    return found


def segments_of(footage: Footage, outlines: Iterable[Frame]) -> Iterator[Segment]:
    """Cut a clip with these ``outlines`` into segments."""
    held: list[Frame] = []
    number, first = 0, 0

    def whole() -> Segment:
        places = tuple((frame.time, frame.duration) for frame in held)
        pictures = held[0].rgb, held[-1].rgb
        return Segment(number, first, places, held[0].starts_shot, pictures)

    for frame in _divided(_wanted(outlines, footage), footage.settings):
        if frame.starts_segment and held:
            yield whole()
            number, first, held = number + 1, first + len(held), []
        held.append(frame)
    if held:
        yield whole()


def keys_at(footage: Footage, number: int, frame: Frame) -> list[GivenKey]:
    """Return the paintings that are given for a frame, by its ``number`` from 1 on, or its time."""
    shown = frame.time + footage.settings.span[0]
    return [
        key
        for key in footage.keys
        if key.number == number
        or (key.time is not None and shown <= key.time < shown + frame.duration)
    ]


def _from_the_start(footage: Footage) -> Iterator[Frame]:
    """Read all frames, and mark where shots and segments begin."""
    frames = (_prepared(frame, footage) for frame in _wanted(_source(footage), footage))
    return _divided(frames, footage.settings)


def _read(footage: Footage, segment: Segment) -> Iterator[Frame]:
    """Read the frames of a segment, from there on if that is possible."""
    frames = _from(footage, segment, _source(footage, segment.begins + footage.settings.span[0]))
    first = next(frames, None)
    if first is None or first.time != segment.begins:  # some files only from the beginning
        frames = _from(footage, segment, _source(footage))
        first = next(frames, None)
    rest = () if first is None else chain([first], frames)
    return _of_segment((_prepared(frame, footage) for frame in rest), footage, segment)


def _of_segment(frames: Iterable[Frame], footage: Footage, segment: Segment) -> Iterator[Frame]:
    """Yield the ``frames`` of a segment, marked as such.

    Raises:
        VidstyleError: they are others than when the segment was cut.
    """
    read = 0
    for frame, place in zip(frames, segment.places, strict=False):
        if (frame.time, frame.duration) != place:
            break
        starts = segment.starts_shot and read == 0
        yield replace(frame, starts_shot=starts, starts_segment=read == 0)
        read += 1
    if read < len(segment.places):
        raise VidstyleError(
            f"{footage.clip.info.path}: frame {segment.first + read + 1} is not as it was "
            f"read before: has the file changed?"
        )


def _from(footage: Footage, segment: Segment, source: Iterator[Frame]) -> Iterator[Frame]:
    """Skip the frames of a ``source`` before the first one of a segment."""
    wanted = _wanted(source, footage, segment.first)
    return dropwhile(lambda frame: frame.time < segment.begins, wanted)


def _source(footage: Footage, since: Fraction | None = None) -> Iterator[Frame]:
    """Read the clip's own frames with their masks, from about so many seconds on."""
    if footage.mask_clips:  # which are counted from the first frame on
        return masked(footage.clip, footage.mask_clips)
    return iter(footage.clip) if since is None else media.frames_since(footage.clip, since)


def _wanted(frames: Iterable[Frame], footage: Footage, first: int = 0) -> Iterator[Frame]:
    """Cut the clip's own frames to the wanted part, and resample them to the wanted frame rate.

    Args:
        frames: of the clip.
        footage: says which part, and which rate.
        first: the number of the first frame that is wanted. ``frames`` may begin with any frame
            before it.
    """
    settings = footage.settings
    shown = media.trim(frames, *settings.span)
    if settings.fps:
        shown = media.resample(shown, rate_of(settings.fps), first)
    return shown if first else islice(shown, settings.max_frames)


def _divided(frames: Iterable[Frame], settings: Settings) -> Iterator[Frame]:
    """Mark the frames that begin a shot or a segment."""
    return segmented(shots(frames, _cuts(settings)), settings.segment)


def _masked(frames: Iterable[Frame], footage: Footage) -> Iterator[Frame]:
    """Add what masks are found, and let those follow that do."""
    kinds = footage.mask_kinds
    if not any(kinds):
        return iter(frames)
    return with_masks(frames, kinds, PersonFinder(), footage.settings.feather)


def _with_faces(frames: Iterable[Frame], footage: Footage) -> Iterator[Frame]:
    """Add the faces that frames show, unless nothing is made of them."""
    return with_faces(frames, FaceDetector()) if footage.looks_for_faces else iter(frames)


def _cuts(settings: Settings) -> Cuts:
    """Return where shots begin, in seconds from the start of the wanted part."""
    if settings.cuts == "auto" or settings.cuts == "none":
        return settings.cuts
    times = (seconds(cut) - settings.span[0] for cut in settings.cuts)
    return tuple(time for time in times if time > 0)


def _given(frames: Iterable[Frame], footage: Footage, first: int = 0) -> Iterator[Frame]:
    """Add the given paintings to their frames, which are counted from ``first`` on."""
    for number, frame in enumerate(frames, first + 1):
        for key in keys_at(footage, number, frame):
            painting = filled(*media.read_image(key.path, footage.settings.max_pixels))
            if has_shape(painting, footage.whole):
                painting = resized(painting, footage.whole)[footage.place]
            else:  # without the bars
                painting = resized(painting, footage.size)
            notes = (*frame.notes, *_key_notes(painting, frame.rgb, number))
            frame = replace(frame, painting=np.ascontiguousarray(painting), notes=notes)
        yield frame


def _key_notes(painting: Image, source: Image, number: int) -> Iterator[str]:
    """Say if the ``painting`` given for a frame does not line up with its ``source``."""
    if not lines_up(painting, source):
        yield f"the painting given for frame {number} does not line up with it"


def _keyed(frames: Iterable[Frame], footage: Footage, leads_back: bool = False) -> Iterator[Frame]:
    """Mark the key frames, for an engine that paints only those. For others, each frame is one."""
    settings = footage.settings
    if settings.flow == "none" or not engine_class(settings.engine).paints_key_frames:
        return iter(frames)
    return keyed(frames, settings.key_every, leads_back)


def _prepared(frame: Frame, footage: Footage) -> Frame:
    """Scale a frame and its masks to the painting's size, without black bars. Its transparent part
    takes the mean color of the rest, instead of the arbitrary colors in the file."""
    size = footage.whole
    scaled = _scaled(frame, size)
    masks = tuple(softened(mask, size, footage.settings.feather) for mask in frame.masks)
    ready = replace(scaled, rgb=filled(scaled.rgb, scaled.alpha), masks=masks)
    return ready if footage.bars is None else _inside(ready, frame.rgb, footage, footage.bars)


def _inside(frame: Frame, source: Image, footage: Footage, bars: Bars) -> Frame:
    """Cut a frame to what is inside its bars, and keep the whole of it around that.

    The picture is scaled by itself, since the black beside it would darken its outermost pixels.
    """
    rgb = resized(source[bars.place], footage.size)
    masks = tuple(np.ascontiguousarray(mask[footage.place]) for mask in frame.masks)
    return replace(frame, rgb=rgb, masks=masks, around=frame.rgb)


def _scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    if frame.rgb.shape[1::-1] == size:
        return frame
    if frame.alpha is None:
        return replace(frame, rgb=resized(frame.rgb, size))
    rgb, alpha = resized_apart(frame.rgb, frame.alpha, size)
    return replace(frame, rgb=rgb, alpha=alpha)
