"""The page's controls, made from ``Settings``, which has their names, help and defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import gradio as gr

from ..settings import Settings, choices_of, kinds
from ..settings.quality import QUALITIES, quality
from ..settings.text import text_of, value_of

AUTO = "auto (by style and size)"
"""The menu entry for the default brush, None."""
SLIDERS: Mapping[str, tuple[float, float, float]] = {
    "style_weight": (0.0, 32.0, 0.5),
    "strength": (0.0, 1.0, 0.05),
}
"""The main options that are sliders: minimum, maximum and step."""
MENUS: Mapping[str, Sequence[str]] = {
    "brush": (AUTO, "1.5", "2.5", "4", "6", "9"),
    "size": ("auto", "208", "256", "320", "384", "512", "640", "768", "1024", "full"),
}
"""The main options that are menus of usual values. Any other value can be typed in."""
MAIN = ("style_weight", "brush", "strength", "keep_colors", "faces", "size", "engine")
"""The options that are always visible."""
ELSEWHERE = ("start", "end")
"""The options whose controls are elsewhere on the page."""
LABELS = {"keep_colors": "colors"}
"""Labels of main options whose names would say less."""
UNSAID = "default"
"""The menu entry for a yes-or-no option at its default, None."""

_SPECS = {spec.name: spec for spec in dataclasses.fields(Settings)}
_HINTS = get_type_hints(Settings)
GROUPS: dict[str, list[str]] = {}
"""The options that are folded away, by the group titles of ``--help``."""
for _name, _spec in _SPECS.items():
    if _name not in (*MAIN, *ELSEWHERE) and not _spec.metadata["in_recipes_only"]:
        GROUPS.setdefault(_spec.metadata["group"], []).append(_name)
NAMES = (*MAIN, *(name for names in GROUPS.values() for name in names))
"""All options that have a control, in the order of the controls."""


def _as_typed(self: gr.Slider, payload: float | None) -> float | None:
    """Take any number that is typed beside a slider: whether it makes sense is for its option."""
    return payload


# Gradio's own refuses what is out of the slider's range, with a traceback in the server's log. (A
# class of ours would make Gradio write a stub file beside this one.)
gr.Slider.preprocess = _as_typed  # type: ignore[method-assign, assignment]


def quality_control() -> gr.Radio:
    """Make the control for the quality."""
    return gr.Radio(
        [*QUALITIES],
        value="good",
        label="quality",
        info="how many steps; best also paints every frame; other options override it",
        elem_id="quality",
    )


def control(name: str) -> Any:
    """Make the Gradio component for the option ``name``."""
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
    """Convert ``value`` of the option ``name`` to what its control shows."""
    hint = _HINTS[name]
    if name in SLIDERS or kinds(hint) == (bool,):
        return value
    if bool in kinds(hint):
        return UNSAID if value is None else ("yes" if value else "no")
    if name == "brush" and value is None:
        return AUTO
    return "" if value is None else text_of(value)


def settings_of(steps: str, values: Sequence[Any], start: str, end: str) -> Settings:
    """Return the settings that the controls stand for.

    Args:
        steps: the quality, a key of ``QUALITIES``.
        values: what the controls of ``NAMES`` show. Those that are not at their defaults override
            the quality.
        start, end: of the part to paint, as typed.

    Raises:
        UsageError: a value is invalid.
    """
    given = dict(zip(NAMES, map(_value, NAMES, values), strict=True))
    given |= {name: _value(name, text) for name, text in (("start", start), ("end", end))}
    changed = {name: value for name, value in given.items() if value != _SPECS[name].default}
    return Settings(**quality(steps) | changed)


def shown_of(settings: Settings) -> list[Any]:
    """Convert ``settings`` to what the controls show: the quality, then ``NAMES``.

    Options that a quality explains are shown at their defaults, since the quality stands for them.
    """
    values = dataclasses.asdict(settings)
    for steps in QUALITIES:
        options = quality(steps)
        if all(values[name] == value for name, value in options.items()):
            values |= {name: _SPECS[name].default for name in options}
            return [steps, *(shown(name, values[name]) for name in NAMES)]
    return ["good", *(shown(name, values[name]) for name in NAMES)]


def _value(name: str, given: Any) -> Any:
    """Convert what the control of the option ``name`` shows to a value of the option."""
    hint = _HINTS[name]
    if not isinstance(given, str):
        return _SPECS[name].default if given is None else given
    text = given.strip()
    if text in ("", AUTO, UNSAID):
        return _SPECS[name].default
    if bool in kinds(hint):
        return text == "yes"
    return value_of(name, text)
