"""The layout that CONTRIBUTING.md promises: imports go down, and a name means one thing."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from .documented import ROOT

PACKAGE = ROOT / "vidstyle"
MODULES = sorted(PACKAGE.rglob("*.py"))
ENTRANCES = ("__init__", "__main__")
"""Modules outside of the list: they are what people start."""


def rooms() -> list[str]:
    """The rooms of CONTRIBUTING.md's table, from the top down."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
    return [
        name.removesuffix("/").removesuffix(".py")
        for row in rows
        for name in row.strip("`").split("`, `")
    ]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """The rooms that a module imports from when it runs; types alone do not count."""
    here = path.relative_to(PACKAGE).with_suffix("").parts[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and node not in typing:
            parts = [*here[: len(here) - node.level + 1], *(node.module or "").split(".")]
            names = [parts[0]] if parts[0] else [alias.name for alias in node.names]
            yield from names


def test_the_map_names_every_room() -> None:
    assert {room(path) for path in MODULES} - {*ENTRANCES} == {*rooms()}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down_the_map(path: Path) -> None:
    order = rooms()
    if room(path) in ENTRANCES:
        return
    above = order[: order.index(room(path))]
    assert not {*imported(path)} & {*above}


def named(module: ast.Module) -> Iterator[str]:
    """The constants and classes of a module."""
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(one, ast.Name) and one.id.isupper():
                    yield one.id


def test_no_constant_and_no_class_has_the_name_of_another() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for name in named(ast.parse(path.read_text(encoding="utf-8"))):
            homes[name].append(path.relative_to(PACKAGE).as_posix())
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_each_mutation_finds_its_place() -> None:
    """Or what it was to show goes unseen until somebody runs all of them."""
    text = (ROOT / "benchmarks" / "mutations.toml").read_text(encoding="utf-8")
    lost = [
        one["name"]
        for one in tomllib.loads(text)["mutation"]
        if (ROOT / one["file"]).read_text(encoding="utf-8").count(one["old"]) != 1
    ]
    assert not lost
