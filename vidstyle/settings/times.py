"""Times and rates as exact fractions."""

from __future__ import annotations

from fractions import Fraction


def seconds(time: float) -> Fraction:
    """Return a time exactly as it was written: 3.2 is 16/5, which the float is not."""
    return Fraction(time).limit_denominator(1_000_000)


def rate_of(fps: float) -> Fraction:
    """Return frames a second as a fraction: 23.976024 is 24000/1001."""
    return Fraction(fps).limit_denominator(1001)


def seconds_of(text: str) -> float:
    """Parse a time: seconds, minutes:seconds, or hours:minutes:seconds.

    Returns:
        The time in seconds.

    Raises:
        ValueError: it is none of these.
    """
    value = 0.0
    parts = text.split(":")
    if len(parts) > 3:
        raise ValueError(f"{text} is no time")
    for part in parts:
        value = value * 60 + float(part)
    return value
