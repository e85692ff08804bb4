"""Learned Embedding Propagation: from an adapted base to an adapted instruct model without instruction data.

Tikhomirov & Chernyshov, arXiv 2412.21140. With the layers of the instruct model as they are, only the tables change:
E_out = E_adapted·D and L_out = L_adapted·U, with D and U (d×d) fitted by least squares from base to instruct rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from .. import checkpoint, refs
from ..checkpoint import Checkpoint
from ..errors import WorkbenchError
from ..progress import Progress
from ..specs import ModelRef, Step
from .base import BLOCK, Task, _combine, subtoken_mix

if TYPE_CHECKING:
    import scipy.sparse
    import torch
    from transformers import PreTrainedTokenizerFast

    from ..vocab import Vocabulary

Variant = Literal["swap", "overlap", "conversion"]
HELD_OUT = 10  # every tenth row judges the fit


class Lep(Step):
    """Carry an adapted base model's tables over to its instruction-tuned sibling (LEP): no instruction data needed."""

    command: ClassVar[str] = "lep"
    makes: ClassVar[str] = "model"
    base: ModelRef = Field(description="The base model before adaptation.")
    adapted: ModelRef = Field(description="The base model after adaptation, with its new tokenizer.")
    instruct: ModelRef = Field(description="The instruction-tuned sibling of the base model.")
    variant: Variant = Field(
        "conversion",
        description="swap: adapted tables as they are; overlap: a map learned on shared tokens; conversion: a map learned on all tokens through their pieces.",
    )
    ridge: Literal["0", "auto"] = Field(
        "0", description="auto: shrink the map towards the identity as far as held-out rows ask for.", json_schema_extra={"advanced": True}
    )
    min_norm: bool = Field(
        False, description="In a rank-deficient fit take the literal pseudo-inverse, not the map nearest to the identity.", json_schema_extra={"advanced": True}
    )

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        progress.at(0, "opening three models")
        trio = Trio.open(self.base, self.adapted, self.instruct)
        report = trio.write(self.variant, out, progress, auto_ridge=self.ridge == "auto", min_norm=self.min_norm)
        for warning in report["warnings"]:
            progress.warn(warning)
        return report


@dataclass(frozen=True)
class Side:
    """A model folder with its tokenizer."""

    role: str
    checkpoint: Checkpoint
    tokenizer: PreTrainedTokenizerFast

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from ..vocab import Vocabulary

        return Vocabulary(self.tokenizer)

    def check_finite(self, rows: torch.Tensor, which: str) -> None:
        if not rows.isfinite().all():
            raise WorkbenchError(f"The {which} table of the {self.role} model holds NaN or infinity; repair that model.")

    def table(self, which: Literal["input", "output"]) -> torch.Tensor:
        return self.checkpoint.input() if which == "input" else self.checkpoint.output()


@dataclass(frozen=True)
class Trio:
    """The base, the adapted base and the instruct model of one propagation."""

    base: Side
    adapted: Side
    instruct: Side

    @classmethod
    def open(cls, base: str | Path, adapted: str | Path, instruct: str | Path) -> Trio:
        """Open three references. Raises WorkbenchError that says which pair does not fit, and how."""
        from ..tokenizer import load

        sides = []
        for role, reference in (("base", base), ("adapted", adapted), ("instruct", instruct)):
            place = refs.locate(reference)
            sides.append(Side(role, Checkpoint.open(place), load(place)))
            sides[-1].checkpoint.check_fits(sides[-1].vocabulary.size)
        trio = cls(*sides)
        trio.check()
        return trio

    def check(self) -> None:
        for a, b in ((self.base, self.adapted), (self.base, self.instruct)):
            for what, mine, theirs in (
                ("model family", a.checkpoint.config.get("model_type"), b.checkpoint.config.get("model_type")),
                ("width", a.checkpoint.shape[1], b.checkpoint.shape[1]),
                ("number of layers", a.checkpoint.config.get("num_hidden_layers"), b.checkpoint.config.get("num_hidden_layers")),
            ):
                if mine != theirs:
                    raise WorkbenchError(f"The {a.role} model has {what} {mine} but the {b.role} model {theirs}; LEP needs three models of one kind and size.")
        if len(self.shared_ids) < 2:
            raise WorkbenchError("The base and the instruct model share no tokens; give the instruct model that was tuned from this base.")

    @cached_property
    def shared_ids(self) -> np.ndarray:
        """Base ids whose token the instruct tokenizer has at the same id, special tokens left out."""
        base, instruct = self.base.vocabulary, self.instruct.vocabulary
        return np.array(
            [i for i in range(min(base.size, instruct.size)) if base.identity(i).kind != "special" and base.token(i) == instruct.token(i)], dtype=np.int64
        )

    @cached_property
    def pieces(self) -> scipy.sparse.csr_array:
        """T (V_new, V_old): each adapted token as the average of its base pieces; rows of specials are empty."""
        base, adapted = self.base.vocabulary, self.adapted.vocabulary
        kept = np.array([0 if adapted.identity(i).kind == "special" else -1 for i in range(adapted.size)])
        allowed = np.zeros(self.base.checkpoint.shape[0])
        allowed[self.shared_ids] = 1
        matrix = subtoken_mix(Task(base, adapted, kept, self.base.checkpoint.shape[0]))
        # A token one of whose pieces the instruct model lacks has no counterpart there: its row stays out of the fit.
        whole = np.asarray(matrix @ allowed) > 1 - 1e-9
        return matrix.multiply(whole[:, None]).tocsr()

    def rows(self, variant: Variant) -> scipy.sparse.csr_array:
        """Which combinations of old rows the map is fitted on: (m, V_old) CSR without empty rows."""
        from scipy.sparse import csr_array

        if variant == "conversion":
            return self.pieces[np.flatnonzero(np.diff(self.pieces.indptr))]
        there = {self.base.vocabulary.identity(int(i)): int(i) for i in self.shared_ids}
        found = (there.get(self.adapted.vocabulary.identity(i)) for i in range(self.adapted.vocabulary.size))
        old = np.unique([i for i in found if i is not None])
        return csr_array((np.ones(len(old)), old, np.arange(len(old) + 1)), shape=(len(old), self.base.checkpoint.shape[0]))

    def grams(self, variant: Variant, which: Literal["input", "output"]) -> tuple[Any, Any]:
        """(nine tenths, one tenth) of the rows; rows that are zero on either side were never used and stay out."""
        from .fit import Gram

        rows = self.rows(variant)
        width = self.base.checkpoint.shape[1]
        parts = np.arange(rows.shape[0]) % HELD_OUT == HELD_OUT - 1
        return Gram.of(self._pairs(rows[~parts], which), width), Gram.of(self._pairs(rows[parts], which), width)

    def _pairs(self, rows: scipy.sparse.csr_array, which: Literal["input", "output"]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        first, second = self.base.table(which), self.instruct.table(which)
        for start in range(0, rows.shape[0], BLOCK):
            a, b = _combine(rows[start : start + BLOCK], first), _combine(rows[start : start + BLOCK], second)
            for side, part in ((self.base, a), (self.instruct, b)):
                side.check_finite(part, which)
            used = (a != 0).any(1) & (b != 0).any(1)
            yield a[used], b[used]

    def map(
        self, variant: Variant, which: Literal["input", "output"], auto_ridge: bool = False, min_norm: bool = False
    ) -> tuple[torch.Tensor | None, dict[str, Any]]:
        """D or U (None for swap, the identity) with rank, condition, held-out R² beside swap's, and ‖X − I‖/‖I‖."""
        import torch

        from .fit import choose_ridge, held_out_fit, solve

        if variant == "swap":
            return None, {}
        train, held_out = self.grams(variant, which)
        ridge = choose_ridge(train, held_out) if auto_ridge else 0.0
        fitted = solve(train + held_out, ridge, min_norm)
        eye = torch.eye(len(fitted.x), dtype=torch.float64)
        return fitted.x, fitted.report | held_out_fit(train, held_out, ridge, min_norm) | {
            "distance_from_identity": float((fitted.x - eye).norm() / eye.norm())
        }

    @cached_property
    def added(self) -> list[str]:
        """Added tokens of the instruct tokenizer that the adapted one lacks, in their order."""
        have = self.adapted.tokenizer.get_vocab()
        return [t.content for _, t in sorted(self.instruct.tokenizer.added_tokens_decoder.items()) if t.content not in have]

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The adapted tokenizer with those added tokens behind its last id, and the instruct model's roles and chat template."""
        from copy import deepcopy

        result = deepcopy(self.adapted.tokenizer)
        ours = {t.content: t for t in self.instruct.tokenizer.added_tokens_decoder.values()}
        result.add_tokens([ours[content] for content in self.added])
        for role in ("bos_token", "eos_token", "pad_token", "unk_token"):
            if getattr(self.instruct.tokenizer, role) is not None:
                setattr(result, role, getattr(self.instruct.tokenizer, role))
        result.chat_template = self.instruct.tokenizer.chat_template
        return result

    def tables(self, which: Literal["input", "output"], result: PreTrainedTokenizerFast, x: torch.Tensor | None) -> torch.Tensor:
        """(n, d) in the instruct model's dtype: adapted rows through the map, the instruct model's added tokens as they are there."""
        import torch

        adapted, instruct = self.adapted.table(which), self.instruct.table(which)
        ids = result.get_vocab()
        out = torch.zeros((max(ids.values()) + 1, adapted.shape[1]), dtype=instruct.dtype)
        there = min(len(out), len(adapted))
        for start in range(0, there, BLOCK):
            rows = adapted[start : min(start + BLOCK, there)]
            out[start : start + len(rows)] = rows.to(out.dtype) if x is None else (rows.double() @ x).to(out.dtype)
        for old, token in self.instruct.tokenizer.added_tokens_decoder.items():
            out[ids[token.content]] = instruct[old]
        self.adapted.check_finite(adapted, which)
        if not out.isfinite().all():
            raise WorkbenchError(
                f"The new {which} table does not fit into {str(out.dtype).removeprefix('torch.')}; use an instruct model stored in bf16 or fp32."
            )
        return out

    @cached_property
    def changed_layers(self) -> bool:
        """Whether the adapted model's layers differ from the base's: what was learnt there does not come along."""
        import torch

        base, adapted = self.base.checkpoint, self.adapted.checkpoint
        names = [n for n in base.shards if n in adapted.shards and n not in (base.input_name, base.output_name)]
        return any(not torch.equal(base.tensor(n), adapted.tensor(n)) for n in names)

    def write(self, variant: Variant, out: Path, progress: Progress, auto_ridge: bool = False, min_norm: bool = False) -> dict[str, Any]:
        """Fit, propagate, write the result into `out`; returns the diagnostics."""
        from ..tokenizer import save

        tied = self.adapted.checkpoint.tied and self.instruct.checkpoint.tied
        result = self.tokenizer()
        tables, report = {}, {}
        for n, which in enumerate(("input",) if tied else ("input", "output")):
            progress.at(0.1 + 0.4 * n, f"fitting the {which} table")
            x, report[which] = self.map(variant, which, auto_ridge, min_norm)
            tables[which] = self.tables(which, result, x)
        progress.at(0.9, "writing")
        ids = result.get_vocab()
        moved = {old: ids[token] for token, old in self.instruct.tokenizer.get_vocab().items() if token in ids}
        source = self.instruct.checkpoint
        generation = source.path / "generation_config.json"
        carried = checkpoint.carried_ids(checkpoint.read_json(generation), moved) if generation.is_file() else {}
        checkpoint.write(source, out, tables["input"], tables.get("output"), config=checkpoint.carried_ids(source.config, moved), generation=carried)
        save(result, out)
        warnings = verdict(variant, report)
        if self.changed_layers:
            warnings.append("The adapted model's layers were trained too; only its tables are carried over, what its layers learnt stays behind.")
        return {"variant": variant, "rows": len(tables["input"]), "tied": tied, "added_tokens": len(self.added), **report, "warnings": warnings}


def verdict(variant: Variant, report: dict[str, dict[str, Any]]) -> list[str]:
    """What a user should know of the fit, in plain sentences."""
    said = []
    for which, fit in report.items():
        if variant == "swap" or not fit:
            continue
        if fit["r2_map"] < 0.3:
            said.append(
                f"The {which} map explains only {fit['r2_map']:.2f} of held-out rows: the base is probably not the one this instruct model was tuned from."
            )
        elif fit["r2_map"] <= fit["r2_swap"] + 1e-9:
            said.append(f"On the {which} table {variant} does not beat swap on held-out rows (R² {fit['r2_map']:.4f} against {fit['r2_swap']:.4f}).")
    return said
