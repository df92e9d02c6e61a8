"""Every option of a painting: name, type, default and help, once, for Python and command line."""

from __future__ import annotations

import dataclasses
import math
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
from .times import seconds, seconds_of

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
        "longer side of the painting in pixels; full takes the source's, auto the source's up"
        f" to {AUTO_SIZE}",
        "N",
        SMALLEST_SIZE,
        train=True,
    )
    start: float = clip_part(
        0.0, "start at this time of the clip: seconds, or minutes:seconds", "T", 0
    )
    end: float | None = clip_part(None, "stop before this time of the clip", "T", 0)
    max_frames: int | None = clip_part(None, "paint at most N frames", "N", 1)

    format: str | None = output(None, "output format, if the file name does not say it", "NAME")
    codec: str | None = output(
        None, "video codec: h264, h265, vp9, av1, prores or ffv1, as the format allows", "NAME"
    )
    crf: int | None = output(
        None,
        "quality of the video, for codecs that have one: lower values look better and make "
        "larger files",
        "N",
        0,
    )
    fps: float | None = output(
        None,
        "constant frame rate; by default each frame keeps its own time",
        "N",
        0.01,
        1000,
        affects="painting",
    )
    loop: int | None = output(
        None,
        "how often an animation plays, 0 for forever; by default as often as its source",
        "N",
        0,
        65535,
        affects="painting",
    )
    audio: Literal["copy", "encode", "none"] = output(
        "copy", "the sound: copied where the format can hold it, encoded again, or left out"
    )

    content_weight: float = look(
        2.5,
        "weight of preserving the content of a frame (relative error of the content layers)",
        "W",
        0,
        train=True,
    )
    plain_content: float = look(
        0.4,
        "share of that weight in flat areas, such as a sky or a wall, so that they fill with "
        "strokes; 1 means the same everywhere",
        "X",
        0,
        1,
        train=True,
    )
    faces: Literal["off", "on", "more"] = look(
        "on",
        "keep what faces are known by, above all eyes, nose and mouth: their content counts more, "
        "and those of a style are not painted onto other things",
        engines=OPTIMIZING,
    )
    style_weight: float = look(
        8.0,
        "more shows more of the style, less shows more of the clip (weight of the Gram matrices)",
        "W",
        0,
        train=True,
    )
    loss: str = look(
        "relative",
        "how errors of content and style are measured: relative to their targets, so that "
        "weights mean the same everywhere, or by the formula of the method with this name",
        names=LOSSES,
        train=True,
    )
    brush: float | None = look(
        None,
        "how broad strokes are, in percent of the painting's shorter side (0.1 to 15); by "
        "default what suits the style and the size, which --dry-run tells",
        "X",
        0.1,
        15,
        train=True,
    )
    style_scale: float | None = look(
        None,
        "the same in other words: the style's size as a factor of the painting's; by default 1, "
        "and more in paintings smaller than 700 pixels square",
        "X",
        0.1,
        train=True,
    )
    trim: bool = look(
        True, "cut plain borders off styles, which scans of paintings often have", train=True
    )
    bars: Literal["keep", "paint"] = look(
        "keep",
        "black bars above and below a clip, or on both sides of it: keep leaves them as they are, "
        "and paints what is between them",
    )
    strength: float = look(1.0, "opacity of the painting over its source, 0..1", "X", 0, 1)
    fade: tuple[str, ...] = look(
        (),
        "how the strength changes: T=X for each time in seconds, separated by commas; 0=0,2=1 "
        "turns the clip into its painting within two seconds",
        "T=X",
    )
    keep_colors: Literal["none", "luma", "histogram", "covariance"] = look(
        "none",
        "take colors from the clip: luma from each frame's own source; histogram and "
        "covariance recolor the style like the first frame of a shot",
        train=True,
    )
    tv_weight: float = look(
        2.0,
        "weight of smoothness (mean squared difference of neighboring pixels, most of all of their "
        "chroma)",
        "W",
        0,
        train=True,
    )
    temporal_weight: float = look(
        20.0,
        "weight of agreeing with the frame before along the motion (mean squared error)",
        "W",
        0,
        train=True,
    )
    tolerance: float = optimizing(
        0.3,
        "a frame is done when its loss is at most this share above that of the shot's first "
        "frame: less comes closer to the first frame's quality, more is steadier and faster",
        "X",
        0,
    )
    iterations: int = optimizing(20, "optimizer steps per frame, at most", "N", 1)
    first_iterations: int = optimizing(
        60,
        "optimizer steps for the first frame of a shot, at each size; fewer above 720x405, where "
        "strokes are laid already and only get detail",
        "N",
        1,
    )
    coarse_to_fine: float = optimizing(
        2.0,
        "paint the first frame of a shot small, then at sizes that grow by this factor; 1 "
        "paints it at full size only",
        "X",
        1,
    )
    optimizer: Literal["lbfgs", "adam"] = optimizing("lbfgs", "the optimizer")
    learning_rate: float = optimizing(
        0.02, "Adam's learning rate: how far a pixel moves in a step", "X", 1e-6
    )
    betas: tuple[float, ...] = optimizing(
        (0.9, 0.99),
        "Adam's decay rates of the mean gradient and of its square",
        "B,B",
        0,
        in_recipes_only=True,
    )
    epsilon: float = optimizing(
        1e-8,
        "Adam's constant that keeps small gradients from moving pixels far",
        "X",
        0,
        in_recipes_only=True,
    )
    average: float = optimizing(
        0.0,
        "paint a running mean of the optimizer's steps, each with X times the weight of the "
        "next (0.99: about the last hundred steps); 0 means the last step alone",
        "X",
        0,
        in_recipes_only=True,
    )
    init: Literal["content", "noise", "previous", "warped"] = motion(
        "warped",
        "what a frame is painted over: warped and previous continue from the painting before,"
        " and begin a shot from its content; content and noise begin every frame anew",
        engines=EACH_FRAME,
    )
    first_init: Literal["content", "noise"] = motion(
        "content", "what the first frame of a shot is painted over", engines=OPTIMIZING
    )
    flow: Literal["dis", "farneback", "raft", "none"] = motion(
        "dis", "optical flow; raft needs torchvision's weights", train=True
    )
    cuts: Literal["auto", "none"] | tuple[float, ...] = motion(
        "auto",
        "where shots begin: auto detects cuts, none is a single shot, or times separated by "
        "commas; nothing carries over a cut",
        "auto|none|T,T",
        0,
        train=True,
    )
    seamless: bool | None = motion(
        None,
        "lead the last frame into the first; by default in animations that play forever",
    )

    segment: int | None = motion(
        None,
        "cut shots into segments of N frames, each painted from its own key frame and led "
        "into the next; a cluster paints them at the same time, with 96 frames by default",
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
        ("relu4_2",),
        "layers at which content is compared, separated by commas",
        "LAYERS",
        train=True,
    )
    style_layers: tuple[str, ...] = look(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        "layers at which style is compared, separated by commas, each NAME or NAME:WEIGHT",
        "LAYERS",
        train=True,
    )
    feather: float = look(3.0, "pixels over which the edge of a mask is softened", "N", 0)
    follow: bool = look(
        True,
        "let a mask that is a single picture follow what it shows in the first frame, instead of "
        "staying in its place",
    )
    snapshots: int | None = messages(
        None,
        "keep a picture of each frame after every N steps, in a folder beside the output",
        "N",
        1,
        engines=OPTIMIZING,
    )
    plot: bool = messages(
        False, "draw the losses by step and by frame, as a picture beside the output"
    )
    report: bool = messages(
        False,
        "measure the painting while it is made, as vidstyle measure does, and print the figures",
    )
    engine: str = painting(
        "auto",
        "how frames are painted: gatys optimizes every frame; keyframes optimizes some, and "
        "carries their paint along the motion; feedforward trains a network on the clip; auto"
        " chooses, and --dry-run says why",
        names=ENGINES,
    )
    key_every: int = painting(
        12,
        "frames from one key frame to the next, at most; fewer where too little of a key "
        "frame is still seen",
        "N",
        1,
        engines=("keyframes",),
    )
    repair: int = painting(
        0,
        "optimizer steps for what no key frame shows, which is otherwise recolored and given "
        "strokes; 3 steps are truer, and take two to five times as long",
        "N",
        0,
        engines=("keyframes",),
    )
    model: str | None = painting(
        None,
        "paint with this model (from vidstyle train) instead of training one; --style then "
        "names styles of the model",
        "PATH",
        names_file=True,
    )
    training_steps: int = painting(
        500,
        "training steps of the network, at most; it stops when it improves no more",
        "N",
        1,
        engines=LEARNING,
        train=True,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = machine("auto", "where to compute", train=True)
    precision: Literal["auto", "fp32", "bf16"] = machine(
        "auto",
        "bf16 or fp32; auto takes bf16 where the hardware is made for it",
        train=True,
    )
    threads: int | None = machine(
        None,
        "processors to use; by default all, or one for each worker of a cluster; only the "
        "same number paints the same to the bit",
        "N",
        1,
        MOST_THREADS,
        train=True,
    )
    cluster: str | None = machine(
        None,
        "paint segments on a Ray cluster: ray://HOST:PORT, or local for all processors or "
        "GPUs of this machine",
        "ADDRESS",
        in_recipes=False,
    )
    store: str | None = machine(
        None,
        "where the workers of a cluster keep what they paint: a folder that all machines "
        "share, or a URL such as s3://BUCKET/FOLDER; by default beside the output",
        "PATH|URL",
        in_recipes=False,
    )
    gpu_share: float = machine(
        1.0,
        "share of a GPU for each worker of a cluster: below 1, several workers share one",
        "N",
        0.01,
        1,
        in_recipes=False,
    )
    max_pixels: int = machine(
        150_000_000,
        "refuse clips with more pixels in a frame, which are damaged or malicious",
        "N",
        1,
        train=True,
    )
    seed: int = painting(0, "seed for everything random", "N", 0, train=True)

    def __post_init__(self) -> None:
        if isinstance(self.engine, str):
            object.__setattr__(self, "engine", ENGINE_ALIASES.get(self.engine, self.engine))
        hints = get_type_hints(type(self))
        for spec in dataclasses.fields(self):
            check(spec, hints[spec.name], getattr(self, spec.name))
        if self.end is not None and self.end <= self.start:
            raise UsageError(f"end ({self.end:g} s) must come after start ({self.start:g} s)")
        if self.brush is not None and self.style_scale is not None:
            raise UsageError("brush and style_scale say the same: leave out one of them")
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
        _ = self.fades  # refused if it makes no sense
        for name in ("content_layers", "style_layers"):
            if not getattr(self, name):
                raise UsageError(f"{name} must name at least one")
        for name in ("content_layers", "style_layers"):
            if not sum(weighted(getattr(self, name)).values()):
                raise UsageError(f"{name}: the weights add up to 0: give one a weight above 0")

    @property
    def fades(self) -> tuple[tuple[float, float], ...]:
        """The factor of the strength at each time of ``fade``, as (seconds, 0..1), in order.

        Raises:
            UsageError: one is not a time with a number in 0..1.
        """
        found: dict[float, float] = {}
        for point in self.fade:
            before, _, after = point.partition("=")
            try:
                time, factor = seconds_of(before), float(after)
            except ValueError:
                time = factor = math.nan
            if not math.isfinite(time):
                raise UsageError(f"fade: {point!r} is not SECONDS=X, as in 0=0,2=1")
            if not 0 <= factor <= 1:
                raise UsageError(f"fade: {point!r}: the strength must be in 0..1")
            found[time] = factor
        return tuple(sorted(found.items()))

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """Where the wanted part of the clip begins and ends, in seconds."""
        return seconds(self.start), None if self.end is None else seconds(self.end)
