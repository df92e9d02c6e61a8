"""A detail of a painting at its own size, which a preview shows beside its small frames."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..core.events import Listener, Step, Stepped
from ..core.frames import Frame
from ..core.images import Image
from ..engines.protocol import settled
from ..engines.recovery import RecoveringEngine
from ..objective.styles import StyleSchedule
from ..plan import Footage, PaintPlan, make_engine
from ..plan.styles import with_brush_of_part
from ..settings import Settings
from .compose import Composer
from .frames import frames_of

DETAIL_SIDE = 256
"""Pixels of the sides of a detail, at most."""


def paint_detail(
    plan: PaintPlan, composer: Composer, listener: Listener
) -> tuple[Image, Image] | None:
    """Paint a detail of the first frame of the painting that a preview is of, at its own size and
    with its own strokes.

    Args:
        plan: of a preview.
        composer: lays a painting over its source.
        listener: told of each step.

    Returns:
        The source of the detail (h, w, 3), and what is shown of its painting. None if the plan has
        no detail, or the frame's painting is given.
    """
    if plan.detail is None:
        return None
    settings = replace(plan.settings, first_iterations=plan.detail.first_iterations)
    footage = replace(plan.footage, whole=plan.detail.size, settings=settings)
    found = part_of(footage, plan.schedule)
    if found is None or found[0].painting is not None:
        return None
    part, settings = found
    made = make_engine(settings, plan.schedule, part.rgb.shape[1::-1])
    engine = RecoveringEngine(made, listener)

    def on_step(step: Step) -> None:
        listener(Stepped(1, step))

    ((painted, _),) = engine.paint_span([part], on_step)
    return part.rgb, composer(settled(painted), part)


def part_of(
    footage: Footage, schedule: StyleSchedule, middle: tuple[float, float] | None = None
) -> tuple[Frame, Settings] | None:
    """Cut a detail out of the first frame.

    Args:
        footage: at the painting's own size.
        schedule: its styles.
        middle: of the detail, as shares of the frame's width and height. None means its largest
            face, or where there is most to see.

    Returns:
        The detail as a frame, and the settings that paint it with the strokes of the whole. None if
        there are no frames.
    """
    frame = next(frames_of(footage), None)
    if frame is None:
        return None
    part = _cut(frame, middle)
    height, width = part.rgb.shape[:2]
    settings = with_brush_of_part(
        schedule.pictures, footage.size, (width, height), footage.settings
    )
    return part, settings


def _cut(frame: Frame, middle: tuple[float, float] | None) -> Frame:
    whole = frame.rgb.shape[:2]
    height, width = (min(DETAIL_SIDE, side) for side in whole)
    if middle is None:
        x, y = _middle(frame, height, width)
    else:
        x, y = middle[0] * whole[1], middle[1] * whole[0]
    top = round(min(max(0.0, y - height / 2), frame.rgb.shape[0] - height))
    left = round(min(max(0.0, x - width / 2), frame.rgb.shape[1] - width))
    place = slice(top, top + height), slice(left, left + width)
    return replace(
        frame,
        rgb=np.ascontiguousarray(frame.rgb[place]),
        alpha=None if frame.alpha is None else frame.alpha[place],
        masks=tuple(np.ascontiguousarray(mask[place]) for mask in frame.masks),
        faces=tuple(face.moved(-left, -top) for face in frame.faces),
        around=None,
    )


def _middle(frame: Frame, height: int, width: int) -> tuple[float, float]:
    """Return the middle (x, y) of a detail of this size: a face, or where there is most to see."""
    if frame.faces:
        x, y = max(frame.faces, key=lambda face: face.width).center
        return float(x), float(y)
    gray = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    down, across = np.gradient(gray)
    steep = np.hypot(down, across).astype(np.float32)
    detail = cv2.blur(steep, (width, height), borderType=cv2.BORDER_CONSTANT)
    row, column = np.unravel_index(detail.argmax(), detail.shape)
    return float(column), float(row)
