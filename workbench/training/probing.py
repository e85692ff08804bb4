"""Short measurements of the machine: which number format pays, and how fast it multiplies."""

from __future__ import annotations

import statistics
import time
from functools import cache
from typing import TYPE_CHECKING

from .. import devices, processes

if TYPE_CHECKING:
    import torch

MARGIN = 1.25  # how much faster bf16 must be: less would not pay for what it rounds away, and could turn out otherwise the next time
SIDE = 768


def training_format(dtype: str, device: torch.device) -> torch.dtype:
    """The number format that training computes in; `auto` is bf16 where it pays: on a GPU that has it, on a processor where a probe says so.

    Several processes on processors take fp32: each would ask for itself, and they must agree.
    """
    import torch

    if dtype == "auto" and device.type == "cpu":
        return torch.bfloat16 if processes.count() == 1 and bf16_pays() else torch.float32
    return devices.number_format(dtype, device)


@cache
def bf16_pays() -> bool:
    """Whether the processor multiplies bf16 matrices faster than fp32 ones by a clear margin; under a tenth of a second.

    Without the instructions (AVX-512 BF16, AMX, or Arm's) they are emulated and several times slower: nothing is measured then.
    """
    import torch

    x86 = torch.backends.cpu.get_cpu_capability().startswith(("AVX", "DEFAULT"))
    if x86 and not devices.multiplies_bf16():
        return False
    return seconds("fp32") > MARGIN * seconds("bf16")


def seconds(dtype: str, device: str = "cpu", side: int = SIDE) -> float:
    """Median seconds of a product of two square matrices of this size."""
    import torch

    made = torch.Generator().manual_seed(0)
    place = torch.device(device)
    a, b = (torch.randn(side, side, generator=made).to(place, devices.number_format(dtype, place)) for _ in range(2))
    taken = []
    for _ in range(8):
        start = time.perf_counter()
        product = a @ b
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        elif place.type == "mps":
            torch.mps.synchronize()
        taken.append(time.perf_counter() - start)
        del product
    return statistics.median(taken[2:])


@cache
def multiply_adds_per_second(dtype: str, device: str) -> float:
    """How many multiply-adds a second the device does in large products."""
    side = SIDE if device.startswith("cpu") else 4096
    return side**3 / seconds(dtype, device, side)
