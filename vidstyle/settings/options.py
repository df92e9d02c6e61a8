"""What an option is: its type, range and help, and what it means to whom."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable
from dataclasses import field
from functools import partial
from typing import Any, Literal, Union, get_args, get_origin

from ..core.errors import UsageError, unknown

EngineName = Literal["gatys", "keyframes", "feedforward", "hybrid"]
"""The engines that paint, each called like its module in ``engines``."""
ENGINE_NAMES: tuple[str, ...] = get_args(EngineName)
OPTIMIZING = ("gatys", "keyframes", "hybrid")
"""Those that optimize frames."""
EACH_FRAME = ("gatys", "hybrid")
"""Those of them that do so with every frame."""
LEARNING = ("feedforward", "hybrid")
"""Those that have a network learn the clip."""
ENGINE_ALIASES = {"network": "feedforward"}
"""Former names of engines."""
Affects = Literal["painting", "writing", "running"]
"""What an option changes: what is painted, only what is written of it, or only how it is done."""


def option(
    default: Any,
    text: str,
    metavar: str | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
    *,
    group: str,
    affects: Affects,
    engines: tuple[str, ...] = ENGINE_NAMES,
    train: bool = False,
    names_file: bool = False,
    in_recipes: bool = True,
) -> Any:
    """A field of ``Settings``, with all that anybody needs to know of it.

    Args:
        default: its value if it is not given.
        text: the help.
        metavar: what stands for its value in the help; by default its choices.
        min_value, max_value: the range of a number, or of each number of several.
        group: the title that it is listed under.
        affects: what it changes: a checkpoint goes on only with the same painting.
        engines: the engines that it means something to.
        train: whether ``vidstyle train`` has it, too.
        names_file: whether its value may be the path of a file.
        in_recipes: whether a recipe may set it.
    """
    return field(
        default=default,
        metadata={
            "help": text,
            "metavar": metavar,
            "limits": (min_value, max_value),
            "group": group,
            "affects": affects,
            "engines": engines,
            "train": train,
            "names_file": names_file,
            "in_recipes": in_recipes,
        },
    )


clip_part = partial(option, group="part of the clip", affects="painting", train=True)
output = partial(option, group="output", affects="writing")
look = partial(option, group="look", affects="painting")
motion = partial(option, group="in time", affects="painting")
painting = partial(option, group="painting", affects="painting")
optimizing = partial(painting, engines=OPTIMIZING)
machine = partial(option, group="machine", affects="running")
messages = partial(option, group="messages", affects="writing")


def weighted(layers: Iterable[str]) -> dict[str, float]:
    """Each layer's name, of NAME or NAME:WEIGHT, with its weight.

    Raises:
        UsageError: a weight is not a number, or below 0.
    """
    found = {}
    for layer in layers:
        name, colon, weight = layer.partition(":")
        try:
            found[name] = float(weight) if colon else 1.0
        except ValueError:
            raise UsageError(f"{layer}: {weight!r} is not a weight") from None
        if not 0 <= found[name] < math.inf:
            raise UsageError(f"{layer}: a weight must be 0 or more")
    return found


def choices(hint: Any) -> tuple[str, ...]:
    """The names that a field of this type may take; none if it is free."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def kinds(hint: Any) -> tuple[Any, ...]:
    """The types that a field of this type may have: several for a union."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def items(hint: Any) -> Any:
    """The type of each value in a field that holds several; None for a field of one."""
    held = [get_args(kind)[0] for kind in kinds(hint) if get_origin(kind) is tuple]
    return held[0] if held else None


Limits = tuple[float | None, float | None]
"""The smallest and the largest value that a number may have; None: any."""


def check(name: str, hint: Any, limits: Limits, value: Any) -> None:
    """Refuse a ``value`` that an option of this type and range cannot have.

    Raises:
        UsageError: says what it must be.
    """
    wanted = kinds(hint)
    known = [choice for kind in wanted for choice in choices(kind)]
    if (value is None and types.NoneType in wanted) or (isinstance(value, str) and value in known):
        return
    if items(hint):
        if not isinstance(value, (tuple, list)):
            also = f", nor one of {', '.join(known)}" if known else ""
            raise UsageError(f"{name}: {value!r} is not a list{also}")
        for part in value:
            check(name, items(hint), limits, part)
    elif isinstance(value, str) and str in wanted:
        return
    elif known and not {int, float} & set(wanted):
        raise unknown(name, str(value), known)
    elif bool in wanted:
        if not isinstance(value, bool):
            raise UsageError(f"{name}: {value!r} is not True or False")
    elif not {int, float} & set(wanted):
        raise UsageError(f"{name}: {value!r} is not a text")
    else:
        _check_number(name, wanted, known, limits, value)


def _check_number(
    name: str, wanted: tuple[Any, ...], known: list[str], limits: Limits, value: Any
) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        also = f", nor one of {', '.join(known)}" if known else ""
        raise UsageError(f"{name}: {value!r} is not a number{also}")
    if int in wanted and not isinstance(value, int):
        raise UsageError(f"{name}: {value!r} is not a whole number")
    min_value, max_value = limits
    if min_value is not None and value < min_value:
        raise UsageError(f"{name} is {value:g}: it must be at least {min_value:g}")
    if max_value is not None and value > max_value:
        raise UsageError(f"{name} is {value:g}: it must be at most {max_value:g}")
