"""Painters: frames in, painted frames out."""

from __future__ import annotations

from .gatys import Gatys

PAINTERS = {"gatys": Gatys}
"""The engines, by the names that settings know them by."""

__all__ = ["PAINTERS", "Gatys"]
