"""Painters: frames in, painted frames out."""

from __future__ import annotations

from .feedforward import FeedForward
from .hybrid import Hybrid
from .optimize import Gatys
from .problem import Easel
from .stylizer import Apprentice

PAINTERS: dict[str, type[Gatys] | type[FeedForward]] = {
    "gatys": Gatys,
    "network": FeedForward,
    "hybrid": Hybrid,
}
"""The engines, by the names that settings know them by."""

__all__ = ["PAINTERS", "Apprentice", "Easel", "FeedForward", "Gatys", "Hybrid"]
