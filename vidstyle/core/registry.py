"""Things by name that other packages can add to: engines, loss formulas, formats, recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from .errors import UsageError

Thing = TypeVar("Thing")


class Registry(Mapping[str, Thing], Generic[Thing]):
    """A mapping of names to things, each loaded when it is first asked for.

    It holds the package's own things, those that a program has added by ``register``, and the entry
    points of installed packages.

    Args:
        group: the group of the entry points, such as ``vidstyle.engines``.
        own: the package's own things, or where each is, as an entry point says it:
            ``vidstyle.engines.gatys:OptimizingEngine``.
    """

    def __init__(self, group: str, own: Mapping[str, Thing | str]) -> None:
        self.group = group
        self.things: dict[str, Thing] = {}
        self.places: dict[str, EntryPoint] = {}
        for name, thing in own.items():
            if isinstance(thing, str):
                self.places[name] = EntryPoint(name, thing, group)
            else:
                self.things[name] = thing
        self.own = (*own,)
        """The names of the package's own things."""

    def register(self, name: str, thing: Thing) -> None:
        """Add a thing for this process.

        Raises:
            ValueError: there is one of this name.
        """
        if name in self:
            raise ValueError(f"{self.group} has a {name!r} already")
        self.things[name] = thing

    def __getitem__(self, name: str) -> Thing:
        """Return the thing called ``name``.

        Raises:
            KeyError: there is none.
            UsageError: the package that has it cannot be imported.
        """
        if name not in self.things:
            place = self.places.get(name) or self._installed()[name]
            try:
                self.things[name] = place.load()
            except Exception as error:  # whatever the other package does
                if name in self.own or isinstance(error.__context__, KeyboardInterrupt):
                    raise
                raise UsageError(
                    f"{name} of {self.group} cannot be loaded from {place.value} "
                    f"({type(error).__name__}: {error})"
                ) from error
        return self.things[name]

    def __contains__(self, name: object) -> bool:
        return name in self.things or name in self.places or name in self._installed()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.own, *self.things, *self._installed())))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _installed(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}
