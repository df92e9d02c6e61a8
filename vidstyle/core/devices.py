"""Where to compute, and how precisely."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import torch

from .errors import UsageError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of glibc's ``mallopt``: from how many free bytes on memory goes back to the system, and
from what size on a block comes from there by itself (more than 32 MiB is not possible)."""
Precision = Literal["fp32", "bf16"]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""Torch's types, by the names of precisions."""
CPU_FACTS = Path("/proc/cpuinfo")
"""Where Linux says what the processor is; elsewhere a processor computes in fp32."""
BF16_UNITS = {"avx512_bf16", "amx_bf16"}
"""What a processor calls the instructions that bf16 is faster with."""
FIRST_CUDA = (8, 0)
"""The compute capability from which on a GPU has such units."""


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


def pick_precision(name: Precision | Literal["auto"], device: torch.device) -> Precision:
    """What the network computes in; for ``auto`` bf16 where ``device`` is made for it."""
    if name == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    return name


def _has_bf16(device: torch.device) -> bool:
    """Whether the hardware computes in bf16, and does not only pretend to.

    It is asked, not measured: a measurement may turn out differently the next time.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= FIRST_CUDA
    if device.type == "cpu":
        flags = next((line for line in _lines(CPU_FACTS) if line.startswith("flags")), "")
        return not BF16_UNITS.isdisjoint(flags.split())
    return False


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute on so many threads within this context; None: on as many as before."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    if number is not None:
        torch.set_num_threads(number)
        cv2.setNumThreads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@cache
def keep_memory() -> None:
    """Let the C library keep what is freed, where it is glibc.

    Each step of an optimizer takes and frees the same blocks; handed back to the system in
    between, their pages come anew, one fault each: a tenth of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((M_MMAP_THRESHOLD, 32 << 20), (M_TRIM_THRESHOLD, 2000 << 20)):
            mallopt(option, value)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can be had on ``device``; None where it does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    known = [free for free in (_system_memory(), container_memory()) if free is not None]
    return min(known, default=None)


def _system_memory() -> int | None:
    try:
        # What Linux says is available counts files that it keeps in memory while nobody needs it.
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def container_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take within the limits of its cgroups (Linux, v1 and v2),
    of the file system at ``root``; None where there is no limit."""
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
        for folder in (group, *group.parents):  # each may be limited
            if folder.is_relative_to(top):
                found.append(_left(folder, limit, used))
    return min((left for left in found if left is not None), default=None)


def _left(group: Path, limit: str, used: str) -> int | None:
    most, now = (_lines(group / name) for name in (limit, used))
    if not (most and now and most[0].isdigit() and now[0].isdigit()):  # "max" is none
        return None
    # Files that are kept in memory while nobody needs it count as used, and give way.
    stat = dict(line.split() for line in _lines(group / "memory.stat"))
    files = int(stat.get("inactive_file", stat.get("total_inactive_file", 0)))
    return max(0, int(most[0]) - int(now[0]) + files)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def forget(device: torch.device) -> None:
    """Give back what is kept of a device's memory for later."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
