"""A trained model back into a folder: what moved is written in the number format it came in, everything else is passed through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checkpoint, processes
from ..errors import WorkbenchError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from ..checkpoint import Checkpoint


def stored_names(source: Checkpoint, names: Sequence[str]) -> dict[str, str]:
    """What the file calls these parameters of a model.

    Raises WorkbenchError where it has another form than the loaded model (fused or split layers), so that what they learnt could not be put back.
    """
    from ..transfer.layers import same_names

    found = same_names(names, source)
    missing = next((name for name in names if name not in found), None)
    if missing is not None:
        raise WorkbenchError(
            f"{source.path} stores no {missing}, as its layers are kept in another form than they run in; use --stage align, which trains the tables alone."
        )
    return found


def write(source: Checkpoint, model: PreTrainedModel, out: Path, body: Sequence[str] = (), generation: Mapping[str, Any] | None = None) -> None:
    """The tables, and of the parameters `body` those that moved, in the number formats of the source's files; rows that did not move keep their bits."""
    first = _as_stored(model.get_input_embeddings().weight, source.input())
    second = None if source.tied else _as_stored(model.get_output_embeddings().weight, source.output())
    moved = _moved(source, model, body)
    if processes.main():  # the others have given their parts
        checkpoint.write(source, out, first, second, replaced=moved, generation=generation)


def _moved(source: Checkpoint, model: PreTrainedModel, body: Sequence[str]) -> dict[str, torch.Tensor]:
    import torch

    parameters, found = dict(model.named_parameters()), {}
    for name, stored in stored_names(source, body).items():
        before = source.tensor(stored)
        after = _as_stored(parameters[name], before)
        if not torch.equal(before, after):
            found[stored] = after
    return found


def _as_stored(trained: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """Training is in fp32, which holds every 16-bit number exactly: what did not move comes back as it was."""
    whole = trained.full_tensor() if hasattr(trained, "full_tensor") else trained  # spread over several processes (FSDP): all must ask for it
    return whole.detach().cpu().to(stored.dtype).contiguous()
