"""What paints: the one statement of what the pipeline asks of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.events import Learned, Step
from ..core.frames import Frame
from ..core.images import Image
from ..networks.transformer import TransformerNet
from ..objective.objective import Objective
from ..objective.styles import StyleSchedule
from ..settings import Settings

OnStep = Callable[[Step], None]
"""Called after each step of an optimizer."""
State = Mapping[str, NDArray[Any]]
"""What an engine needs for the next frame, by name."""


class Engine(Protocol):
    """Paints frames one after the other. Pictures are (H, W, 3) uint8 RGB."""

    def reset(self) -> None:
        """Begin a shot: nothing carries over from the frames before."""

    def prefetch_flow(self, source: Image, before: Image) -> None:
        """Begin to estimate the motion from ``before`` to ``source``, which is painted next."""

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        """Whether ``frame`` would be painted as the one ``before``."""

    def paint_span(self, frames: Sequence[Frame], on_step: OnStep) -> list[tuple[Image, float]]:
        """Paint the next frames, of which only the last one is a key frame; returns each painting
        with its loss (0 where there is none)."""

    def anchor(self, frame: Frame, painted: Image) -> None:
        """Take this frame as the one beside the next to be repainted."""

    def repaint(
        self, frame: Frame, painted: Image, share: float, on_step: OnStep
    ) -> tuple[Image, float]:
        """Paint a frame again over ``painted``, with a ``share`` (0..1) of the frame beside it."""

    def state(self) -> State:
        """What the next frame depends on."""

    def restore(self, state: State) -> None:
        """Continue as after the frame at which ``state`` was taken."""


class Learner(Protocol):
    """A network that learns a clip before its frames are painted."""

    model: TransformerNet | None
    """What it has learned, if it has."""

    def take(self, model: TransformerNet) -> None:
        """Paint with ``model`` from now on."""

    def learn(self, frames: Iterable[Frame], progress: Callable[[Learned], None]) -> TransformerNet:
        """Fit a model to the ``frames`` of a clip, and paint with that."""


class ClipEngine(Engine, Protocol):
    """An engine for the frames of a clip, and what the pipeline has to know of it."""

    settings: Settings
    schedule: StyleSchedule
    size: tuple[int, int]
    """Width and height of the frames."""
    device: torch.device
    dtype: torch.dtype
    """What the perceptual network computes in."""
    tile_pixels: int | None
    """How many pixels go through the network at once; None: all."""
    has_loss: bool
    """Whether what it paints has a loss."""
    patience: float
    """Seconds of painting that may be lost: more than a disk needs to be sure of a frame."""

    def __init__(
        self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]
    ) -> None: ...

    @property
    def stylizer(self) -> Learner | None:
        """The network that learns the clip before, if this engine has one."""

    @property
    def tiles(self) -> int:
        """How many tiles a whole frame is painted in."""

    @property
    def memory(self) -> int:
        """About how many bytes painting needs at once, of the device."""

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimizer on a whole frame."""

    def reduce_memory(self) -> str | None:
        """Need less memory from now on; says how, or None where there is no less."""

    def conservative_steps(self) -> AbstractContextManager[None]:
        """Paint so within this context that a loss that was not finite is."""

    def weights(self) -> list[Tensor]:
        """The weights that the paintings depend on."""

    def task(self, source: Image) -> tuple[Objective, Tensor]:
        """The objective of a frame by itself, and a picture (1, 3, H, W) to begin with."""
