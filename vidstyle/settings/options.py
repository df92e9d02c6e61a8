"""What an option is: its type, range and help, and what it means to whom."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable
from dataclasses import Field, field
from functools import partial
from typing import Any, Literal, Union, get_args, get_origin

from ..core.errors import UsageError, unknown
from ..core.registry import Registry

ENGINES: Registry[Any] = Registry(
    "vidstyle.engines",
    {
        "gatys": "vidstyle.engines.gatys:OptimizingEngine",
        "keyframes": "vidstyle.engines.keyframes:KeyframesEngine",
        "feedforward": "vidstyle.engines.feedforward:FeedForwardEngine",
    },
)
"""The classes of engines (``vidstyle.engines.ClipEngine``) by name."""
LOSSES: Registry[Any] = Registry(
    "vidstyle.losses",
    {
        "relative": "vidstyle.objective.losses:RELATIVE",
        "gatys": "vidstyle.objective.losses:GATYS",
        "tensorflow": "vidstyle.objective.losses:TENSORFLOW",
        "pytorch": "vidstyle.objective.losses:PYTORCH",
        "udacity": "vidstyle.objective.losses:UDACITY",
    },
)
"""The formulas of losses (``vidstyle.objective.losses.LossScaling``) by name."""
OPTIMIZING = ("gatys", "keyframes")
"""The engines that optimize frames."""
EACH_FRAME = ("gatys",)
"""The engine that optimizes every frame."""
LEARNING = ("feedforward",)
"""The engine with a network that learns the clip."""
ENGINE_ALIASES = {"network": "feedforward"}
"""Other names of engines, which are not listed anywhere."""
Affects = Literal["painting", "writing", "running"]
"""What an option changes: the paintings, only their file, or only how they are made."""


def option(
    default: Any,
    text: str,
    metavar: str | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
    *,
    group: str,
    affects: Affects,
    engines: tuple[str, ...] = ENGINES.own,
    names: Registry[Any] | None = None,
    train: bool = False,
    names_file: bool = False,
    in_recipes: bool = True,
    in_recipes_only: bool = False,
) -> Any:
    """Return a field of ``Settings``, with all that others need to know of the option.

    Args:
        default: the value of the option where none is given.
        text: the help.
        metavar: the placeholder of the value in the help. None means the list of choices.
        min_value, max_value: the range of a number, or of each number of several.
        group: the title under which the help lists the option.
        affects: what the option changes. A journal is gone on with only for the same painting.
        engines: the engines that read the option.
        names: the registry whose names the option may be, beside its default.
        train: whether ``vidstyle train`` has the option, too.
        names_file: whether the value may be the path of a file.
        in_recipes: whether a recipe may set the option.
        in_recipes_only: whether only a recipe or Python may set it: the command line and the
            studio leave it out.
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
            "names": names,
            "train": train,
            "names_file": names_file,
            "in_recipes": in_recipes,
            "in_recipes_only": in_recipes_only,
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
    """Parse ``layers``, each NAME or NAME:WEIGHT, into weights by name.

    Raises:
        UsageError: a weight is not a number, or is below 0.
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


def choices(spec: Field[Any], hint: Any) -> tuple[str, ...]:
    """Return the names that the option ``spec`` of this type may be; none if it is free."""
    registry = spec.metadata["names"]
    if registry is not None:
        return tuple(dict.fromkeys((*registry, spec.default)))
    return literals(hint)


def literals(hint: Any) -> tuple[str, ...]:
    """Return the values of a ``Literal``; none of any other type."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def kinds(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def items(hint: Any) -> Any:
    """Return the type of each value in a field that holds several; None for a single value."""
    held = [get_args(kind)[0] for kind in kinds(hint) if get_origin(kind) is tuple]
    return held[0] if held else None


Limits = tuple[float | None, float | None]
"""The smallest and the largest value of a number. None means no limit."""


def check(spec: Field[Any], hint: Any, value: Any) -> None:
    """Refuse a ``value`` that the option ``spec`` of this type cannot have.

    Raises:
        UsageError: says what it must be.
    """
    registry = spec.metadata["names"]
    if registry is None:
        _check(spec.name, hint, spec.metadata["limits"], value)
    elif not isinstance(value, str) or (value != spec.default and value not in registry):
        raise unknown(spec.name, str(value), choices(spec, hint))


def _check(name: str, hint: Any, limits: Limits, value: Any) -> None:
    wanted = kinds(hint)
    known = [choice for kind in wanted for choice in literals(kind)]
    if (value is None and types.NoneType in wanted) or (isinstance(value, str) and value in known):
        return
    if items(hint):
        if not isinstance(value, (tuple, list)):
            also = f", nor one of {', '.join(known)}" if known else ""
            raise UsageError(f"{name}: {value!r} is not a list{also}")
        for part in value:
            _check(name, items(hint), limits, part)
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
