"""The network as ONNX, for use elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidstyle.networks import export

from ..conftest import untrained


def test_a_model_as_onnx_paints_the_same_at_any_size() -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    made = untrained(("one", "two"))
    session = runtime.InferenceSession(export.onnx(made), providers=["CPUExecutionProvider"])
    weights = torch.tensor([0.3, 0.7])
    for size in ((48, 64), (33, 51), (120, 90)):
        picture = torch.rand(1, 3, *size)
        wanted = made(picture, weights).clamp(0, 1).detach().numpy()
        inputs = {"picture": picture.numpy(), "weights": weights.numpy()}
        (found,) = session.run(None, inputs)
        assert np.abs(found - wanted).max() < 1e-4
