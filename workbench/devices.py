"""Where and in which number format a model runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import WorkbenchError

if TYPE_CHECKING:
    import torch


def pick(device: str = "auto") -> torch.device:
    """The device to use; `auto` is the first GPU, else the processor. Raises WorkbenchError if it is not there."""
    import torch

    if device == "auto" and torch.cuda.is_available() and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"  # one of several processes: each has a GPU of its own
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if device.startswith("cuda"):
        index = int(device.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            raise WorkbenchError(f"Device {device} is not here ({torch.cuda.device_count()} CUDA devices); use --device auto.")
    if device == "mps" and not torch.backends.mps.is_available():
        raise WorkbenchError("Device mps is not here; use --device auto.")
    return torch.device(device)


def number_format(dtype: str, device: torch.device) -> torch.dtype:
    """The torch dtype; `auto` is bf16 on a GPU that has it and fp32 elsewhere."""
    import torch

    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]


def multiplies_bf16() -> bool:
    """Whether an x86 processor has instructions for bf16 (AVX-512 BF16, AMX), without which products are slow; of others it is not known: False."""
    import torch

    known = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(has() for has in known if has)


def free_memory(device: str) -> int:
    """Bytes that can still be taken on a device; on a processor, within the limit of the container too."""
    import psutil
    import torch

    place = torch.device(device)
    if place.type == "cuda":
        return torch.cuda.mem_get_info(place)[0]
    free = psutil.virtual_memory().available
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    return min(free, limit - used) if limit is not None and used is not None else free


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # another system, or "max"
        return None


def describe() -> dict[str, str]:
    """The machine in words, for the environment check."""
    import psutil
    import torch

    device = pick()
    memory = psutil.virtual_memory()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} processor cores" if device.type == "cpu" else "Apple GPU"
    return {"device": f"{device.type}: {name}", "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"}
