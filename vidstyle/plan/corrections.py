"""Corrections: frames of a painting that a person has edited, which those around them follow."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import journal
from ..core import files
from ..core.errors import UsageError
from ..core.frames import FOUND
from ..settings import Settings, changed, restored
from .output import journal_of
from .styles import MaskLike

if TYPE_CHECKING:
    from .types import PaintPlan

VERSION = re.compile(r"\.(\d+)$")
"""How the stem of a corrected painting's name ends."""
SHARED = (
    *("size", "start", "end", "max_frames", "fps", "max_pixels", "bars"),
    *("cuts", "flow"),
    *("keep_colors", "strength", "fade", "feather", "follow"),
    *("format", "codec", "crf", "loop", "audio"),
)
"""The settings of a painting that matter to its corrections: which frames there are, how paint is
carried, what is shown of it, and how it is written."""


@dataclass(frozen=True)
class Kept:
    """The paintings of an earlier run that are kept (``--keep-frames``)."""

    folder: Path
    clip: Path
    frames: int
    settings: Settings
    masks: tuple[tuple[str, bool], ...]
    """Each mask, and whether its inside is painted."""

    @classmethod
    def of(cls, painted: Path) -> Kept:
        """Find what is kept of the paintings in the clip ``painted``.

        Raises:
            UsageError: nothing is kept, or not all of it is there.
        """
        if not painted.exists():
            raise UsageError(f"{painted}: does not exist")
        folder = journal_of(painted)
        about = journal.kept(folder)
        if not about:
            raise UsageError(
                f"{painted}: its paintings are not kept: paint it with --keep-frames to correct it"
            )
        home = painted.absolute().parent
        found = cls(
            folder,
            home / about["clip"],
            about["frames"],
            replace(restored(about["settings"]), engine="keyframes", seamless=False, faces="off"),
            tuple((_mask(name, home), is_painted) for name, is_painted in about["masks"]),
        )
        for number in range(1, found.frames + 1):
            if not found.painting(number).is_file():
                raise UsageError(f"{found.painting(number)}: is missing: paint the clip again")
        return found

    def painting(self, number: int) -> Path:
        """Return the file of the painting of frame ``number``, counted from 1."""
        return self.folder / files.frame_name(number)

    @property
    def clip_digest(self) -> str | None:
        """The digest of the clip that was painted."""
        return journal.facts(self.folder).get("clip")

    def covers(self, style: str | Path) -> list[MaskLike]:
        """Return the masks. Any ``style`` will do for those whose inside is painted already."""
        return [(name, style if is_painted else None) for name, is_painted in self.masks]


def kept_facts(plan: PaintPlan, frames: int) -> dict[str, Any]:
    """Return what ``Kept.of`` is to know of the paintings of a ``plan``, when so many ``frames``
    are painted."""
    footage, home = plan.footage, plan.output.path.absolute().parent
    names = [_inside(m if isinstance(m, str) else m.info.path, home) for m in footage.masks]
    return {
        "clip": _inside(footage.clip.info.path, home),
        "frames": frames,
        "settings": {k: v for k, v in changed(plan.settings).items() if k in SHARED},
        "masks": [
            (name, r is not None) for name, r in zip(names, plan.schedule.regions, strict=True)
        ],
    }


def next_version(painted: Path) -> Path:
    """Return the first free name for a correction of ``painted``, such as clip.picasso.2.mp4."""
    suffix = "" if painted.is_dir() else painted.suffix
    stem = painted.name.removesuffix(suffix)
    number = int(found[1]) if (found := VERSION.search(stem)) else 1
    while True:
        number += 1
        path = painted.with_name(files.fitting(f"{VERSION.sub('', stem)}.{number}{suffix}"))
        if not path.exists() and not journal_of(path).exists():
            return path


def _inside(path: str | Path, home: Path) -> str:
    """Return a path as it is seen from the folder ``home``, which may be moved, if it is inside."""
    if path in FOUND:
        return str(path)
    path = Path(path).absolute()
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _mask(name: str, home: Path) -> str:
    return name if name in FOUND else str(home / name)
