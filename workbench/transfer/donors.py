"""The donor: a language model of the target language whose tokenizer and embedding table are recycled."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import checkpoint, refs
from ..errors import WorkbenchError

if TYPE_CHECKING:
    import torch

    from ..vocab import Identity, Vocabulary
    from .base import Task

# How encoders and decoders call their word embeddings; the first of these endings that is there is the one.
ENDINGS = (
    "embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight", "shared.weight", "embed_tokens.weight", "wte.weight", "embed_in.weight",
    "word_embedding.weight", "word_embeddings.weight",
)  # fmt: skip


@dataclass(frozen=True)
class Donor:
    """A BERT, RoBERTa, GPT, T5 or Llama kind of model with its tokenizer; only its input embedding table is read."""

    path: Path
    shard: Path
    name: str  # of the table

    @classmethod
    def open(cls, reference: str | Path) -> Donor:
        """Open by reference. Raises WorkbenchError where there are no weights, no such table, or where the tokenizer does not fit."""
        path = refs.locate(reference)
        config = checkpoint.read_json(path / "config.json", f"{path} holds no config.json; give the folder of a Hugging Face model as donor.")
        if "quantization_config" in config:
            raise WorkbenchError(f"The donor {path} is quantised, so its table is not plain numbers; use the unquantised release of the model.")
        shards = checkpoint.shards_of(path)
        name = next((name for ending in ENDINGS for name in sorted(shards) if name.endswith(ending)), None)
        if name is None:
            raise WorkbenchError(f"The donor {path} has no word embeddings under a known name; use a model such as BERT, RoBERTa, GPT-2, T5 or Llama.")
        donor = cls(path, shards[name], name)
        if donor.vocabulary.size > len(donor.table):
            raise WorkbenchError(
                f"The donor's tokenizer has {donor.vocabulary.size} ids but its table only {len(donor.table)} rows; use the tokenizer that came with {path}."
            )
        return donor

    @cached_property
    def table(self) -> torch.Tensor:
        """(V, h), memory-mapped."""
        from safetensors import safe_open

        with safe_open(self.shard, framework="pt") as file:
            return file.get_tensor(self.name)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from ..tokenizer import load
        from ..vocab import Vocabulary

        return Vocabulary(load(self.path))

    def rows(self, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, h) the donor's row of each target token in fp32; (n,) whether there is one; (n,) whether it is the token's own.

        A token that the donor has not is the mean of the donor's pieces of its bytes, where all of them are known to it: good enough to be imitated, but not
        to imitate others with, since it depends linearly on them. Raises WorkbenchError if a row holds NaN or infinity.
        """
        pieces = [self._pieces(task.target.identity(i)) if i < task.target.size else [] for i in range(len(task.kept))]
        found = np.zeros((len(pieces), self.table.shape[1]), dtype=np.float32)
        by_length: dict[int, list[int]] = defaultdict(list)
        for row, ids in enumerate(pieces):
            by_length[len(ids)].append(row)
        for length, rows in by_length.items():
            if length:
                found[rows] = self.table[np.array([pieces[row] for row in rows])].float().mean(1).numpy()
        if not np.isfinite(found).all():
            raise WorkbenchError(f"The donor {self.path} has rows that hold NaN or infinity; repair it, or choose another.")
        has, known = found.any(axis=1), self.vocabulary.ids.keys()
        return found, has, has & np.array([i < task.target.size and task.target.identity(i) in known for i in range(len(pieces))], dtype=bool)

    def _pieces(self, identity: Identity) -> list[int]:
        kind, word_start, raw = identity
        if kind != "text":
            return []
        if (own := self.vocabulary.ids.get(identity)) is not None:
            return [own]
        tries = [identity]
        if (lower := _lower(raw)) not in (None, raw):  # the donor may know no capitals
            tries.append(type(identity)(kind, word_start, lower))
        unknown = self.vocabulary.roles.get("unk")
        for token in tries:
            pieces = self.vocabulary.pieces(token)
            if pieces and unknown not in pieces:
                return pieces
        return []


def _lower(raw: bytes) -> bytes | None:
    try:
        return raw.decode().lower().encode()
    except UnicodeDecodeError:
        return None
