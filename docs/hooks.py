"""The page of options, made from the command line's own parser when the site is built."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vidstyle.cli import build_parser

MARK = "<!-- options -->"
PICTURES = Path(__file__).parent / "options"
VALUES: dict[str, list[str]] = json.loads((PICTURES / "values.json").read_text())
"""What the pictures of ``python -m benchmarks.options`` show."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put all options where a page asks for them."""
    return markdown.replace(MARK, listed()) if MARK in markdown else markdown


def listed() -> str:
    """All options as Markdown, group by group, with the pictures that there are."""
    return "\n".join(
        f"## {str(group.title).capitalize()}\n\n" + "\n".join(map(_entry, group._group_actions))
        for group in build_parser()._action_groups
        if group._group_actions
    )


def _entry(action: argparse.Action) -> str:
    names = [name for name in action.option_strings if name.startswith("--")]
    name = names[0] if names else str(action.metavar)
    value = f" {action.metavar}" if names and action.metavar else ""
    text = (action.help or "") % {"default": action.default}
    return f"### `{name}{value}`\n\n{text[:1].upper()}{text[1:]}.\n\n{_picture(name[2:])}"


def _picture(option: str) -> str:
    if option not in VALUES:
        return ""
    values = ", ".join(f"`{value}`" for value in VALUES[option])
    return f"![--{option}](options/{option}.jpg)\n\nThe source, then {values}.\n"
