"""Checkpoints of a training under way: written whole or not at all, with only what is trained in them.

A checkpoint is what transformers' Trainer keeps (optimizer, schedule, states of the random generators, the step, from which
the place in the data follows), the trained parameters by name, and a record of what was reported so far. It is written
under another name, fsynced and renamed; the one before it goes only then.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import processes, store, work
from ..errors import RunFailed

if TYPE_CHECKING:
    import torch

TRAINED, RECORD, WRITING = "trained.safetensors", "record.json", ".writing"
NAME = "checkpoint-"  # Trainer's


def last(folder: Path | None) -> Path | None:
    """The newest whole checkpoint, or None."""
    if folder is None or not folder.is_dir():
        return None
    found = [p for p in folder.glob(f"{NAME}*") if (p / RECORD).is_file()]
    return max(found, key=lambda p: int(p.name.removeprefix(NAME)), default=None)


def record(checkpoint: Path) -> dict[str, Any]:
    """What was reported up to a checkpoint: step, tokens, seconds, rows, settings."""
    return json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))


@contextmanager
def writing(folder: Path, step: int, found: Mapping[str, Any], size: int) -> Iterator[Path]:
    """A folder in which Trainer writes its checkpoint of this step; it takes its place when the block ends well.

    With several processes, all of them come here; the first one cleans up before and puts in place after. `size` is what it will take, in bytes.
    Raises RunFailed on a full disk; the checkpoint before is then still there.
    """
    room, place = folder / WRITING, folder / f"{NAME}{step}"
    try:
        if processes.main():
            shutil.rmtree(room, ignore_errors=True)
            room.mkdir(parents=True)
            if shutil.disk_usage(room).free < size:
                raise OSError(28, os.strerror(28))
        _together()
        yield room
        _together()
        if processes.main():
            store.write_json(room / place.name / RECORD, found)
            _settle(room / place.name)
            shutil.rmtree(place, ignore_errors=True)
            (room / place.name).rename(place)
            store.sync(folder)
            for old in folder.glob(f"{NAME}*"):
                if old != place:
                    shutil.rmtree(old)
        _together()
    except Exception as error:  # a full disk shows as OSError, or as what a writer makes of it; all else is raised again
        if not is_full(error):
            raise
        kept = last(folder)
        stays = f"the checkpoint of step {record(kept)['step']} stays" if kept else "none was kept before"
        raise RunFailed(f"The disk that holds {folder} is full at step {step}; {stays}: free {size / 2**20:.0f} MiB and resume.") from error
    finally:
        if processes.main():
            shutil.rmtree(room, ignore_errors=True)


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of space; safetensors and torch.save say so in words of their own."""
    return getattr(error, "errno", None) == 28 or "No space left" in str(error) or "PytorchStreamWriter failed" in str(error)


def save_trained(model: torch.nn.Module, folder: Path) -> None:
    """Write the parameters that are trained, each under its name. Where they are spread over processes, all come here and the first one writes."""
    from safetensors.torch import save_file

    kept = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            whole = p.full_tensor() if hasattr(p, "full_tensor") else p
            if processes.main():
                kept[name] = whole.detach().cpu().contiguous()
    if processes.main():
        folder.mkdir(parents=True, exist_ok=True)
        save_file(kept, folder / TRAINED)


def load_trained(model: torch.nn.Module, checkpoint: Path) -> None:
    """Put the parameters of a checkpoint into a model of the same shape, in place. Raises RunFailed where it has others."""
    import torch
    from safetensors.torch import load_file

    kept = load_file(checkpoint / TRAINED)
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if {n: tuple(p.shape) for n, p in own.items()} != {n: tuple(t.shape) for n, t in kept.items()}:
        raise RunFailed(f"The checkpoint {checkpoint} is of another model or of other trained parts; start anew with another folder.")
    with torch.no_grad():
        for name, tensor in kept.items():
            own[name].copy_(tensor)


def check_same(found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raises WorkbenchError where a checkpoint was made with other settings, and shows which."""
    work.same_or_refuse(found["settings"], settings, f"The checkpoint of step {found['step']} was made with other settings")


def _settle(folder: Path) -> None:
    """Every file of a folder on disk for good."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    store.sync(folder)


def _together() -> None:
    import torch

    if processes.count() > 1 and torch.distributed.is_initialized():
        torch.distributed.barrier()
