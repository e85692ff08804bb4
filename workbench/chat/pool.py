"""Weights in memory, each tensor once: who loads what is there already, shares it.

A tensor is known by a hash over its number format, shape and bytes, never by its name or the folder that it came from. It is held weakly: when the last
model that uses it goes, so does the tensor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..checkpoint import shards_of
from ..errors import WorkbenchError
from ..shards import DTYPES, header

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

PIECE = 1 << 30  # bytes asked of one read; Linux gives two gibibytes at most


@dataclass(eq=False)
class Shared:
    """A tensor that models share, and its hash."""

    tensor: torch.Tensor
    digest: str

    @property
    def bytes(self) -> int:
        return self.tensor.numel() * self.tensor.element_size()


_held: WeakValueDictionary[tuple[str, str], Shared] = WeakValueDictionary()


def shared(tensor: torch.Tensor, device: str, room: Callable[[int], None] = lambda needed: None) -> Shared:
    """The tensor on `device` as it is held already, or held from now on; `room` is told the bytes of what is new before it is kept."""
    key = (digest(tensor), device)
    if (found := _held.get(key)) is not None:
        return found
    made = Shared(tensor, key[0])
    room(made.bytes)
    made.tensor = tensor.to(device)
    _held[key] = made
    return made


def held_bytes(device: str) -> int:
    """Bytes of all tensors held on a device."""
    return sum(each.bytes for (_, place), each in list(_held.items()) if place == device)


def digest(tensor: torch.Tensor) -> str:
    """32 hexadecimal digits over number format, shape and bytes of a tensor."""
    import torch

    found = hashlib.blake2b(json.dumps([str(tensor.dtype), list(tensor.shape)]).encode(), digest_size=16)
    found.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def tensors(place: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a model folder by name, read into memory of its own: a mapped file that another program writes anew would change under a reply."""
    import torch

    wanted = shards_of(place)
    for file in sorted(set(wanted.values())):
        about, _, start = header(file)
        with file.open("rb", buffering=0) as stream:
            for name in (n for n in about if wanted.get(n) == file):
                low, high = about[name]["data_offsets"]
                tensor = torch.empty(about[name]["shape"], dtype=getattr(torch, DTYPES[about[name]["dtype"]]))
                into = memoryview(tensor.flatten().view(torch.uint8).numpy())
                stream.seek(start + low)
                done = 0
                while done < high - low:
                    if not (got := stream.readinto(into[done : done + PIECE])):
                        raise WorkbenchError(f"{file} ends in the middle of {name}; download it again.")
                    done += got
                yield name, tensor


def fingerprint(model: PreTrainedModel, weights: list[Shared] | tuple[Shared, ...] = ()) -> str:
    """Twelve hexadecimal digits over every weight really in use, names and values. `weights` are those of which the hash is known."""
    known = {(each.tensor.data_ptr(), each.tensor.dtype, each.tensor.shape): each.digest for each in weights}
    found = hashlib.blake2b(digest_size=6)
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode())
        found.update((known.get((tensor.data_ptr(), tensor.dtype, tensor.shape)) or digest(tensor)).encode())
    return found.hexdigest()
