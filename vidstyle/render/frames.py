"""The frames of a plan, as they are painted: the wanted ones, at its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from .. import media
from ..core.images import filled, resized, resized_apart
from ..media import Frame
from ..objective.masks import masked, softened
from ..plan import Plan
from ..settings import Settings, rate_of, seconds
from ..temporal.keys import keyed
from ..temporal.shots import Cuts, shots


def frames_of(work: Plan) -> Iterator[Frame]:
    """The frames to be painted, each with whether it begins a shot."""
    settings = work.settings
    start, end = settings.span
    covered = masked(work.clip, work.masks) if work.masks else work.clip
    frames = media.trim(covered, start, end, settings.max_frames if not settings.fps else None)
    if settings.fps:
        frames = islice(media.resample(frames, rate_of(settings.fps)), settings.max_frames)
    found = shots((_prepared(frame, work) for frame in frames), _cuts(settings, start))
    if work.keys:
        found = _painted(found, work)
    if settings.engine != "keyframes" or settings.flow == "none":
        return found
    streams = settings.segment is None and not work.closes
    return keyed(found, settings.key_every, bool(work.keys) and streams)


def _painted(frames: Iterable[Frame], work: Plan) -> Iterator[Frame]:
    """Each frame with its painting, where that is given."""
    start, size = work.settings.span[0], (work.width, work.height)
    for number, frame in enumerate(frames, 1):
        shown = frame.time + start
        for key in work.keys:
            at = key.time is not None and shown <= key.time < shown + frame.duration
            if at or key.number == number:
                painting = filled(*media.read_image(key.path, work.settings.max_pixels))
                frame = replace(frame, painting=resized(painting, size))
        yield frame


def _cuts(settings: Settings, start: Fraction) -> Cuts:
    """Where shots begin, in seconds from ``start``."""
    if settings.cuts == "auto" or settings.cuts == "none":
        return settings.cuts
    times = (seconds(cut) - start for cut in settings.cuts)
    return tuple(time for time in times if time > 0)


def _prepared(frame: Frame, work: Plan) -> Frame:
    """``frame`` and its masks at the painting's size, its transparent part in the mean colour of
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
