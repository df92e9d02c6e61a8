"""Engines: frames in, painted frames out."""

from __future__ import annotations

from ..settings import ENGINES
from .protocol import ClipEngine, Engine, Learner

__all__ = ["ClipEngine", "Engine", "Learner", "engine_class"]


def engine_class(name: str) -> type[ClipEngine]:
    """Return the engine called ``name`` (``--engine``)."""
    found: type[ClipEngine] = ENGINES[name]
    return found
