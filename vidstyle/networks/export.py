"""Export of models to ONNX, for use in other programs."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from .transformer import TransformerNet

OPSET = 18
"""ONNX operator set version: the first one with the resizing that the models do."""


class Clamped(nn.Module):
    """A model whose paintings are clamped to 0..1."""

    def __init__(self, model: TransformerNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, picture: Tensor, weights: Tensor) -> Tensor:
        painting: Tensor = self.model(picture, weights)
        return painting.clamp(0, 1)


def onnx(model: TransformerNet) -> bytes:
    """Return ``model`` as the bytes of an ONNX file, for pictures of any size.

    The inputs in the file are a ``picture`` (1, 3, H, W), RGB in 0..1, and the ``weights`` (S,) of
    the S styles, which add up to 1. The output is the ``painting`` (1, 3, H, W), RGB in 0..1.

    Raises:
        UsageError: the packages that write ONNX are missing.
    """
    if find_spec("onnx") is None:
        raise UsageError('the package onnx is missing: pip install "vidstyle[export]"')
    width, height = model.config.size
    example = torch.rand(1, 3, height, width), torch.tensor(model.config.weights)
    sides = {2: "height", 3: "width"}
    with warnings.catch_warnings(), TemporaryDirectory(prefix="vidstyle") as folder:
        path = Path(folder) / "model.onnx"
        # The exporter warns about constants that it does not fold, and about being outdated.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Clamped(model).eval(),
            example,
            path,
            input_names=["picture", "weights"],
            output_names=["painting"],
            dynamic_axes={"picture": sides, "painting": sides},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()
