"""What training did to a model's layers, and adding it to another model's: tensor by tensor, nothing whole in memory.

LEP assumes the layers of the instruct model; a base that was adapted with LoRA, or wholly, brings a delta (METHODS §4; task arithmetic, arXiv 2212.04089).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..checkpoint import OUTPUT_NAMES, Checkpoint
from ..errors import WorkbenchError
from ..shards import Rows, header
from .lora import Delta

if TYPE_CHECKING:
    import torch

PIECE = 1 << 22
SAMPLES, SAMPLE = 16, 4096  # pieces and bytes of a tensor that are compared first: whatever training touches moves nearly all of it
NUMBERS = 1 << 24  # numbers of a tensor that are added at a time: 64 MB in fp32


def changed(base: Checkpoint, adapted: Checkpoint, thorough: bool = True) -> list[str]:
    """Names of the tensors, tables left out, that both have in one shape and that differ in their bytes.

    One file under two names is not read, and neither are the tables. Of the others first a sample of each tensor is compared; only where that is
    equal, and `thorough`, the rest.
    """
    tables = {*OUTPUT_NAMES, base.input_name, adapted.input_name}
    heads: dict[Path, tuple[dict, int]] = {}
    found = []
    for name in sorted(base.shards):
        if name in tables or name not in adapted.shards or name.removesuffix("bias") + "weight" in OUTPUT_NAMES:
            continue
        files = base.shards[name], adapted.shards[name]
        for file in files:
            if file not in heads:
                tensors, _, start = header(file)
                heads[file] = tensors, start
        (mine, first), (theirs, second) = ((heads[f][0][name], heads[f][1]) for f in files)
        if files[0].samefile(files[1]):
            continue
        if mine["shape"] != theirs["shape"]:
            raise WorkbenchError(f"{name} is {mine['shape']} in the base model but {theirs['shape']} in the adapted one; LEP needs models of one size.")
        if mine["dtype"] != theirs["dtype"]:
            if not _equal_numbers(base.tensor(name), adapted.tensor(name)):
                found.append(name)
            continue
        size = mine["data_offsets"][1] - mine["data_offsets"][0]
        places = first + mine["data_offsets"][0], second + theirs["data_offsets"][0]
        if not _equal_bytes(files, places, size, thorough):
            found.append(name)
    return found


def _equal_numbers(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two stored formats hold one tensor: the finer rounded to the coarser."""
    coarse = min(a.dtype, b.dtype, key=lambda d: d.itemsize)
    return all(bool((x.to(coarse) == y.to(coarse)).all()) for x, y in zip(a.split(1024), b.split(1024), strict=True))


def _equal_bytes(files: tuple[Path, Path], places: tuple[int, int], size: int, thorough: bool) -> bool:
    with files[0].open("rb") as a, files[1].open("rb") as b:

        def same(at: int, length: int) -> bool:
            a.seek(places[0] + at)
            b.seek(places[1] + at)
            return a.read(length) == b.read(length)

        sampled = all(same(n * max(size - SAMPLE, 0) // SAMPLES, min(SAMPLE, size)) for n in range(SAMPLES + 1))
        return sampled and (not thorough or all(same(at, min(PIECE, size - at)) for at in range(0, size, PIECE)))


def between(base: Checkpoint, adapted: Checkpoint, names: list[str]) -> dict[str, Delta]:
    """adapted − base of these tensors, in fp32."""

    def delta(old: torch.Tensor, new: torch.Tensor, low: int, high: int) -> torch.Tensor:
        return new[low:high].float() - old[low:high].float()

    return {name: partial(delta, base.tensor(name), adapted.tensor(name)) for name in names}


def added(instruct: Checkpoint, deltas: Mapping[str, Delta], scale: float) -> dict[str, Rows]:
    """The instruct model's tensors with `scale` times these deltas, summed in fp32, rounded once, made while they are written.

    Raises WorkbenchError where the instruct model lacks one of them.
    """
    missing = next((name for name in deltas if name not in instruct.shards), None)
    if missing is not None:
        raise WorkbenchError(f"The adapted model's training changed {missing}, which the instruct model lacks; use a layer scale of 0 to leave it out.")

    def blocks(tensor: torch.Tensor, delta: Delta) -> Iterator[torch.Tensor]:
        step = max(NUMBERS // max(tensor[0].numel(), 1), 1)
        for low in range(0, len(tensor), step):
            high = min(low + step, len(tensor))
            yield (tensor[low:high].float() + scale * delta(low, high)).to(tensor.dtype)

    made = {}
    for name, delta in deltas.items():
        tensor = instruct.tensor(name)
        made[name] = Rows(tuple(tensor.shape), tensor.dtype, partial(blocks, tensor, delta))
    return made
