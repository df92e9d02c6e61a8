from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vidstyle import UsageError
from vidstyle.temporal import flow

from ..conftest import scene


def shifted(dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame, and the one after in which everything moved by (dx, dy)."""
    big = scene(0, 160, 120)
    cut = big[20:100, 20:140]
    return cut, big[20 - dy : 100 - dy, 20 - dx : 140 - dx]


@pytest.mark.parametrize("name", ["dis", "farneback"])
def test_flow_points_into_the_other_frame(name: str) -> None:
    before, after = shifted(4, 2)
    there = flow.estimator(name)(after, before)
    inner = there[16:-16, 16:-16]
    assert np.allclose(inner.mean((0, 1)), (-4, -2), atol=0.3)
    warped = flow.warp(before, there)
    difference = np.abs(warped.astype(float) - after)[16:-16, 16:-16]
    assert difference.mean() < 3


def test_warp_is_exact_for_whole_pixels() -> None:
    picture = scene(0)
    there = np.zeros((*picture.shape[:2], 2), np.float32)
    there[..., 0], there[..., 1] = 3, -2
    for method in (cv2.INTER_LINEAR, cv2.INTER_LANCZOS4):
        warped = flow.warp(picture, there, method)
        assert np.array_equal(warped[2:, :-3], picture[:-2, 3:])


def test_trust_ends_outside_and_where_flows_disagree() -> None:
    there = np.zeros((40, 60, 2), np.float32)
    there[..., 0] = 5
    back = -there
    back[10:20, 20:30] = 0  # something else is there
    trust = flow.trust(there, back)
    assert trust[:, -5:].max() == 0
    assert trust[12:18, 17:23].max() == 0
    assert trust[25:35, 5:50].min() > 0.99
    assert trust.min() >= 0 and trust.max() <= 1


def test_no_trust_at_a_boundary_of_motion() -> None:
    there = np.zeros((40, 60, 2), np.float32)
    there[:, 30:, 0] = 4
    trust = flow.trust(there, -there)
    assert trust[:, 29:31].max() == 0
    assert trust[:, :20].min() == 1


def test_nothing_is_followed_on_tiny_or_flat_pictures() -> None:
    estimate = flow.estimator("dis")
    tiny = scene(0, 16, 8)
    assert not estimate(tiny, tiny[::-1]).any()
    black = np.zeros((48, 64, 3), np.uint8)
    assert not estimate(black, black + 1).any()
    assert flow.blind(black) and not flow.blind(scene(0))


def test_large_pictures_are_followed_at_a_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = shifted(4, 2)
    whole = flow.estimator("dis")(after, before)
    monkeypatch.setattr(flow, "LARGEST_SIDE", 96)
    small = flow.estimator("dis")(after, before)
    assert small.shape == whole.shape
    assert np.allclose(small[16:-16, 16:-16].mean((0, 1)), (-4, -2), atol=0.4)


def test_flows_are_the_same_ahead_of_need() -> None:
    before, after = shifted(4, 2)
    calls = []

    def estimate(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
        calls.append(frame is after)
        return flow.dis(frame, other)

    flows = flow.Flows(estimate)
    plain = flows(after, before)
    flows.prefetch_flow(after, before)
    flows.prefetch_flow(before, after)  # those of the next frame
    ahead = flows(after, before)
    assert all(np.array_equal(a, b) for a, b in zip(plain, ahead, strict=True))
    assert not np.array_equal(*flows(before, after))
    assert calls == [True, False, True, False, False, True], "each is estimated once"


def test_flows_ahead_of_need_are_bounded_and_let_go_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = [shifted(step, 0)[1] for step in range(6)]
    monkeypatch.setattr(flow, "FLOWS_AHEAD", 3)
    flows = flow.Flows(lambda frame, other: np.zeros((*frame.shape[:2], 2), np.float32))
    for before, after in pairwise(frames):
        flows.prefetch_flow(after, before)
    assert len(flows.expected) == 3
    flows(frames[2], frames[1])
    assert next(iter(flows.expected))[0] is frames[3], "those before are not asked for"
    flows(frames[5], frames[0])
    assert not flows.expected, "another order: it begins anew"
    monkeypatch.setattr(flow, "FLOWS_MEMORY", 1)
    for before, after in pairwise(frames):
        flows.prefetch_flow(after, before)
    assert len(flows.expected) == 2


def test_raft_runs_with_weights_that_are_there_and_says_where_they_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    flow._raft.cache_clear()
    with pytest.raises(UsageError, match=f"raft_small.*into {tmp_path}"):
        flow.estimator("raft")
    torch.manual_seed(0)
    (tmp_path / "checkpoints").mkdir()
    name = Raft_Small_Weights.C_T_V2.url.rsplit("/", 1)[-1]
    (tmp_path / "checkpoints" / name).write_bytes(b"not weights")
    with pytest.raises(UsageError, match="not the weights of raft"):
        flow.estimator("raft")
    torch.save(raft_small().state_dict(), tmp_path / "checkpoints" / name)
    found = flow.estimator("raft")(*shifted(4, 2))
    assert found.shape == (80, 120, 2) and found.dtype == np.float32
    assert np.isfinite(found).all()
    flow._raft.cache_clear()


def test_a_mistyped_flow_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="farneback"):
        flow.estimator("farnebak")
