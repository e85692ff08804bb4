"""The one engine behind every method: a method says which source rows make a new row, and how much of each.

Every result row is one of four kinds. *copy*: a source row, bit for bit. *mix*: a sparse combination, one CSR row.
*shared*: one dense weight row that many tokens use (the mean of all rows). *draw*: random numbers with the statistics of
the source table, drawn per (seed, token) so that the order of tokens changes nothing. Input and output table are filled
from the same blend, and it is the explanation that a user is shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np

from ..errors import WorkbenchError
from ..specs import Options
from .draw import BLOCK, Draw, statistics

if TYPE_CHECKING:
    import scipy.sparse
    import torch

    from ..vocab import Vocabulary

COPY, MIX, SHARED, DRAW = range(4)
KINDS = ("copy", "mix", "shared", "draw")


@dataclass(frozen=True)
class Task:
    """What a method is given.

    Attributes:
        source: the source vocabulary (rows of the tables).
        target: the new vocabulary.
        kept: (n,) for each target row the source row it copies, or -1 where it is new.
        rows: number of source rows, padding included.
        seed: for methods that draw.
    """

    source: Vocabulary
    target: Vocabulary
    kept: np.ndarray
    rows: int
    seed: int = 0

    @cached_property
    def new(self) -> np.ndarray:
        """Ids of the target rows that have to be filled."""
        return np.flatnonzero(self.kept < 0)


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


@dataclass(frozen=True)
class Blend:
    """Which source rows make each target row (n target rows, V source rows).

    Attributes:
        kind: (n,) COPY, MIX, SHARED or DRAW.
        source: (n,) the source row of a copy; the index into `shared` of a shared row; else -1.
        mix: (n, V) CSR, filled where kind is MIX.
        shared: (m, V) dense weight rows.
        draw: how the rows of kind DRAW are drawn.
        output_mix: the same as `mix` for the output table, where a method treats the two differently.
    """

    kind: np.ndarray
    source: np.ndarray
    mix: scipy.sparse.csr_array
    shared: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    draw: Draw | None = None
    output_mix: scipy.sparse.csr_array | None = None

    @classmethod
    def copies(cls, task: Task) -> dict[str, np.ndarray]:
        """`kind` and `source` with every kept row a copy and every new one open, to start a blend from."""
        return {"kind": np.where(task.kept >= 0, COPY, MIX).astype(np.uint8), "source": task.kept.astype(np.int64).copy()}

    def fill(self, table: torch.Tensor, *, role: Literal["input", "output"] = "input") -> torch.Tensor:
        """The new table (n, d) in the dtype of `table` (V, d); sums are taken in fp64 and rounded once.

        Raises WorkbenchError if a source row that is used holds NaN or infinity.
        """
        import torch

        mix = self.output_mix if role == "output" and self.output_mix is not None else self.mix
        out = torch.empty((len(self.kind), table.shape[1]), dtype=table.dtype)
        shared = [self._weighted(row, table) for row in self.shared]
        drawn_from = statistics(table, self.draw.spread) if self.draw else None
        for start in range(0, len(self.kind), BLOCK):
            ids = np.arange(start, min(start + BLOCK, len(self.kind)))
            for kind in np.unique(self.kind[ids]):
                mine = ids[self.kind[ids] == kind]
                if kind == COPY:
                    rows = table[torch.from_numpy(self.source[mine])]
                elif kind == MIX:
                    rows = _combine(mix[mine], table)
                elif kind == SHARED:
                    rows = torch.stack([shared[i] for i in self.source[mine]])
                else:
                    rows = torch.from_numpy(self.draw.rows(mine, drawn_from, role))
                out[torch.from_numpy(mine)] = rows.to(table.dtype)
        if not torch.isfinite(out).all():
            bad = int((~torch.isfinite(out).all(1)).nonzero()[0])
            raise WorkbenchError(f"Row {bad} of the new {role} table is not finite, because a source row holds NaN or infinity; repair the source model.")
        return out

    @staticmethod
    def _weighted(weights: np.ndarray, table: torch.Tensor) -> torch.Tensor:
        import torch

        total = torch.zeros(table.shape[1], dtype=torch.float64)
        for start in range(0, len(weights), BLOCK):
            total += torch.from_numpy(weights[start : start + BLOCK]) @ table[start : start + BLOCK].double()
        return total

    def terms(self, row: int, limit: int = 64, role: Literal["input", "output"] = "input") -> list[tuple[int, float]]:
        """The largest (source row, weight) of one target row; empty where it was drawn."""
        kind = self.kind[row]
        if kind == COPY:
            return [(int(self.source[row]), 1.0)]
        if kind == DRAW:
            return []
        if kind == SHARED:
            weights = self.shared[self.source[row]]
            ids = np.flatnonzero(weights)
        else:
            mix = self.output_mix if role == "output" and self.output_mix is not None else self.mix
            line = slice(mix.indptr[row], mix.indptr[row + 1])
            ids, weights = mix.indices[line], np.zeros(mix.shape[1])
            weights[ids] = mix.data[line]
        order = ids[np.lexsort((ids, -np.abs(weights[ids])))][:limit]
        return [(int(i), float(weights[i])) for i in order]

    def save(self, path: Path) -> None:
        """Write to one safetensors file."""
        from safetensors.numpy import save_file

        arrays = {"kind": self.kind, "source": self.source, "shared": self.shared} | _arrays("mix", self.mix)
        if self.output_mix is not None:
            arrays |= _arrays("output_mix", self.output_mix)
        draw = {"spread": self.draw.spread, "seed": self.draw.seed, "keys": {str(i): k.hex() for i, k in self.draw.keys.items()}} if self.draw else None
        save_file(arrays, path, metadata={"columns": str(self.mix.shape[1]), "draw": json.dumps(draw)})

    @classmethod
    def load(cls, path: Path) -> Blend:
        from safetensors import safe_open

        with safe_open(path, framework="np") as file:
            a = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            columns, draw = int(file.metadata()["columns"]), json.loads(file.metadata()["draw"])
        drawn = Draw(draw["spread"], draw["seed"], {int(i): bytes.fromhex(k) for i, k in draw["keys"].items()}) if draw else None
        second = _matrix("output_mix", a, columns) if "output_mix.data" in a else None
        return cls(a["kind"], a["source"], _matrix("mix", a, columns), a["shared"], drawn, second)


def _arrays(name: str, matrix: scipy.sparse.csr_array) -> dict[str, np.ndarray]:
    return {
        f"{name}.data": matrix.data.astype(np.float64),
        f"{name}.indices": matrix.indices.astype(np.int64),
        f"{name}.indptr": matrix.indptr.astype(np.int64),
    }


def _matrix(name: str, arrays: dict[str, np.ndarray], columns: int) -> scipy.sparse.csr_array:
    from scipy.sparse import csr_array

    indptr = arrays[f"{name}.indptr"]
    return csr_array((arrays[f"{name}.data"], arrays[f"{name}.indices"], indptr), shape=(len(indptr) - 1, columns))


def _combine(mix: scipy.sparse.csr_array, table: torch.Tensor) -> torch.Tensor:
    """(k, d) in fp64: only the source rows that occur are read from the (memory-mapped) table."""
    import torch
    from scipy.sparse import csr_array

    used, local = np.unique(mix.indices, return_inverse=True)
    dense = table[torch.from_numpy(used.astype(np.int64))].double().numpy()
    return torch.from_numpy(np.ascontiguousarray(csr_array((mix.data, local, mix.indptr), shape=(mix.shape[0], len(used))) @ dense))


def no_mix(task: Task) -> scipy.sparse.csr_array:
    """An empty (n, V) CSR, for methods that combine nothing."""
    from scipy.sparse import csr_array

    return csr_array((len(task.kept), task.rows))


def subtoken_mix(task: Task, pick: Literal["mean", "first", "last"] = "mean") -> scipy.sparse.csr_array:
    """(n, V) CSR whose new rows average (or take one of) the source pieces of each token's bytes: FVT, arXiv 2403.14688."""
    from scipy.sparse import csr_array

    columns: list[int] = []
    weights: list[float] = []
    ends = [0]
    for row in range(len(task.kept)):
        if task.kept[row] < 0:
            pieces = task.source.pieces(task.target.identity(row))
            pieces = {"mean": pieces, "first": pieces[:1], "last": pieces[-1:]}[pick]
            columns += pieces
            weights += [1 / len(pieces) for _ in pieces]  # an id that no token has is made of nothing: a zero row
        ends.append(len(columns))
    matrix = csr_array((np.array(weights), np.array(columns, dtype=np.int64), np.array(ends)), shape=(len(task.kept), task.rows))
    matrix.sum_duplicates()
    return matrix
