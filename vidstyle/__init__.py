"""Turn videos and animated GIFs into paintings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.errors import UsageError, VidstyleError
from .settings import Settings

if TYPE_CHECKING:
    from .render import Result, preview, stylize
    from .render.learn import train

__version__ = "0.1.0"
__all__ = ["Result", "Settings", "UsageError", "VidstyleError", "preview", "stylize", "train"]


def __getattr__(name: str) -> Any:
    """Load what paints, and torch with it, only when it is asked for: it takes seconds."""
    rooms = {"Result": "render", "preview": "render", "stylize": "render", "train": "render.learn"}
    if name in rooms:
        return getattr(import_module(f".{rooms[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
