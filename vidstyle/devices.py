"""Where to compute, and how precisely."""

from __future__ import annotations

import os
import time
from functools import cache

import torch

from .errors import UsageError

WORTHWHILE = 1.3
"""bf16 is taken where it was measured to be so many times faster than fp32."""


def pick_device(name: str) -> torch.device:
    """The device called ``name``; for ``auto`` the fastest kind there is.

    Raises:
        UsageError: it is not there.
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there[name]:
        raise UsageError(f"no {name} device here: use --device cpu or auto")
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The type that the network computes in; for ``auto`` as measured on ``device``."""
    if name == "auto":
        return torch.bfloat16 if _bf16_pays(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]


@cache
def _bf16_pays(device: torch.device) -> bool:
    """Whether a convolution is clearly faster in bf16: some hardware only pretends to have it."""
    try:
        return _seconds(device, torch.float32) > WORTHWHILE * _seconds(device, torch.bfloat16)
    except RuntimeError:
        return False


def _seconds(device: torch.device, dtype: torch.dtype) -> float:
    conv = torch.nn.Conv2d(64, 64, 3, device=device, dtype=dtype)
    conv = conv.to(memory_format=torch.channels_last)
    picture = torch.rand(1, 64, 96, 96, device=device).to(dtype, memory_format=torch.channels_last)
    times = []
    for _ in range(4):
        begin = time.perf_counter()
        with torch.no_grad():
            float(conv(picture).float().sum())  # waits for the device
        times.append(time.perf_counter() - begin)
    return min(times)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can be had on ``device``; None where it does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
