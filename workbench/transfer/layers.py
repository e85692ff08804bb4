"""What training did to a model's layers, and adding it to another model's: tensor by tensor, nothing whole in memory.

LEP assumes the layers of the instruct model; a base that was adapted with LoRA, or wholly, brings a delta (METHODS §4; task arithmetic, arXiv 2212.04089).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
# transformers saves a model under one of these names before its layers, or none: it depends on the class that it was loaded as.
OUTER = re.compile(r"^((language_)?model\.|transformer\.)+")
# Made from the config when a model is built; older releases stored them as well.
BUFFERS = ("inv_freq", "_cached", ".masked_bias", ".attn.bias", ".attention.bias")
NUMBERS = 1 << 24  # numbers of a tensor that are added at a time: 64 MB in fp32


def same_names(names: Iterable[str], model: Checkpoint) -> dict[str, str]:
    """The model's own names of these tensors, where it has them: the same, or the same but for what stands before the layers."""
    inner = {OUTER.sub("", name): name for name in model.shards}
    found = {name: name if name in model.shards else inner.get(OUTER.sub("", name)) for name in names}
    return {name: mine for name, mine in found.items() if mine is not None}


def _body(model: Checkpoint) -> list[str]:
    """Names of all tensors but the tables, the head's bias and what the config gives."""
    inner = ((name, OUTER.sub("", name)) for name in sorted(model.shards))
    heads = {*OUTPUT_NAMES, *(OUTER.sub("", name) for name in OUTPUT_NAMES), OUTER.sub("", model.input_name)}
    return [name for name, short in inner if short not in heads and re.sub("bias$", "weight", short) not in heads and not name.endswith(BUFFERS)]


def changed(base: Checkpoint, adapted: Checkpoint, thorough: bool = True) -> list[str]:
    """The base's names of the tensors, tables left out, that differ in their bytes; an adapted model without any layers changed none.

    Raises WorkbenchError where the adapted model has some layers, but not all, or of other shapes.

    One file under two names is not read, and neither are the tables. Of the others first a sample of each tensor is compared; only where that is
    equal, and `thorough`, the rest.
    """
    if not _body(adapted):
        return []
    names, heads = _body(base), dict[Path, tuple[dict, int]]()
    theirs_of = same_names(names, adapted)
    if missing := [name for name in names if name not in theirs_of]:
        raise WorkbenchError(
            f"{adapted.path} lacks {missing[0]} of the base model ({len(missing)} tensors in all), so what its layers learnt would be lost; "
            "save the adapted model whole, with the names of the base's tensors."
        )
    found = []
    for name, other in theirs_of.items():
        files = base.shards[name], adapted.shards[other]
        for file in files:
            if file not in heads:
                tensors, _, start = header(file)
                heads[file] = tensors, start
        (mine, first), (theirs, second) = ((heads[f][0][n], heads[f][1]) for f, n in zip(files, (name, other), strict=True))
        if files[0].samefile(files[1]):
            continue
        if mine["shape"] != theirs["shape"]:
            raise WorkbenchError(f"{name} is {mine['shape']} in the base model but {theirs['shape']} in the adapted one; LEP needs models of one size.")
        if mine["dtype"] != theirs["dtype"]:
            if not _equal_numbers(base.tensor(name), adapted.tensor(other)):
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

    return {name: partial(delta, base.tensor(name), adapted.tensor(other)) for name, other in same_names(names, adapted).items()}


def added(instruct: Checkpoint, deltas: Mapping[str, Delta], scale: float) -> dict[str, Rows]:
    """The instruct model's tensors with `scale` times these deltas, summed in fp32, rounded once, made while they are written.

    Raises WorkbenchError where the instruct model lacks one of them.
    """
    named = same_names(deltas, instruct)
    missing = next((name for name in deltas if name not in named), None)
    if missing is not None:
        raise WorkbenchError(f"The adapted model's training changed {missing}, which the instruct model lacks; use a layer scale of 0 to leave it out.")

    def blocks(tensor: torch.Tensor, delta: Delta) -> Iterator[torch.Tensor]:
        step = max(NUMBERS // max(tensor[0].numel(), 1), 1)
        for low in range(0, len(tensor), step):
            high = min(low + step, len(tensor))
            yield (tensor[low:high].float() + scale * delta(low, high)).to(tensor.dtype)

    made = {}
    for name, delta in deltas.items():
        tensor = instruct.tensor(named[name])
        made[named[name]] = Rows(tuple(tensor.shape), tensor.dtype, partial(blocks, tensor, delta))
    return made
