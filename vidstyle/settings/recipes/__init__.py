"""Recipes: named settings in TOML files. Some are shipped, and any painting can save its own."""

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
"""The keys of a recipe file that describe the recipe to people."""


@dataclass(frozen=True)
class Recipe:
    """Named options of ``Settings``, with a description."""

    name: str
    options: dict[str, Any]
    """Values of options, by name. Other options are left to their defaults."""
    about: str = ""
    """What the recipe is for."""
    source: str = ""
    """Where the recipe comes from, such as a paper."""
    cost: str = ""
    """How long painting takes, compared with the defaults."""


RECIPES: Registry[Path] = Registry(
    "vidstyle.recipes", {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
)
"""The files of all named recipes: those of vidstyle, and those of other packages."""
WEIGHTS = ("bundled", "torchvision", "random")
"""Values of the option ``weights`` that are not files."""


def load(name: str | Path, given: Collection[str] = ()) -> Recipe:
    """Load a recipe.

    Args:
        name: a name in ``RECIPES``, or the path of a file.
        given: names of options that are given elsewhere, and so left out of the recipe.

    Returns:
        The recipe. Paths in it, which are relative to its file, are replaced by full ones.

    Raises:
        UsageError: there is no such recipe, the file is not TOML, one of its options is unknown or
            invalid, or it names a file outside of its own folder, or a machine to send clips to.
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
        if "brush" in given:  # says the same
            options.pop("style_scale", None)
        for key in options:
            if key not in known:
                raise unknown("option", key, known)
        options = {key: value for key, value in options.items() if key not in given}
        Settings(**options)
        for key in fields(in_recipes=False):
            if key in options:  # a stranger's recipe could have clips sent to any machine
                raise UsageError(f"a recipe may not set {key}: give it yourself with --{key}")
        for key in fields(names_file=True):
            if key in options and options[key] not in WEIGHTS:
                options[key] = _inside(path.parent, key, options[key])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return Recipe(path.stem, options, **about)


def _inside(folder: Path, option: str, name: str) -> str:
    """Resolve the path of a file that a recipe in ``folder`` names.

    Raises:
        UsageError: the file is outside of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{option} is {name}, outside of the recipe's folder: if you trust it, give it "
            f"yourself with --{option}"
        )
    return str(path)


def every() -> list[Recipe]:
    """Return all named recipes."""
    return [load(name) for name in RECIPES]


def save(settings: Settings, path: Path) -> list[str]:
    """Save settings as a recipe.

    All options are written, even those at their defaults, so that the recipe still means the same
    if the defaults change later. Only options that a recipe may not set are left out.

    Args:
        settings: the options.
        path: the file, which is replaced if it exists.

    Returns:
        Notices for the user. A recipe may only name files in its own folder, so a notice lists the
        options that name other files. They must be given in addition to the recipe.
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
