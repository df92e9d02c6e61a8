"""Which style is wanted when and where, and what the losses of the recipes are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidstyle import Settings, UsageError, networks
from vidstyle.engines import OptimizingEngine
from vidstyle.media import Frame
from vidstyle.objective import masks
from vidstyle.objective.objective import Objective, Region, TemporalTarget
from vidstyle.objective.styles import StyleSchedule, schedule_from_options

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
    settings = Settings(content_weight=wc, style_weight=ws, loss=loss, tv_weight=0)
    for scale in (grown, 2.0):  # other weights, of another range: the same balance
        network = Features(scale)
        target = gram_sum(network(style)["x"]) / 54
        objective = Objective(
            network, settings, content, {"x": 1.0}, {"x": 1.0}, [Region({"x": target})]
        )
        value, _ = objective(picture)
        expected = formula(*(grown * part for part in (picture, content, style)), wc, ws)  # type: ignore[operator]
        assert value == pytest.approx(float(expected), rel=1e-5)
        assert sum(objective.terms.values()) == pytest.approx(value, rel=1e-5)


def test_layers_are_added_up_or_their_mean_taken_as_the_formula_says() -> None:
    from vidstyle.objective.losses import FORMULAS

    weights = {"a": 1.0, "b": 3.0}
    assert FORMULAS["pytorch"].share("b", weights) == 3
    assert FORMULAS["gatys"].share("b", weights) == 0.75


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
        objective(picture)
        empty = 9.0 if loss == "relative" else objective.empty
        shares[loss] = objective.terms["temporal"] / empty
    assert shares["gatys"] == pytest.approx(shares["relative"], rel=1e-4)
    assert shares["tensorflow"] == pytest.approx(shares["relative"], rel=1e-4)


def test_each_region_is_pulled_to_its_own_style() -> None:
    """A grey frame, its left half masked to be red, the rest to be blue."""
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
