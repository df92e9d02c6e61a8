"""Tuning: a single frame, painted again after each change of the settings, shown in progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from ..core import devices
from ..core.events import Step
from ..core.frames import Frame
from ..core.images import Image, resized
from ..engines.gatys import OptimizingEngine
from ..engines.protocol import settled
from ..plan import PaintPlan, make_engine
from ..plan.styles import with_brush_of
from ..render.compose import Composer
from ..render.detail import part_of
from ..render.frames import frames_of
from ..settings import AUTO_SIZE, Settings, fields
from .runs import Order

LARGEST_TUNED = AUTO_SIZE
"""Limit of a tuned frame's longer side, in pixels. A step on a larger frame takes seconds."""
SKETCH, SKETCH_STEPS = 96, 8
"""Longer side of the sketch that is shown first, in pixels, and its optimizer steps."""
STAGE_EVERY_S = 0.4
"""Seconds between two pictures of a frame while it is being painted."""
MATTERS = (
    *fields(group="look"),
    *(
        name
        for name in fields(group="painting", in_recipes_only=False)
        if name not in ("engine", "key_every", "repair")
    ),
    "device",
    "precision",
    "threads",
    "max_pixels",
    "first_init",
)
"""The options that a single frame depends on."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A frame that is partly or wholly painted."""

    picture: Image
    """(H, W, 3) uint8 RGB, at its final size."""
    done: float
    """Share of the optimizer steps that are done, 0..1."""
    source: Image
    """What is painted (H, W, 3), of the same size."""


Pick = Callable[[PaintPlan], tuple[Frame, Settings]]
"""Returns the frame of a plan that is to be painted, or a part of it, and the settings for that."""


class Superseded(BaseException):
    """Raised in a painting thread to end a painting that is no longer wanted."""


class Tuner:
    """Paints single frames as a run would paint the first one of a shot, after a quick sketch.

    Args:
        folder: an existing folder that the outputs are planned for. None is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.threads: set[Thread] = set()

    def close(self) -> None:
        """Wait for all painting threads to end. Call it when no more paintings are wanted."""
        for thread in [*self.threads]:
            thread.join()

    def paint(self, order: Order, wanted: Callable[[], bool]) -> Iterator[Stage]:
        """Paint a still on another thread, for as long as the painting is wanted.

        Args:
            order: with a still as its clip.
            wanted: returns whether the painting is still wanted.

        Yields:
            The latest stage, whenever there is a new one.

        Raises:
            UsageError: the still cannot be painted with these settings.
        """
        return self._begun(self._plan(order), _frame(1), wanted)

    def paint_detail(
        self, order: Order, middle: tuple[float, float] | None, wanted: Callable[[], bool]
    ) -> Iterator[Stage]:
        """Paint a detail of a still at the painting's own size.

        Args:
            order: with a still as its clip.
            middle: of the detail, as shares of the frame's width and height. None means a face, or
                where there is most to see.
            wanted: returns whether the painting is still wanted.

        Yields:
            As ``paint``.

        Raises:
            UsageError: the still cannot be painted with these settings.
        """
        kept = {name: getattr(order.settings, name) for name in MATTERS}
        settings = replace(Settings(), **kept | {"engine": "gatys", "model": None, "fade": ()})

        def part(plan: PaintPlan) -> tuple[Frame, Settings]:
            found = part_of(plan.footage, plan.schedule, middle)
            assert found is not None  # a still has a frame
            return found

        return self._begun(replace(order, settings=settings).plan(self.folder), part, wanted)

    def paint_frame(
        self, order: Order, number: int, settings: Settings, wanted: Callable[[], bool]
    ) -> Iterator[Stage]:
        """Paint a frame of a run by itself, at the run's size, with other settings.

        Args:
            order: that of the run.
            number: of the frame, counted from 1.
            settings: how it is to look.
            wanted: returns whether the painting is still wanted.

        Yields:
            As ``paint``.

        Raises:
            UsageError: the frame cannot be painted with these settings.
        """
        looks = {name: getattr(settings, name) for name in MATTERS if name != "size"}
        # What is shown of it is up to the run.
        whole: dict[str, Any] = {"engine": "gatys", "model": None, "strength": 1.0, "fade": ()}
        changed = replace(order.settings, **looks | whole)
        order = replace(order, settings=changed, corrects=None, corrections=None)
        return self._begun(order.plan(self.folder), _frame(number), wanted)

    def _begun(self, plan: PaintPlan, pick: Pick, wanted: Callable[[], bool]) -> Iterator[Stage]:
        """Paint what is picked of a ``plan`` on another thread. See ``paint``."""
        latest: list[Stage] = []
        errors: list[BaseException] = []
        changed = Condition()

        def tell(stage: Stage) -> None:
            with changed:
                latest[:] = [stage]
                changed.notify()

        def work_on() -> None:
            try:
                self._paint(plan, pick, tell, wanted)
            except Superseded:
                pass
            except BaseException as error:  # raised again in the thread that waits for the picture
                errors.append(error)
            finally:
                self.threads.discard(thread)
                with changed:
                    changed.notify()

        thread = Thread(target=work_on, daemon=True)
        self.threads.add(thread)
        thread.start()
        while wanted():
            with changed:
                if not latest and thread.is_alive():
                    changed.wait(STAGE_EVERY_S)
                alive = thread.is_alive()
                stage = latest.pop() if latest else None
            if stage is not None:
                yield stage
            elif not alive:
                break
        if errors and wanted():
            raise errors[0]

    def _plan(self, order: Order) -> PaintPlan:
        """Plan the painting of a still, with only the options that a single frame depends on, and
        with the strokes that it will have at its own size."""
        given = order.settings
        kept = {name: getattr(given, name) for name in MATTERS}
        size = min(given.size, LARGEST_TUNED) if isinstance(given.size, int) else "auto"
        settings = replace(Settings(), **kept | {"size": size, "fade": ()})
        if settings.model is None:
            settings = replace(settings, engine="gatys")
        plan = replace(order, settings=settings).plan(self.folder)
        larger = given.size / max(plan.size) if isinstance(given.size, int) else 1.0
        if larger <= 1:
            return plan
        width, height = (round(side * larger) for side in plan.size)
        settings = with_brush_of(plan.schedule.pictures, (width, height), plan.settings)
        return replace(plan, footage=replace(plan.footage, settings=settings))

    def _paint(
        self,
        plan: PaintPlan,
        pick: Pick,
        tell: Callable[[Stage], None],
        wanted: Callable[[], bool],
    ) -> None:
        composer = Composer.of(plan.settings, plan.schedule)
        shown, steps = 0.0, 0
        with devices.threads(plan.settings.threads):
            frame, settings = pick(plan)
            size = frame.rgb.shape[1::-1]
            engine = make_engine(settings, plan.schedule, size)

            def on_step(step: Step) -> None:
                nonlocal shown
                if not wanted():
                    raise Superseded
                if time.monotonic() - shown > STAGE_EVERY_S:
                    picture = resized(step.picture(), size)
                    tell(Stage(composer(picture, frame), step.done, frame.rgb))
                    shown = time.monotonic()

            def on_sketch(step: Step) -> None:
                on_step(replace(step, done=0.0))

            def on_painting(step: Step) -> None:
                nonlocal steps
                steps += 1
                if steps > SKETCH_STEPS or not wanted():  # before that, the sketch looks better
                    on_step(step)

            if isinstance(engine, OptimizingEngine):
                engine.sketch(frame, SKETCH, SKETCH_STEPS, on_sketch)
            ((picture, _),) = engine.paint_span([frame], on_painting)
            painted = settled(picture)
        tell(Stage(composer(painted, frame), 1.0, frame.rgb))


def _frame(number: int) -> Pick:
    """Return what picks a frame of a plan, by its ``number`` from 1 on."""
    return lambda plan: (next(islice(frames_of(plan.footage), number - 1, None)), plan.settings)
