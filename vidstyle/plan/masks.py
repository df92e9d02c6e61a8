"""The masks of a plan: files, or what is found in the clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from .. import media
from ..core.errors import UsageError
from ..core.frames import FOUND, Found
from ..media import Clip
from ..objective.masks import check, is_one
from ..settings import Settings
from ..subjects.masks import Follows, Kind
from ..subjects.people import PersonFinder, shows_somebody
from .samples import samples
from .styles import MaskLike

Mask = Clip | Found
"""A mask: one that is read, or what is to be found."""
FRAMES_LOOKED_AT = 8
"""Frames in which people are looked for before anything is painted, at most."""


def opened(mask: MaskLike, max_pixels: int | None) -> Mask:
    """Return a mask: one of ``FOUND`` if it is called so, else a file. (``./person`` is a file.)

    Raises:
        UsageError: the file cannot be read.
    """
    name = mask[0] if isinstance(mask, tuple) else mask
    found = [one for one in FOUND if name == one]
    return found[0] if found else media.open_clip(name, max_pixels)


def kind_of(mask: Mask, settings: Settings) -> Kind:
    """Return how the layers of a ``mask`` come about."""
    if isinstance(mask, str):
        return mask
    return Follows(mask.info.path.name) if settings.follow and is_one(mask) else None


def mask_notes(
    masks: Sequence[Mask], regions: Sequence[int | None], clip: Clip, settings: Settings
) -> Iterator[str]:
    """Check that ``masks`` fit a clip, and say what is worth knowing of them.

    Args:
        masks: of the clip.
        regions: the style of each. None where nothing is to be painted.
        clip: the clip.
        settings: which part of it is wanted.

    Raises:
        UsageError: a mask has another number of frames than the clip, or nothing would be painted.
    """
    for mask in masks:
        if not isinstance(mask, str):
            yield from check(mask, clip)
    found = {mask: region for mask, region in zip(masks, regions, strict=True) if mask in FOUND}
    if not found or _shows_people(clip, settings):
        return
    if "background" in found and found["background"] is None:
        raise UsageError(
            "--mask background: nobody was found, so that nothing would be painted: give a mask, "
            "or a style for the background"
        )
    yield f"--mask {' and '.join(map(str, found))}: nobody was found in the frames examined"


def _shows_people(clip: Clip, settings: Settings) -> bool:
    find = PersonFinder()
    frames = samples(clip, settings, FRAMES_LOOKED_AT)
    return any(shows_somebody(find(frame.rgb)) for frame in islice(frames, FRAMES_LOOKED_AT))
