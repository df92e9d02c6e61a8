"""The features of a shot's first frame, against which the windows of later frames are measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..networks import Features, Network
from ..objective.objective import in_window
from ..objective.tiles import Window
from ..temporal.painting import Painting


@dataclass(frozen=True, eq=False)
class FirstFeatures:
    """The features of a whole frame and of its painting, to be cut into windows.

    So the frame goes through the network once, and not again for each window.
    """

    painting: Painting
    dtype: torch.dtype
    """The type that they were computed in."""
    source: Features
    painted: Features

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        network: Network,
        painting: Painting,
        pictures: tuple[Tensor, Tensor],
        content_layers: Iterable[str],
        dtype: torch.dtype,
    ) -> FirstFeatures:
        """Compute the features of a painting.

        Args:
            network: the perceptual network.
            painting: the first frame and its painting.
            pictures: the same two as tensors (1, 3, H, W).
            content_layers: the layers that the source is asked for.
            dtype: the type that the network computes in.
        """
        source, painted = network(pictures[0]), network(pictures[1])
        # Of a source, the style's layers are never asked for more than their size.
        source = painted | {name: source[name] for name in content_layers}
        return cls(painting, dtype, source, painted)

    def in_window(
        self, network: Network, window: Window, size: tuple[int, int]
    ) -> tuple[Features, Features]:
        """Return the features of source and painting in a window of a frame of this size (width,
        height)."""
        return (
            in_window(network, self.source, window, size),
            in_window(network, self.painted, window, size),
        )
