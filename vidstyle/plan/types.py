"""What a plan says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from ..core.errors import UsageError
from ..core.folders import Folder, LocalFolder, folder_at
from ..media import Clip, Format, loop_count
from ..media.stills import StillsClip
from ..objective.styles import StyleSchedule
from ..settings import Settings, rate_of
from .keys import GivenKey
from .output import Output

StyleLike = str | Path | tuple[str | Path, float]
"""A picture, or (picture, weight)."""
Later = tuple[float, StyleLike]
"""The style from so many seconds on."""
MaskLike = str | Path | tuple[str | Path, str | Path | None]
"""A mask of what is not to be painted, or (mask, picture) of what is to look like that."""


AS_ASKED = "as asked"
"""Why there is an engine that was named."""


@dataclass(frozen=True)
class EngineChoice:
    """Which engine paints, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """A painting that is understood, checked and not yet begun."""

    clip: Clip
    schedule: StyleSchedule
    target: Output
    width: int
    height: int
    settings: Settings
    masks: tuple[Clip, ...] = ()
    keys: tuple[GivenKey, ...] = ()
    """Frames whose paintings are given."""
    overwrite: bool = False
    preview: bool = False
    engine: EngineChoice = EngineChoice("gatys", AS_ASKED)
    notes: tuple[str, ...] = ()
    journal: Path | None = None
    """The folder where paintings are kept until the output is whole."""
    restart: bool = False
    keep_frames: bool = False
    keep_partial: bool = False
    tile_pixels: int | None = None
    """How many pixels went through the network at once in the run that began this painting."""
    reads: tuple[Path, ...] = ()
    """Files that must stay as they are."""

    @property
    def parts(self) -> Folder | None:
        """Where paintings are kept: in the journal, or in a folder of their own in the store."""
        if self.journal is None:
            return None
        if self.settings.store is None:
            return LocalFolder(self.journal)
        whole = hashlib.blake2b(str(self.output.absolute()).encode(), digest_size=4).hexdigest()
        return folder_at(f"{self.settings.store.rstrip('/')}/{self.output.name}-{whole}")

    @property
    def empty(self) -> UsageError:
        """What to raise where the wanted part of the clip has no frames."""
        return UsageError(
            f"{self.clip.info.path}: no frame between these times: check --start and --end"
        )

    @property
    def output(self) -> Path:
        return self.target.path

    @property
    def format(self) -> Format:
        return self.target.format

    @property
    def sheet(self) -> Path | None:
        """The contact sheet, of a preview."""
        return self.target.sheet if self.preview else None

    @property
    def plot(self) -> Path | None:
        return self.target.beside(".plot.png") if self.settings.plot else None

    @property
    def snapshots(self) -> Path | None:
        return self.target.beside(".snapshots") if self.settings.snapshots else None

    @property
    def partial(self) -> Path:
        """Where what is painted is left, if that is wanted and the work ends early."""
        return self.target.partial

    @property
    def writes(self) -> tuple[Path, ...]:
        """All that there is once it is done."""
        return tuple(p for p in (self.output, self.sheet, self.plot, self.snapshots) if p)

    @property
    def closes(self) -> bool:
        """Whether the last frame leads into the first."""
        if self.settings.seamless is not None:
            return self.settings.seamless
        animated = self.format.kind in ("gif", "animation")
        return animated and loop_count(self.clip.info, self.settings.loop) == 0

    @property
    def is_counted(self) -> bool:
        """Whether ``frames`` is sure: not where a part is wanted of a video whose frames last
        unevenly, or where only its length is known."""
        info, settings = self.clip.info, self.settings
        start, end = settings.span
        if info.times or info.kind == "stills" or settings.fps is not None:
            return True
        return info.frames is not None and (info.even or (not start and end is None))

    @property
    def frames(self) -> int | None:
        """How many frames will be painted, as far as the file says."""
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
    """The files that a clip is read from."""
    return clip.images if isinstance(clip, StillsClip) else [clip.info.path]
