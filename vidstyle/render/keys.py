"""Key frames that people paint: written out for them, and checked when they come back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import media
from ..core import files
from ..core.events import Listener, LookedAt
from ..core.images import Image, contact_sheet
from ..plan import KeysPlan
from .frames import frames_of

ROW, ROWS = 4, 5
"""Pictures in a row of the sheet, and rows."""


@dataclass(frozen=True)
class KeysResult:
    """The frames of a clip that are worth painting."""

    output: Path
    """The folder of them, each called by its number."""
    numbers: tuple[int, ...]
    """Of the frames, counted from 1."""
    frames: int
    """How many frames the clip has."""
    seconds: float
    sheet: Path
    """Some of them in one picture."""


def write_keys(plan: KeysPlan, listener: Listener = lambda event: None) -> KeysResult:
    """Write the key frames of a clip into a new folder.

    Args:
        plan: as ``plan_keys`` makes it.
        listener: told of each frame that is looked at.

    Raises:
        UsageError: the clip has no frames, or the folder cannot be written.
    """
    began = time.monotonic()
    numbers: list[int] = []
    count = 0
    part = files.temporary_folder(plan.folder)
    try:
        for count, frame in enumerate(frames_of(plan.footage), 1):
            if frame.is_key:
                numbers.append(count)
                media.save_image(part / files.frame_name(count), frame.rgb)
            listener(LookedAt(count, plan.footage.frames))
        if not count:
            raise plan.footage.empty_error
        files.put_in_place(part, plan.folder, overwrite=False)
    except BaseException:
        files.discard(part)
        raise
    files.write_whole(plan.sheet, media.encoded_image(_sheet(plan.folder, numbers)))
    seconds = time.monotonic() - began
    return KeysResult(plan.folder, tuple(numbers), count, seconds, plan.sheet)


def _sheet(folder: Path, numbers: Sequence[int]) -> Image:
    """Return frames in a ``folder``, evenly chosen, in at most ``ROWS`` rows."""
    step = -(-len(numbers) // (ROW * ROWS))
    chosen = [media.read_image(folder / files.frame_name(one))[0] for one in numbers[::step]]
    blank = chosen[0] * 0 + 255
    row = min(ROW, len(chosen))
    padded = [*chosen, *[blank] * (-len(chosen) % row)]
    return contact_sheet([padded[at : at + row] for at in range(0, len(padded), row)])


def unused_notes(given: int, used: int) -> Iterator[str]:
    """Say how many of the ``given`` paintings were not ``used`` for a frame."""
    if used < given:
        yield (
            f"{given - used} of {given} given paintings are for no frame of the clip, "
            f"or for one that has another painting"
        )
