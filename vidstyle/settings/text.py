"""Conversion of options from text to values, and from values to text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_type_hints

from . import Settings, changed, fields
from .options import items, kinds, literals
from .times import seconds_of


def value_of(name: str, text: str) -> Any:
    """Parse ``text`` as the value of the option ``name``.

    Text that cannot be parsed is returned unchanged, for ``Settings`` to refuse.
    """
    hint, metadata = _hints()[name], Settings.__dataclass_fields__[name].metadata
    wanted = {*kinds(hint), items(hint)}
    is_time = "T" in (metadata["metavar"] or "")

    def number(text: str) -> Any:
        try:
            if float in wanted:
                return seconds_of(text) if is_time else float(text)
            return int(text) if int in wanted else text
        except ValueError:
            return text

    if any(text in literals(kind) for kind in wanted):
        return text
    if items(hint):
        return tuple(number(part.strip()) for part in text.split(",") if part.strip())
    return number(text)


def text_of(value: Any) -> str:
    """Return the text that one would type for ``value``."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def arguments_of(settings: Settings) -> Iterator[str]:
    """Yield the command-line arguments for all options that are not at their defaults.

    What only recipes and Python may set is left out.
    """
    known = fields(in_recipes_only=False)
    for option, value in changed(settings).items():
        if option not in known:
            continue
        name = option.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        elif value is not None:
            yield from (f"--{name}", text_of(value))


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Settings)
