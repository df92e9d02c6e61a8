from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from vidstyle import Settings, UsageError
from vidstyle.cli import build_parser


def test_the_command_line_has_every_option_with_its_default() -> None:
    shown = " ".join(build_parser().format_help().split())
    for spec in dataclasses.fields(Settings):
        there = f"--{spec.name.replace('_', '-')} " in shown
        assert there != spec.metadata["in_recipes_only"], spec.name
    parsed = build_parser().parse_args(["clip.mp4", "--style", "a.jpg"])
    assert not set(vars(parsed)) & {spec.name for spec in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 31}, "size is 31: it must be at least 32"),
        ({"size": "huge"}, "size: 'huge' is not a number"),
        ({"size": 64.5}, "not a whole number"),
        ({"iterations": 0}, "at least 1"),
        ({"style_weight": -1.0}, "at least 0"),
        ({"style_weight": float("nan")}, "not a number"),
        ({"optimizer": "lbgfs"}, "did you mean 'lbfgs'"),
        ({"network": "vgg91"}, "did you mean 'vgg19'"),
        ({"start": 3.0, "end": 2.0}, "must come after start"),
        ({"content_weight": 0, "style_weight": 0}, "nothing would be painted"),
        ({"style_layers": ()}, "at least one"),
        ({"betas": (0.9, -1.0)}, "betas is -1: it must be at least 0"),
        ({"betas": ("x",)}, "betas: 'x' is not a number"),
        ({"cuts": 3.0}, "cuts: 3.0 is not a list, nor one of auto, none"),
        ({"style_layers": "relu1_1"}, "'relu1_1' is not a list"),
        ({"weights": 3}, "weights: 3 is not a text"),
        ({"cuts": "atuo"}, "nor one of auto, none"),
        ({"cuts": (1.5, float("nan"))}, "cuts: nan is not a number"),
        ({"strength": 1.5}, "at most 1"),
        ({"fade": ("0=2",)}, "the strength must be in 0..1"),
        ({"fade": ("2",)}, "'2' is not SECONDS=X"),
        ({"fade": ("soon=1",)}, "'soon=1' is not SECONDS=X"),
        ({"fade": ("inf=1",)}, "'inf=1' is not SECONDS=X"),
        ({"fade": ("0=nan",)}, "the strength must be in 0..1"),
        ({"style_layers": ("relu1_1:-1",)}, "a weight must be 0 or more"),
        ({"style_layers": ("relu1_1:x",)}, "'x' is not a weight"),
        ({"content_layers": ("relu4_2:0",)}, "add up to 0"),
        ({"keep_colors": "lume"}, "did you mean 'luma'"),
        ({"seamless": "yes"}, "is not True or False"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**options)


def test_the_command_line_reads_what_python_takes() -> None:
    parsed = build_parser().parse_args(
        [
            "c.mp4", "--size", "full", "--start", "1:02.5", "--style-layers", "relu1_1, relu2_1",
            "--style-weight", "2e1", "--max-frames", "7", "--preview", "--cuts", "3,1:02.5",
            "--no-seamless", "--report",
        ]
    )  # fmt: skip
    assert (parsed.size, parsed.start, parsed.max_frames) == ("full", 62.5, 7)
    assert parsed.style_layers == ("relu1_1", "relu2_1")
    assert (parsed.style_weight, parsed.preview) == (20.0, 3)
    assert parsed.cuts == (3.0, 62.5)
    assert (parsed.seamless, parsed.report) == (False, True)
    assert build_parser().parse_args(["c.mp4", "--cuts", "none"]).cuts == "none"
