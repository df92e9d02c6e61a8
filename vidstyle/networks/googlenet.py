"""GoogLeNet as a set of feature maps (Szegedy et al. 2014), as torchvision builds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torchvision.models import GoogLeNet as TorchvisionGoogLeNet

from ..core.errors import UsageError
from .network import Network
from .vgg import Pooling

LAYERS = (
    *("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b", "maxpool3"),
    *("inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4"),
    *("inception5a", "inception5b", "avgpool"),
)
"""Names of the layers, in order. The last one is the mean over all positions."""
CENTER, SCALE = (0.5, 0.5, 0.5), (2.0, 2.0, 2.0)
"""Normalization to -1..1: torchvision's weights come from TensorFlow, which used that range."""


class GoogLeNet(Network):
    """The first version of the Inception network.

    Args:
        state: its state dict in torchvision's layout, from ``fitting`` or ``random``.
        wanted: names of the layers whose features are wanted.
        pooling: "max", or "avg" to make the ``maxpool`` layers average their inputs.
    """

    def __init__(
        self, state: Mapping[str, Tensor], wanted: Iterable[str], pooling: Pooling = "max"
    ) -> None:
        super().__init__("googlenet", LAYERS, wanted, CENTER, SCALE)
        whole = built()
        whole.load_state_dict(state)
        self.steps = nn.ModuleDict({name: getattr(whole, name) for name in self.order})
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.padding_mode = "replicate"
        if pooling == "avg":
            for name, step in self.steps.items():
                if isinstance(step, nn.MaxPool2d):
                    self.steps[name] = nn.AvgPool2d(step.kernel_size, step.stride, ceil_mode=True)
        self.ready()

    def step(self, name: str, x: Tensor) -> Tensor:
        # Skipping the pooling gives even a picture of a few pixels deep features.
        small = name.startswith("maxpool") and min(x.shape[2:]) < 2
        return x if small else self.steps[name](x)


def built() -> nn.Module:
    """Build torchvision's network without its classifiers, with uninitialized weights."""
    with torch.device("meta"):
        network = TorchvisionGoogLeNet(aux_logits=False, init_weights=False)
    network.fc = nn.Identity()
    return network.to_empty(device="cpu").eval()


def fitting(given: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Select the tensors that the network needs from a state dict in torchvision's layout.

    Args:
        given: the state dict.
        source: where it comes from, for the error message.

    Returns:
        A state dict for the network, with its weights in float32.

    Raises:
        UsageError: a tensor is missing or has another shape.
    """
    needed = built().state_dict()
    found = {
        name: given[name].float()
        for name, value in needed.items()
        if name in given and given[name].shape == value.shape
    }
    # The batch counters are never used, and some files leave them out.
    found |= {n: v for n, v in needed.items() if n.endswith("num_batches_tracked")}
    if len(found) != len(needed):
        raise UsageError(
            f"{source}: these are not the weights of googlenet "
            f"({len(found)} of {len(needed)} tensors fit): name the right --network"
        )
    return found


def random(seed: int) -> dict[str, Tensor]:
    """Return an untrained state dict with convolutions after He et al. (2015).

    Its batch normalization is the identity.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in built().state_dict().items():
        if value.ndim == 4:
            deviation = (2 / value[0].numel()) ** 0.5
            state[name] = torch.randn(value.shape, generator=generator) * deviation
        else:
            ones = name.endswith((".bn.weight", ".running_var"))
            state[name] = torch.full(value.shape, float(ones)).to(value.dtype)
    return state
