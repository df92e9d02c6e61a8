"""Every option of a painting: name, type, default and help, once, for Python and command line."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..core.errors import UsageError, unknown

SMALLEST_SIZE = 32


def option(
    default: Any,
    text: str,
    metavar: str | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """A field of ``Settings`` with its help and, for numbers, its least and largest value."""
    about = {"help": text, "metavar": metavar, "least": least, "most": most}
    return field(default=default, metadata=about)


def seconds(time: float) -> Fraction:
    """A time as it was written: of a frame at 16/5 s, 3.2 is no later than that, as a float is."""
    return Fraction(time).limit_denominator(1_000_000)


def rate_of(fps: float) -> Fraction:
    """Frames a second as a fraction: 23.976024 is 24000/1001."""
    return Fraction(fps).limit_denominator(1001)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a clip is painted and written.

    Raises:
        UsageError: an unknown name (with the nearest right one) or a number out of range.
    """

    size: int | Literal["full"] = option(
        512, "longer side of the painting in pixels, or 'full' for the source's", "N", SMALLEST_SIZE
    )
    start: float = option(0.0, "begin at this second of the clip", "T", 0)
    end: float | None = option(None, "end before this second of the clip", "T", 0)
    max_frames: int | None = option(None, "paint at most so many frames", "N", 1)

    format: str | None = option(
        None,
        "format of the output, where its name does not say: mp4, mov, mkv, webm, gif, apng, "
        "webp, png, jpg or folder",
        "NAME",
    )
    codec: str | None = option(
        None, "video codec: h264, h265, vp9, av1, prores or ffv1, as the format allows", "NAME"
    )
    crf: int | None = option(
        None, "quality of the video, where its codec knows one: lower is better and larger", "N", 0
    )
    fps: float | None = option(
        None, "constant frames a second; by default each frame keeps its own time", "N", 0.01, 1000
    )
    loop: int | None = option(
        None, "how often an animation plays, 0 for ever; by default as its source", "N", 0, 65535
    )
    audio: Literal["copy", "encode", "none"] = option(
        "copy", "the sound: copied where the format can hold it, encoded anew, or left out"
    )

    content_weight: float = option(
        1.0, "weight of keeping what is in the frame (relative error of the content layers)", "W", 0
    )
    style_weight: float = option(
        8.0, "weight of looking like the style (relative error of the Gram matrices)", "W", 0
    )
    loss: Literal["relative", "gatys", "tensorflow", "pytorch", "udacity"] = option(
        "relative",
        "how errors of content and style are measured: relative to what is wanted, so that "
        "weights mean the same everywhere, or by the formula of a recipe",
    )
    style_scale: float = option(
        1.0, "how large the style's strokes are, as a factor of its size", "X", 0.1
    )
    strength: float = option(
        1.0, "how much of the painting is seen over its source, 0..1", "X", 0, 1
    )
    keep_colors: Literal["none", "luma", "histogram", "covariance"] = option(
        "none",
        "colours from the clip: luma gives each frame its own source's, histogram and covariance "
        "give the style those of a shot's first frame",
    )
    tv_weight: float = option(
        2.0, "weight of smoothness (mean squared difference of neighbouring pixels)", "W", 0
    )
    temporal_weight: float = option(
        20.0,
        "weight of staying with the frames before along the motion (mean squared error)",
        "W",
        0,
    )
    tolerance: float = option(
        0.3,
        "a frame is done when its loss is that of the shot's first frame, and this share more: "
        "less is closer to the first frame's quality, more is steadier and faster",
        "X",
        0,
    )
    iterations: int = option(20, "optimiser steps a frame, at most", "N", 1)
    first_iterations: int = option(
        60, "optimiser steps for the first frame of a shot, at full size", "N", 1
    )
    coarse_to_fine: float = option(
        2.0,
        "the first frame of a shot is painted small first, then at sizes so many times the one "
        "before; 1: at full size only",
        "X",
        1,
    )
    optimizer: Literal["lbfgs", "adam"] = option("lbfgs", "the optimiser")
    learning_rate: float = option(0.02, "Adam's: how far a pixel moves in a step", "X", 1e-6)
    betas: tuple[float, ...] = option(
        (0.9, 0.99), "Adam's: how much of the steps before counts for direction and size", "B,B", 0
    )
    epsilon: float = option(1e-8, "Adam's: gradients smaller than this move little", "X", 0)
    average: float = option(
        0.0,
        "paint the mean of the optimiser's steps, each counting for so much less than the next "
        "(0.99: the last hundred); 0: its last one",
        "X",
        0,
    )
    init: Literal["content", "noise", "previous", "warped"] = option(
        "warped",
        "what a frame is painted over: 'warped' and 'previous' paint a shot's first frame over "
        "its content and go on from the painted frame before, 'content' and 'noise' begin every "
        "frame anew",
    )
    first_init: Literal["content", "noise"] = option(
        "content", "what the first frame of a shot is painted over"
    )
    flow: Literal["dis", "farneback", "raft", "none"] = option(
        "dis", "the optical flow; raft needs torchvision's weights of it"
    )
    long_term: tuple[int, ...] = option(
        (1,),
        "the earlier frames that paint is taken from, so many frames back, with commas; to an "
        "older one it only goes for what no nearer one shows",
        "N,N",
        1,
    )
    passes: int = option(
        1,
        "how often a shot is painted, forward and backward in turn, each frame blended with the "
        "one beside it",
        "N",
        1,
    )
    cuts: Literal["auto", "none"] | tuple[float, ...] = option(
        "auto",
        "where shots begin: auto (found), none, or times with commas; nothing carries over a cut",
        "auto|none|T,T",
        0,
    )
    seamless: bool | None = option(
        None,
        "the last frame leads into the first; by default where the output is an animation that "
        "plays for ever",
    )

    segment: int | None = option(
        None,
        "cut shots into segments of so many frames, each painted from a key frame on and led into "
        "the next one's: what a cluster paints at the same time (there 96 if nothing is said)",
        "N",
        2,
    )

    network: Literal["vgg19", "vgg16", "googlenet"] = option("vgg19", "the perceptual network")
    weights: str = option(
        "bundled",
        "the network's weights: bundled (VGG-19, works offline), torchvision (downloaded on "
        "first use), random, or the path of a .pth or .safetensors file",
        "NAME|PATH",
    )
    pooling: Literal["max", "avg"] = option("max", "the network's pooling")
    content_layers: tuple[str, ...] = option(
        ("relu4_2",), "layers that the content is compared at, with commas", "LAYERS"
    )
    style_layers: tuple[str, ...] = option(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        "layers that the style is compared at, with commas, each NAME or NAME:WEIGHT",
        "LAYERS",
    )
    feather: float = option(
        3.0, "the edge of a mask is softened over so many pixels of the painting", "N", 0
    )
    snapshots: int | None = option(
        None, "keep the picture after every N steps of each frame, in a folder beside", "N", 1
    )
    plot: bool = option(
        False, "draw the losses over steps and over frames, as a picture beside the output"
    )
    report: bool = option(
        False, "measure the painting as it is made (vidstyle measure), and print that at the end"
    )
    engine: Literal["gatys", "network", "hybrid", "auto"] = option(
        "gatys",
        "how frames are painted: each by the optimiser (gatys), at once by a network that learns "
        "the clip before (network), by the optimiser over what that paints (hybrid), or by what "
        "is cheaper for the clip, as the plan says (auto)",
    )
    model: str | None = option(
        None,
        "paint with this model (vidstyle train) instead of learning from the clip; --style then "
        "names styles of the model",
        "PATH",
    )
    training_steps: int = option(
        500, "steps that a network learns for, at most: it stops where it learns no more", "N", 1
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option("auto", "where to compute")
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "how to compute: bf16 where it was measured to be faster, else fp32"
    )
    cluster: str | None = option(
        None,
        "have the segments painted by a Ray cluster: its ray://HOST:PORT, or local for all "
        "processors or GPUs of this machine",
        "ADDRESS",
    )
    max_pixels: int = option(
        150_000_000, "refuse clips with larger frames: they are damaged, or made to do harm", "N", 1
    )
    seed: int = option(0, "seed of everything random", "N", 0)

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for spec in dataclasses.fields(self):
            limits = spec.metadata["least"], spec.metadata["most"]
            _check(spec.name, hints[spec.name], limits, getattr(self, spec.name))
        if self.end is not None and self.end <= self.start:
            raise UsageError(f"end ({self.end:g} s) must come after start ({self.start:g} s)")
        if self.content_weight == self.style_weight == 0:
            raise UsageError("content_weight and style_weight are both 0: nothing would be painted")
        if self.average >= 1:
            raise UsageError(f"average is {self.average:g}: it must be below 1")
        if len(self.betas) != 2 or max(self.betas) >= 1:
            raise UsageError("betas must be two numbers below 1")
        if self.coarse_to_fine != 1 and self.coarse_to_fine < 1.1:
            raise UsageError(
                f"coarse_to_fine is {self.coarse_to_fine:g}: it must be 1, or 1.1 at least"
            )
        for name in ("content_layers", "style_layers", "long_term"):
            if not getattr(self, name):
                raise UsageError(f"{name} must name at least one")
        for name in ("content_layers", "style_layers"):
            if not sum(weighted(getattr(self, name)).values()):
                raise UsageError(f"{name}: the weights add up to 0: give one a weight above 0")

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """Where the wanted part of the clip begins and ends, in seconds."""
        return seconds(self.start), None if self.end is None else seconds(self.end)


def weighted(layers: Iterable[str]) -> dict[str, float]:
    """Each layer's name, of NAME or NAME:WEIGHT, with its weight.

    Raises:
        UsageError: a weight is not a number, or below 0.
    """
    found = {}
    for layer in layers:
        name, colon, weight = layer.partition(":")
        try:
            found[name] = float(weight) if colon else 1.0
        except ValueError:
            raise UsageError(f"{layer}: {weight!r} is not a weight") from None
        if not 0 <= found[name] < math.inf:
            raise UsageError(f"{layer}: a weight must be 0 or more")
    return found


def choices(hint: Any) -> tuple[str, ...]:
    """The names that a field of this type may take; none if it is free."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def kinds(hint: Any) -> tuple[Any, ...]:
    """The types that a field of this type may have: several for a union."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def items(hint: Any) -> Any:
    """The type of each value in a field that holds several; None for a field of one."""
    held = [get_args(kind)[0] for kind in kinds(hint) if get_origin(kind) is tuple]
    return held[0] if held else None


Limits = tuple[float | None, float | None]
"""The least and the largest value."""


def _check(name: str, hint: Any, limits: Limits, value: Any) -> None:
    wanted = kinds(hint)
    known = [choice for kind in wanted for choice in choices(kind)]
    if (value is None and types.NoneType in wanted) or (isinstance(value, str) and value in known):
        return
    if items(hint):
        if not isinstance(value, (tuple, list)):
            also = f", nor one of {', '.join(known)}" if known else ""
            raise UsageError(f"{name}: {value!r} is not a list{also}")
        for part in value:
            _check(name, items(hint), limits, part)
    elif isinstance(value, str) and str in wanted:
        return
    elif known and not {int, float} & set(wanted):
        raise unknown(name, str(value), known)
    elif bool in wanted:
        if not isinstance(value, bool):
            raise UsageError(f"{name}: {value!r} is not True or False")
    elif not {int, float} & set(wanted):
        raise UsageError(f"{name}: {value!r} is not a text")
    else:
        _check_number(name, wanted, known, limits, value)


def _check_number(
    name: str, wanted: tuple[Any, ...], known: list[str], limits: Limits, value: Any
) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        also = f", nor one of {', '.join(known)}" if known else ""
        raise UsageError(f"{name}: {value!r} is not a number{also}")
    if int in wanted and not isinstance(value, int):
        raise UsageError(f"{name}: {value!r} is not a whole number")
    least, most = limits
    if least is not None and value < least:
        raise UsageError(f"{name} is {value:g}: it must be at least {least:g}")
    if most is not None and value > most:
        raise UsageError(f"{name} is {value:g}: it must be at most {most:g}")
