"""Paintings that are corrected: a frame was edited, and the frames around it follow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from .. import media
from ..core.background import Behind, ahead
from ..core.errors import UsageError
from ..core.events import Listener, Notice, Painted
from ..core.frames import Frame
from ..core.images import Image
from ..journal import Journal
from ..plan import Kept, PaintPlan
from ..temporal.carry import Motion
from ..temporal.edits import Edit, Layer, edited
from ..temporal.flow import FlowPair, both_ways, estimator
from .compose import Composer, Summary
from .frames import READ_AHEAD, frames_of
from .output import OutputWriter
from .painting import FRAMES_WAITING

FARTHEST, HELD_BYTES = 240, 1_000_000_000
"""Frames that follow a corrected one on each side, at most, and the memory that those before it may
take until it is reached."""
FADING_REACH = 0.25
"""The share of its reach over which an edit fades."""


def correct_here(
    plan: PaintPlan,
    kept: Kept,
    journal: Journal,
    writer: OutputWriter,
    summary: Summary,
    composer: Composer,
    emit: Listener,
) -> None:
    """Lay the edits of corrected frames over the ``kept`` paintings, and write all frames.

    Raises:
        UsageError: the clip is not the one that was painted, or a correction is for no frame.
    """
    footage = plan.footage
    if journal.fingerprint["clip"] != kept.clip_digest:
        raise UsageError(f"{kept.clip}: is not as it was when it was painted: paint it again")
    journal.begin()
    edits = EditFollower(kept, len(footage.keys), footage.settings.flow)
    began = time.monotonic()
    with Behind(FRAMES_WAITING) as encoding:
        for number, frame, layers in edits.follow(ahead(frames_of(footage), READ_AHEAD)):
            for note in frame.notes:
                emit(Notice(note))
            before = edits.painted(number)
            painted = edited(before, layers)
            if painted is before:
                journal.take(number, kept.painting(number))
            else:
                journal.show(number, painted)
            shown = composer(painted, frame)
            encoding.submit(writer.write, frame, shown)
            summary.add(frame, shown, 0.0)
            emit(Painted(number, time.monotonic() - began, False, painted))
            began = time.monotonic()
    if edits.left:
        raise UsageError(
            f"{edits.left} of {len(footage.keys)} corrections are for no frame of the clip: "
            f"check their times"
        )


@dataclass(eq=False)
class _Held:
    """A frame that a later correction may reach."""

    number: int
    frame: Frame
    layers: list[Layer] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _FollowedEdit:
    """An edit that the frames of a shot follow."""

    number: int
    """Of the edited frame."""
    edit: Edit
    motion: Motion
    """That of the last frame into the edited one."""


class EditFollower:
    """Lets the frames of a shot follow the edits of its corrected frames.

    Args:
        kept: the paintings.
        count: how many frames are corrected.
        flow: the name of the estimator. With "none", nothing follows.
    """

    def __init__(self, kept: Kept, count: int, flow: str) -> None:
        self.kept, self.left = kept, count
        self.flows: FlowPair | None = None if flow == "none" else both_ways(estimator(flow))
        self.held: deque[_Held] = deque()
        """The last frames of the shot, as long as there are corrections to come."""
        self.followed: list[_FollowedEdit] = []

    def painted(self, number: int) -> Image:
        """Return the painting of a frame as it was kept (H, W, 3)."""
        return media.read_image(self.kept.painting(number))[0]

    def follow(self, frames: Iterable[Frame]) -> Iterator[tuple[int, Frame, list[Layer]]]:
        """Yield each of the ``frames`` with its number from 1 on, and the edits that reach it."""
        before: Frame | None = None
        for number, frame in enumerate(frames, 1):
            if frame.starts_shot or before is None:
                yield from self._released(0)
                self.followed.clear()
            elif self.flows is not None and self.followed:
                self._advance(number, frame, before)
            held = _Held(number, frame, [])
            self.held.append(held)
            held.layers += self._layers(number, frame)
            if frame.painting is not None:
                self.left -= 1
                self._edit(number, frame, frame.painting)
            before = frame
            room = HELD_BYTES // (6 * frame.rgb.size)
            yield from self._released(min(FARTHEST, room) if self.left else 0)
        yield from self._released(0)

    def _released(self, most: int) -> Iterator[tuple[int, Frame, list[Layer]]]:
        """Yield the first frames that are held, until there are ``most`` of them."""
        while len(self.held) > most:
            held = self.held.popleft()
            yield held.number, held.frame, held.layers

    def _advance(self, number: int, frame: Frame, before: Frame) -> None:
        """Let the edits follow from the frame ``before`` to the next one."""
        assert self.flows is not None
        step = Motion.between(*self.flows(frame.rgb, before.rgb))
        self.followed = [
            replace(one, motion=step.after(one.motion))
            for one in self.followed
            if number - one.number < FARTHEST
        ]

    def _layers(self, number: int, frame: Frame) -> Iterator[Layer]:
        for one in self.followed:
            yield _faded(one.edit.to(frame.rgb, one.motion), number - one.number)

    def _edit(self, number: int, frame: Frame, corrected: Image) -> None:
        """Take up a corrected frame, and let the frames that are held follow it."""
        edit = Edit.of(frame.rgb, self.painted(number), corrected)
        motion = Motion.none(frame.rgb.shape)
        self.held[-1].layers.append(edit.to(frame.rgb, motion))
        self.followed.append(_FollowedEdit(number, edit, motion))
        if self.flows is None:
            self.followed.clear()
            return
        after = frame
        for held in [*self.held][-2::-1]:
            step = Motion.between(*self.flows(held.frame.rgb, after.rgb))
            motion = step.after(motion)
            layer = edit.to(held.frame.rgb, motion)
            held.layers.append(_faded(layer, number - held.number))
            after = held.frame


def _faded(layer: Layer, distance: int) -> Layer:
    """Return a ``layer`` as it is seen so many frames from the edited one."""
    share = min(1.0, (1 - distance / FARTHEST) / FADING_REACH)
    return replace(layer, weight=layer.weight * np.float32(share), distance=distance)
