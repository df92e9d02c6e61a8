"""A step as a GPU would take it, without one: torch's fake tensors know their device and their
shape, but have no values. Whatever mixes two devices, or waits for a value, raises an error."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensor,
    FakeTensorMode,
)

from vidstyle import Settings, networks
from vidstyle.networks import Network, bordered
from vidstyle.objective.objective import Loss, Objective, Region, TemporalTarget, grams
from vidstyle.objective.optimizers import BoxLBFGS, Curvature
from vidstyle.objective.recording import RecordedLoss, Recorder
from vidstyle.objective.rim import Rim
from vidstyle.objective.tiles import Window

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_2")
SIZE = (64, 96)


@pytest.fixture(scope="module")
def network() -> Network:
    return networks.load("vgg19", "bundled", LAYERS, device=CPU)


def objective(network: Network, share: np.ndarray | None = None) -> Objective:
    torch.manual_seed(0)
    content, style, kept = (torch.rand(1, 3, *SIZE) for _ in range(3))
    shares = [None] if share is None else [share, 1 - share]
    return Objective(
        network,
        Settings(temporal_weight=2.0),
        content,
        {"relu4_2": 1.0},
        dict.fromkeys(LAYERS[:3], 1.0),
        [Region(grams(network, LAYERS[:3], style), one) for one in shares],
        TemporalTarget(kept, torch.rand(1, 1, *SIZE)),
    )


def losses(network: Network) -> dict[str, Loss]:
    share = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    whole = objective(network)
    window = whole.window(torch.rand(1, 3, *SIZE), Window(16, 48, 0, 64))
    assert window is not None
    return {"whole": whole, "regions": objective(network, share), "window": window}


def onto(mode: FakeTensorMode, thing: Any, seen: dict[int, Any] | None = None) -> Any:
    """A copy of a loss, with all of its tensors on a GPU that is not there."""
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return seen[id(thing)]
    if isinstance(thing, Tensor):
        made = mode.from_tensor(thing.detach())
        with mode:
            return made.to(CUDA)
    if isinstance(thing, nn.Module):
        found = copy.deepcopy(thing)
        seen[id(thing)] = found
        for module in found.modules():
            for name, weight in [*module._parameters.items()]:
                if weight is not None:
                    module._parameters[name] = nn.Parameter(onto(mode, weight), False)
            for name, buffer in [*module._buffers.items()]:
                module._buffers[name] = onto(mode, buffer)
        return found
    if isinstance(thing, Loss):
        found = copy.copy(thing)
        seen[id(thing)] = found
        found.__dict__ = {n: onto(mode, v, seen) for n, v in thing.__dict__.items()}
        return found
    if isinstance(thing, Mapping):
        return {name: onto(mode, value, seen) for name, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return type(thing)(onto(mode, value, seen) for value in thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, (type, Settings, Window)):
        fields = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
        return dataclasses.replace(thing, **{n: onto(mode, v, seen) for n, v in fields.items()})
    return thing


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs a GPU even for tensors without values: autograd's threads, and cuDNN."""

    def convolved(x: Tensor, weight: Tensor, bias: Tensor, stride: Any, *rest: Any) -> Tensor:
        assert (stride, rest) == ((1, 1), ((1, 1), (1, 1), 1))
        return torch.relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))

    monkeypatch.setattr(torch, "cudnn_convolution_relu", convolved)
    monkeypatch.setattr(torch.autograd, "grad", lambda value, x: (torch.zeros_like(x),))


@pytest.mark.parametrize("kind", ["whole", "regions", "window"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.usefixtures("without_gpu")
def test_a_loss_stays_on_its_device_and_does_not_wait(
    network: Network, kind: str, dtype: torch.dtype
) -> None:
    plain = losses(copy.deepcopy(network).to(dtype))[kind]
    mode = FakeTensorMode()
    loss = onto(mode, plain)
    height, width = plain.tiles[0].window.place[0].stop, plain.tiles[0].window.place[1].stop
    with mode:
        terms, gradient = loss(torch.empty(1, 3, height, width, device=CUDA))
    assert terms.device == gradient.device == torch.device("cuda", 0)
    assert gradient.shape == (1, 3, height, width) and gradient.dtype is torch.float32
    assert len(terms) == len(loss.names) == 4


def test_a_rim_stays_on_the_device_and_does_not_wait() -> None:
    height, width = SIZE
    with FakeTensorMode():
        picture = torch.empty(1, 3, height, width, device=CUDA)
        held = torch.empty(1, 1, height, width, device=CUDA)
        rim = Rim.of(picture, held, Window(0, height, 0, width), SIZE)
        closure = rim.closure(lambda colored: (colored.sum()[None], torch.ones_like(colored)))
        terms, gradient = closure(picture)
        found = (terms, gradient, rim.colored(picture))
    assert {one.device for one in found} == {torch.device("cuda", 0)}
    assert gradient.shape == picture.shape


def test_a_step_waits_once_after_all_is_done() -> None:
    seen: list[str] = []

    def closure(picture: Tensor) -> tuple[Tensor, Tensor]:
        seen.append("loss")
        return picture.square().sum()[None], 2 * picture

    with FakeTensorMode(allow_non_fake_inputs=True):  # the cosines may be there already
        start = torch.empty(1, 3, 8, 8, device=CUDA)
        optimizer = BoxLBFGS(start, torch.zeros_like(start), torch.ones_like(start))
        with pytest.raises(DataDependentOutputException, match="_local_scalar_dense"):
            optimizer.step(closure)
        assert seen == ["loss"], "not before"
        curvature = Curvature(start, 3)
        products = curvature.products(start, start, start)
        assert products.shape == (1, 2, 2) and products.device.type == "cuda"
        found = np.ones((1, 2, 2))
        curvature.add(found)
        direction = curvature.descent(start, found)
        assert direction is not None and direction.device.type == "cuda"


@pytest.mark.parametrize("pooling", ["max", "avg"])
@pytest.mark.parametrize("wanted", [LAYERS, ("conv1_1", "relu2_2", "pool3", "conv4_2")])
@pytest.mark.parametrize("size", [(37, 50), (64, 33), (3, 5), (2, 2), (1, 1)])
def test_features_with_a_border_are_those_without(
    pooling: Any, wanted: tuple[str, ...], size: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    net = networks.load("vgg19", "bundled", wanted, device=CPU, pooling=pooling)
    compare(net, lambda: torch.rand(1, 3, *size))


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(slice(16, 48), slice(16, 64)), (slice(0, 32), slice(48, 96)), (slice(32, 64), slice(0, 96))],
)
def test_features_of_a_part_with_a_border_are_those_without(
    network: Network, rows: slice, columns: slice
) -> None:
    torch.manual_seed(2)
    picture = torch.rand(1, 3, *SIZE)
    part = torch.rand_like(picture[:, :, rows, columns])
    compare(network, lambda: part, lambda: network.surroundings(picture, rows, columns)[1])


def compare(
    network: Network,
    picture: Callable[[], Tensor],
    around: Callable[[], Any] = lambda: None,
) -> None:
    given = picture()
    features, back = network.forward_vjp(given, around())
    other, other_back = bordered.forward_vjp(network, given, around())  # type: ignore[arg-type]
    grads = {name: torch.randn_like(values) for name, values in features.items()}
    assert [*other] == [*features]
    for name, values in features.items():
        assert torch.allclose(other[name], values, rtol=1e-4, atol=1e-4 * float(values.abs().max()))
    wanted = back({name: grad.clone() for name, grad in grads.items()})
    found = other_back({name: grad.clone() for name, grad in grads.items()})
    assert float((found - wanted).norm() / wanted.norm()) < 1e-5


def test_padding_repeats_the_edge() -> None:
    for size in ((5, 7), (1, 4), (2, 2), (1, 1)):
        features = torch.randn(1, 3, *size)
        wanted = torch.nn.functional.pad(features, (1, 1, 1, 1), mode="replicate")
        assert torch.equal(bordered.padded(features), wanted)


class FakeGraph:
    """A CUDA graph that does again what was recorded."""

    replays = 0

    def replay(self) -> None:
        FakeGraph.replays += 1


def test_a_loss_is_recorded_once_and_only_for_a_gpu(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = objective(network)
    assert Recorder(CPU).closure(loss) is loss
    recorder = Recorder(CUDA)
    closure = recorder.closure(loss)
    assert isinstance(closure, RecordedLoss)
    recorded: list[Any] = []

    class Recording:
        def __init__(self, graph: Any, pool: Any, capture_error_mode: str) -> None:
            recorded.append((graph, pool, capture_error_mode))

        def __enter__(self) -> None: ...

        def __exit__(self, *given: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", Recording)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 2))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
    picture = torch.rand(1, 3, *SIZE)
    wanted = loss(picture)
    results = [closure(picture) for _ in range(4)]
    assert len(recorded) == 1 and recorded[0][1:] == ("pool", "thread_local")
    assert FakeGraph.replays == 3 and recorder.graph is recorded[0][0]
    for terms, gradient in results:
        assert torch.equal(terms, wanted[0]) and torch.equal(gradient, wanted[1])
    assert results[2][1] is not results[3][1], "the next replay must not change what was returned"
    recorder.forget()
    assert recorder.graph is recorder.pool is None


def test_mixing_devices_is_noticed() -> None:
    """These tests would notice it."""
    with FakeTensorMode():
        there, here = torch.empty(3, device=CUDA), torch.empty(3)
        assert isinstance(there, FakeTensor)
        with pytest.raises(Exception, match=r"[Dd]evice"):
            there + here
