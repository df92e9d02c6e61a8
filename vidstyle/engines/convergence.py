"""When a frame is done, and its last step, where that is the end of several windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.events import Step
from ..core.images import Image

PATIENCE_STEPS = 5
"""Steps over which a frame must still get better."""


@dataclass(frozen=True)
class ConvergenceTarget:
    """How good the first frame of a shot was when it was done, for the ones after it to reach."""

    loss: float
    gain: float
    """The share of the loss that the last ``PATIENCE_STEPS`` steps took away."""


def gain(seen: Sequence[float]) -> float:
    """The share of the loss that the last steps took away."""
    before = seen[max(0, len(seen) - 1 - PATIENCE_STEPS)]
    return (before - seen[-1]) / max(abs(seen[-1]), 1e-12)


def converged(seen: Sequence[float], target: ConvergenceTarget, tolerance: float) -> bool:
    """Whether a frame is as good as its shot's first one, or gets no better than slowly."""
    good = seen[-1] <= target.loss * (1 + tolerance)
    return len(seen) > PATIENCE_STEPS and (good or gain(seen) <= target.gain)


def together(ends: Sequence[tuple[Step, float]], picture: Callable[[], Image]) -> Step:
    """The end of a frame of several windows, each with its share of what was painted."""
    names = dict.fromkeys(name for step, _ in ends for name in step.terms)
    terms = {name: sum(s.terms.get(name, 0.0) * part for s, part in ends) for name in names}
    return Step(1.0, sum(step.loss * part for step, part in ends), terms, picture)
