"""Recipes: settings with a name, as TOML. Some come along; every run can write its own."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ...core.errors import UsageError, unknown
from ...core.files import write_whole
from ...core.registry import Registry
from .. import Settings, fields
from ..quality import with_quality

ABOUT = ("about", "source", "cost")
"""What a recipe says of itself, for people."""


@dataclass(frozen=True)
class Recipe:
    """Options of ``Settings`` by name, and what they are for."""

    name: str
    options: dict[str, Any]
    about: str = ""
    source: str = ""
    """Where it comes from."""
    cost: str = ""
    """How long it takes, against the defaults."""


RECIPES: Registry[Path] = Registry(
    "vidstyle.recipes", {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
)
"""The files of all recipes by name: these, and those of other packages."""
WEIGHTS = ("bundled", "torchvision", "random")
"""Weights that are no files."""


def load(name: str | Path, given: Collection[str] = ()) -> Recipe:
    """The recipe of this name, or in the file at this path; options that are ``given`` elsewhere
    are left out.

    Raises:
        UsageError: there is none, it is no TOML, an option of it is unknown or makes no sense, it
            names a file outside of its own folder, or a machine to send clips to.
    """
    path = Path(RECIPES.get(str(name), name))
    if not path.is_file():
        if path.suffix == ".toml" or len(path.parts) > 1:
            raise UsageError(f"{path}: no such recipe")
        raise unknown("recipe", str(name), RECIPES)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a recipe ({error})") from error
    about = {key: str(table.pop(key, "")) for key in ABOUT}
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    known = {spec.name for spec in dataclasses.fields(Settings)}
    try:
        options = with_quality(options)
        for key in options:
            if key not in known:
                raise unknown("option", key, known)
        options = {key: value for key, value in options.items() if key not in given}
        Settings(**options)
        for key in fields(in_recipes=False):
            if key in options:  # clips would go to whatever machine a stranger names
                raise UsageError(f"{key} is not for a recipe to say: give it yourself with --{key}")
        for key in fields(names_file=True):
            if key in options and options[key] not in WEIGHTS:
                options[key] = _inside(path.parent, key, options[key])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return Recipe(path.stem, options, **about)


def _inside(folder: Path, option: str, name: str) -> str:
    """The path of a file that a recipe names, from its ``folder``."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{option} is {name}, outside of the recipe's folder: if you trust it, give it "
            f"yourself with --{option}"
        )
    return str(path)


def every() -> list[Recipe]:
    """The recipes that come along."""
    return [load(name) for name in RECIPES]


def save(settings: Settings, path: Path) -> list[str]:
    """Write ``settings`` (but for those of this machine) whole: later defaults change nothing.

    Returns what there is to say: a recipe names no file outside of its own folder, so such a file
    must be given beside it.
    """
    values = dataclasses.asdict(settings)
    for name in fields(in_recipes=False):
        del values[name]
    folder = path.absolute().parent.resolve()
    beside: list[str] = []
    for name in fields(names_file=True):
        value = values[name]
        if value is None or value in WEIGHTS:
            continue
        file = Path(value).absolute().resolve()
        if file.is_relative_to(folder):
            values[name] = file.relative_to(folder).as_posix()
        else:
            del values[name]
            beside.append(f"--{name} {value}")
    about = {"about": f"to be used with {' '.join(beside)}"} if beside else {}
    table = about | {name: value for name, value in values.items() if value is not None}
    write_whole(path, tomli_w.dumps(table).encode())
    return [f"{path} names no file outside of its folder: use it with {' '.join(beside)}"] * bool(
        beside
    )
