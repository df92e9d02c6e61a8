"""Which style is wanted when and where, and what the losses of the recipes are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vidstyle import Settings, UsageError, networks
from vidstyle.core.frames import Frame
from vidstyle.engines import base
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.objective import losses, masks
from vidstyle.objective.objective import Objective, Region, TemporalTarget
from vidstyle.objective.styles import (
    StyleSchedule,
    at_scale,
    brush_of,
    scale_for,
    schedule_from_options,
    stroke_width,
    trimmed,
)

A, B, C = Path("a.jpg"), Path("b.jpg"), Path("c.jpg")
PLAIN = np.full((16, 16, 3), 90, np.uint8)
PICTURES = {A: PLAIN, B: PLAIN + 40, C: PLAIN + 80}


def test_a_style_blends_over_into_the_next() -> None:
    schedule = schedule_from_options([(A, 1.0)], [(2.0, B, 1.0), (4.0, C, 3.0)], [], PICTURES)
    assert schedule.at(0) == (1, 0, 0)
    assert schedule.at(0.5) == (0.75, 0.25, 0)
    assert schedule.at(3) == (0, 0.5, 0.5)
    assert schedule.at(99) == (0, 0, 1)
    assert not schedule.is_constant and StyleSchedule.of(PLAIN).is_constant


def test_weights_share_one_style_and_a_later_one_holds_before_it_too() -> None:
    schedule = schedule_from_options(
        [(A, 3.0), (B, 1.0)], [], [(Path("m"), C), (Path("n"), None)], PICTURES
    )
    assert schedule.at(5) == (0.75, 0.25, 0)
    assert schedule.regions == (2, None)
    assert schedule_from_options([], [(3.0, B, 1.0)], [], PICTURES).at(0) == (0, 1, 0)


@pytest.mark.parametrize(
    ("styles", "later", "message"),
    [
        ([(A, -1.0)], [], "must be 0 or more"),
        ([(A, 0.0), (B, 0.0)], [], "add up to 0"),
        ([], [(-2.0, B, 1.0)], "time must be 0 or more"),
    ],
)
def test_weights_that_make_no_sense(styles: list, later: list, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        schedule_from_options(styles, later, [], PICTURES)


def test_of_masks_that_overlap_the_last_counts() -> None:
    one, other = np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8)
    one[:, :2], other[:, 1] = 255, 51
    rest, first, second = masks.shares([one, other])
    assert np.allclose(first[0], [1, 0.8, 0])
    assert np.allclose(second[0], [0, 0.2, 0])
    assert np.allclose(rest + first + second, 1)


def test_a_mask_gets_a_soft_edge_of_the_width_that_is_wished() -> None:
    hard = np.zeros((40, 80), np.uint8)
    hard[:, 40:] = 255
    for feather in (0.0, 8.0):
        row = masks.softened(hard, (80, 40), feather)[20].astype(int)
        between = ((row > 12) & (row < 243)).sum()
        assert between == 0 if feather == 0 else 8 <= between <= 16
        assert row[0] == 0 and row[-1] == 255


def gram_sum(features: Tensor) -> Tensor:
    flat = features[0].flatten(1)
    return flat @ flat.T


def by_the_paper(f: Tensor, p: Tensor, a: Tensor, wc: float, ws: float) -> Tensor:
    """Gatys et al. (2016), equations 1, 4 and 5, each layer's weight a fifth."""
    n, m = f.shape[1], f[0, 0].numel()
    style = ((gram_sum(f) - gram_sum(a)) ** 2).sum() / (4 * n**2 * m**2)
    return wc * 0.5 * ((f - p) ** 2).sum() + ws * style


def by_tensorflow(f: Tensor, p: Tensor, a: Tensor, wc: float, ws: float) -> Tensor:
    locations = f[0, 0].numel()
    style = ((gram_sum(f) / locations - gram_sum(a) / locations) ** 2).mean()
    return wc * ((f - p) ** 2).mean() + ws * style


def by_pytorch(f: Tensor, p: Tensor, a: Tensor, wc: float, ws: float) -> Tensor:
    mse = torch.nn.functional.mse_loss
    return wc * mse(f, p) + ws * mse(gram_sum(f) / f.numel(), gram_sum(a) / a.numel())


def by_udacity(f: Tensor, p: Tensor, a: Tensor, wc: float, ws: float) -> Tensor:
    _, d, h, w = f.shape
    style = ((gram_sum(f) - gram_sum(a)) ** 2).mean() / (d * h * w)
    return wc * ((f - p) ** 2).mean() + ws * style


class Features(networks.Network):
    """One layer whose features are the picture's own values, as they were trained on."""

    def __init__(self, grown: float) -> None:
        super().__init__("plain", ["x"], ["x"], (0, 0, 0), (grown,) * 3)
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.ready()

    def step(self, name: str, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("loss", "formula", "grown"),
    [
        ("gatys", by_the_paper, 255.0),
        ("tensorflow", by_tensorflow, 255.0),
        ("pytorch", by_pytorch, 4.425),
        ("udacity", by_udacity, 4.425),
    ],
)
def test_the_formulas_of_the_recipes(loss: str, formula: object, grown: float) -> None:
    torch.manual_seed(0)
    picture, content, style = (torch.rand(1, 3, 6, 9) for _ in range(3))
    wc, ws = 0.7, 3.0
    settings = Settings(content_weight=wc, plain_content=1, style_weight=ws, loss=loss, tv_weight=0)
    for scale in (grown, 2.0):  # other weights, of another range: the same balance
        network = Features(scale)
        target = gram_sum(network(style)["x"]) / 54
        objective = Objective(
            network, settings, content, {"x": 1.0}, {"x": 1.0}, [Region({"x": target})]
        )
        terms, _ = objective(picture)
        expected = formula(*(grown * part for part in (picture, content, style)), wc, ws)  # type: ignore[operator]
        assert objective.names == ("content", "style")
        assert float(terms.sum()) == pytest.approx(float(expected), rel=1e-5)


def test_layers_are_added_up_or_their_mean_taken_as_the_formula_says() -> None:
    weights = {"a": 1.0, "b": 3.0}
    assert losses.formula("pytorch").share("b", weights) == 3
    assert losses.formula("gatys").share("b", weights) == 0.75


def test_the_temporal_term_weighs_against_what_an_empty_picture_would_cost() -> None:
    """So --temporal-weight means much the same whatever the formula's constants are."""
    torch.manual_seed(0)
    picture, content, style, kept = (torch.rand(1, 3, 6, 9) for _ in range(4))
    network = Features(255.0)
    target = gram_sum(network(style)["x"]) / 54
    shares = {}
    for loss in ("relative", "gatys", "tensorflow"):
        settings = Settings(loss=loss, tv_weight=0)  # type: ignore[arg-type]
        trust = torch.ones(1, 1, 6, 9)
        objective = Objective(
            network,
            settings,
            content,
            {"x": 1.0},
            {"x": 1.0},
            [Region({"x": target})],
            TemporalTarget(kept, trust),
        )
        terms, _ = objective(picture)
        empty = 9.0 if loss == "relative" else objective.features.empty
        shares[loss] = float(terms[objective.names.index("temporal")]) / empty
    assert shares["gatys"] == pytest.approx(shares["relative"], rel=1e-4)
    assert shares["tensorflow"] == pytest.approx(shares["relative"], rel=1e-4)


def test_each_region_is_pulled_to_its_own_style() -> None:
    """A gray frame, its left half masked to be red, the rest to be blue."""
    red, blue = (np.full((32, 32, 3), color, np.uint8) for color in ((220, 40, 40), (40, 40, 220)))
    schedule = StyleSchedule((blue, red), ("blue", "red"), {0.0: (1.0, 0.0)}, (1,))
    settings = Settings(first_iterations=15, content_weight=0, style_layers=("relu1_1",))
    left = np.zeros((48, 64), np.uint8)
    left[:, :32] = 255
    frame = Frame(np.full((48, 64, 3), 128, np.uint8), Fraction(0), Fraction(1, 25), None, (left,))
    painted = OptimizingEngine(settings, schedule, (64, 48)).paint(frame)[0].astype(float)
    there, rest = painted[:, 4:28].mean((0, 1)), painted[:, 36:60].mean((0, 1))
    assert there[0] > there[2] + 60 and rest[2] > rest[0] + 60


def test_a_frame_repeats_another_only_in_the_same_style_and_mask() -> None:
    schedule = StyleSchedule(
        (PLAIN, PLAIN), ("a", "b"), {0.0: (1.0, 0.0), 1.0: (0.0, 1.0)}, (None,)
    )
    engine = OptimizingEngine(
        Settings(weights="random", style_layers=("relu1_1",)), schedule, (16, 16)
    )
    mask = np.zeros((16, 16), np.uint8)
    one, later, other = (
        Frame(PLAIN, Fraction(time), Fraction(1), None, (layer,))
        for time, layer in ((0, mask), (Fraction(1, 2), mask), (0, mask + 1))
    )
    assert engine.is_duplicate(one, one)
    assert not engine.is_duplicate(later, one) and not engine.is_duplicate(other, one)


def texture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (height, width, 3), np.uint8)


def framed(picture: np.ndarray, sides: tuple[int, int, int, int], color: int = 0) -> np.ndarray:
    """``picture`` with a border at top, bottom, left and right."""
    return cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=(color,) * 3)


@pytest.mark.parametrize("sides", [(8, 8, 8, 8), (30, 20, 40, 50), (0, 0, 0, 6), (3, 0, 0, 2)])
@pytest.mark.parametrize("color", [0, 245])
def test_a_plain_border_is_cut_off(sides: tuple[int, int, int, int], color: int) -> None:
    picture = texture(90, 120)
    found = trimmed(framed(picture, sides, color))
    cut = np.array(picture.shape[:2]) - found.shape[:2]
    assert (cut >= 0).all() and (cut <= 2).all(), "and a line of what is blurred, on each side"
    assert np.median(found[0]) not in (0, 245) and np.median(found[:, -1]) not in (0, 245)


def test_a_border_that_is_not_quite_level_is_cut_off() -> None:
    whole = framed(texture(200, 300), (9, 9, 9, 9))
    turn = cv2.getRotationMatrix2D((159, 109), 0.8, 1)
    tilted = cv2.warpAffine(whole, turn, whole.shape[1::-1])
    dark = (trimmed(tilted).max(-1) < 16).mean((0, 1))
    assert dark < 0.01 < (tilted.max(-1) < 16).mean()


def test_what_is_no_border_stays() -> None:
    picture = texture(90, 120)
    wide_sky = framed(picture, (40, 0, 0, 0), 200)
    motif_on_a_page = framed(texture(10, 10), (80, 80, 80, 80), 255)
    plain = np.full((60, 80, 3), 120, np.uint8)
    tower_in_the_sky = framed(texture(80, 120), (30, 0, 0, 0), 200)
    tower_in_the_sky[10:30, 20:40] = texture(20, 20)
    tower_in_the_sky[30:60, 50:] = 200
    for whole in (picture, wide_sky, tower_in_the_sky, motif_on_a_page, plain):
        assert np.array_equal(trimmed(whole), whole)


def test_small_paintings_have_broader_strokes() -> None:
    style = texture(600, 800)
    shares = []
    for width, height in ((192, 144), (320, 240), (640, 480), (1024, 768)):
        found = at_scale(style, (width, height), (width, height))
        shares.append(found.shape[1] / width)
        said = at_scale(style, (width, height), (width, height), 1.5)
        assert said.shape[1] / width == pytest.approx(1.5, rel=0.02), "what is said is done"
    assert shares == sorted(shares, reverse=True)
    assert shares[1] == pytest.approx(1.6, abs=0.1) and shares[-1] == pytest.approx(1, abs=0.01)
    # The smaller pictures that a first frame begins with have the strokes of the frame.
    half = at_scale(style, (160, 120), (320, 240)).shape[1] / 160
    assert half == pytest.approx(shares[1], rel=0.02)
    small = texture(60, 80)
    assert at_scale(small, (192, 144), (192, 144)).shape[1] == 192, "never only enlarged"


def stripes(period: float, side: int = 512) -> np.ndarray:
    """Strokes half a ``period`` broad, in pixels, that lie at random angles."""
    noise = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    sigma = period / 2 / np.pi
    soft = cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 1.6 * sigma)
    gray = np.clip(128 + 40 * soft / soft.std(), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def test_broader_strokes_are_measured_broader_whatever_the_size_of_the_picture() -> None:
    narrow, broad = stripes(16), stripes(32)
    assert stroke_width(broad) == pytest.approx(2 * stroke_width(narrow), rel=0.15)
    larger = cv2.resize(broad, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    assert stroke_width(larger) == pytest.approx(stroke_width(broad), rel=0.02)
    plain = np.full((40, 40, 3), 7, np.uint8)
    assert stroke_width(plain) > stroke_width(broad), "a plain picture is a single stroke"
    assert scale_for(4.0, plain, (64, 48)) > 0


@pytest.mark.parametrize("size", [(320, 180), (512, 512), (1080, 1920), (3840, 2160)])
def test_a_brush_is_a_share_of_the_shorter_side(size: tuple[int, int]) -> None:
    style = stripes(32, 300)
    scale = scale_for(3.0, style, size)
    pixels = stroke_width(style) * scale * (size[0] * size[1]) ** 0.5
    assert pixels == pytest.approx(0.03 * min(size))
    assert brush_of(scale, style, size) == pytest.approx(3.0)


def test_an_engine_scales_its_styles_by_the_brush() -> None:
    style = stripes(16)
    sides = []
    for options in ({"brush": 2.0}, {"brush": 4.0}, {"style_scale": 1.0}, {}):
        engine = OptimizingEngine(Settings(**options), StyleSchedule.of(style), (160, 120))
        sides.append(engine.look(style, (160, 120)).shape[0])
        half = engine.look(style, (80, 60)).shape[0]
        assert half == pytest.approx(sides[-1] / 2, rel=0.03), "coarse, it has the same strokes"
    assert sides[1] == pytest.approx(2 * sides[0], rel=0.03)
    assert sides[3] > sides[2]


def test_a_style_that_is_enlarged_far_goes_through_the_network_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    style = stripes(32, 300)
    settings = Settings(brush=15.0, precision="fp32", style_layers=("relu1_1", "relu2_1"))
    real, largest, found = networks.Network.forward, 0, []

    def forward(self: networks.Network, picture: Tensor) -> dict[str, Tensor]:
        nonlocal largest
        largest = max(largest, picture.shape[2] * picture.shape[3])
        return real(self, picture)

    monkeypatch.setattr(networks.Network, "forward", forward)
    for most in (10**9, 30_000):
        monkeypatch.setattr(base, "LARGEST_LOOK", most)
        largest = 0
        engine = OptimizingEngine(settings, StyleSchedule.of(style), (160, 120))
        grams = engine.styles((160, 120))[0]
        found.append((largest, grams))
    (whole, one), (part, other) = found
    assert part <= 30_000 < whole
    for name, gram in one.items():
        assert torch.allclose(gram, other[name], rtol=1e-3, atol=1e-6)
