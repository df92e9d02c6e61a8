"""Errors that the user can do something about."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VidstyleError(Exception):
    """A failure of the work (exit code 1). Its message is one line that can be shown as it is."""


class UsageError(VidstyleError):
    """Wrong use or unreadable input (exit code 2).

    The message names what is wrong, why, and what to do.
    """


class NotFiniteError(VidstyleError):
    """A loss that has become infinite or NaN."""

    def __init__(
        self, told: str = "the loss is not finite: use lower weights, or --precision fp32"
    ):
        super().__init__(told)


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for an unknown ``name``.

    Args:
        kind: what the name stands for, such as "codec".
        name: the name as it was typed.
        known: all names that would be right.

    Returns:
        The error, which suggests the closest known name, or lists all if none is close.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
    return UsageError(f"unknown {kind} {name!r}: {hint}")


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out.

    The text of the error is searched, because torch has no error type for this on a CPU.
    """
    told = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in told or "allocate memory" in told


def line_of(error: BaseException, message: str | None = None) -> str:
    """Return a description of an error with its notes, in one line.

    Args:
        error: the error.
        message: replaces the error's own message, but not its notes.
    """
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
