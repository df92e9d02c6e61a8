"""The page's controls, made from ``Settings``: names, help, ranges and defaults are said there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import gradio as gr

from ..settings import Settings, choices_of, kinds
from ..settings.quality import QUALITIES, quality
from ..settings.text import text_of, value_of

AUTO = "auto (by size)"
"""What stands for a stroke size that nobody has chosen."""
SLIDERS: Mapping[str, tuple[float, float, float]] = {
    "style_weight": (0.0, 32.0, 0.5),
    "strength": (0.0, 1.0, 0.05),
}
"""Those of the main options that are sliders: from, to, step."""
MENUS: Mapping[str, Sequence[str]] = {
    "style_scale": (AUTO, "0.5", "0.75", "1", "1.5", "2", "3"),
    "size": ("auto", "208", "256", "320", "384", "512", "640", "768", "1024", "full"),
}
"""Those whose usual values are offered, beside any other."""
MAIN = ("style_weight", "style_scale", "strength", "keep_colors", "size", "engine")
"""The options that are always seen."""
ELSEWHERE = ("start", "end")
"""Those that have another place on the page."""
LABELS = {"style_scale": "stroke size", "keep_colors": "colors"}
"""What main options are called, where their names say less."""
UNSAID = "default"
"""Stands for an option of yes or no that nobody has decided."""

_SPECS = {spec.name: spec for spec in dataclasses.fields(Settings)}
_HINTS = get_type_hints(Settings)
GROUPS: dict[str, list[str]] = {}
"""The options that are folded away, by the titles of ``--help``."""
for _name, _spec in _SPECS.items():
    if _name not in (*MAIN, *ELSEWHERE) and not _spec.metadata["in_recipes_only"]:
        GROUPS.setdefault(_spec.metadata["group"], []).append(_name)
NAMES = (*MAIN, *(name for names in GROUPS.values() for name in names))
"""All options that have a control, in the order of the controls."""


def quality_control() -> gr.Radio:
    """How many steps and passes."""
    return gr.Radio(
        [*QUALITIES],
        value="good",
        label="quality",
        info="how many steps and passes; other options go on top",
        elem_id="quality",
    )


def control(name: str) -> Any:
    """A component for the option ``name``."""
    spec, hint = _SPECS[name], _HINTS[name]
    about: dict[str, Any] = {
        "label": LABELS.get(name, name.replace("_", " ")),
        "info": spec.metadata["help"],
        "elem_id": name.replace("_", "-"),
        "value": shown(name, spec.default),
    }
    if name in SLIDERS:
        low, high, step = SLIDERS[name]
        return gr.Slider(low, high, step=step, **about)
    if name in MENUS:
        return gr.Dropdown([*MENUS[name]], allow_custom_value=True, **about)
    names = choices_of(name)
    if names and len(kinds(hint)) == 1:
        return gr.Radio([*names], **about) if name in MAIN else gr.Dropdown([*names], **about)
    if kinds(hint) == (bool,):
        return gr.Checkbox(**about)
    if bool in kinds(hint):
        return gr.Dropdown([UNSAID, "yes", "no"], **about)
    return gr.Textbox(max_lines=1, **about)


def shown(name: str, value: Any) -> Any:
    """What the control of the option ``name`` shows for ``value``."""
    hint = _HINTS[name]
    if name in SLIDERS or kinds(hint) == (bool,):
        return value
    if bool in kinds(hint):
        return UNSAID if value is None else ("yes" if value else "no")
    if name == "style_scale" and value is None:
        return AUTO
    return "" if value is None else text_of(value)


def settings_of(steps: str, values: Sequence[Any], start: str, end: str) -> Settings:
    """The settings that the controls say: a quality, and the values of ``NAMES`` on top of it where
    they are not at their defaults.

    Raises:
        UsageError: they make no sense.
    """
    given = dict(zip(NAMES, map(_value, NAMES, values), strict=True))
    given |= {name: _value(name, text) for name, text in (("start", start), ("end", end))}
    changed = {name: value for name, value in given.items() if value != _SPECS[name].default}
    return Settings(**quality(steps) | changed)


def shown_of(settings: Settings) -> list[Any]:
    """What the controls show of ``settings``: the quality, then ``NAMES``."""
    values = dataclasses.asdict(settings)
    for steps in QUALITIES:
        options = quality(steps)
        if all(values[name] == value for name, value in options.items()):
            values |= {name: _SPECS[name].default for name in options}
            return [steps, *(shown(name, values[name]) for name in NAMES)]
    return ["good", *(shown(name, values[name]) for name in NAMES)]


def _value(name: str, given: Any) -> Any:
    """The value of an option that its control shows as ``given``."""
    hint = _HINTS[name]
    if not isinstance(given, str):
        return _SPECS[name].default if given is None else given
    text = given.strip()
    if text in ("", AUTO, UNSAID):
        return _SPECS[name].default
    if bool in kinds(hint):
        return text == "yes"
    return value_of(name, text)
