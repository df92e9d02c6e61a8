"""The options of a painting, what they may be, and what they mean to whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from .options import EACH_FRAME, ENGINES, LOSSES, choices, items, kinds, weighted
from .settings import AUTO_SIZE, SMALLEST_SIZE, Settings
from .times import rate_of, seconds

__all__ = [
    "AUTO_SIZE",
    "EACH_FRAME",
    "ENGINES",
    "LOSSES",
    "SMALLEST_SIZE",
    "Settings",
    "changed",
    "choices_of",
    "fields",
    "items",
    "kinds",
    "meaningless_to",
    "rate_of",
    "restored",
    "seconds",
    "weighted",
]


def fields(**facts: Any) -> tuple[str, ...]:
    """Return the names of the options with these facts: ``fields(train=True)``.

    The facts are the arguments of ``settings.options.option``.
    """
    return tuple(
        spec.name
        for spec in dataclasses.fields(Settings)
        if all(spec.metadata[name] == value for name, value in facts.items())
    )


def changed(settings: Settings) -> dict[str, Any]:
    """Return the options that are not at their defaults, by name."""
    values = {spec.name: getattr(settings, spec.name) for spec in dataclasses.fields(settings)}
    plain = Settings()
    return {name: value for name, value in values.items() if value != getattr(plain, name)}


def restored(options: Mapping[str, Any]) -> Settings:
    """Return the settings with ``options`` as ``changed`` gave them, which were kept as JSON."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    return Settings(**given)


def choices_of(name: str) -> tuple[str, ...]:
    """Return the names that an option may be; none if it is free."""
    spec, hint = Settings.__dataclass_fields__[name], get_type_hints(Settings)[name]
    return choices(spec, hint)


def meaningless_to(engines: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the options that none of these ``engines`` reads.

    Options that every engine of the package reads are left out: those of others read them, too.
    """
    return tuple(
        spec.name
        for spec in dataclasses.fields(Settings)
        if spec.metadata["engines"] != ENGINES.own and not {*engines} & {*spec.metadata["engines"]}
    )
