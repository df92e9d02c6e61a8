"""When a frame is done, and the steps of a frame that is painted in several parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..core.events import Step
from ..core.images import Image
from .protocol import OnStep

PATIENCE_STEPS = 5
"""Steps over which a frame must still get better."""


@dataclass(frozen=True)
class ConvergenceTarget:
    """How good the first frame of a shot was when it was done, for the later ones to reach."""

    loss: float
    gain: float
    """The share of the loss that its last ``PATIENCE_STEPS`` steps took away."""


def gain(losses: Sequence[float]) -> float:
    """Return the share of the loss that the last steps took away."""
    before = losses[max(0, len(losses) - 1 - PATIENCE_STEPS)]
    return (before - losses[-1]) / max(abs(losses[-1]), 1e-12)


def converged(losses: Sequence[float], target: ConvergenceTarget, tolerance: float) -> bool:
    """Whether a frame is done: as good as the first one of its shot, or hardly getting better.

    Args:
        losses: after each step.
        target: how good the first frame was.
        tolerance: the share by which the loss may exceed that of the first frame.
    """
    good = losses[-1] <= target.loss * (1 + tolerance)
    return len(losses) > PATIENCE_STEPS and (good or gain(losses) <= target.gain)


class FrameSteps:
    """Reports the steps on parts of a frame as steps of the whole frame.

    Args:
        on_step: called with the steps of the frame.
        work: all that is to be done, such as pixels.
    """

    def __init__(self, on_step: OnStep, work: int) -> None:
        self.on_step, self.work = on_step, work
        self.done = 0
        """The work of the parts that are begun."""
        self.ends: list[tuple[Step, float]] = []
        """The last step of each part, and its share of the work."""

    def of_part(self, work: int, paste: Callable[[Step], Image] | None = None) -> OnStep:
        """Return a listener for the steps of the next part.

        Args:
            work: of the part.
            paste: returns the whole frame (H, W, 3) at a step. None: the step has all of it.
        """
        before, self.done = self.done, self.done + work
        part = len(self.ends)

        def report(step: Step) -> None:
            whole = replace(step, done=(before + step.done * work) / self.work)
            if paste is not None:
                whole = replace(whole, picture=lambda: paste(step))
            self.ends[part:] = [(whole, work / self.work)]
            self.on_step(whole)

        return report

    def finish(self, picture: Callable[[], Image]) -> float:
        """Report the end of the frame, whose ``picture`` is done, and return its loss."""
        names = dict.fromkeys(name for step, _ in self.ends for name in step.terms)
        terms = {n: sum(s.terms.get(n, 0.0) * part for s, part in self.ends) for n in names}
        loss = sum(step.loss * part for step, part in self.ends)
        if len(self.ends) > 1:
            self.on_step(Step(1.0, loss, terms, picture))
        return loss
