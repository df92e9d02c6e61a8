"""What can go wrong in a way the user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VidstyleError(Exception):
    """The work failed (exit code 1); the message is one line, fit to be shown."""


class UsageError(VidstyleError):
    """Wrong use or unreadable input (exit code 2): the line names what, why and what to do."""


class NotFiniteError(VidstyleError):
    """The loss has become infinite, or no number at all."""

    def __init__(
        self, told: str = "the loss is not finite: use lower weights, or --precision fp32"
    ):
        super().__init__(told)


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a mistyped ``name``, with the nearest right one."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
    return UsageError(f"unknown {kind} {name!r}: {hint}")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that there is no more memory: torch has no type for it on a CPU."""
    told = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in told or "allocate memory" in told


def line_of(error: BaseException, message: str | None = None) -> str:
    """What to say of an error, or the ``message`` in its place, and its notes, in one line."""
    told = [message or _message(error), *getattr(error, "__notes__", ())]
    return " ".join("; ".join(told).split())


def _message(error: BaseException) -> str:
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, VidstyleError):
        return str(error)
    if out_of_memory(error):
        return "out of memory: use a smaller --size"
    if isinstance(error, (OSError, RuntimeError)):
        return what
    return f"unexpected: {what} (--verbose shows where)"
