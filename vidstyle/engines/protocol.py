"""What the pipeline asks of an engine. ``BaseEngine`` has most of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.events import Learned, Step
from ..core.frames import Frame
from ..core.images import Image
from ..networks.transformer import TransformerNet
from ..objective.objective import Objective
from ..objective.styles import StyleSchedule, Weights
from ..settings import Settings

OnStep = Callable[[Step], None]
"""Called after each step of an optimizer."""
State = Mapping[str, NDArray[Any]]
"""What an engine needs to paint the next frame, by name."""
Picture = Image | Future[Image]
"""A painting (H, W, 3), or one that is still in the making."""


def settled(picture: Picture) -> Image:
    """Return a painting, once it is there."""
    return picture.result() if isinstance(picture, Future) else picture


class Engine(Protocol):
    """Paints frames one after the other. Pictures are (H, W, 3) uint8 RGB."""

    def reset(self) -> None:
        """Begin a shot: nothing carries over from the frames before."""

    def prefetch_flow(self, source: Image, before: Image) -> None:
        """Begin to estimate the motion from ``source``, which is painted later, to ``before``."""

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        """Whether ``frame`` would be painted exactly as the one ``before``."""

    def paint_span(self, frames: Sequence[Frame], on_step: OnStep) -> list[tuple[Picture, float]]:
        """Paint the next frames, of which only the last one is a key frame.

        Returns:
            Each painting with its loss, 0 where there is none. That of the key frame is there;
            the others may be made by another thread.
        """

    def anchor(self, frame: Frame, painted: Image) -> None:
        """Take this frame and its painting as the neighbor of the next one to be repainted."""

    def repaint(
        self, frame: Frame, painted: Image, share: float, on_step: OnStep
    ) -> tuple[Image, float]:
        """Paint a frame again.

        Args:
            frame: the frame.
            painted: its painting so far.
            share: how much of the neighbor goes into it, in 0..1.
            on_step: called after each step of the optimizer.

        Returns:
            The painting, and its loss.
        """

    def state(self) -> State:
        """Return all that the next frame depends on."""

    def restore(self, state: State) -> None:
        """Go on as after the frame at which ``state`` was taken."""


@runtime_checkable
class Learner(Protocol):
    """An engine with a network that learns a clip before its frames are painted."""

    model: TransformerNet | None
    """The network, once it has been trained."""

    def take(self, model: TransformerNet) -> None:
        """Paint with ``model`` from now on."""

    def learn(
        self,
        frames: Iterable[Frame],
        progress: Callable[[Learned], None] = ...,
        blends: Sequence[Weights] = ...,
    ) -> TransformerNet:
        """Train a model on the ``frames`` of a clip, and paint with it from now on."""


class ClipEngine(Engine, Protocol):
    """An engine for the frames of a clip, and what the pipeline has to know of it."""

    options_of: ClassVar[tuple[str, ...]]
    """The engines whose options it reads, such as ``("gatys",)``."""
    paints_key_frames: ClassVar[bool]
    """Whether it paints only key frames, and ``paint_span`` gets others, too."""
    has_loss: ClassVar[bool]
    """Whether its paintings have a loss."""
    patience: ClassVar[float]
    """Seconds of painting that may be lost. More than 0 where it paints faster than a disk can be
    sure to have written."""
    settings: Settings
    schedule: StyleSchedule
    size: tuple[int, int]
    """Width and height of the frames."""
    device: torch.device
    dtype: torch.dtype
    """The type that the perceptual network computes in."""
    tile_pixels: int | None
    """How many pixels go through the network at once. None means all."""

    def __init__(
        self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]
    ) -> None: ...

    @property
    def tiles(self) -> int:
        """In how many tiles a whole frame is painted."""

    @property
    def memory(self) -> int:
        """About how many bytes of the device painting needs at once."""

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """Return what so many ``frames`` cost at most, in optimizer steps on a whole frame."""

    def reduce_memory(self) -> str | None:
        """Need less memory from now on. Returns how, or None if that is not possible."""

    def conservative_steps(self) -> AbstractContextManager[None]:
        """Within this context, paint so that a loss that was not finite becomes finite."""

    def weights(self) -> list[Tensor]:
        """Return the weights that the paintings depend on."""

    def task(self, source: Image) -> tuple[Objective, Tensor]:
        """Return the objective of a frame by itself, and a picture (1, 3, H, W) to begin with."""
