"""Qualities: single words that stand for several options, such as the number of steps."""

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
"""The options of ``Settings`` that each quality changes. ``good`` has the defaults."""


def quality(name: str) -> dict[str, Any]:
    """Return the options of ``Settings`` that a quality stands for, by name.

    These are the same options for every quality.

    Raises:
        UsageError: there is no quality of this name.
    """
    if name not in QUALITIES:
        raise unknown("quality", name, QUALITIES)
    plain = Settings()
    return {key: getattr(plain, key) for key in QUALITIES["best"]} | dict(QUALITIES[name])


def with_quality(options: Mapping[str, Any]) -> dict[str, Any]:
    """Replace ``quality`` among options by the options that it stands for.

    Args:
        options: options of ``Settings`` by name, and perhaps ``quality``. Options that are given
            override those of the quality.

    Raises:
        UsageError: there is no quality of this name.
    """
    rest = dict(options)
    return quality(str(rest.pop("quality"))) | rest if "quality" in rest else rest
