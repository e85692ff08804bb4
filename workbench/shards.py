"""Single safetensors files: read the header, write in a stream, link or copy, and check what was written.

The format (huggingface/safetensors): 8 bytes with the length of a JSON header, the header (name → dtype, shape, data_offsets), the data.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from . import store
from .errors import WorkbenchError

if TYPE_CHECKING:
    import torch

PIECE = 1 << 22  # bytes copied at a time
ROWS = 4096  # rows of a tensor that are looked at and written at a time
FICLONE = 0x40049409  # Linux: share the blocks of another file, copy-on-write
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8",
    "BOOL": "bool", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """A tensor that is made while it is written, so that it is never whole in memory.

    Attributes:
        shape: of the whole tensor.
        dtype: that of every block.
        blocks: gives, each time it is called, consecutive blocks along the first axis, together of this shape.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    blocks: Callable[[], Iterable[torch.Tensor]]

    @classmethod
    def of(cls, tensor: torch.Tensor | Rows) -> Rows:
        return tensor if isinstance(tensor, Rows) else cls(tuple(tensor.shape), tensor.dtype, lambda: tensor.split(ROWS))

    @property
    def bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def padded(self, multiple: int) -> Rows:
        """With zero rows behind, up to a multiple. Zero, because no token has these ids: nothing reads them, and a fit knows them as unused."""
        import torch

        more = -self.shape[0] % multiple
        zeros = lambda: torch.zeros((more, *self.shape[1:]), dtype=self.dtype)  # noqa: E731 - used on one line
        return Rows((self.shape[0] + more, *self.shape[1:]), self.dtype, lambda: (*self.blocks(), zeros())) if more else self

    def data(self, name: str) -> Iterator[memoryview]:
        """The bytes, block by block. Raises WorkbenchError that names the first row with NaN or infinity."""
        import torch

        row = 0
        for block in self.blocks():
            if block.is_floating_point() and not block.isfinite().all():
                bad = row + int((~block.isfinite()).reshape(len(block), -1).any(1).nonzero()[0])
                raise WorkbenchError(
                    f"Row {bad} of {name} is not finite; repair the source model, or use one stored in bf16 or fp32 if its numbers are too large."
                )
            whole = block.detach().cpu().contiguous()
            # A contiguous tensor of one element may have any stride, which a view as bytes refuses.
            yield memoryview(whole.as_strided((whole.numel(),), (1,)).view(torch.uint8).numpy())
            row += len(block)
        if row != self.shape[0]:
            raise AssertionError(f"{name}: {row} of {self.shape[0]} rows were made")


def header(file: Path) -> tuple[dict[str, Any], dict[str, str], int]:
    """(tensors, metadata, first data byte) of a safetensors file. Raises WorkbenchError where it is not whole."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > 100_000_000:
                raise ValueError("the header's length is impossible")
            found = json.loads(stream.read(length))
        end = 8 + length + max((t["data_offsets"][1] for name, t in found.items() if name != "__metadata__"), default=0)
        if file.stat().st_size < end:
            raise ValueError(f"it has {file.stat().st_size} of {end} bytes")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorkbenchError(f"{file} is no whole safetensors file ({error}); download it again.") from error
    return found, found.pop("__metadata__", {"format": "pt"}), 8 + length


def described(rows: Rows) -> dict[str, Any]:
    """The header's entry of a tensor, without its place."""
    name = str(rows.dtype).removeprefix("torch.")
    return {"dtype": next(short for short, long in DTYPES.items() if long == name), "shape": list(rows.shape)}


def write(target: Path, tensors: Mapping[str, Rows], rest: Path | None = None, dropped: Iterable[str] = ()) -> None:
    """Write a safetensors file in a stream: `tensors`, and what the file `rest` holds beside them and the `dropped`.

    What has the name already gives way: to write into it would be to write into the source, where it is a link that an interrupted write left.
    """
    theirs, metadata, start = header(rest) if rest else ({}, {"format": "pt"}, 0)
    kept = sorted((n for n in theirs if n not in {*dropped, *tensors}), key=lambda n: theirs[n]["data_offsets"][0])
    entries = {n: (theirs[n], theirs[n]["data_offsets"][1] - theirs[n]["data_offsets"][0]) for n in kept}
    entries |= {n: (described(rows), rows.bytes) for n, rows in tensors.items()}
    head: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name, (entry, size) in entries.items():
        head[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    target.unlink(missing_ok=True)
    with target.open("wb") as new:
        new.write(struct.pack("<Q", len(text)) + text)
        if rest:
            with rest.open("rb") as old:
                for name in kept:
                    _copy(old, new, start + theirs[name]["data_offsets"][0], entries[name][1], f"{rest} ends in the middle of {name}; download it again.")
        for name, rows in tensors.items():
            for piece in rows.data(name):
                new.write(piece)


def _copy(old: BinaryIO, new: BinaryIO, at: int, size: int, short: str) -> None:
    """Append `size` bytes from `at` of one file to another: inside the kernel where it can, which takes half the time."""
    if hasattr(os, "copy_file_range"):
        new.flush()
        place = new.tell()
        with suppress(OSError):  # a file system without it, or another one
            while size and (done := os.copy_file_range(old.fileno(), new.fileno(), size, at, place)):
                at, place, size = at + done, place + done, size - done
        new.seek(place)
    old.seek(at)
    while size:
        piece = old.read(min(PIECE, size))
        if not piece:
            raise WorkbenchError(short)
        new.write(piece)
        size -= len(piece)


def may_link(source: Path, target: Path) -> bool:
    """Whether a file lies in our home or the hub's cache, which nobody edits, and on the disk of the folder `target`."""
    from huggingface_hub.constants import HF_HUB_CACHE

    places = (store.folder(), Path(HF_HUB_CACHE))
    return any(source.resolve().is_relative_to(place.resolve()) for place in places) and same_disk(source, target)


def same_disk(source: Path, target: Path) -> bool:
    return source.resolve().stat().st_dev == target.stat().st_dev


def link_or_copy(source: Path, target: Path, link: bool = False) -> bool:
    """A hard link where nobody edits the file or `link` asks for it, else a copy (of shared blocks where the file system can); whether it is a link.

    A link is checked by device and inode, a copy by a hash taken while reading the source. Raises WorkbenchError where the copy differs.
    What has the target's name already gives way, as in `write`.
    """
    real = source.resolve()
    target.unlink(missing_ok=True)
    if (link and same_disk(real, target.parent)) or may_link(real, target.parent):
        with suppress(OSError):  # a file system without links
            os.link(real, target)
            mine, theirs = target.stat(), real.stat()
            if (mine.st_dev, mine.st_ino) != (theirs.st_dev, theirs.st_ino):
                raise WorkbenchError(f"{target} is no link to {real}; try again, or without linking.")
            return True
    with real.open("rb") as old, target.open("wb") as new:
        if not _cloned(old.fileno(), new.fileno()):
            digest = hashlib.sha256()
            while piece := old.read(PIECE):
                digest.update(piece)
                new.write(piece)
            new.flush()
            with target.open("rb") as again:
                if hashlib.file_digest(again, "sha256").digest() != digest.digest():
                    raise WorkbenchError(f"The copy of {real} at {target} differs from it; check the disk and try again.")
    if target.stat().st_size != real.stat().st_size:
        raise WorkbenchError(f"The copy of {real} at {target} has another size; another program is changing it, so try again.")
    return False


def _cloned(source: int, target: int) -> bool:
    """Ask the file system to share the source's blocks with the target; false where it cannot."""
    try:
        import fcntl

        fcntl.ioctl(target, FICLONE, source)
    except (ImportError, OSError):  # another system, or a file system without it
        return False
    return True


def check_room(folder: Path, needed: int) -> None:
    """Raise WorkbenchError where the disk of a folder has not `needed` bytes free."""
    import shutil

    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise WorkbenchError(f"The result needs {needed:,} bytes on the disk of {folder}, which has {free:,} free; free some space or choose another folder.")
