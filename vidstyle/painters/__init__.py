"""Painters: frames in, painted frames out."""

from __future__ import annotations

from .apprentice import Apprentice
from .easel import Easel
from .feedforward import FeedForward
from .gatys import Gatys
from .hybrid import Hybrid

PAINTERS: dict[str, type[Gatys] | type[FeedForward]] = {
    "gatys": Gatys,
    "network": FeedForward,
    "hybrid": Hybrid,
}
"""The engines, by the names that settings know them by."""

__all__ = ["PAINTERS", "Apprentice", "Easel", "FeedForward", "Gatys", "Hybrid"]
