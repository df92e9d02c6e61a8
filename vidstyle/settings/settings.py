"""Every option of a painting: name, type, default and help, once, for Python and command line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_type_hints

from ..core.errors import UsageError
from .options import (
    EACH_FRAME,
    ENGINE_ALIASES,
    ENGINES,
    LEARNING,
    LOSSES,
    OPTIMIZING,
    check,
    clip_part,
    look,
    machine,
    messages,
    motion,
    optimizing,
    output,
    painting,
    weighted,
)
from .times import seconds

SMALLEST_SIZE = 32
"""Pixels of the longer side of a painting, at least."""
AUTO_SIZE = 512
"""Pixels of the longer side at most, where nobody has said how large a painting should be."""
MOST_THREADS = 1024
"""More than any machine has; an operating system may refuse fewer in the middle of a painting."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a clip is painted and written.

    Raises:
        UsageError: an unknown name (with the nearest right one) or a number out of range.
    """

    size: int | Literal["auto", "full"] = look(
        "auto",
        f"longer side of the painting in pixels, or 'full' for the source's; auto is the source's, "
        f"but at most {AUTO_SIZE}",
        "N",
        SMALLEST_SIZE,
        train=True,
    )
    start: float = clip_part(
        0.0, "begin at this time of the clip: seconds, or minutes:seconds", "T", 0
    )
    end: float | None = clip_part(None, "end before this time of the clip", "T", 0)
    max_frames: int | None = clip_part(None, "paint at most N frames", "N", 1)

    format: str | None = output(None, "format of the output, where its name does not say", "NAME")
    codec: str | None = output(
        None, "video codec: h264, h265, vp9, av1, prores or ffv1, as the format allows", "NAME"
    )
    crf: int | None = output(
        None,
        "quality of the video, if its codec has one: lower looks better and makes a larger file",
        "N",
        0,
    )
    fps: float | None = output(
        None,
        "constant frames a second; by default each frame keeps its own time",
        "N",
        0.01,
        1000,
        affects="painting",
    )
    loop: int | None = output(
        None,
        "how often an animation plays, 0 for ever; by default as its source",
        "N",
        0,
        65535,
        affects="painting",
    )
    audio: Literal["copy", "encode", "none"] = output(
        "copy", "the sound: copied where the format can hold it, encoded anew, or left out"
    )

    content_weight: float = look(
        2.5,
        "weight of keeping what is in the frame (relative error of the content layers)",
        "W",
        0,
        train=True,
    )
    plain_content: float = look(
        0.4,
        "how much of that weight counts where the frame is flat, as a sky or a wall, and is to be "
        "filled with strokes; 1: the same everywhere",
        "X",
        0,
        1,
        train=True,
    )
    style_weight: float = look(
        8.0,
        "weight of looking like the style (relative error of the Gram matrices)",
        "W",
        0,
        train=True,
    )
    loss: str = look(
        "relative",
        "how errors of content and style are measured: relative to what is wanted, so that "
        "weights mean the same everywhere, or by the formula of a recipe",
        names=LOSSES,
        train=True,
    )
    style_scale: float | None = look(
        None,
        "how large strokes are: 1 takes the style as large as the painting, 2 twice as large; by "
        "default as 1, and larger where the painting is smaller than 700 pixels square",
        "X",
        0.1,
        train=True,
    )
    trim: bool = look(
        True, "cut plain borders off styles: scans of paintings have them", train=True
    )
    strength: float = look(1.0, "how much of the painting is seen over its source, 0..1", "X", 0, 1)
    keep_colors: Literal["none", "luma", "histogram", "covariance"] = look(
        "none",
        "colors from the clip: luma gives each frame its own source's, histogram and covariance "
        "give the style those of a shot's first frame",
        train=True,
    )
    tv_weight: float = look(
        2.0,
        "weight of smoothness (mean squared difference of neighboring pixels)",
        "W",
        0,
        train=True,
    )
    temporal_weight: float = look(
        20.0,
        "weight of staying with the frames before along the motion (mean squared error)",
        "W",
        0,
        train=True,
    )
    tolerance: float = optimizing(
        0.3,
        "a frame is done when its loss exceeds that of the shot's first frame by no more than this "
        "share: less is closer to the first frame's quality, more is steadier and faster",
        "X",
        0,
    )
    iterations: int = optimizing(20, "optimizer steps a frame, at most", "N", 1)
    first_iterations: int = optimizing(
        60, "optimizer steps for the first frame of a shot, at full size", "N", 1
    )
    coarse_to_fine: float = optimizing(
        2.0,
        "the first frame of a shot is painted small first, then at sizes so many times the one "
        "before; 1: at full size only",
        "X",
        1,
    )
    optimizer: Literal["lbfgs", "adam"] = optimizing("lbfgs", "the optimizer")
    learning_rate: float = optimizing(0.02, "Adam's: how far a pixel moves in a step", "X", 1e-6)
    betas: tuple[float, ...] = optimizing(
        (0.9, 0.99),
        "Adam's: how much of the steps before counts for direction and size",
        "B,B",
        0,
        in_recipes_only=True,
    )
    epsilon: float = optimizing(
        1e-8, "Adam's: gradients smaller than this move little", "X", 0, in_recipes_only=True
    )
    average: float = optimizing(
        0.0,
        "paint a mean of the optimizer's steps, in which each step counts X times as much as the "
        "next (0.99: about the last hundred steps); 0: only the last step",
        "X",
        0,
        in_recipes_only=True,
    )
    init: Literal["content", "noise", "previous", "warped"] = motion(
        "warped",
        "what a frame is painted over: 'warped' and 'previous' paint a shot's first frame over "
        "its content and go on from the painted frame before, 'content' and 'noise' begin every "
        "frame anew",
        engines=EACH_FRAME,
    )
    first_init: Literal["content", "noise"] = motion(
        "content", "what the first frame of a shot is painted over", engines=OPTIMIZING
    )
    flow: Literal["dis", "farneback", "raft", "none"] = motion(
        "dis", "the optical flow; raft needs torchvision's weights of it", train=True
    )
    cuts: Literal["auto", "none"] | tuple[float, ...] = motion(
        "auto",
        "where shots begin: auto (found), none, or times with commas; nothing carries over a cut",
        "auto|none|T,T",
        0,
        train=True,
    )
    seamless: bool | None = motion(
        None,
        "the last frame leads into the first; by default where the output is an animation that "
        "plays for ever",
    )

    segment: int | None = motion(
        None,
        "cut shots into segments of so many frames, each painted from a key frame on and led into "
        "the next one's: what a cluster paints at the same time (there 96 if nothing is said)",
        "N",
        2,
    )

    network: Literal["vgg19", "vgg16", "googlenet"] = painting(
        "vgg19", "the perceptual network", train=True
    )
    weights: str = painting(
        "bundled",
        "the network's weights: bundled (VGG-19, works offline), torchvision (downloaded on "
        "first use), random, or the path of a .pth or .safetensors file",
        "NAME|PATH",
        train=True,
        names_file=True,
    )
    pooling: Literal["max", "avg"] = painting("max", "the network's pooling", train=True)
    content_layers: tuple[str, ...] = look(
        ("relu4_2",), "layers that the content is compared at, with commas", "LAYERS", train=True
    )
    style_layers: tuple[str, ...] = look(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        "layers that the style is compared at, with commas, each NAME or NAME:WEIGHT",
        "LAYERS",
        train=True,
    )
    feather: float = look(
        3.0, "the edge of a mask is softened over so many pixels of the painting", "N", 0
    )
    snapshots: int | None = messages(
        None,
        "keep the picture after every N steps of each frame, in a folder beside",
        "N",
        1,
        engines=OPTIMIZING,
    )
    plot: bool = messages(
        False, "draw the losses over steps and over frames, as a picture beside the output"
    )
    report: bool = messages(
        False, "measure the painting as it is made (vidstyle measure), and print that at the end"
    )
    engine: str = painting(
        "auto",
        "how frames are painted: each by the optimizer (gatys), some by it and the others as their "
        "paint moves (keyframes), at once by a network that learns the clip before (feedforward), "
        "or as suits the clip, which the plan says (auto)",
        names=ENGINES,
    )
    key_every: int = painting(
        12,
        "key frames are at most so many frames apart; closer where less of the last one is seen",
        "N",
        1,
        engines=("keyframes",),
    )
    repair: int = painting(
        0,
        "optimizer steps for what no key frame shows of a frame between them: it is recolored "
        "and given strokes in any case, and with 3 steps is truer in two to five times the time",
        "N",
        0,
        engines=("keyframes",),
    )
    model: str | None = painting(
        None,
        "paint with this model (vidstyle train) instead of learning from the clip; --style then "
        "names styles of the model",
        "PATH",
        names_file=True,
    )
    training_steps: int = painting(
        500,
        "steps that a network learns for, at most: it stops where it learns no more",
        "N",
        1,
        engines=LEARNING,
        train=True,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = machine("auto", "where to compute", train=True)
    precision: Literal["auto", "fp32", "bf16"] = machine(
        "auto",
        "how to compute: in bf16, or in fp32; auto is bf16 where the hardware is made for it",
        train=True,
    )
    threads: int | None = machine(
        None,
        "processors to compute on; by default all, or one for each worker of a cluster; a painting "
        "is the same to the bit only with the same number",
        "N",
        1,
        MOST_THREADS,
        train=True,
    )
    cluster: str | None = machine(
        None,
        "have the segments painted by a Ray cluster: its ray://HOST:PORT, or local for all "
        "processors or GPUs of this machine",
        "ADDRESS",
        in_recipes=False,
    )
    store: str | None = machine(
        None,
        "where a cluster's workers keep what they paint: a folder that all machines share, or a "
        "URL as s3://BUCKET/FOLDER; by default beside the output",
        "PATH|URL",
        in_recipes=False,
    )
    gpu_share: float = machine(
        1.0,
        "how much of a GPU a worker of a cluster has to itself: less than 1 puts several on each",
        "N",
        0.01,
        1,
        in_recipes=False,
    )
    max_pixels: int = machine(
        150_000_000,
        "refuse clips with larger frames: they are damaged, or made to do harm",
        "N",
        1,
        train=True,
    )
    seed: int = painting(0, "seed of everything random", "N", 0, train=True)

    def __post_init__(self) -> None:
        if isinstance(self.engine, str):
            object.__setattr__(self, "engine", ENGINE_ALIASES.get(self.engine, self.engine))
        hints = get_type_hints(type(self))
        for spec in dataclasses.fields(self):
            check(spec, hints[spec.name], getattr(self, spec.name))
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
        for name in ("content_layers", "style_layers"):
            if not getattr(self, name):
                raise UsageError(f"{name} must name at least one")
        for name in ("content_layers", "style_layers"):
            if not sum(weighted(getattr(self, name)).values()):
                raise UsageError(f"{name}: the weights add up to 0: give one a weight above 0")

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """Where the wanted part of the clip begins and ends, in seconds."""
        return seconds(self.start), None if self.end is None else seconds(self.end)
