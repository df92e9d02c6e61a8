"""The page of options, made from the command line's own parser when the site is built."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vidstyle.cli import build_parser

MARK = "<!-- options -->"
PICTURES = Path(__file__).parent / "options"


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
    name = action.option_strings[-1] if action.option_strings else str(action.metavar)
    value = f" {action.metavar}" if action.option_strings and action.metavar else ""
    text = (action.help or "") % {"default": action.default}
    picture = f"{name.lstrip('-')}.jpg"
    shown = f"![{name}](options/{picture})\n" if (PICTURES / picture).exists() else ""
    return f"### `{name}{value}`\n\n{text[:1].upper()}{text[1:]}.\n\n{shown}"
