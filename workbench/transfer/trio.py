"""The three models of an LEP: opened together, checked against each other, and the maps between their tables fitted.

Tikhomirov & Chernyshov, arXiv 2412.21140: rows of the base are mapped to those of its instruct sibling, on shared tokens (overlap) or on all
adapted tokens through their base pieces (conversion).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import refs
from ..checkpoint import Checkpoint
from ..errors import WorkbenchError
from ..progress import Progress
from .base import Task, subtoken_mix
from .draw import BLOCK
from .lora import CONFIG, Adapter, Rowwise

if TYPE_CHECKING:
    import scipy.sparse
    import torch
    from transformers import PreTrainedTokenizerFast

    from ..vocab import Vocabulary
    from .fit import Gram

Variant = Literal["swap", "overlap", "conversion"]
Which = Literal["input", "output"]
PARTS = 10  # every tenth row judges a fit; another tenth chooses λ, where one is chosen


@dataclass(frozen=True)
class Side:
    """A model folder with its tokenizer; where it is an adapter, the folder is the model below it."""

    role: str
    checkpoint: Checkpoint
    tokenizer: PreTrainedTokenizerFast
    adapter: Adapter | None = None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from ..vocab import Vocabulary

        return Vocabulary(self.tokenizer)

    @property
    def tied(self) -> bool:
        return self.checkpoint.tied and not (self.adapter and self.adapter.has_head())

    def table(self, which: Which) -> torch.Tensor | Rowwise:
        """(V, d), memory-mapped; of an adapter added up as it is sliced."""
        if self.adapter:
            name = self.checkpoint.input_name if which == "input" or self.tied else self.checkpoint.output_name or "lm_head.weight"
            return self.adapter.table(name)
        return self.checkpoint.input() if which == "input" else self.checkpoint.output()

    def about(self) -> dict[str, Any]:
        """What has to agree between the three models, in words."""
        config = self.checkpoint.config
        text = config.get("text_config") or config
        return {"model family": config.get("model_type"), "width": self.checkpoint.shape[1], "number of layers": text.get("num_hidden_layers")}


@dataclass(frozen=True)
class Trio:
    """The base, the adapted base and the instruct model of one propagation."""

    base: Side
    adapted: Side
    instruct: Side

    @classmethod
    def open(cls, base: str | Path, adapted: str | Path, instruct: str | Path) -> Trio:
        """Open three references; the adapted one may be a LoRA adapter's folder. Raises WorkbenchError that says which pair does not fit, and how."""
        from ..tokenizer import load

        sides: list[Side] = []
        for role, reference in (("base", base), ("adapted", adapted), ("instruct", instruct)):
            place = refs.locate(reference)
            if role == "adapted" and (place / CONFIG).is_file() and not (place / "config.json").is_file():
                adapter = Adapter.open(place, sides[0].checkpoint)
                own = place if any((place / f).is_file() for f in ("tokenizer.json", "tokenizer.model")) else adapter.under.path
                side = Side(role, adapter.under, load(own), adapter)
            else:
                side = Side(role, Checkpoint.open(place), load(place))
                side.checkpoint.check_tables()
            rows = len(side.table("input"))
            if side.vocabulary.size > rows:
                raise WorkbenchError(
                    f"The tokenizer of the {role} model has {side.vocabulary.size} ids but its table {rows} rows; use the model's own tokenizer."
                )
            sides.append(side)
        trio = cls(*sides)
        trio.check()
        return trio

    def check(self) -> None:
        """Raise WorkbenchError that names the pair and what differs, where the three cannot be one family."""
        for a, b in ((self.base, self.adapted), (self.base, self.instruct)):
            mine, theirs = a.about(), b.about()
            for what in mine:
                if mine[what] != theirs[what]:
                    raise WorkbenchError(
                        f"The {a.role} model has {what} {mine[what]} but the {b.role} model {theirs[what]}; LEP needs three models of one kind and size."
                    )
        if len(self.shared_ids) < 2:
            raise WorkbenchError("The base and the instruct model share no tokens; give the instruct model that was tuned from this base.")

    @cached_property
    def shared_ids(self) -> np.ndarray:
        """Base ids whose token the instruct tokenizer has at the same id, special tokens left out."""
        base, instruct = self.base.vocabulary, self.instruct.vocabulary
        mine, theirs = base.tokens, instruct.tokens
        return np.array([i for i, token in mine.items() if theirs.get(i) == token and base.identity(i).kind != "special"], dtype=np.int64)

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
        """Which combinations of old rows the map is fitted on: (m, V_old) CSR without empty rows. Raises WorkbenchError where there are none."""
        from scipy.sparse import csr_array

        if variant == "conversion":
            found = self.pieces
            found.eliminate_zeros()
            found = found[np.flatnonzero(np.diff(found.indptr))]
        else:
            there = {self.base.vocabulary.identity(int(i)): int(i) for i in self.shared_ids}
            matched = (there.get(self.adapted.vocabulary.identity(i)) for i in range(self.adapted.vocabulary.size))
            old = np.unique(np.array([i for i in matched if i is not None], dtype=np.int64))
            found = csr_array((np.ones(len(old)), old, np.arange(len(old) + 1)), shape=(len(old), self.base.checkpoint.shape[0]))
        if found.shape[0] < PARTS:
            raise WorkbenchError(
                f"Only {found.shape[0]} tokens can be used for the {variant} fit; give an adapted model whose tokens the base knows, or use swap."
            )
        return found

    def grams(self, rows: scipy.sparse.csr_array, which: Which, dtype: torch.dtype, parts: int, progress: Progress) -> list[Gram]:
        """Of rows 0–7, 8 and 9 of every ten (`parts` 3), or of 0–8 and 9 (2). Rows that are zero on either side were never used and stay out."""
        from .fit import Gram

        place = np.minimum(np.arange(rows.shape[0]) % PARTS - (PARTS - parts), parts - 1).clip(0)
        width = self.base.checkpoint.shape[1]
        done = np.cumsum([0, *np.bincount(place, minlength=parts)]) / len(place)
        return [Gram.of(self._pairs(rows[place == n], which, dtype, progress.part(done[n], done[n + 1])), width) for n in range(parts)]

    def _pairs(self, rows: scipy.sparse.csr_array, which: Which, dtype: torch.dtype, progress: Progress) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for start in range(0, rows.shape[0], BLOCK):
            progress.at(start / rows.shape[0], f"fitting the {which} table")
            a, b = (combined(rows[start : start + BLOCK], side, which, dtype) for side in (self.base, self.instruct))
            used = (a != 0).any(1) & (b != 0).any(1)
            yield (a, b) if used.all() else (a[used], b[used])

    def map(
        self, variant: Variant, which: Which, auto_ridge: bool = False, min_norm: bool = False, progress: Progress | None = None
    ) -> tuple[torch.Tensor | None, dict[str, Any]]:
        """Y of the map I + Y (None for swap) in fp64, with rank, condition, held-out R² beside swap's, and ‖Y‖/‖I‖.

        Tables stored in 16 bits are multiplied in fp32 with fp64 sums, unless the condition of AᵀA asks for fp64 (fit.FINE); others in fp64. With
        `auto_ridge` one tenth of the rows chooses λ and another judges, so that R² is of rows that had no part in either.
        """
        import torch

        from .fit import FINE, choose_ridge, held_out_fit, predicting, solve

        if variant == "swap":
            return None, {}
        started, rows = time.perf_counter(), self.rows(variant)
        short = all(side.table(which).dtype.itemsize == 2 for side in (self.base, self.instruct))
        for dtype in (torch.float32, torch.float64)[0 if short else 1 :]:
            train, *rest = self.grams(rows, which, dtype, 3 if auto_ridge else 2, progress or Progress())
            check_used([part.rows for part in (train, *rest)], which)
            ridge = choose_ridge(train, rest[0]) if auto_ridge else 0.0
            judge = rest.pop()
            for part in rest:
                train += part
            final = solve(train + judge, ridge, min_norm)
            if dtype == torch.float64 or final.report["condition"] <= FINE:
                break
        # A tenth fewer rows leave a condition that fp32 bears within reach of Cholesky.
        fit = held_out_fit(predicting(train, ridge, min_norm, final.report["condition"] <= FINE), judge)
        return final.y, final.report | fit | {
            "distance_from_identity": float(final.y.norm()) / math.sqrt(len(final.y)),
            "precision": str(dtype).removeprefix("torch."), "seconds": round(time.perf_counter() - started, 2),
        }  # fmt: skip


def combined(mix: scipy.sparse.csr_array, side: Side, which: Which, dtype: torch.dtype) -> torch.Tensor:
    """mix·table (k, d) in `dtype`: only rows that occur are read, memory-mapped. Raises WorkbenchError that names one that is not finite."""
    import torch
    from scipy.sparse import csr_array

    ids, local = np.unique(mix.indices, return_inverse=True)
    dense = side.table(which)[torch.from_numpy(ids.astype(np.int64))].to(dtype)
    check_finite(dense, side.role, which, ids)
    if len(mix.indices) == mix.shape[0] and (mix.data == 1).all():  # each its own piece, most of them in order
        return dense if np.array_equal(local, np.arange(len(local))) else dense[torch.from_numpy(local)]
    weights = csr_array((mix.data.astype(dense.numpy().dtype), local, mix.indptr), shape=(mix.shape[0], len(ids)))
    return torch.from_numpy(weights @ dense.numpy())


def check_used(parts: list[int], which: Which) -> None:
    """Raise WorkbenchError where so few rows are not zero, or none in one of the parts, that a fit would agree with anything."""
    if sum(parts) < PARTS or not all(parts):
        raise WorkbenchError(
            f"Only {sum(parts)} rows of the {which} table could be used, the others are zero in the base or the instruct model; download these models again."
        )


def check_finite(rows: torch.Tensor, role: str, which: Which, ids: np.ndarray) -> None:
    """Raise WorkbenchError that names the model, the table and the row of the first that is not finite."""
    if not math.isfinite(float(rows.sum())):  # one number tells for nearly all blocks
        bad = (~rows.isfinite()).any(1).nonzero()
        if len(bad):
            raise WorkbenchError(f"Row {int(ids[int(bad[0])])} of the {which} table of the {role} model holds NaN or infinity; repair that model.")
