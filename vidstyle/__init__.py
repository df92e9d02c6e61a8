"""Turn videos and animated GIFs into paintings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.errors import UsageError, VidstyleError
from .core.version import __version__
from .settings import Settings

if TYPE_CHECKING:
    from .api import KeysResult, Result, TrainingResult, keyframes, preview, stylize, train

__all__ = [
    "KeysResult",
    "Result",
    "Settings",
    "TrainingResult",
    "UsageError",
    "VidstyleError",
    "__version__",
    "keyframes",
    "preview",
    "stylize",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load what paints, and torch with it, only when it is asked for: it takes seconds."""
    if name in __all__:
        return getattr(import_module(".api", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
