"""Where to compute, and how precisely."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch

from vidstyle.core import devices

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("fpu sse2 avx2 avx512f avx512_bf16", "bf16"),
        ("fpu amx_bf16 amx_tile", "bf16"),
        ("fpu sse2 avx2 avx512f", "fp32"),
    ],
)
def test_bf16_is_taken_where_the_processor_is_made_for_it(
    flags: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor\t: 0\nmodel name\t: bf16\nflags\t\t: {flags}\n")
    monkeypatch.setattr(devices, "CPU_FACTS", facts)
    assert devices.pick_precision("auto", CPU) == wanted
    assert devices.pick_precision("fp32", CPU) == "fp32"
    assert devices.pick_precision("bf16", CPU) == "bf16"


def test_a_processor_that_does_not_say_computes_in_fp32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "CPU_FACTS", tmp_path / "nothing")
    assert devices.pick_precision("auto", CPU) == "fp32"


@pytest.mark.parametrize(("capability", "wanted"), [((7, 5), "fp32"), ((8, 6), "bf16")])
def test_a_gpu_is_asked_for_its_capability(
    capability: tuple[int, int], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.pick_precision("auto", torch.device("cuda")) == wanted


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    with pytest.raises(RuntimeError), devices.threads(1):
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
        raise RuntimeError
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
    with devices.threads(None):
        assert (torch.get_num_threads(), cv2.getNumThreads()) == before
