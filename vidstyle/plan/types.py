"""The plans: to paint a clip, to train a model on it, to write its key frames, or a mask of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..core.folders import Folder, LocalFolder, NoFolder, folder_at
from ..objective.styles import StyleSchedule
from ..settings import Settings
from .engine import EngineChoice
from .footage import Footage
from .output import Output


@dataclass(frozen=True)
class Detail:
    """What a preview also shows: a detail of the painting that it is a preview of."""

    size: tuple[int, int]
    """Width and height of that painting's frames, in pixels."""
    first_iterations: int
    """The optimizer steps that the detail takes."""


@dataclass(frozen=True)
class PaintPlan:
    """A painting that is understood, checked and not yet begun."""

    footage: Footage
    schedule: StyleSchedule
    output: Output
    engine: EngineChoice
    notes: tuple[str, ...]
    closes: bool
    """Whether the last frame leads into the first."""
    preview: bool = False
    detail: Detail | None = None
    """What else a preview shows. None where the preview is almost as large as the painting."""
    journal: Path | None = None
    """The folder where paintings are kept until the output is whole. None keeps nothing."""
    restart: bool = False
    keep_frames: bool = False
    keep_partial: bool = False
    tile_pixels: int | None = None
    """How many pixels went through the network at once in the run that began this painting."""
    reads: tuple[Path, ...] = ()
    """Files that must stay as they are."""

    @property
    def settings(self) -> Settings:
        """The options, with all of ``auto`` decided."""
        return self.footage.settings

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the painting, in pixels."""
        return self.footage.size

    @property
    def parts(self) -> Folder:
        """Where paintings are kept: in the journal, or in a folder of their own in the store."""
        if self.journal is None:
            return NoFolder()
        if self.settings.store is None:
            return LocalFolder(self.journal)
        path = self.output.path
        digits = hashlib.blake2b(str(path.absolute()).encode(), digest_size=4).hexdigest()
        return folder_at(f"{self.settings.store.rstrip('/')}/{path.name}-{digits}")


@dataclass(frozen=True)
class TrainPlan:
    """The training of a model on a clip."""

    footage: Footage
    schedule: StyleSchedule
    model: Path
    """The file for the model."""
    sheet: Path
    """The picture of some frames as the model paints them."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class KeysPlan:
    """The key frames of a clip, to be written for a person to paint."""

    footage: Footage
    folder: Path
    """The folder for the key frames."""
    sheet: Path
    """The picture of some of them."""


@dataclass(frozen=True)
class MaskPlan:
    """A mask of a clip, to be written as a clip of its own."""

    footage: Footage
    """With this mask alone."""
    output: Output
    notes: tuple[str, ...]
