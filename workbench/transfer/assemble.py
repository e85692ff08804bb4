"""From a source model, a new tokenizer and a method to a new model folder, and back to why a vector is what it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import checkpoint, refs
from ..checkpoint import Checkpoint
from ..errors import WorkbenchError
from .base import KINDS, AnyMethod, Blend, Task

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from ..vocab import Vocabulary

BLEND = "blend.safetensors"


@dataclass(frozen=True)
class Carry:
    """A source model opened beside a new tokenizer: everything a transfer needs, nothing written yet."""

    source: Checkpoint
    source_tokenizer: PreTrainedTokenizerFast
    target_tokenizer: PreTrainedTokenizerFast
    seed: int = 0

    @classmethod
    def open(cls, model: str | Path, tokenizer: str | Path, seed: int = 0) -> Carry:
        """Open by reference. Raises WorkbenchError if the model and its tokenizer do not fit each other."""
        from ..tokenizer import load

        place = refs.locate(model)
        carry = cls(Checkpoint.open(place), load(place), load(refs.locate(tokenizer)), seed)
        carry.source.check_fits(carry.source_vocabulary.size)
        return carry

    @cached_property
    def source_vocabulary(self) -> Vocabulary:
        from ..vocab import Vocabulary

        return Vocabulary(self.source_tokenizer)

    @cached_property
    def target_vocabulary(self) -> Vocabulary:
        from ..vocab import Vocabulary

        return Vocabulary(self.target_tokenizer)

    @cached_property
    def task(self) -> Task:
        return Task(
            self.source_vocabulary,
            self.target_vocabulary,
            kept_rows(self.source_vocabulary, self.target_vocabulary, self.source.shape[0]),
            self.source.shape[0],
            self.seed,
        )

    def tables(self, blend: Blend) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Both new tables (n, d); the second is None for a tied model."""
        return blend.fill(self.source.input()), None if self.source.tied else blend.fill(self.source.output(), role="output")

    def write(self, method: AnyMethod, out: Path) -> dict[str, Any]:
        """Fill, write a model folder that `from_pretrained` opens, and return the counts."""
        from ..tokenizer import save

        blend = method.blend(self.task)
        first, second = self.tables(blend)
        moved = {int(s): int(t) for t, s in reversed(list(enumerate(self.task.kept))) if s >= 0}
        roles = {f"{role}_token_id": i for role, i in self.target_vocabulary.roles.items() if role in self.source_vocabulary.roles}
        settings = {**_text(self.source.config), **self.source.config}
        carried = checkpoint.carried_ids(settings, moved)
        carried |= {key: i for key, i in roles.items() if isinstance(carried.get(key), int)}
        checkpoint.write(self.source, out, first, second, config=carried, generation=self._generation(moved, roles))
        save(self.target_tokenizer, out)
        blend.save(out / BLEND)
        return self.counts() | {"tied": self.source.tied, "norm_ratio": norm_ratio(first, self.task.new)}

    def _generation(self, moved: dict[int, int], roles: dict[str, int]) -> dict[str, Any]:
        file = self.source.path / "generation_config.json"
        carried = checkpoint.carried_ids(checkpoint.read_json(file), moved) if file.is_file() else {}
        return carried | {key: i for key, i in roles.items() if isinstance(carried.get(key), int)}

    def counts(self) -> dict[str, Any]:
        """Rows kept, new and dropped, and what the tables cost, before anything is written."""
        rows, width = self.source.shape
        kept = int((self.task.kept >= 0).sum())
        each = self.source.input().element_size() * width * (1 if self.source.tied else 2)
        after = len(self.task.kept)
        return {
            "kept": kept, "new": after - kept, "dropped": rows - len(np.unique(self.task.kept[self.task.kept >= 0])),
            "rows_before": rows, "rows_after": after, "table_bytes_before": rows * each, "table_bytes_after": after * each,
        }  # fmt: skip


def _text(config: dict[str, Any]) -> dict[str, Any]:
    return config.get("text_config") or {}


def kept_rows(source: Vocabulary, target: Vocabulary, rows: int) -> np.ndarray:
    """(n,) for each target id the source row it copies, or -1.

    A token that is the same string at the same id is itself (so a vocabulary carried to itself moves nothing); the others
    match by identity: kind, word start and bytes. Where several tokens have one identity (an added " the" beside "Ġthe") each goes to
    its own string, as the id map of a pruned vocabulary has it. Rows of padding behind an unmoved vocabulary stay.
    """
    kept = np.full(target.size, -1, dtype=np.int64)
    strings = {token: i for i, token in source.tokens.items()}
    for theirs, mine in source.overlap(target):
        kept[mine] = theirs
    for role, mine in target.roles.items():  # one source token may play two roles that are two tokens here
        if role in source.roles:
            kept[mine] = source.roles[role]
    for mine, token in target.tokens.items():
        theirs = strings.get(token)
        if theirs is not None and source.identity(theirs) == target.identity(mine) and target.identity(mine).kind != "special":
            kept[mine] = theirs
    shared = min(source.size, target.size)
    same = [i for i in range(shared) if source.token(i) == target.token(i) and source.identity(i) == target.identity(i)]
    kept[same] = same
    if len(same) == source.size and target.size < rows:
        kept = np.concatenate([kept, np.arange(target.size, rows)])
    return kept


def norm_ratio(table: torch.Tensor, new: np.ndarray) -> float | None:
    """Median length of the new rows over that of the others; None without new rows."""
    import torch

    if not 0 < len(new) < len(table):
        return None
    lengths = table.float().norm(dim=1)
    mask = torch.zeros(len(table), dtype=torch.bool)
    mask[torch.from_numpy(new)] = True
    return round(float(lengths[mask].median() / lengths[~mask].median()), 4)


@dataclass(frozen=True)
class Explanation:
    """Why one vector is what it is."""

    token: str
    id: int
    kind: Literal["copy", "mix", "shared", "draw"]
    rows: list[dict[str, Any]]  # source token, id, weight
    norm: float
    text: str


def explain(model: str | Path, token: str | int) -> Explanation:
    """What a token's vector was made of in a model that a transfer wrote.

    Raises WorkbenchError if the model was not made by a transfer, or has no such token.
    """
    from .. import store
    from ..tokenizer import load
    from ..vocab import Vocabulary

    place = refs.locate(model)
    if not (place / BLEND).is_file():
        raise WorkbenchError(f"{model} was not made by a transfer, so nothing records what its vectors are made of; give the id of a transferred model.")
    if not (place / "manifest.json").is_file():
        raise WorkbenchError(f"{model} is a copy of a transferred model; give the id of the original, whose manifest names the source.")
    carry = store.open_artefact(place.name).step
    source, target = Vocabulary(load(refs.locate(carry.model))), Vocabulary(load(place))
    row = target.find(token)
    blend = Blend.load(place / BLEND)
    rows = [{"token": source.printable(i) if i < source.size else f"row {i}", "id": i, "weight": round(w, 6)} for i, w in blend.terms(row)]
    kind = KINDS[blend.kind[row]]
    shown = target.printable(row)
    if kind == "draw":
        said = f"{shown} was drawn at random ({blend.draw.spread} of the source table)"
    else:
        said = f"{shown} = " + " + ".join(f"{r['weight']:.3g}·{r['token']}" for r in rows[:8]) + (" + …" if len(rows) > 8 else "")
    norm = round(float(Checkpoint.open(place).input()[row].float().norm()), 4)
    return Explanation(shown, row, kind, rows, norm, said)
