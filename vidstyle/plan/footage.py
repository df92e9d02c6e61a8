"""The part of a clip that is wanted, and what is known of its frames before any is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from ..core.errors import UsageError
from ..core.frames import Frame
from ..core.images import Image
from ..engines import engine_class
from ..media import Clip
from ..media.stills import StillsClip
from ..settings import Settings, meaningless_to, rate_of
from ..subjects.masks import Kind
from .bars import Bars
from .corrections import Kept
from .keys import GivenKey
from .masks import Mask, kind_of


@dataclass(frozen=True)
class Footage:
    """The frames that a plan is about: which ones, at which size, with what beside them.

    What painting, training and key frames have in common: ``render.frames`` reads it.
    """

    clip: Clip
    whole: tuple[int, int]
    """Width and height of the frames, in pixels."""
    settings: Settings
    masks: tuple[Mask, ...] = ()
    keys: tuple[GivenKey, ...] = ()
    """Frames whose paintings are given."""
    leads_back: bool = False
    """Whether the frames before a given painting follow it, too."""
    kept: Kept | None = None
    """The paintings that are corrected by ``keys``. None if none are."""
    bars: Bars | None = None
    """What of the clip's own frames is not painted, because it is black."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is painted of a frame, in pixels."""
        return self.whole if self.bars is None else self.bars.scaled(self.whole).inside

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of what is painted of a frame."""
        if self.bars is None:
            return slice(None), slice(None)
        return self.bars.scaled(self.whole).place

    @property
    def mask_clips(self) -> tuple[Clip, ...]:
        """The masks that are read from files."""
        return tuple(mask for mask in self.masks if not isinstance(mask, str))

    @property
    def mask_kinds(self) -> tuple[Kind, ...]:
        """How the layers of each mask come about."""
        return tuple(kind_of(mask, self.settings) for mask in self.masks)

    @property
    def looks_for_faces(self) -> bool:
        """Whether the engine makes something of faces, and is to."""
        unread = meaningless_to(engine_class(self.settings.engine).options_of)
        return self.settings.faces != "off" and "faces" not in unread

    def framed(self, shown: Image, frame: Frame) -> Image:
        """Return a whole frame (H, W, 3), given what is ``shown`` of its painting."""
        if frame.around is None:
            return shown
        whole = frame.around.copy()
        whole[self.place] = shown
        return whole

    @property
    def empty_error(self) -> UsageError:
        """The error for a wanted part that has no frames."""
        return UsageError(
            f"{self.clip.info.path}: no frame between these times: check --start and --end"
        )

    @property
    def is_counted(self) -> bool:
        """Whether ``frames`` is exact. It is not where only the length of a video is known, nor for
        a part of a video whose frames last unevenly."""
        info, settings = self.clip.info, self.settings
        start, end = settings.span
        if info.times or info.kind == "stills" or settings.fps is not None:
            return True
        return info.frames is not None and (info.even or (not start and end is None))

    @property
    def frames(self) -> int | None:
        """How many frames there are, as far as the file says; None if it does not."""
        info, wish = self.clip.info, self.settings
        start, end = wish.span
        rate = info.rate if wish.fps is None else rate_of(wish.fps)
        count = info.frames if wish.fps is None else None
        if info.times and wish.fps is None:
            ends = (*info.times[1:], info.duration or info.times[-1])
            shown = [begin for begin, until in zip(info.times, ends, strict=True) if until > start]
            count = sum(1 for begin in shown if end is None or begin < end)
        elif info.duration is not None and rate:
            until = info.duration if end is None else min(end, info.duration)
            if wish.fps is not None:
                count = max(0, ceil((until - start) * rate))
            else:
                whole = round(info.duration * rate) if count is None else count
                last = whole if end is None else min(whole, ceil(end * rate))
                count = max(0, last - floor(start * rate))
        known = [n for n in (count, wish.max_frames) if n is not None]
        return min(known, default=None)


def files_of(clip: Clip) -> Sequence[Path]:
    """Return the files that a clip is read from."""
    return clip.images if isinstance(clip, StillsClip) else [clip.info.path]
