"""The gradient that is written by hand, and pictures that go through the network in tiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from vidstyle import Settings, networks
from vidstyle.networks import Network
from vidstyle.objective import losses
from vidstyle.objective.objective import (
    Objective,
    Region,
    TemporalTarget,
    grams,
    has_windows,
    in_window,
)
from vidstyle.objective.tiles import Window, tiles

CPU = torch.device("cpu")
STYLE = {f"relu{block}_1": 1.0 for block in range(1, 6)}
CONTENT = {"relu4_2": 1.0}
HIGH, WIDE = 203, 250  # no multiple of the deepest layer's stride


def objective(
    network: Network,
    most: int | None = None,
    style_layers: Mapping[str, float] = STYLE,
    content_layers: Mapping[str, float] = CONTENT,
) -> Objective:
    torch.manual_seed(1)
    styles = [grams(network, style_layers, torch.rand(1, 3, 64, 80) ** power) for power in (1, 2)]
    share = np.zeros((HIGH, WIDE), np.float32)
    share[:, 100:] = 1
    regions = [Region(styles[0], share), Region(styles[1], 1 - share), Region(styles[0])]
    content, kept = torch.rand(1, 3, HIGH, WIDE), torch.rand(1, 3, HIGH, WIDE)
    return Objective(
        network,
        Settings(),
        content,
        content_layers,
        style_layers,
        regions,
        TemporalTarget(kept, torch.ones(1, 1, HIGH, WIDE)),
        tile_pixels=most,
    )


@pytest.fixture(scope="module")
def network() -> Network:
    return networks.load("vgg19", "bundled", (*STYLE, *CONTENT), device=CPU)


def far(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize(("deepest", "side", "count"), [("relu5_1", 200, 4), ("relu3_1", 96, 16)])
def test_the_loss_in_tiles_is_that_of_the_whole(
    deepest: str, side: int, count: int, network: Network
) -> None:
    style = {name: weight for name, weight in STYLE.items() if name <= deepest}
    if deepest != "relu5_1":
        network = networks.load("vgg19", "bundled", style, device=CPU)
    content = CONTENT if deepest == "relu5_1" else {deepest: 1.0}
    whole, parts = (objective(network, most, style, content) for most in (None, side * side))
    picture = torch.rand(1, 3, HIGH, WIDE)
    terms, gradient = whole(picture)
    again, from_tiles = parts(picture)
    assert len(parts.tiles) == count
    assert torch.allclose(again, terms, rtol=1e-5)
    assert far(from_tiles, gradient) < 1e-4
    assert parts.value(picture) == pytest.approx(float(terms.sum()), rel=1e-5)
    assert parts.names == whole.names == ("content", "style", "smoothness", "temporal")


@pytest.mark.parametrize(
    "part", [Window(64, 112, 48, 96), Window(160, HIGH, 208, WIDE), Window(0, HIGH, 0, 64)]
)
def test_the_loss_of_a_part_is_that_of_the_whole(network: Network, part: Window) -> None:
    whole, picture = objective(network), torch.rand(1, 3, HIGH, WIDE)
    inner = whole.window(picture, part)
    assert inner is not None
    here = (..., *part.place)
    terms, gradient = inner(picture[here])
    assert float(terms.sum()) == pytest.approx(whole.value(picture), rel=1e-5)
    assert gradient.shape == picture[here].shape
    # By its definition, along the steepest way.
    step = 0.002 * gradient / gradient.abs().max()
    (up, _), (down, _) = inner(picture[here] + step), inner(picture[here] - step)
    slope = float((up - down).sum()) / 2
    assert slope == pytest.approx(float((gradient * step).sum()), rel=0.01)


def test_a_part_is_not_to_be_had_of_tiles_of_all_or_of_a_strip(network: Network) -> None:
    picture = torch.rand(1, 3, HIGH, WIDE)
    strip = Objective(network, Settings(), picture[..., :12], CONTENT, STYLE, [])
    assert strip.window(picture[..., :12], Window(0, 16, 0, 12)) is None
    assert objective(network).window(picture, Window(0, HIGH, 0, WIDE)) is None
    assert objective(network, 190 * 190).window(picture, Window(0, 16, 0, 16)) is None


@pytest.mark.parametrize(
    "window", [Window(64, 144, 48, 160), Window(96, HIGH, 112, WIDE), Window(0, HIGH, 0, WIDE)]
)
def test_features_in_a_window_are_those_of_the_window_but_for_its_edges(
    network: Network, window: Window
) -> None:
    picture = torch.rand(1, 3, HIGH, WIDE)
    assert has_windows(network, (WIDE, HIGH))
    found = in_window(network, network(picture), window, (WIDE, HIGH))
    alone = network(picture[(..., *window.place)])
    for name, features in found.items():
        assert features.shape == alone[name].shape
        edge = 12 // network.strides[name] if name < "relu4" else 0
        inside = (..., slice(edge, -edge or None), slice(edge, -edge or None))
        if edge or window.area == HIGH * WIDE:
            assert far(features[inside], alone[name][inside]) < 1e-4
    whole = objective(network)
    once = network(picture)
    assert whole.value(picture, once) == whole.value(picture)
    plain, known = grams(network, STYLE, picture), grams(network, STYLE, picture, seen=once)
    assert all(torch.equal(plain[name], known[name]) for name in STYLE)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("vgg19", "pool5", (250, 203)),
        ("vgg19", "relu5_1", (250, 12)),
        ("googlenet", "conv1", (99, 99)),
    ],
)
def test_where_windows_have_no_features_of_their_own(
    name: str, layer: str, size: tuple[int, int]
) -> None:
    weights = "bundled" if name == "vgg19" else "random"
    loaded = networks.load(name, weights, (layer,), device=CPU)
    assert not has_windows(loaded, size)
    width, height = size
    picture = torch.rand(1, 3, height, width)
    whole = Objective(loaded, Settings(), picture, {layer: 1.0}, {}, [])
    assert whole.window(picture, Window(0, height, 48, 96)) is None


def test_content_counts_less_where_the_picture_is_flat(network: Network) -> None:
    """A flat half beside a busy one, brighter or darker: what matters is its own contrast."""
    torch.manual_seed(1)
    for level in (0.15, 0.6):
        picture = torch.full((1, 3, 64, 96), level)
        picture[..., 48:] *= 1 + 0.3 * (2 * torch.rand(1, 1, 64, 48) - 1)
        detail = losses.detail(picture, 0.4)
        flat, busy = detail[..., :40], detail[..., 56:]
        assert torch.allclose(flat, torch.tensor(0.4)) and busy.mean() > 0.9 and busy.min() > 0.6
    other = (picture + 0.1 * torch.rand_like(picture)).clamp(0, 1)
    style = Region(grams(network, STYLE, picture))
    terms = []
    for plain in (1.0, 0.0):
        settings = Settings(plain_content=plain)
        whole = Objective(network, settings, picture, CONTENT, STYLE, [style])
        found, _ = whole(other)
        terms.append(dict(zip(whole.names, found.tolist(), strict=True)))
    assert 0 < terms[1]["content"] < terms[0]["content"] and terms[1]["style"] == terms[0]["style"]


def test_gram_matrices_in_tiles_are_those_of_the_whole() -> None:
    layers = ("relu1_1", "relu3_1")
    network = networks.load("vgg19", "bundled", layers, device=CPU)
    picture, share = torch.rand(1, 3, 101, 130), torch.rand(1, 1, 101, 130)
    for mask in (None, share):
        whole = grams(network, layers, picture, mask)
        parts = grams(network, layers, picture, mask, tile_pixels=64 * 64)
        assert max(far(parts[name], whole[name]) for name in layers) < 1e-4


def test_the_rim_of_a_picture_does_not_count_for_the_style() -> None:
    layers = ("relu1_1",)
    network = networks.load("vgg19", "bundled", layers, device=CPU)
    picture = torch.rand(1, 3, 96, 128)
    lined = picture.clone()
    lined[..., :2, :] = 1
    for parts in (None, 64 * 64):
        one, other = (grams(network, layers, p, tile_pixels=parts) for p in (picture, lined))
        assert torch.equal(one["relu1_1"], other["relu1_1"])
    settings = Settings(content_weight=0, tv_weight=0)
    style = [Region({"relu1_1": torch.eye(64)}, share) for share in (None, np.ones((96, 128), "f"))]
    for region in style:
        objective = Objective(network, settings, picture, {}, {"relu1_1": 1.0}, [region])
        assert objective.value(picture) == pytest.approx(objective.value(lined), rel=1e-6)
        _, grad = objective(picture)
        assert grad[..., :2, :].abs().max() == 0 < grad[..., 6, :].abs().max()


@pytest.mark.parametrize("pooling", ["max", "avg"])
@pytest.mark.parametrize("wanted", [("relu2_1", "conv3_1"), ("conv1_2", "relu1_2", "pool2")])
def test_the_way_back_is_that_of_automatic_differentiation(
    pooling: str, wanted: tuple[str, ...]
) -> None:
    net = networks.load("vgg19", "bundled", wanted, device=CPU, pooling=pooling)  # type: ignore[arg-type]
    picture = torch.rand(1, 3, 21, 34)
    features, back = net.forward_vjp(picture)
    expected, expected_back = Network.forward_vjp(net, picture)
    grads = {name: torch.randn_like(values) for name, values in expected.items()}
    for name in wanted:
        assert torch.equal(features[name], expected[name])
    assert far(back({n: s.clone() for n, s in grads.items()}), expected_back(grads)) < 1e-5


def test_the_slope_of_a_gram_matrix_is_that_of_automatic_differentiation() -> None:
    features = torch.randn(1, 5, 6, 7, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(1, 1, 6, 7, dtype=torch.float64)
    error = torch.randn(5, 5)
    symmetric = error + error.T
    for where in (torch.ones_like(mask), mask):
        rows = losses.weighed(features, where.sqrt())
        value = (losses.outer(rows) * symmetric).sum()
        (expected,) = torch.autograd.grad(value, features)
        is_binary = where is not mask
        found = losses.outer_grad(rows.detach(), symmetric, where.sqrt(), is_binary)
        assert far(found, expected) < 1e-6


def test_tiles_cover_a_picture_once_and_keep_to_their_size() -> None:
    most = 300 * 300
    found = tiles((700, 1300), most, 70)
    seen = np.zeros((700, 1300), int)
    for tile in found:
        seen[tile.counts.place] += 1
        assert tile.window.area <= most
        for side in ("top", "left"):
            inner, outer = getattr(tile.counts, side), getattr(tile.window, side)
            assert inner - outer >= 70 or outer == 0
    assert (seen == 1).all()


def test_what_fits_is_one_tile_and_so_is_what_depends_on_everything() -> None:
    assert len(tiles((300, 400), None, 70)) == 1
    assert len(tiles((300, 400), 120_000, 70)) == 1
    assert len(tiles((300, 400), 1000, None)) == 1
