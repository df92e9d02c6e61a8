"""Key frames that people paint: written out for them, and looked at when they come back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import media
from ..core import files
from ..core.events import Listener, LookedAt, Notice
from ..core.frames import Frame
from ..core.images import Image, contact_sheet
from ..plan import Plan
from ..temporal.keys import lines_up
from .chunks import PaintedFrame
from .frames import frames_of

ROW, ROWS = 4, 5
"""Pictures in a row of the sheet, and rows."""


@dataclass(frozen=True)
class KeysResult:
    """The frames of a clip that are worth painting."""

    output: Path
    """A folder of them, each called by its number."""
    numbers: tuple[int, ...]
    """Of the frames, counted from 1."""
    frames: int
    """How many frames the clip has."""
    seconds: float
    sheet: Path
    """Some of them in one picture."""


def write_keys(work: Plan, listener: Listener = lambda event: None) -> KeysResult:
    """Write the key frames of a plan (``plan_keys``) into a new folder.

    Raises:
        UsageError: the clip has no frames, or the folder cannot be written.
    """
    began = time.monotonic()
    numbers: list[int] = []
    count = 0
    part = files.temporary_folder(work.output)
    try:
        for count, frame in enumerate(frames_of(work), 1):
            if frame.is_key:
                numbers.append(count)
                media.save_image(part / files.frame_name(count), frame.rgb)
            listener(LookedAt(count, work.frames))
        if not count:
            raise work.empty
        files.put_in_place(part, work.output, overwrite=False)
    except BaseException:
        files.discard(part)
        raise
    files.write_whole(work.target.sheet, media.encoded_image(_sheet(work.output, numbers)))
    seconds = time.monotonic() - began
    return KeysResult(work.output, tuple(numbers), count, seconds, work.target.sheet)


def _sheet(folder: Path, numbers: Sequence[int]) -> Image:
    """At most ``ROWS`` rows of the frames in a ``folder``, evenly chosen."""
    step = -(-len(numbers) // (ROW * ROWS))
    chosen = [media.read_image(folder / files.frame_name(one))[0] for one in numbers[::step]]
    blank = chosen[0] * 0 + 255
    row = min(ROW, len(chosen))
    padded = [*chosen, *[blank] * (-len(chosen) % row)]
    return contact_sheet([padded[at : at + row] for at in range(0, len(padded), row)])


def with_keys(done: Iterable[PaintedFrame], work: Plan, emit: Listener) -> Iterator[PaintedFrame]:
    """All that is ``done``, with a notice of each given painting that does not lie over its frame,
    or that is for none."""
    seen = 0
    for number, one in enumerate(done, 1):
        seen += one.frame.painting is not None
        for note in key_notes(one.frame, number):
            emit(Notice(note))
        yield one
    for note in unseen_notes(work, seen):
        emit(Notice(note))


def key_notes(frame: Frame, number: int) -> Iterator[str]:
    """What there is to say of the painting that is given for a frame, if one is."""
    if frame.painting is not None and not lines_up(frame.painting, frame.rgb):
        yield f"the painting that is given for frame {number} does not lie over it"


def unseen_notes(work: Plan, seen: int) -> Iterator[str]:
    """What there is to say where so many given paintings were ``seen``."""
    if seen < len(work.keys):
        yield (
            f"{len(work.keys) - seen} of {len(work.keys)} given paintings are for no frame of "
            f"the clip, or for one that has another"
        )
