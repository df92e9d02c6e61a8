"""The studio's controls say what ``Settings`` says."""

from __future__ import annotations

import pytest

from vidstyle import Settings, UsageError
from vidstyle.settings import fields
from vidstyle.studio import controls
from vidstyle.studio.tuning import MATTERS

PLAIN = [controls.control(name).value for name in controls.NAMES]


def changed(**values: object) -> list[object]:
    """What the controls hold where these were changed."""
    return [values.get(name, value) for name, value in zip(controls.NAMES, PLAIN, strict=True)]


def test_every_option_has_one_place() -> None:
    names = fields(in_recipes_only=False)
    assert sorted([*controls.NAMES, *controls.ELSEWHERE]) == sorted(names)
    assert set(MATTERS) <= set(names)


def test_untouched_controls_are_the_defaults() -> None:
    assert controls.settings_of("good", PLAIN, "", "") == Settings()


def test_what_is_typed_is_read_as_on_the_command_line() -> None:
    values = changed(
        size="full", brush="2.5", style_weight=3, cuts="1:02,70", seamless="no", plot=True
    )
    found = controls.settings_of("draft", values, "1:30", "100")
    assert found == Settings(
        size="full", brush=2.5, style_weight=3, cuts=(62.0, 70.0), seamless=False, plot=True,
        start=90.0, end=100.0, first_iterations=30, iterations=10, tolerance=0.6,
    )  # fmt: skip


def test_an_option_goes_on_top_of_the_quality() -> None:
    found = controls.settings_of("best", changed(iterations="7"), "", "")
    assert (found.iterations, found.first_iterations) == (7, 150)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("size", "7", "at least 32"), ("seed", "x", "not a number"), ("network", "x", "unknown")],
)
def test_what_makes_no_sense_is_refused_in_the_same_words(name: str, value: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        controls.settings_of("good", changed(**{name: value}), "", "")


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(brush=2.0, seamless=True, crf=20, keep_colors="luma"),
        controls.settings_of("best", changed(strength=0.5), "", ""),
    ],
)
def test_the_settings_of_a_run_are_taken_over(settings: Settings) -> None:
    steps, *values = controls.shown_of(settings)
    assert controls.settings_of(steps, values, "", "") == settings
