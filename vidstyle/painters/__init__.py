"""Painters: frames in, painted frames out."""

from __future__ import annotations

from .gatys import Gatys

__all__ = ["Gatys"]
