"""Content and style terms: sums of squares over feature maps, with their gradients written out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..networks import Features, Network
from . import losses
from .tiles import Place, Tile, Window, tiles


@dataclass(frozen=True, eq=False)
class ContentTerm:
    """``factor`` · Σ d·(F − P)² over one layer."""

    layer: str
    targets: Sequence[Tensor]
    """P, the features (1, C, h, w) of the content, for each tile."""
    factor: float
    detail: Tensor
    """d, the weight of each position (1, 1, h, w)."""


@dataclass(frozen=True, eq=False)
class StyleTerm:
    """``factor`` · Σ (G − ``target``)² over one layer of one region."""

    layer: str
    target: Tensor
    """The Gram matrix (C, C) of the style."""
    factor: float
    count: float
    """The sum of the positions' weights: G is divided by it."""
    root: Tensor
    """The square root of the weight of each position in G (1, 1, h, w), in 0..1."""
    is_binary: bool
    """Whether each of these weights is 0 or 1."""
    outside: Tensor
    """The part of G (C, C) that comes from around a window. Zeros for a whole picture."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the terms see of a tile."""

    features: Features
    errors: Sequence[Tensor]
    """F − P of each content term (1, C, h, w), without the tile's margin."""
    rows: Sequence[Tensor]
    """The rows (positions, C) that each style term counts, without those of the tile's margin."""


@dataclass(frozen=True, eq=False)
class FeatureTerms:
    """All content and style terms of a picture, which goes through the network tile by tile."""

    network: Network
    tiles: Sequence[Tile]
    content: Sequence[ContentTerm]
    style: Sequence[StyleTerm]
    content_outside: Tensor
    """The content loss of what is around a window, a scalar. 0 for a whole picture."""

    @property
    def empty(self) -> float:
        """The loss of a picture without any features."""
        found = 0.0
        for one in self.content:
            found += one.factor * sum(
                float((one.detail[self._at(tile, one.layer)] * target.square()).sum())
                for tile, target in zip(self.tiles, one.targets, strict=True)
            )
        for term in self.style:
            found += term.factor * float(term.target.square().sum())
        return found

    @torch.no_grad()
    def seen(self, number: int, features: Features) -> Seen:
        """Return what the terms see of the tile of this ``number``, given its ``features``."""
        tile = self.tiles[number]
        errors = [
            self.core(features, tile, one.layer).float() - one.targets[number]
            for one in self.content
        ]
        rows = [
            losses.weighed(
                self.core(features, tile, term.layer), term.root[self._at(tile, term.layer)]
            )
            for term in self.style
        ]
        return Seen(features, errors, rows)

    @torch.no_grad()
    def values(self, seen: Iterable[Seen]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Evaluate the terms.

        Args:
            seen: what they see of each tile.

        Returns:
            The loss by the name of its term (scalars), and the error G − ``target`` of the Gram
            matrix (C, C) in each style term.
        """
        content = self.content_outside
        apart = [term.outside - term.target for term in self.style]
        for tile, part in zip(self.tiles, seen, strict=True):
            for one, error in zip(self.content, part.errors, strict=True):
                detail = one.detail[self._at(tile, one.layer)]
                content = content + one.factor * (detail * error.square()).sum()
            for gram_error, term, rows in zip(apart, self.style, part.rows, strict=True):
                gram_error.add_(losses.outer(rows), alpha=1 / term.count)
        terms = {}
        if self.content:
            terms["content"] = content
        if self.style:
            terms["style"] = torch.stack(
                [
                    term.factor * error.square().sum()
                    for error, term in zip(apart, self.style, strict=True)
                ]
            ).sum()
        return terms, apart

    @torch.no_grad()
    def feature_grads(self, number: int, seen: Seen, apart: Sequence[Tensor]) -> Features:
        """Differentiate the terms by the features of one tile.

        Args:
            number: of the tile.
            seen: what the terms see of it.
            apart: the errors of the whole picture's Gram matrices, as ``values`` returns them.
        """
        tile, features = self.tiles[number], seen.features
        grads: Features = {}

        def add(layer: str, grad: Tensor) -> None:
            if grad.shape != features[layer].shape:
                core, grad = grad, torch.zeros_like(features[layer])
                grad[tile.core(self.network.strides[layer])] = core
            grads[layer] = grads[layer] + grad if layer in grads else grad

        for one, error in zip(self.content, seen.errors, strict=True):
            grad = 2 * one.factor * one.detail[self._at(tile, one.layer)] * error
            add(one.layer, grad.to(features[one.layer].dtype))
        for gram_error, term, rows in zip(apart, self.style, seen.rows, strict=True):
            root = term.root[self._at(tile, term.layer)]
            grad = 2 * term.factor / term.count * gram_error
            add(term.layer, losses.outer_grad(rows, grad, root, term.is_binary))
        return grads

    def in_window(self, part: Window, features: Features) -> FeatureTerms:
        """Return the terms of a window, while everything around it stays as it is.

        Args:
            part: the window, on the grid of the coarsest layer. The picture must be one tile.
            features: those of the whole picture as it is now.
        """
        places = {
            layer: Tile(part, self.tiles[0].window).at(self.network.strides[layer])
            for layer in features
        }
        around = replace(
            self,
            content=[
                replace(term, detail=_without(term.detail, places[term.layer]))
                for term in self.content
            ],
            style=[
                replace(term, root=_without(term.root, places[term.layer])) for term in self.style
            ],
        )
        terms, apart = around.values([around.seen(0, features)])
        return replace(
            self,
            tiles=tiles((part.bottom - part.top, part.right - part.left), None, None),
            content=[
                replace(
                    term,
                    targets=[term.targets[0][places[term.layer]]],
                    detail=term.detail[places[term.layer]],
                )
                for term in self.content
            ],
            style=[
                replace(term, root=term.root[places[term.layer]], outside=error + term.target)
                for term, error in zip(self.style, apart, strict=True)
            ],
            content_outside=terms.get("content", self.content_outside),
        )

    def core(self, features: Features, tile: Tile, layer: str) -> Tensor:
        """Return a tile's features (1, C, h, w) without those of its margin."""
        return features[layer][tile.core(self.network.strides[layer])]

    def _at(self, tile: Tile, layer: str) -> Place:
        return tile.at(self.network.strides[layer])


def _without(mask: Tensor, place: Place) -> Tensor:
    """Return ``mask`` (1, 1, h, w) with zeros at ``place``."""
    rest = mask.clone()
    rest[place] = 0
    return rest
