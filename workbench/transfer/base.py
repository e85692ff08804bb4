"""What every transfer method is given and what it is: a frozen group of knobs that says which source rows make a new row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np

from ..errors import WorkbenchError
from ..specs import Options
from .blends import COPY, DRAW, KINDS, MIX, PRODUCT, SHARED, Blend, Product, Role
from .draw import BLOCK, Draw

if TYPE_CHECKING:
    import scipy.sparse
    import torch

    from ..vocab import Vocabulary

__all__ = ["BLOCK", "COPY", "DRAW", "KINDS", "MIX", "PRODUCT", "SHARED", "AnyMethod", "Blend", "Draw", "Method", "Product", "Task", "no_mix", "subtoken_mix"]


@dataclass(frozen=True)
class Task:
    """What a method is given.

    Attributes:
        source: the source vocabulary (rows of the tables).
        target: the new vocabulary.
        kept: (n,) for each target row the source row it copies, or -1 where it is new.
        rows: number of source rows, padding included.
        seed: for methods that draw.
        tables: the source's input and output table (rows, d), for methods that look at them.
        wanted: of the new rows only these are filled; all of them unless told.
        off_limits: source rows that no method may use, as they are the answer.
    """

    source: Vocabulary
    target: Vocabulary
    kept: np.ndarray
    rows: int
    seed: int = 0
    tables: Callable[[Role], torch.Tensor] | None = None
    wanted: np.ndarray | None = None
    off_limits: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @cached_property
    def new(self) -> np.ndarray:
        """Ids of the target rows that have to be filled."""
        return np.flatnonzero(self.kept < 0) if self.wanted is None else self.wanted

    @cached_property
    def anchors(self) -> np.ndarray:
        """(m, 2) of (source id, target id), sorted by the source id: the shared tokens that are text, each source row once, and as the same token if it can be.

        Special tokens and byte pieces mean nothing by themselves, and stand for different things in two models.
        """
        open_ = np.flatnonzero((self.kept[: self.target.size] >= 0) & ~np.isin(self.kept[: self.target.size], self.off_limits))
        text = [int(i) for i in open_ if self.target.identity(int(i)).kind == "text"]
        looser = [self.source.identity(int(self.kept[i])) != self.target.identity(i) for i in text]
        pairs = np.array([(self.kept[i], i) for i in text], dtype=np.int64).reshape(-1, 2)[np.argsort(looser, kind="stable")]
        return pairs[np.unique(pairs[:, 0], return_index=True)[1]]

    def hiding(self, ids: np.ndarray) -> Task:
        """The same task as if these shared target ids were new, and nothing else were to be filled."""
        kept = self.kept.copy()
        kept[ids] = -1
        return replace(self, kept=kept, wanted=np.asarray(ids), off_limits=self.kept[ids])


class Method(Options):
    """The base of the methods: a frozen group of knobs with one function, `blend`."""

    needs: ClassVar[tuple[str, ...]] = ()
    idea: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    paper: ClassVar[str] = ""

    def blend(self, task: Task) -> Blend:
        raise WorkbenchError(f"{type(self).__name__} has no blend method; define blend(task).")


class AnyMethod(Protocol):
    """What the engine asks of a method: any object of this shape may be passed."""

    def blend(self, task: Task) -> Blend: ...


def no_mix(task: Task) -> scipy.sparse.csr_array:
    """An empty (n, V) CSR, for methods that combine nothing."""
    from scipy.sparse import csr_array

    return csr_array((len(task.kept), task.rows))


def subtoken_mix(task: Task, pick: Literal["mean", "first", "last"] = "mean", rows: np.ndarray | None = None) -> scipy.sparse.csr_array:
    """(n, V) CSR whose new rows (or `rows`) average (or take one of) the source pieces of each token's bytes: FVT, arXiv 2403.14688."""
    from scipy.sparse import csr_array

    columns: list[int] = []
    weights: list[float] = []
    ends = [0]
    wanted = np.zeros(len(task.kept), dtype=bool)
    wanted[task.new if rows is None else rows] = True
    for row in range(len(task.kept)):
        if wanted[row]:
            pieces = task.source.pieces(task.target.identity(row))
            pieces = {"mean": pieces, "first": pieces[:1], "last": pieces[-1:]}[pick]
            columns += pieces
            weights += [1 / len(pieces) for _ in pieces]  # an id that no token has is made of nothing: a zero row
        ends.append(len(columns))
    matrix = csr_array((np.array(weights), np.array(columns, dtype=np.int64), np.array(ends)), shape=(len(task.kept), task.rows))
    matrix.sum_duplicates()
    return matrix
