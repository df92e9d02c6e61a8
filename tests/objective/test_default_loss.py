"""The loss of the default settings, written out by hand from the features of the network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidstyle import Settings, networks
from vidstyle.objective.objective import Objective, Region, TemporalTarget, grams
from vidstyle.objective.tiles import Window
from vidstyle.settings import weighted

Values = NDArray[np.float64]

HIGH, WIDE = 96, 128
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT = "relu4_2"
FOCUS = 1.7


@pytest.fixture(scope="module")
def network() -> networks.Network:
    return networks.load("vgg19", "bundled", (*STYLE, CONTENT), device=torch.device("cpu"))


def features(network: networks.Network, picture: Tensor) -> dict[str, Values]:
    """By layer (C, h, w)."""
    return {name: values[0].double().numpy() for name, values in network(picture).items()}


def blocks(values: Values, shape: tuple[int, ...]) -> Values:
    """The mean of each block of ``values`` (H, W), of which there are ``shape`` (h, w)."""
    high, wide = shape[-2:]
    return values.reshape(high, HIGH // high, wide, WIDE // wide).mean((1, 3))


def detail(picture: Values) -> Values:
    """How far the content of each pixel of a ``picture`` (3, H, W) counts: the deviation of its
    brightness within 9x9 pixels, over a tenth of what its mean is above -0.1; 0.4 to 1."""
    padded = np.pad(picture.mean(0), 4, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (9, 9))
    contrast = around.std((2, 3)) / (around.mean((2, 3)) + 0.1)
    return np.clip(contrast / 0.1, 0.4, 1)


def by_hand(
    network: networks.Network,
    picture: Tensor,
    content: Tensor,
    regions: list[tuple[dict[str, Tensor], Values]],
    kept: Tensor,
    trust: Tensor,
    focus: float,
) -> float:
    now, was = features(network, picture), features(network, content)
    counts = blocks(detail(content[0].double().numpy()), now[CONTENT].shape)
    error = np.square(now[CONTENT] - was[CONTENT]).sum(0)
    loss = 2.5 * focus * (counts * error).sum() / np.square(was[CONTENT]).sum()
    for style, share in regions:
        inside = share.copy()
        inside[:4] = inside[-4:] = inside[:, :4] = inside[:, -4:] = 0  # the rim
        for name in STYLE:
            mask = blocks(inside, now[name].shape)
            gram = np.einsum("chw,dhw,hw->cd", now[name], now[name], mask) / mask.sum()
            target = style[name].double().numpy()
            apart = np.square(gram - target).sum() / np.square(target).sum()
            loss += 8.0 * share.mean() * apart / len(STYLE)
    x = picture[0].double().numpy()
    gray = np.broadcast_to(x.mean(0), x.shape)
    for part, weight in ((gray, 1.0), (x - gray, CHROMA)):  # brightness, chroma
        down, across = np.diff(part, axis=1), np.diff(part, axis=2)
        loss += 2.0 * weight * (np.square(down).sum() + np.square(across).sum()) / x.size
    moved = trust[0].double().numpy() * np.square(x - kept[0].double().numpy())
    return float(loss + 20.0 * moved.sum() / x.size)


CHROMA = 9.0
"""The weight of chroma, which depends on the style."""


def objective(
    network: networks.Network,
    content: Tensor,
    regions: list[Region],
    temporal: TemporalTarget | None = None,
    focus: float = 1.0,
) -> Objective:
    """That of the default settings."""
    settings = Settings()
    layers = weighted(settings.content_layers), weighted(settings.style_layers)
    return Objective(network, settings, content, *layers, regions, temporal, focus, chroma=CHROMA)


def test_the_default_loss_is_the_one_written_out_by_hand(network: networks.Network) -> None:
    torch.manual_seed(2)
    picture, content, kept = (torch.rand(1, 3, HIGH, WIDE) for _ in range(3))
    content[..., 60:] = 0.3 + 0.02 * content[..., 60:]  # a flat part: its content counts less
    content[..., 90:] *= 0.1  # and a dark one
    trust = torch.rand(1, 1, HIGH, WIDE)
    share = cv2.resize(np.random.default_rng(0).random((6, 8)), (WIDE, HIGH)).clip(0, 1)
    styles = [grams(network, STYLE, torch.rand(1, 3, 80, 80) ** power) for power in (1, 3)]
    regions = [(styles[0], share), (styles[1], 1 - share)]
    made = objective(
        network,
        content,
        [Region(style, part.astype(np.float32)) for style, part in regions],
        TemporalTarget(kept, trust),
        FOCUS,
    )
    wanted = by_hand(network, picture, content, regions, kept, trust, FOCUS)
    terms, _ = made(picture)
    assert float(terms.sum()) == pytest.approx(wanted, rel=1e-4)
    assert made.value(picture) == pytest.approx(wanted, rel=1e-4)
    assert len(terms) == 4 and terms.min() > 0.01 * wanted, terms
    for window in (Window(16, 64, 32, 96), Window(48, HIGH, 0, 48)):
        inner = made.window(picture, window)
        assert inner is not None
        terms, _ = inner(picture[(..., *window.place)])
        assert float(terms.sum()) == pytest.approx(wanted, rel=1e-4)


def test_a_style_that_is_everywhere_counts_as_one_with_a_share_of_1(
    network: networks.Network,
) -> None:
    torch.manual_seed(3)
    picture, content, kept = (torch.rand(1, 3, HIGH, WIDE) for _ in range(3))
    trust = torch.zeros(1, 1, HIGH, WIDE)
    style = grams(network, STYLE, torch.rand(1, 3, 80, 80))
    made = objective(network, content, [Region(style)])
    regions = [(style, np.ones((HIGH, WIDE)))]
    wanted = by_hand(network, picture, content, regions, kept, trust, 1.0)
    assert made.value(picture) == pytest.approx(wanted, rel=1e-4)
