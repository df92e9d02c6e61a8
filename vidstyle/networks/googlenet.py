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
"""What a layer can be asked for by, in order. The last one is the mean over all positions."""
CENTER, SCALE = (0.5, 0.5, 0.5), (2.0, 2.0, 2.0)
"""torchvision's weights of it come from TensorFlow, which saw values in -1..1."""


class GoogLeNet(Network):
    """The Inception network, first version."""

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
        # A picture of a few pixels still has deep features.
        small = name.startswith("maxpool") and min(x.shape[2:]) < 2
        return x if small else self.steps[name](x)


def built() -> nn.Module:
    """torchvision's network, without what only classifies."""
    with torch.device("meta"):
        network = TorchvisionGoogLeNet(aux_logits=False, init_weights=False)
    network.fc = nn.Identity()
    return network.to_empty(device="cpu").eval()


def fitting(given: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """What the network needs of a state dict in torchvision's layout.

    Raises:
        UsageError: something is missing or has another shape.
    """
    needed = built().state_dict()
    found = {
        name: given[name].float()
        for name, value in needed.items()
        if name in given and given[name].shape == value.shape
    }
    # Counters of batches are of no use, and some files leave them out.
    found |= {n: v for n, v in needed.items() if n.endswith("num_batches_tracked")}
    if len(found) != len(needed):
        raise UsageError(
            f"{source}: these are not the weights of googlenet "
            f"({len(found)} of {len(needed)} tensors fit): name the right --network"
        )
    return found


def random(seed: int) -> dict[str, Tensor]:
    """Untrained: convolutions after He et al. (2015), and normalization that does nothing."""
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
