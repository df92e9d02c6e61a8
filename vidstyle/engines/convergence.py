"""When a frame is done: as good as its shot's first frame, or hardly getting better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE = 5
"""Steps over which a frame must still get better."""


@dataclass(frozen=True)
class ConvergenceTarget:
    """How good the first frame of a shot was when it was done, for the ones after it to reach."""

    loss: float
    gain: float
    """The share of the loss that the last ``PATIENCE`` steps took away."""


def gain(seen: Sequence[float]) -> float:
    """The share of the loss that the last steps took away."""
    before = seen[max(0, len(seen) - 1 - PATIENCE)]
    return (before - seen[-1]) / max(abs(seen[-1]), 1e-12)


def converged(seen: Sequence[float], target: ConvergenceTarget, tolerance: float) -> bool:
    """Whether a frame is as good as its shot's first one, or gets no better than slowly."""
    good = seen[-1] <= target.loss * (1 + tolerance)
    return len(seen) > PATIENCE and (good or gain(seen) <= target.gain)
