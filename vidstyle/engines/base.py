"""What all engines share: the device, the styles of a frame, its objective, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from functools import cached_property
from statistics import fmean
from typing import ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import networks
from ..core import devices
from ..core.errors import UsageError
from ..core.frames import Frame
from ..core.images import Field, Image, resized
from ..networks import Features, Network
from ..objective import losses
from ..objective.colors import matched
from ..objective.faces import importance
from ..objective.masks import shares
from ..objective.objective import Grams, Objective, Region, TemporalTarget, grams
from ..objective.styles import StyleSchedule, Weights, at_scale, scale_for
from ..objective.tiles import Tile, tiles
from ..settings import Settings, weighted
from ..temporal import flow
from .protocol import OnStep, Picture, State

BYTES_A_PIXEL = {torch.float32: 3050, torch.bfloat16: 1650}
"""Peak memory of a step up to relu5_1, a pixel that goes through the network at once, with what is
kept of a shot's first frame."""
BYTES_KEPT = 800
"""Memory a pixel of the whole frame: the optimizer's history, and the warm start."""
EMPHASIS = {"on": 2.5, "more": 5.0}
"""The factor of the content weight at the eyes of a face, by ``--faces``."""
LARGEST_LOOK = 2_000_000
"""Pixels of a style that go through the network at once, or as many as a frame has: for a broad
brush, a style is enlarged far beyond the frame."""
SMALLEST_TILE = 288 * 288
"""Smaller tiles would be mostly margin."""


class BaseEngine:
    """The base of engines: the objective of a frame, tiles where memory is short, and defaults for
    engines to which nothing carries over from frame to frame.

    A subclass has at least ``paint`` and ``cost``.

    Args:
        settings: the options.
        schedule: the styles, and which is wanted when and where.
        size: width and height of the frames, in pixels.

    See ``ClipEngine`` for the attributes.
    """

    options_of: ClassVar[tuple[str, ...]] = ()
    paints_key_frames: ClassVar[bool] = False
    has_loss: ClassVar[bool] = True
    patience: ClassVar[float] = 0.0

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        self.settings = settings
        self.schedule = schedule
        self.size = size
        devices.keep_memory()
        self.device = devices.pick_device(settings.device)
        self.dtype = devices.DTYPES[devices.pick_precision(settings.precision, self.device)]
        self.content_layers = weighted(settings.content_layers) if settings.content_weight else {}
        self.style_layers = weighted(settings.style_layers) if settings.style_weight else {}
        self.flows = None if settings.flow == "none" else flow.Flows(flow.estimator(settings.flow))
        self.tile_pixels: int | None = None
        self.pictures = schedule.pictures
        """The style pictures, recolored if the settings ask for it."""
        self._style_grams: dict[tuple[int, int], list[Grams]] = {}
        self._chroma: tuple[Sequence[Image], float] | None = None
        """The pictures that ``chroma_weight`` was computed for, and that weight."""

    @cached_property
    def network(self) -> Network:
        """The perceptual network."""
        settings = self.settings
        return networks.load(
            settings.network,
            settings.weights,
            (*self.content_layers, *self.style_layers),
            device=self.device,
            dtype=self.dtype,
            seed=settings.seed,
            pooling=settings.pooling,
        )

    def compute_in(self, dtype: torch.dtype) -> None:
        """Let the perceptual network compute in ``dtype``."""
        if dtype is not self.dtype:
            self.dtype = dtype
            self.__dict__.pop("network", None)
            self._style_grams.clear()

    @property
    def tiles(self) -> int:
        """In how many tiles a whole frame is painted."""
        if self.tile_pixels is None:
            return 1
        return len(self._tiles())

    def _tiles(self) -> list[Tile]:
        width, height = self.size
        return tiles((height, width), self.tile_pixels, self.network.receptive_radius)

    def fit(self) -> None:
        """Choose tiles if a whole frame does not fit into memory.

        Raises:
            UsageError: not even the smallest tile fits. Says the largest size that would.
        """
        width, height = self.size
        free = devices.free_memory(self.device)
        each = BYTES_A_PIXEL[self.dtype]
        self.tile_pixels = None
        need = self.memory
        if free is None or need <= free:
            return
        area = free / (BYTES_KEPT + each)
        if self.network.receptive_radius is not None:
            self.tile_pixels = (free - width * height * BYTES_KEPT) // each
            if self.tile_pixels >= SMALLEST_TILE:
                return
            area = max(area, (free - SMALLEST_TILE * each) / BYTES_KEPT)
        fits = int(max(width, height) * (0.9 * area / (width * height)) ** 0.5)
        raise UsageError(
            f"{width}x{height} needs about {need / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB "
            f"are free: use --size {fits} or less"
        )

    @property
    def memory(self) -> int:
        """About how many bytes of the device painting needs at once."""
        through = area = self.size[0] * self.size[1]
        if self.tile_pixels is not None:
            through = max(tile.window.area for tile in self._tiles())
        return area * BYTES_KEPT + through * BYTES_A_PIXEL[self.dtype]

    def reduce_memory(self) -> str | None:
        """Do nothing: this engine cannot do with less memory."""
        return None

    def conservative_steps(self) -> AbstractContextManager[None]:
        """Change nothing: this engine has no other way to paint."""
        return nullcontext()

    def prefetch_flow(self, source: Image, before: Image) -> None:
        """Do nothing: an engine to which nothing carries over needs no motion."""

    def paint_span(self, frames: Sequence[Frame], on_step: OnStep) -> list[tuple[Picture, float]]:
        """Paint the next frames, each by itself."""
        return [self.paint(frame, on_step) for frame in frames]

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        """Paint the next frame; return the painting (H, W, 3) and its loss."""
        raise NotImplementedError

    def reset(self) -> None:
        """Begin a shot. Here, nothing carries over from frame to frame anyway."""

    def anchor(self, frame: Frame, painted: Image) -> None:
        """Take this frame and its painting as the neighbor of the next one to be repainted. Here,
        a frame does not depend on its neighbor."""

    def repaint(
        self,
        frame: Frame,
        painted: Image,
        share: float,
        on_step: OnStep = lambda step: None,
    ) -> tuple[Image, float]:
        """Return ``painted``: a frame does not depend on its neighbor here."""
        return painted, 0.0

    def state(self) -> State:
        """Return nothing: the next frame depends on nothing here."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing: the next frame depends on nothing here."""

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        """Whether ``frame`` would be painted exactly as the one ``before``."""
        if frame.painting is not None or self.style_weights(frame) != self.style_weights(before):
            return False
        return all(
            np.array_equal(one, other)
            for one, other in zip(
                (frame.rgb, *frame.masks), (before.rgb, *before.masks), strict=True
            )
        )

    def style_weights(self, frame: Frame) -> Weights:
        """Return the weights of the styles in a frame, outside all masks."""
        return self.schedule.at(float(frame.time) + self.settings.start)

    def take_colors(self, source: Image) -> None:
        """Give the styles the colors of ``source`` (H, W, 3), if the settings ask for it."""
        by = self.settings.keep_colors
        if by == "histogram" or by == "covariance":
            self.pictures = tuple(matched(image, source, by) for image in self.schedule.pictures)
            self._style_grams.clear()

    def blends(
        self,
        frame: Frame,
        size: tuple[int, int],
        place: tuple[slice, slice] | None = None,
        base: Weights | None = None,
    ) -> list[tuple[Weights, Field | None]]:
        """Return the blends of styles in a frame, and where each belongs.

        The order is the same in every place. What is not to be painted is painted like its
        surroundings, so that soft edges join.

        Args:
            frame: with its masks.
            size: width and height that the frame is painted at.
            place: rows and columns of the frame. None means all of it.
            base: the blend outside all masks. None means that of the frame's time.

        Returns:
            The weights of each blend, and its share of each pixel (H, W), or None for all.
        """
        base = base or self.style_weights(frame)
        if all(region is None for region in self.schedule.regions):
            return [(base, None)]
        layers = [mask[place] if place else resized(mask, size) for mask in frame.masks]
        around, *inside = shares(layers)
        found: list[tuple[Weights, Field | None]] = []
        for region, share in zip(self.schedule.regions, inside, strict=True):
            if region is None:
                around = around + share
            else:
                only = tuple(float(number == region) for number in range(len(self.pictures)))
                found.append((only, share))
        return [(base, around), *found]

    def regions(
        self,
        frame: Frame,
        size: tuple[int, int],
        place: tuple[slice, slice] | None = None,
        base: Weights | None = None,
    ) -> list[Region]:
        """Return the same as ``blends``, with the Gram matrices of the blends."""
        if not self.style_layers or not self.pictures:
            return []
        styles = self.styles(self.size if place else size)
        return [
            Region(losses.blend(styles, weights), share)
            for weights, share in self.blends(frame, size, place, base)
        ]

    def styles(self, size: tuple[int, int]) -> list[Grams]:
        """Return each style's Gram matrices, for frames of this size (width, height)."""
        if size not in self._style_grams:
            looks = [self.look(image, size) for image in self.pictures]
            self._style_grams[size] = [self.grams(look, self.style_share(look)) for look in looks]
        return self._style_grams[size]

    def look(self, picture: Image, size: tuple[int, int]) -> Image:
        """Scale a style ``picture`` (H, W, 3) for frames of this size (width, height), so that its
        strokes are as broad as wanted."""
        scale, brush = self.settings.style_scale, self.settings.brush
        if brush is not None:
            scale = scale_for(brush, picture, self.size)
        return at_scale(picture, size, self.size, scale)

    def style_share(self, look: Image) -> Field | None:
        """Return how much each pixel of a style (H, W, 3) counts (H, W), in 0..1: here, all do."""
        return None

    def grams(
        self, picture: Image, share: Field | None = None, seen: Features | None = None
    ) -> Grams:
        """Compute the Gram matrices of a picture.

        Args:
            picture: (H, W, 3).
            share: the weight of each pixel (H, W), in 0..1. None counts all alike.
            seen: the features, where they are known already.
        """
        mask = None if share is None else self.tensor(share)
        whole = self.tensor(picture)
        tile_pixels, area = self.tile_pixels, self.size[0] * self.size[1]
        if tile_pixels is None and picture.shape[0] * picture.shape[1] > max(area, LARGEST_LOOK):
            tile_pixels = max(area, LARGEST_LOOK)
        return grams(self.network, self.style_layers, whole, mask, tile_pixels, seen)

    def objective(
        self,
        content: Tensor,
        regions: Sequence[Region],
        temporal: TemporalTarget | None = None,
        focus: float = 1.0,
        seen: Features | None = None,
        emphasis: Tensor | None = None,
    ) -> Objective:
        """Return the objective of a frame, or of a part of one. See ``Objective``."""
        return Objective(
            self.network,
            self.settings,
            content,
            self.content_layers,
            self.style_layers,
            regions,
            temporal,
            focus,
            self.tile_pixels,
            seen,
            emphasis,
            self.chroma_weight(),
        )

    def chroma_weight(self) -> float:
        """Return the weight of chroma in the smoothness: the mean of that for each style."""
        if self._chroma is None or self._chroma[0] is not self.pictures:
            most = losses.formula(self.settings.loss).most_chroma
            looks = [self.look(image, self.size) for image in self.pictures]
            weights = [losses.chroma_weight(self.tensor(look), most) for look in looks]
            self._chroma = self.pictures, fmean(weights) if weights else 1.0
        return self._chroma[1]

    def emphasis(
        self, frame: Frame, size: tuple[int, int], place: tuple[slice, slice] | None = None
    ) -> Tensor | None:
        """Return how much more the content of a frame's faces counts.

        Args:
            frame: with its faces.
            size: width and height that the frame is painted at.
            place: rows and columns of the frame. None means all of it.

        Returns:
            A factor at each pixel (1, 1, h, w), from 1 on. None where there are no faces.
        """
        width, height = self.size
        found = importance(frame.faces, height, width)
        if self.settings.faces == "off" or found is None:
            return None
        part = found[place] if place else cv2.resize(found, size, interpolation=cv2.INTER_AREA)
        return 1 + (EMPHASIS[self.settings.faces] - 1) * self.tensor(np.asarray(part, np.float32))

    def weights(self) -> list[Tensor]:
        """Return the weights that the paintings depend on."""
        return [*self.network.parameters()]

    def task(self, source: Image) -> tuple[Objective, Tensor]:
        """Return the objective of a frame by itself, and a picture (1, 3, H, W) to begin with."""
        content = self.tensor(source)
        nothing = np.zeros(source.shape[:2], np.uint8)
        masks = (nothing,) * len(self.schedule.regions)
        frame = Frame(source, Fraction(0), Fraction(0), masks=masks)
        size = source.shape[1], source.shape[0]
        return self.objective(content, self.regions(frame, size)), content

    def tensor(self, picture: Image | Field | NDArray[np.bool_]) -> Tensor:
        """Convert a picture (H, W, 3) or a mask (H, W) to (1, 3 or 1, H, W), in 0..1."""
        values = np.ascontiguousarray(picture, np.float32)
        if picture.dtype == np.uint8:
            values /= 255
        tensor = torch.from_numpy(np.atleast_3d(values)).permute(2, 0, 1)[None]
        return tensor.contiguous().to(self.device)

    def image(self, picture: Tensor) -> Image:
        """Convert a picture (1, 3, H, W) to (H, W, 3), rounded as it will be written, so that the
        next frame goes on from what is seen."""
        values = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
        return np.ascontiguousarray(values.cpu().numpy())
