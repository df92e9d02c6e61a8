"""The device and the precision to compute with, and the memory that is free."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import torch

from .errors import UsageError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of glibc's ``mallopt``, both in bytes.

``M_TRIM_THRESHOLD`` is the amount of free memory from which on it is returned to the system.
``M_MMAP_THRESHOLD`` is the size from which on a block is mapped separately, at most 32 MiB.
"""
Precision = Literal["fp32", "bf16"]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""Torch's data type for each precision."""
CPU_FACTS = Path("/proc/cpuinfo")
"""The file in which Linux describes the processor. Other systems compute in fp32 on the CPU."""
BF16_UNITS = {"avx512_bf16", "amx_bf16"}
"""Names in ``CPU_FACTS`` of the instructions with which bf16 is faster than fp32."""
FIRST_CUDA = (8, 0)
"""The lowest CUDA compute capability, (major, minor), of GPUs with hardware for bf16."""


def pick_device(name: str) -> torch.device:
    """Return the device called ``name``; for ``auto``, the fastest kind that is available.

    Args:
        name: "cpu", "cuda", "mps" or "auto".

    Raises:
        UsageError: the device is not available.
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


def pick_precision(name: Precision | Literal["auto"], device: torch.device) -> Precision:
    """Return the network's precision; for ``auto``, bf16 if ``device`` has hardware for it."""
    if name == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    return name


def _has_bf16(device: torch.device) -> bool:
    """Return whether the hardware itself computes in bf16, without emulating it.

    The hardware is queried, not timed, because a timing may come out differently the next time.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= FIRST_CUDA
    if device.type == "cpu":
        flags = next((line for line in _lines(CPU_FACTS) if line.startswith("flags")), "")
        return not BF16_UNITS.isdisjoint(flags.split())
    return False


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Let torch and OpenCV use ``number`` threads in this context. None changes nothing."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    if number is not None:
        torch.set_num_threads(number)
        cv2.setNumThreads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Let the same computation on ``device`` give the same bits each time, in this context.

    A GPU adds up some gradients in any order otherwise. A CPU never does.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    # Only warned of, because some operations are repeatable in fact, although not for sure.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.use_deterministic_algorithms(before)


@cache
def keep_memory() -> None:
    """Make the C library keep freed memory, if it is glibc.

    Each optimizer step allocates and frees the same blocks. If they went back to the system in
    between, each of their pages would cost a page fault again: a tenth of the time in total.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((M_MMAP_THRESHOLD, 32 << 20), (M_TRIM_THRESHOLD, 2000 << 20)):
            mallopt(option, value)


def free_memory(device: torch.device) -> int | None:
    """Return how many bytes can still be allocated on ``device``. None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    known = [free for free in (_system_memory(), container_memory()) if free is not None]
    return min(known, default=None)


def _system_memory() -> int | None:
    try:
        # Linux counts cached files as available, because it drops them when memory is needed.
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def container_memory(root: Path = Path("/")) -> int | None:
    """Return how many more bytes this process may allocate within the limits of its cgroups.

    Works on Linux, with cgroups v1 and v2.

    Args:
        root: the root of the file system in which ``proc`` and ``sys`` are looked up.

    Returns:
        Bytes. None if there is no limit.
    """
    found = []
    for line in _lines(root / "proc/self/cgroup"):
        number, kinds, name = line.split(":", 2)
        if number == "0":
            top, limit, used = root / "sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in kinds.split(","):
            top = root / "sys/fs/cgroup/memory"
            limit, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = top / name.lstrip("/")
        for folder in (group, *group.parents):  # each may have a limit of its own
            if folder.is_relative_to(top):
                found.append(_left(folder, limit, used))
    return min((left for left in found if left is not None), default=None)


def _left(group: Path, limit: str, used: str) -> int | None:
    most, now = (_lines(group / name) for name in (limit, used))
    if not (most and now and most[0].isdigit() and now[0].isdigit()):  # "max": no limit
        return None
    # Cached files count as used, but are dropped when memory is needed.
    stat = dict(line.split() for line in _lines(group / "memory.stat"))
    files = int(stat.get("inactive_file", stat.get("total_inactive_file", 0)))
    return max(0, int(most[0]) - int(now[0]) + files)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def forget(device: torch.device) -> None:
    """Release the memory of ``device`` that torch keeps for later use."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
