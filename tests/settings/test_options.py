"""What every option says of itself."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from vidstyle import UsageError
from vidstyle.settings import ENGINES, Settings, fields, meaningless_to
from vidstyle.settings.options import Affects

SPECS = dataclasses.fields(Settings)
GROUPS = {"part of the clip", "output", "look", "painting", "in time", "machine", "messages"}


@pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
def test_every_option_says_its_group_what_it_affects_and_for_which_engines(
    spec: dataclasses.Field[object],
) -> None:
    facts = spec.metadata
    assert facts["group"] in GROUPS
    assert facts["affects"] in get_args(Affects)
    assert facts["engines"] and {*facts["engines"]} <= {*ENGINES.own}
    assert len(facts["help"]) > 10 and not facts["help"].endswith(".")


def test_options_are_found_by_what_they_say() -> None:
    assert fields() == tuple(spec.name for spec in SPECS)
    assert {"crf", "codec", "audio", "plot"} <= {*fields(affects="writing")}
    assert {"style_weight", "fps", "cuts"} <= {*fields(affects="painting")}
    assert "training_steps" in meaningless_to(("gatys",))
    assert "tolerance" in meaningless_to(("feedforward",))
    assert meaningless_to(ENGINES.own) == ()


def read_of_settings(path: Path) -> Iterator[str]:
    """What the code in a file reads of anything that is called settings: x of
    ``self.settings.x``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name == "settings":
                yield node.attr


def test_every_option_is_read_somewhere() -> None:
    package = Path(__file__).parents[2] / "vidstyle"
    files = [path for path in package.rglob("*.py") if path.parent.name != "settings"]
    read = {name for path in files for name in read_of_settings(path)}
    assert {"span", "fades"} <= read  # properties, made of these
    assert {*fields()} - read == {"end", "fade"}


@pytest.mark.parametrize("engine", [["gatys"], {"name": "gatys"}, 3, None])
def test_an_engine_that_is_no_name_is_refused(engine: object) -> None:
    with pytest.raises(UsageError, match="engine"):
        Settings(engine=engine)  # type: ignore[arg-type]
