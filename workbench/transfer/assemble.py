"""From a source model, a new tokenizer and a method to a new model folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checkpoint, refs
from ..checkpoint import Checkpoint
from ..errors import WorkbenchError
from ..overlap import Match, Overlap
from ..tokenizer.alphabet import parts
from .adopting import adopt
from .base import AnyMethod, Blend, Task
from .explaining import BLEND, explain
from .roundtrip import misread

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from ..shards import Rows
    from ..vocab import Vocabulary
    from .blends import Role

__all__ = ["BLEND", "Carry", "explain", "kept_rows"]


@dataclass(frozen=True)
class Carry:
    """A source model opened beside a new tokenizer: everything a transfer needs, nothing written yet.

    Attributes:
        match: the loosest rule by which a token of the new tokenizer may be one of the source's.
        changes: what was done to the tokenizer to make it fit the model, in plain sentences.
    """

    source: Checkpoint
    source_tokenizer: PreTrainedTokenizerFast
    target_tokenizer: PreTrainedTokenizerFast
    seed: int = 0
    match: Match = "exact"
    changes: tuple[str, ...] = ()

    @classmethod
    def open(cls, model: str | Path, tokenizer: str | Path, seed: int = 0, match: Match = "exact") -> Carry:
        """Open by reference; the tokenizer is completed with what the model needs (`adopt`).

        Raises WorkbenchError if the model and its tokenizer do not fit each other.
        """
        from ..tokenizer import load

        place = refs.locate(model)
        source, mine = Checkpoint.open(place), load(place)
        source.check_tables()
        adopted = adopt(mine, load(refs.locate(tokenizer)), _named(source))
        carry = cls(source, mine, adopted.tokenizer, seed, match, adopted.changes)
        source.check_fits(carry.source_vocabulary.size)
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
    def overlap(self) -> Overlap:
        return self.source_vocabulary.overlap(self.target_vocabulary, self.match)

    @cached_property
    def task(self) -> Task:
        rows = self.source.shape[0]
        kept = kept_rows(self.source_vocabulary, self.target_vocabulary, rows, self.overlap)
        return Task(self.source_vocabulary, self.target_vocabulary, kept, rows, self.seed, tables=self._table)

    def _table(self, role: Role) -> torch.Tensor:
        return self.source.input() if role == "input" else self.source.output()

    def anchors(self) -> np.ndarray:
        """(m, 2) of (source id, target id): the shared text tokens. Raises WorkbenchError where there is none for a method to lean on."""
        if not len(self.task.anchors):
            raise WorkbenchError("The two tokenizers share no token that is text, so there is nothing to lean on; use the method subtokens, or mean.")
        return self.task.anchors

    def tables(self, blend: Blend) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Both new tables (n, d); the second is None for a tied model."""
        return blend.fill(self.source.input()), None if self.source.tied else blend.fill(self.source.output(), role="output")

    def bias(self, blend: Blend) -> torch.Tensor | None:
        """(n,) the head's bias, made as its rows are; None where it has none."""
        name = self.source.bias_name
        return None if name is None else blend.fill(self.source.tensor(name)[:, None], role="output")[:, 0].contiguous()

    def write(self, method: AnyMethod, out: Path, *, link: bool = False, pad_to: int = 1) -> dict[str, Any]:
        """Fill and write a model folder that `from_pretrained` opens, block by block; returns the counts and what the method reports.

        `link`, `pad_to`: as `checkpoint.write` has them. Raises WorkbenchError before any work where the disk has too little room.
        """
        from ..shards import Rows
        from ..tokenizer import save

        shapes = [self._rows(table, lambda: iter(())) for table in (self.source.input(), *(() if self.source.tied else (self.source.output(),)))]
        checkpoint.plan(self.source, out, *shapes, link=link, pad_to=pad_to)
        blend = method.blend(self.task)
        first = _Measured(blend, self.source.input())
        second = None if self.source.tied else self._rows(self.source.output(), lambda: blend.blocks(self.source.output(), role="output"))
        replaced = {} if (bias := self.bias(blend)) is None else {self.source.bias_name: Rows.of(bias).padded(pad_to)}
        # The model comes last: what opens is whole.
        save(self.target_tokenizer, out)
        blend.save(out / BLEND)
        written = checkpoint.write(
            self.source, out, self._rows(self.source.input(), first.blocks), second, config=self._config(), generation=self._generation(),
            replaced=replaced, link=link, pad_to=pad_to,
        )  # fmt: skip
        about = {"tied": self.source.tied, "norm_ratio": _ratio(first.lengths, self.task.new), "changes": list(self.changes), "by_rule": self.overlap.by_rule}
        return self.counts() | about | written | {"report": blend.report, "warnings": [] if self._same_pipeline() else misread(out, self.target_tokenizer)}

    def _same_pipeline(self) -> bool:
        """Whether text is cut and joined as the source's tokenizer does it: then whoever reads that one right reads this one right."""
        mine, theirs = parts(self.source_tokenizer.backend_tokenizer), parts(self.target_tokenizer.backend_tokenizer)
        return all(mine[name] == theirs[name] for name in ("normalizer", "pre_tokenizer", "decoder"))

    def _rows(self, table: torch.Tensor, blocks: Any) -> Rows:
        from ..shards import Rows

        return Rows((len(self.task.kept), table.shape[1]), table.dtype, blocks)

    @cached_property
    def moved(self) -> dict[int, int]:
        """Source id → the lowest target id that copies its row."""
        return {int(s): int(t) for t, s in reversed(list(enumerate(self.task.kept))) if s >= 0}

    def _ids(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Every id in a config by its token; where one token has two roles, each entry follows its own."""
        mine, theirs = self.source_vocabulary.roles, self.target_vocabulary.roles
        found: dict[str, Any] = {}
        for key, value in settings.items():
            role = next((role for role in theirs if key.endswith((f"{role}_token_id", f"{role}_token_ids"))), None)
            moved = self.moved | {mine[role]: theirs[role]} if role in mine else self.moved
            found |= checkpoint.carried_ids({key: value}, moved)
            if key in found and found[key] is None and role is not None:
                found[key] = theirs[role]
        return found

    def _config(self) -> dict[str, Any]:
        config = self.source.config
        text = {"text_config": config["text_config"] | self._ids(config["text_config"])} if isinstance(config.get("text_config"), dict) else {}
        return self._ids(config) | text

    def _generation(self) -> dict[str, Any]:
        return self._ids(_generation(self.source))

    def counts(self) -> dict[str, Any]:
        """Rows kept, new and dropped, and what the tables cost, before anything is written."""
        rows, width = self.source.shape
        kept = self.task.kept[self.task.kept >= 0]
        used = np.zeros(rows, dtype=bool)
        used[kept] = True
        each = self.source.input().element_size() * width * (1 if self.source.tied else 2)
        after = len(self.task.kept)
        return {
            "kept": len(kept), "new": after - len(kept), "dropped": int((~used).sum()),
            "rows_before": rows, "rows_after": after, "table_bytes_before": rows * each, "table_bytes_after": after * each,
        }  # fmt: skip

    def preview(self, texts: Iterable[str] | None = None) -> dict[str, Any]:
        """What a transfer would keep, make and drop, and what to beware of; nothing is written. `texts`: a sample on which losses are measured."""
        from .previewing import preview

        return preview(self, texts)


class _Measured:
    """The blocks of the input table, whose rows' lengths are noted as they pass."""

    def __init__(self, blend: Blend, table: torch.Tensor) -> None:
        self.blend, self.table, self.found = blend, table, []

    def blocks(self) -> Iterator[torch.Tensor]:
        self.found = []
        for block in self.blend.blocks(self.table):
            self.found.append(block.float().norm(dim=1).numpy())
            yield block

    @property
    def lengths(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, dtype=np.float32), *self.found])


def _generation(source: Checkpoint) -> dict[str, Any]:
    file = source.path / "generation_config.json"
    return checkpoint.read_json(file) if file.is_file() else {}


def _named(source: Checkpoint) -> list[int]:
    """The ids of tokens that a model's configs name one by one: where texts begin and end, what fills a batch, where an image goes."""
    text = source.config.get("text_config")
    every = [source.config, text if isinstance(text, dict) else {}, _generation(source)]
    values = [value for settings in every for key, value in settings.items() if key.endswith(("_token_id", "_token_ids", "_token_index"))]
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(i for i in flat if isinstance(i, int)))


def kept_rows(source: Vocabulary, target: Vocabulary, rows: int, shared: Overlap | None = None) -> np.ndarray:
    """(n,) for each target id the source row it copies, or -1.

    A token that is the same string at the same id is itself (so a vocabulary carried to itself moves nothing); the others
    match by identity: kind, word start and bytes. Where several tokens have one identity (an added " the" beside "Ġthe") each goes to
    its own string, as the id map of a pruned vocabulary has it. Rows of padding behind an unmoved vocabulary stay. What the looser rules of
    `shared` (the overlap of the two) found comes last.
    """
    shared = source.overlap(target) if shared is None else shared
    kept = np.full(target.size, -1, dtype=np.int64)
    kept[shared.pairs[:, 1]] = shared.pairs[:, 0]
    # One source token may play two roles that are two tokens here, and the other way about; then the first role counts: bos, eos, …
    for role, mine in reversed(target.roles.items()):
        if role in source.roles:
            kept[mine] = source.roles[role]
    crowded = {*source.collisions, *target.collisions}
    strings = {token: i for i, token in source.tokens.items() if source.identity(i) in crowded} if crowded else {}
    for identity in crowded & target.ids.keys():
        for mine in target.collisions.get(identity, [target.ids[identity]]) if identity.kind != "special" else ():
            theirs = strings.get(target.token(mine))
            if theirs is not None and source.identity(theirs) == identity:
                kept[mine] = theirs
    both = min(source.size, target.size)
    special = {i for v in (source, target) for i in v.spelling.specials} | ({*range(both)} - source.tokens.keys() - target.tokens.keys())
    for i in special:
        if i < both and source.token(i) == target.token(i) and source.identity(i) == target.identity(i):
            kept[i] = i
    for pairs in shared.loose.values():
        kept[pairs[:, 1]] = np.where(kept[pairs[:, 1]] < 0, pairs[:, 0], kept[pairs[:, 1]])
    if source.size <= target.size < rows and (kept[: source.size] == np.arange(source.size)).all():
        kept = np.concatenate([kept, np.arange(target.size, rows)])
    return kept


def _ratio(lengths: np.ndarray, new: np.ndarray) -> float | None:
    """Median length of the new rows over that of the others; None without new rows."""
    others = np.delete(lengths, new)
    return round(float(np.median(lengths[new]) / np.median(others)), 4) if len(new) and len(others) and np.median(others) else None
