"""Turn videos and animated GIFs into paintings.

The public names are those in ``__all__``, and those of ``vidstyle.extension`` for packages that add
to this one. Everything else is internal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.errors import UsageError, VidstyleError
from .core.version import __version__
from .settings import Settings

if TYPE_CHECKING:
    from .api import (
        KeysResult,
        MaskResult,
        Result,
        TrainingResult,
        correct,
        keyframes,
        mask,
        preview,
        stylize,
        train,
    )
    from .core.events import (
        Event,
        Learned,
        Listener,
        LookedAt,
        Notice,
        Painted,
        Started,
        Step,
        Stepped,
    )
    from .metrics import Metrics, measure

__all__ = [
    "Event",
    "KeysResult",
    "Learned",
    "Listener",
    "LookedAt",
    "MaskResult",
    "Metrics",
    "Notice",
    "Painted",
    "Result",
    "Settings",
    "Started",
    "Step",
    "Stepped",
    "TrainingResult",
    "UsageError",
    "VidstyleError",
    "__version__",
    "correct",
    "keyframes",
    "mask",
    "measure",
    "preview",
    "stylize",
    "train",
]
_HOMES = {
    ".core.events": (
        *("Event", "Learned", "Listener", "LookedAt", "Notice"),
        *("Painted", "Started", "Step", "Stepped"),
    ),
    ".metrics": ("Metrics", "measure"),
    ".api": (
        *("KeysResult", "MaskResult", "Result", "TrainingResult"),
        *("correct", "keyframes", "mask", "preview", "stylize", "train"),
    ),
}
"""The public names that are imported only when they are used, by their modules."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, because importing torch takes seconds."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module, __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
