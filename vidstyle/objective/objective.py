"""The objective of a frame: content, style, smoothness and agreement with the frame before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..core.images import Field
from ..networks import Features, Network, Surroundings, Vjp
from ..settings import Settings
from . import losses
from .tiles import GRID, Place, Tile, Window, tiles

Grams = Mapping[str, Tensor]
"""The Gram matrix (C, C) of each layer."""

PRESENT = 0.005
"""The share of a picture that a region covers at least to have a style of its own there."""
EMPTY = 9.0
"""The loss of a picture without any features, by the relative formula and the default weights."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a picture and its style."""

    style: Grams
    share: Field | None = None
    """How much of each pixel (H, W) belongs to it; None: all."""

    @property
    def is_present(self) -> bool:
        """Whether there is enough of it to have a style."""
        return self.share is None or bool(self.share.mean() > PRESENT)


@dataclass(frozen=True, eq=False)
class TemporalTarget:
    """What a picture is to stay with."""

    warped: Tensor
    """The paintings before, along the motion (1, 3, H, W), in 0..1."""
    confidence: Tensor
    """How far to stay with it (1, 1, H, W), from 0 on."""


@dataclass(frozen=True, eq=False)
class StyleTerm:
    """``factor`` · Σ(G − ``target``)² of one layer of one region."""

    layer: str
    target: Tensor
    factor: float
    count: float
    """Of the positions."""
    mask: Tensor
    """How far each position counts (1, 1, h, w)."""


class Objective:
    """The loss of a picture that is to keep its ``content`` (1, 3, H, W), and its gradient.

    A picture of more than ``tile_pixels`` goes through the network in tiles, each with as much
    around it as its features depend on. A Gram matrix is a sum over positions: it is added up
    over all tiles before any of them is led back. So the loss is that of the whole picture, at
    the price of going through the network once more.

    Args:
        network: whose features are compared.
        settings: the weights of the terms and their formula.
        content: the source.
        content_layers, style_layers: each with its weight.
        regions: what styles are wanted, and where.
        temporal: what to stay with; None: nothing.
        focus: how many times the content counts.
        tile_pixels: pixels to work on at once; None: all.
        seen: the content's features, if they are known; of the style's layers only the size counts.
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
    ) -> None:
        self.network, self.settings, self.temporal = network, settings, temporal
        self.terms: dict[str, float] = {}
        """What the last loss was the sum of."""
        self.tiles = tiles(content.shape[2:], tile_pixels, network.receptive_radius)
        formula = losses.FORMULAS[settings.loss]
        # Features grow with the range of the input that their weights were trained on.
        grown = 1.0 if formula.range is None else formula.range / float(network.scale.mean())
        self.targets: list[Features] = []
        """The content's features, by tile."""
        sizes: dict[str, tuple[int, int]] = {}
        known = self._features(content) if seen is None else [seen]
        for tile, features in zip(self.tiles, known, strict=True):
            cores = {name: self._core(features, tile, name) for name in features}
            self.targets.append({name: cores[name].float() for name in content_layers})
            for name, core in cores.items():
                rows, columns = tile.at(network.strides[name])[2:]
                sizes[name] = rows.start + core.shape[2], columns.start + core.shape[3]
        detail = losses.detail(content, settings.plain_content)
        self.details = {name: losses.pooled(detail, sizes[name]) for name in content_layers}
        """How far each position's content counts (1, 1, h, w)."""
        self.content: dict[str, float] = {}
        """The factor of each layer's Σ(F − P)², each position counted by its detail."""
        self.empty = 0.0
        """The loss of a picture without features."""
        for name in content_layers:
            targets = [target[name] for target in self.targets]
            energy = sum(float(target.square().sum()) for target in targets)
            share = formula.share(name, content_layers) * focus * settings.content_weight
            factor = formula.content(energy, sum(target.numel() for target in targets))
            self.content[name] = share * factor * grown**2
            self.empty += self.content[name] * sum(
                float((self._detail(name, tile) * target.square()).sum())
                for tile, target in zip(self.tiles, targets, strict=True)
            )
        self.style: list[StyleTerm] = []
        for region in regions:
            if not region.is_present:
                continue
            part, counted = 1.0, losses.inner(content.shape[2:]).to(content)
            if region.share is not None:
                part = float(region.share.mean())
                counted *= torch.from_numpy(region.share).to(content)
            for name in style_layers:
                height, width = sizes[name]
                mask = losses.pooled(counted, sizes[name])
                count = max(float(mask.sum()), 1e-6)
                share = formula.share(name, style_layers) * part * settings.style_weight
                target = region.style[name]
                factor = share * formula.style(target, part * height * width) * grown**4
                self.style.append(StyleTerm(name, target, factor, count, mask))
                self.empty += factor * float(target.square().sum())
        self.around: Surroundings | None = None
        """What lies around the picture, if it is a part of another one."""
        self.outside: tuple[Tensor, Window] | None = None
        """That other one, and which part of it."""
        self.kept_content = torch.zeros((), device=content.device)
        """The content term of what is outside."""
        self.kept_grams = [torch.zeros_like(term.target) for term in self.style]
        """Its share of each style term's Gram matrix."""
        # The measure of the terms that have none of their own.
        self.unit = 1.0 if formula.range is None else self.empty / EMPTY

    @torch.no_grad()
    def within(self, picture: Tensor, part: Window) -> Objective | None:
        """The objective of a ``part`` of a ``picture`` (1, 3, H, W), while all else in it stays.

        What stays goes through the network once. It counts for the Gram matrices as before, and
        each convolution of the part sees what lies around it there. It is to be called, and has no
        ``value`` of its own. None: this can't be had of the network, of so small a picture, or
        because it is painted in tiles.
        """
        height, width = picture.shape[2:]
        if len(self.tiles) > 1 or part == self.tiles[0].counts:
            return None
        if not has_windows(self.network, (width, height)):
            return None
        features, around = self.network.surroundings(picture, *part.place)
        inner = copy(self)
        inner.tiles = tiles((part.bottom - part.top, part.right - part.left), None, None)
        inner.around, inner.outside = around, (picture, part)
        places = {
            name: Tile(part, self.tiles[0].window).at(self.network.strides[name])
            for name in features
        }
        inner.targets = [{name: self.targets[0][name][places[name]] for name in self.content}]
        inner.details = {name: self.details[name][places[name]] for name in self.content}
        inner.style = [replace(term, mask=term.mask[places[term.layer]]) for term in self.style]
        rest = copy(self)
        rest.details = {name: _without(self.details[name], places[name]) for name in self.content}
        rest.style = [
            replace(term, mask=_without(term.mask, places[term.layer])) for term in self.style
        ]
        terms, inner.kept_grams = rest._on_features([features])
        inner.kept_content = terms.get("content", inner.kept_content)
        return inner

    def value(self, picture: Tensor, seen: Features | None = None) -> float:
        """The loss of ``picture`` (1, 3, H, W), whose features may have been ``seen`` before."""
        with torch.no_grad():
            terms, _ = self._on_features(self._features(picture) if seen is None else [seen])
            terms |= self._on_pixels(picture)
        return torch.stack([*terms.values()]).sum().item()

    def __call__(self, picture: Tensor) -> tuple[float, Tensor]:
        """The loss of ``picture`` (1, 3, H, W), and its gradient."""
        picture = picture.detach().requires_grad_()
        gradient = torch.zeros_like(picture)
        pixels = self._on_pixels(picture)
        if pixels:
            (gradient,) = torch.autograd.grad(torch.stack([*pixels.values()]).sum(), picture)
        picture = picture.detach()
        traces: Iterable[tuple[Features, Vjp]] = (
            self.network.forward_vjp(picture[tile.shown], self.around) for tile in self.tiles
        )
        if len(self.tiles) == 1:
            traces = [*traces]
            seen, grams = self._on_features(features for features, _ in traces)
        else:
            seen, grams = self._on_features(self._features(picture))
        for tile, targets, (features, back) in zip(self.tiles, self.targets, traces, strict=True):
            gradient[tile.shown] += back(self._slopes(tile, targets, features, grams))
        terms = seen | pixels
        values = torch.stack([*terms.values()]).tolist()
        self.terms = dict(zip(terms, values, strict=True))
        return sum(values), gradient

    @torch.no_grad()
    def _features(self, picture: Tensor) -> Iterator[Features]:
        for tile in self.tiles:
            yield self.network(picture[tile.shown])

    def _core(self, features: Features, tile: Tile, layer: str) -> Tensor:
        """What of a tile's features counts."""
        return features[layer][tile.core(self.network.strides[layer])]

    def _detail(self, layer: str, tile: Tile) -> Tensor:
        return self.details[layer][tile.at(self.network.strides[layer])]

    def _mask(self, term: StyleTerm, tile: Tile) -> Tensor:
        return term.mask[tile.at(self.network.strides[term.layer])]

    @torch.no_grad()
    def _on_features(self, seen: Iterable[Features]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The terms of features, tile by tile, and the Gram matrix of each style term."""
        content = self.kept_content
        grams = [gram.clone() for gram in self.kept_grams]
        for tile, targets, features in zip(self.tiles, self.targets, seen, strict=True):
            for name, factor in self.content.items():
                error = self._core(features, tile, name).float() - targets[name]
                content = content + factor * (self._detail(name, tile) * error.square()).sum()
            for gram, term in zip(grams, self.style, strict=True):
                core, mask = self._core(features, tile, term.layer), self._mask(term, tile)
                gram += losses.outer(core, mask) / term.count
        terms = {}
        if self.content:
            terms["content"] = content
        if self.style:
            terms["style"] = torch.stack(
                [
                    term.factor * (gram - term.target).square().sum()
                    for gram, term in zip(grams, self.style, strict=True)
                ]
            ).sum()
        return terms, grams

    @torch.no_grad()
    def _slopes(
        self, tile: Tile, targets: Features, features: Features, grams: Sequence[Tensor]
    ) -> Features:
        """The gradient of a tile's features."""
        grads: Features = {}

        def add(layer: str, grad: Tensor) -> None:
            if grad.shape != features[layer].shape:
                core, grad = grad, torch.zeros_like(features[layer])
                grad[tile.core(self.network.strides[layer])] = core
            grads[layer] = grads[layer] + grad if layer in grads else grad

        for name, factor in self.content.items():
            error = self._core(features, tile, name).float() - targets[name]
            slope = 2 * factor * self._detail(name, tile) * error
            add(name, slope.to(features[name].dtype))
        for gram, term in zip(grams, self.style, strict=True):
            core, mask = self._core(features, tile, term.layer), self._mask(term, tile)
            grad = 2 * term.factor / term.count * (gram - term.target)
            add(term.layer, losses.outer_grad(core, grad, mask))
        return grads

    def _on_pixels(self, picture: Tensor) -> dict[str, Tensor]:
        """The terms that need no features."""
        if self.outside is not None:
            whole, part = self.outside
            inside, picture = picture, whole.clone()
            picture[:, :, *part.place] = inside
        terms = {}
        smooth, temporal = self.settings.tv_weight, self.settings.temporal_weight
        if smooth:
            terms["smoothness"] = self.unit * smooth * losses.total_variation(picture)
        if temporal and self.temporal is not None:
            error = losses.temporal_loss(picture, self.temporal.warped, self.temporal.confidence)
            terms["temporal"] = self.unit * temporal * error
        return terms


def has_windows(network: Network, size: tuple[int, int]) -> bool:
    """Whether the features of a window are a part of those of a whole picture of this ``size``.

    Not where the strides are not known, or larger than the grid that windows lie on; nor where the
    picture is too small to be pooled as often.
    """
    known = network.receptive_radius is not None
    return known and max(network.strides.values(), default=1) <= min(GRID, *size)


def in_window(
    network: Network, features: Features, window: Window, size: tuple[int, int]
) -> Features:
    """The part of the ``features`` of a picture of this ``size`` (width, height) in a window. Its
    edges have seen what lies around it."""
    width, height = size
    tile = Tile(window, Window(0, height, 0, width))
    return {name: values[tile.at(network.strides[name])] for name, values in features.items()}


def _without(mask: Tensor, place: Place) -> Tensor:
    """``mask`` (1, 1, h, w) without a place of it."""
    rest = mask.clone()
    rest[place] = 0
    return rest


@torch.no_grad()
def grams(
    network: Network,
    layers: Iterable[str],
    picture: Tensor,
    share: Tensor | None = None,
    tile_pixels: int | None = None,
    seen: Features | None = None,
) -> dict[str, Tensor]:
    """The Gram matrices of a ``picture`` (1, 3, H, W), or of its ``share`` (1, 1, H, W). Its
    features may have been ``seen`` before, without tiles."""
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
            sums[name] = sums.get(name, 0) + losses.outer(core, mask)
            counts[name] += float(mask.sum())
    return {name: total / max(counts[name], 1e-6) for name, total in sums.items()}
