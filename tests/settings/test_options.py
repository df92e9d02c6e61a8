"""What every option says of itself."""

from __future__ import annotations

import dataclasses
import re
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
    assert facts["engines"] and {*facts["engines"]} <= {*ENGINES}
    assert len(facts["help"]) > 10 and not facts["help"].endswith(".")


def test_options_are_found_by_what_they_say() -> None:
    assert fields() == tuple(spec.name for spec in SPECS)
    assert {"crf", "codec", "audio", "plot"} <= {*fields(affects="writing")}
    assert {"style_weight", "fps", "cuts"} <= {*fields(affects="painting")}
    assert "training_steps" in meaningless_to("gatys")
    assert "tolerance" in meaningless_to("feedforward")
    assert meaningless_to("hybrid") == ("key_every", "repair")


def test_every_option_is_read_somewhere() -> None:
    package = Path(__file__).parents[2] / "vidstyle"
    read = "\n".join(
        path.read_text() for path in package.rglob("*.py") if path.parent.name != "settings"
    )
    unread = [name for name in fields() if not re.search(rf"\.{name}\b", read)]
    assert not unread


@pytest.mark.parametrize("engine", [["gatys"], {"name": "gatys"}, 3, None])
def test_an_engine_that_is_no_name_is_refused(engine: object) -> None:
    with pytest.raises(UsageError, match="engine"):
        Settings(engine=engine)  # type: ignore[arg-type]
