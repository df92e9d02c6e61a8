"""Painters: frames in, painted frames out."""

from __future__ import annotations

from .feedforward import FeedForwardEngine
from .hybrid import HybridEngine
from .optimize import OptimizingEngine
from .problem import StyleProblem
from .stylizer import FeedForwardStylizer

ENGINES: dict[str, type[OptimizingEngine] | type[FeedForwardEngine]] = {
    "gatys": OptimizingEngine,
    "network": FeedForwardEngine,
    "hybrid": HybridEngine,
}
"""The engines, by the names that settings know them by."""

__all__ = [
    "ENGINES",
    "FeedForwardEngine",
    "FeedForwardStylizer",
    "HybridEngine",
    "OptimizingEngine",
    "StyleProblem",
]
