"""Turn videos and animated GIFs into paintings."""

from __future__ import annotations

from .errors import UsageError, VidstyleError
from .render import Result, preview, stylize
from .settings import Settings

__version__ = "0.1.0"
__all__ = ["Result", "Settings", "UsageError", "VidstyleError", "preview", "stylize"]
