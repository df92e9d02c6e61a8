"""The objective of a frame: content, style, smoothness and agreement with the frame before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.images import Field
from ..networks import Features, Network, Surroundings, Vjp
from ..settings import Settings
from . import losses
from .terms import ContentTerm, FeatureTerms, Seen, StyleTerm
from .tiles import GRID, Tile, Window, tiles

Grams = Mapping[str, Tensor]
"""The Gram matrix (C, C) of each layer."""

PRESENT = 0.005
"""A region smaller than this share of a picture has no style of its own there."""
EMPTY = 9.0
"""The loss of a picture without any features, by the relative formula and the default weights."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a picture and its style."""

    style: Grams
    share: Field | None = None
    """How much of each pixel (H, W) belongs to the region, in 0..1. None means all of it."""

    @property
    def is_present(self) -> bool:
        """Whether the region is large enough to have a style."""
        return self.share is None or bool(self.share.mean() > PRESENT)


@dataclass(frozen=True, eq=False)
class TemporalTarget:
    """The picture that the temporal loss compares with."""

    warped: Tensor
    """Earlier paintings, warped along the motion (1, 3, H, W), in 0..1."""
    confidence: Tensor
    """The weight of each pixel (1, 1, H, W), from 0 on."""


class Loss:
    """A function of a picture, with its gradient: feature terms and pixel terms.

    A picture in tiles goes through the network one tile at a time, each with the margin that its
    features depend on. A Gram matrix is a sum over positions, so it is complete only after all
    tiles, and each tile goes through the network once more for its gradient. Loss and gradient
    are those of the whole picture.
    """

    def __init__(self, features: FeatureTerms, surroundings: Surroundings | None = None) -> None:
        self.features, self.surroundings = features, surroundings
        self.network, self.tiles = features.network, features.tiles
        self.names: Sequence[str] = ()
        """The terms of the last loss, in order: content, style, smoothness, temporal."""

    def __call__(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return the terms of the loss of a picture, and the gradient of their sum.

        Everything stays on the device, which is not waited for.

        Args:
            picture: (1, 3, H, W), in 0..1.

        Returns:
            The terms (N,), in the order of ``names``, and the gradient (1, 3, H, W).
        """
        picture = picture.detach().requires_grad_()
        gradient = torch.zeros_like(picture)
        pixels = self._on_pixels(picture)
        if pixels:
            (gradient,) = torch.autograd.grad(torch.stack([*pixels.values()]).sum(), picture)
        picture = picture.detach()
        traces: Iterable[tuple[Seen, Vjp]] = (
            self._traced(number, picture) for number in range(len(self.tiles))
        )
        if len(self.tiles) == 1:
            traces = [*traces]
            values, apart = self.features.values(seen for seen, _ in traces)
        else:
            values, apart = self.features.values(self._seen(self._features(picture)))
        for number, (seen, vjp) in enumerate(traces):
            grads = self.features.feature_grads(number, seen, apart)
            gradient[self.tiles[number].shown] += vjp(grads)
        terms = values | pixels
        self.names = (*terms,)
        return torch.stack([*terms.values()]).detach(), gradient

    def _traced(self, number: int, picture: Tensor) -> tuple[Seen, Vjp]:
        part = picture[self.tiles[number].shown]
        features, vjp = self.network.forward_vjp(part, self.surroundings)
        return self.features.seen(number, features), vjp

    def _seen(self, tiles: Iterable[Features]) -> Iterator[Seen]:
        """Yield what the terms see of all tiles, given the features of each."""
        for number, features in enumerate(tiles):
            yield self.features.seen(number, features)

    def _on_pixels(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the terms that depend on pixels alone, as scalars by name."""
        raise NotImplementedError

    @torch.no_grad()
    def _features(self, picture: Tensor) -> Iterator[Features]:
        for tile in self.tiles:
            yield self.network(picture[tile.shown])


class Objective(Loss):
    """The loss of a picture that is to keep its ``content`` and take on a style.

    Args:
        network: the perceptual network.
        settings: the weights of the terms, and the formula that scales them.
        content: the source (1, 3, H, W), in 0..1.
        content_layers, style_layers: the weight of each layer.
        regions: the styles, and where each belongs.
        temporal: earlier paintings to agree with. None means no temporal term.
        focus: a factor for the content term.
        tile_pixels: pixels that may go through the network at once. None means all.
        seen: the content's features, where they are known already. Of the style layers only the
            size is used.
        emphasis: a factor for the content term at each pixel (1, 1, H, W). None means 1.
        chroma: the weight of chroma in the smoothness (``losses.chroma_weight``).
    """

    def __init__(
        self,
        network: Network,
        settings: Settings,
        content: Tensor,
        content_layers: Mapping[str, float],
        style_layers: Mapping[str, float],
        regions: Sequence[Region],
        temporal: TemporalTarget | None = None,
        focus: float = 1.0,
        tile_pixels: int | None = None,
        seen: Features | None = None,
        emphasis: Tensor | None = None,
        chroma: float = 1.0,
    ) -> None:
        self.settings, self.temporal, self.chroma = settings, temporal, chroma
        self.network = network
        self.tiles = tiles(content.shape[2:], tile_pixels, network.receptive_radius)
        formula = losses.formula(settings.loss)
        known = self._features(content) if seen is None else [seen]
        targets, sizes = self._targets(known, content_layers)
        detail = losses.detail(content, settings.plain_content)
        if emphasis is not None:
            detail *= emphasis
        features = FeatureTerms(
            network,
            self.tiles,
            self._content_terms(detail, targets, sizes, content_layers, focus, formula),
            self._style_terms(content, sizes, style_layers, regions, formula),
            torch.zeros((), device=content.device),
        )
        super().__init__(features)
        self.unit = 1.0 if formula.range is None else features.empty / EMPTY
        """The scale of the terms that do not depend on features."""

    def window(self, picture: Tensor, part: Window) -> WindowObjective | None:
        """Return the objective of a part of ``picture`` (1, 3, H, W), while the rest stays.

        None means that it is not available: the picture is painted in tiles, the part is all of
        it, or the network or the picture's size does not allow it (``has_windows``).
        """
        height, width = picture.shape[2:]
        if len(self.tiles) > 1 or part == self.tiles[0].counts:
            return None
        if not has_windows(self.network, (width, height)):
            return None
        return WindowObjective(self, picture, part)

    def value(self, picture: Tensor, seen: Features | None = None) -> float:
        """Return the loss of ``picture`` (1, 3, H, W), whose features may be known already."""
        with torch.no_grad():
            tiles = self._features(picture) if seen is None else [seen]
            terms, _ = self.features.values(self._seen(tiles))
            terms |= self._on_pixels(picture)
        return torch.stack([*terms.values()]).sum().item()

    def _targets(
        self, seen: Iterable[Features], layers: Iterable[str]
    ) -> tuple[list[Features], dict[str, tuple[int, int]]]:
        """Return each tile's features of ``layers`` without its margin, and the size (h, w) of
        every layer."""
        targets: list[Features] = []
        sizes: dict[str, tuple[int, int]] = {}
        for tile, features in zip(self.tiles, seen, strict=True):
            cores = {
                name: values[tile.core(self.network.strides[name])]
                for name, values in features.items()
            }
            targets.append({name: cores[name].float() for name in layers})
            for name, core in cores.items():
                rows, columns = tile.at(self.network.strides[name])[2:]
                sizes[name] = rows.start + core.shape[2], columns.start + core.shape[3]
        return targets, sizes

    def _content_terms(
        self,
        detail: Tensor,
        targets: Sequence[Features],
        sizes: Mapping[str, tuple[int, int]],
        layers: Mapping[str, float],
        focus: float,
        formula: losses.LossScaling,
    ) -> list[ContentTerm]:
        found = []
        for name in layers:
            wanted = [target[name] for target in targets]
            energy = sum(float(target.square().sum()) for target in wanted)
            share = formula.share(name, layers) * focus * self.settings.content_weight
            factor = formula.content(energy, sum(target.numel() for target in wanted))
            factor = share * factor * self._growth(formula) ** 2
            found.append(ContentTerm(name, wanted, factor, losses.pooled(detail, sizes[name])))
        return found

    def _style_terms(
        self,
        content: Tensor,
        sizes: Mapping[str, tuple[int, int]],
        layers: Mapping[str, float],
        regions: Sequence[Region],
        formula: losses.LossScaling,
    ) -> list[StyleTerm]:
        found = []
        for region in (region for region in regions if region.is_present):
            part, counted = 1.0, losses.inner(content.shape[2:]).to(content)
            if region.share is not None:
                part = float(region.share.mean())
                counted *= torch.from_numpy(region.share).to(content)
            for name in layers:
                height, width = sizes[name]
                mask = losses.pooled(counted, sizes[name])
                count = max(float(mask.sum()), 1e-6)
                target = region.style[name]
                share = formula.share(name, layers) * part * self.settings.style_weight
                factor = share * formula.style(target, part * height * width)
                factor *= self._growth(formula) ** 4
                outside = torch.zeros_like(target)
                is_binary = bool(((mask == 0) | (mask == 1)).all())
                found.append(
                    StyleTerm(name, target, factor, count, mask.sqrt(), is_binary, outside)
                )
        return found

    def _growth(self, formula: losses.LossScaling) -> float:
        """Features grow with the range of the input that a network was trained on."""
        return 1.0 if formula.range is None else formula.range / float(self.network.scale.mean())

    def _on_pixels(self, picture: Tensor) -> dict[str, Tensor]:
        terms = {}
        smooth, temporal = self.settings.tv_weight, self.settings.temporal_weight
        if smooth:
            error = losses.smoothness(picture, self.chroma)
            terms["smoothness"] = self.unit * smooth * error
        if temporal and self.temporal is not None:
            error = losses.temporal_loss(picture, self.temporal.warped, self.temporal.confidence)
            terms["temporal"] = self.unit * temporal * error
        return terms


class WindowObjective(Loss):
    """The loss of a whole picture as a function of one window of it.

    What is around the window goes through the network once. It counts for the Gram matrices as
    before, and each convolution of the window sees it at the edges.

    Args:
        whole: the objective of the whole picture.
        picture: that picture (1, 3, H, W).
        part: the window, on the grid of the coarsest layer.
    """

    @torch.no_grad()
    def __init__(self, whole: Objective, picture: Tensor, part: Window) -> None:
        features, surroundings = whole.network.surroundings(picture, *part.place)
        super().__init__(whole.features.in_window(part, features), surroundings)
        self.whole, self.picture, self.part = whole, picture, part

    def _on_pixels(self, picture: Tensor) -> dict[str, Tensor]:
        whole = self.picture.clone()
        whole[:, :, *self.part.place] = picture
        return self.whole._on_pixels(whole)


def has_windows(network: Network, size: tuple[int, int]) -> bool:
    """Whether the features of a window can be cut out of those of a whole picture.

    They cannot where the network's strides are unknown or larger than the grid of windows, or where
    the picture is too small to be pooled that often.

    Args:
        network: the perceptual network.
        size: width and height of the whole picture.
    """
    known = network.receptive_radius is not None
    return known and max(network.strides.values(), default=1) <= min(GRID, *size)


def in_window(
    network: Network, features: Features, window: Window, size: tuple[int, int]
) -> Features:
    """Cut the features of a window out of those of a whole picture.

    Those at its edges depend on what is around the window.

    Args:
        network: the perceptual network.
        features: of the whole picture.
        window: on the grid of the coarsest layer.
        size: width and height of the whole picture.
    """
    width, height = size
    tile = Tile(window, Window(0, height, 0, width))
    return {name: values[tile.at(network.strides[name])] for name, values in features.items()}


@torch.no_grad()
def grams(
    network: Network,
    layers: Iterable[str],
    picture: Tensor,
    share: Tensor | None = None,
    tile_pixels: int | None = None,
    seen: Features | None = None,
) -> dict[str, Tensor]:
    """Compute the Gram matrices of a picture.

    Args:
        network: the perceptual network.
        layers: the layers that are wanted.
        picture: (1, 3, H, W), in 0..1.
        share: the weight of each pixel (1, 1, H, W), in 0..1. None counts all alike.
        tile_pixels: pixels that may go through the network at once. None means all.
        seen: the features, where they are known already (without tiles).

    Returns:
        The Gram matrix (C, C) of each layer.
    """
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(layers, 0.0)
    parts = tiles(picture.shape[2:], tile_pixels, network.receptive_radius)
    whole = losses.inner(picture.shape[2:]).to(picture)
    if share is not None:
        whole = whole * share
    for tile in parts:
        features = network(picture[tile.shown]) if seen is None else seen
        for name in counts:
            stride = network.strides[name]
            core = features[name][tile.core(stride)]
            size = core.shape[2:] if len(parts) == 1 else [n // stride for n in whole.shape[2:]]
            mask = losses.pooled(whole, size)[tile.at(stride)]
            sums[name] = sums.get(name, 0) + losses.outer(losses.weighed(core, mask.sqrt()))
            counts[name] += float(mask.sum())
    return {name: total / max(counts[name], 1e-6) for name, total in sums.items()}
