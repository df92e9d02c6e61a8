"""Engines: frames in, painted frames out."""

from __future__ import annotations

from importlib import import_module

from ..settings import ENGINE_NAMES
from .base import ClipEngine, Engine
from .feedforward import FeedForwardEngine
from .gatys import OptimizingEngine
from .hybrid import HybridEngine
from .problem import StyleProblem
from .stylizer import FeedForwardStylizer

ENGINES: dict[str, type[ClipEngine]] = {
    name: import_module(f".{name}", __name__).ENGINE for name in ENGINE_NAMES
}
"""The engines, by the names that settings and modules have for them."""

__all__ = [
    "ENGINES",
    "ClipEngine",
    "Engine",
    "FeedForwardEngine",
    "FeedForwardStylizer",
    "HybridEngine",
    "OptimizingEngine",
    "StyleProblem",
]
