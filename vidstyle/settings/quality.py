"""One word for how many steps and passes a painting has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import unknown
from . import Settings

QUALITIES: Mapping[str, Mapping[str, Any]] = {
    "draft": {"first_iterations": 30, "iterations": 10, "tolerance": 0.6},
    "good": {},
    "best": {
        "first_iterations": 150,
        "iterations": 40,
        "tolerance": 0.1,
    },
}
"""Options of ``Settings``; ``good`` is its defaults."""


def quality(name: str) -> dict[str, Any]:
    """The options of ``Settings`` that a quality stands for: the same ones for each.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in QUALITIES:
        raise unknown("quality", name, QUALITIES)
    plain = Settings()
    return {key: getattr(plain, key) for key in QUALITIES["best"]} | dict(QUALITIES[name])


def with_quality(options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` of ``Settings``, with those that their ``quality`` stands for in its place.

    Raises:
        UsageError: there is none of this name.
    """
    rest = dict(options)
    return quality(str(rest.pop("quality"))) | rest if "quality" in rest else rest
