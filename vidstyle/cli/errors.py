"""What the command line says of an error, and its exit code."""

from __future__ import annotations

from typing import NoReturn

from ..core.errors import UsageError, VidstyleError, out_of_memory


class Terminated(BaseException):
    """SIGTERM came."""


def terminate(number: int, frame: object) -> NoReturn:
    """Leave as by an exception, so that nothing half-written stays behind."""
    raise Terminated


def line_of(error: BaseException) -> str:
    """What to say of an error, in one line."""
    message, _ = message_and_code(error)
    return " ".join("; ".join([message, *getattr(error, "__notes__", ())]).split())


def message_and_code(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    match error:
        case KeyboardInterrupt():
            return "stopped", 130
        case Terminated():
            return "terminated", 143
        case UsageError():
            return str(error), 2
        case VidstyleError():
            return str(error), 1
        case _ if out_of_memory(error):
            return "out of memory: use a smaller --size", 1
        case OSError() | RuntimeError():
            return what, 1
        case _:
            return f"unexpected: {what} (--verbose shows where)", 1
