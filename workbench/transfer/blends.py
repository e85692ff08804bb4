"""The one engine behind every method: a method says which source rows make a new row, and how much of each.

Every result row is one of five kinds. *copy*: a source row, bit for bit. *mix*: a sparse combination, one CSR row.
*shared*: one dense weight row that many tokens use (the mean of all rows). *product*: weights over very many source rows,
kept as a short row times a wide matrix and never multiplied out. *draw*: random numbers with the statistics of the source
table, drawn per (seed, token) so that the order of tokens changes nothing. Input and output table are filled from the
same blend, and it is the explanation that a user is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import WorkbenchError
from .draw import BLOCK, Draw, statistics
from .threads import spread

if TYPE_CHECKING:
    import scipy.sparse
    import torch

    from .base import Task

COPY, MIX, SHARED, DRAW, PRODUCT = range(5)
KINDS = ("copy", "mix", "shared", "draw", "product")
Role = Literal["input", "output"]
PANEL = 512  # columns combined at a time, on one thread: bounds the memory
ROWS = 256  # rows of compiled sums at a time, on one thread
LARGE = 1 << 28  # numbers of source rows that go into the new ones: below, compiled sums do not save the time that numba takes to load
ROOM = 1 << 26  # bytes of new rows at a time; half of it costs a sixth more, for the source rows are gathered again for each block


@dataclass(frozen=True)
class Product:
    """Weights left·right (m, k) over k source rows, for methods that lean on all shared tokens at once: 32 000 new tokens times 10 000 shared ones
    would be 2.5 GB of weights. Held in fp32, as they are stored; products of them are taken in fp64."""

    left: np.ndarray  # (m, h)
    right: np.ndarray  # (h, k)
    ids: np.ndarray  # (k,) source rows

    @classmethod
    def of(cls, left: np.ndarray, right: np.ndarray, ids: np.ndarray) -> Product:
        return cls(left.astype(np.float32), right.astype(np.float32), ids.astype(np.int64))

    def weights(self, row: int) -> np.ndarray:
        return self.left[row].astype(np.float64) @ self.right.astype(np.float64)

    def seed(self, table: torch.Tensor) -> torch.Tensor:
        """right·table (h, d) in fp64: what every row of `left` multiplies."""
        import torch

        total = torch.zeros(len(self.right), table.shape[1], dtype=torch.float64)
        for start in range(0, len(self.ids), BLOCK):
            part = slice(start, start + BLOCK)
            total += torch.from_numpy(self.right[:, part]).double() @ table[torch.from_numpy(self.ids[part])].double()
        return total


@dataclass(frozen=True)
class Blend:
    """Which source rows make each target row (n target rows, V source rows).

    Attributes:
        kind: (n,) COPY, MIX, SHARED, DRAW or PRODUCT.
        source: (n,) the source row of a copy; the index into `shared` of a shared row, into `product` of a product; else -1.
        mix: (n, V) CSR, filled where kind is MIX.
        shared: (m, V) dense weight rows.
        draw: how the rows of kind DRAW are drawn.
        output_mix: the same as `mix` for the output table, where a method treats the two differently.
        product: weights as a product of two matrices.
        similarity: (n, V) CSR of the shape of `mix`: how alike the new token and each source token are, where a method went by that.
        residual: (n,) how far the combination is from what it imitates, relative to it; NaN where there is nothing to imitate.
        report: what the method has to say of its result, as JSON.
    """

    kind: np.ndarray
    source: np.ndarray
    mix: scipy.sparse.csr_array
    shared: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    draw: Draw | None = None
    output_mix: scipy.sparse.csr_array | None = None
    product: Product | None = None
    similarity: scipy.sparse.csr_array | None = None
    residual: np.ndarray | None = None
    report: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def copies(cls, task: Task) -> dict[str, np.ndarray]:
        """`kind` and `source` with every kept row a copy and every new one open (a zero row until it is filled), to start a blend from."""
        return {"kind": np.where(task.kept >= 0, COPY, MIX).astype(np.uint8), "source": task.kept.astype(np.int64).copy()}

    def fill(self, table: torch.Tensor, *, role: Role = "input") -> torch.Tensor:
        """The new table (n, d) in the dtype of `table` (V, d); sums are taken as `combine` says and rounded once.

        Raises WorkbenchError if a source row that is used holds NaN or infinity.
        """
        import torch

        return torch.cat([torch.empty((0, table.shape[1]), dtype=table.dtype), *self.blocks(table, role=role)])

    def blocks(self, table: torch.Tensor, *, role: Role = "input", ids: np.ndarray | None = None) -> Iterator[torch.Tensor]:
        """The new table as `fill` makes it, in blocks of rows (all of them, or `ids`), for tables larger than memory."""
        ids = np.arange(len(self.kind)) if ids is None else ids
        shared = [self._weighted(row, table) for row in self.shared]
        product = self.product.seed(table) if self.product else None
        drawn_from = statistics(table, self.draw.spread) if self.draw else None
        size = int(np.clip(ROOM // (table.shape[1] * table.element_size()), 1, 4 * BLOCK))
        for start in range(0, len(ids), size):
            yield self._block(ids[start : start + size], table, role, shared, product, drawn_from)

    def _block(
        self, ids: np.ndarray, table: torch.Tensor, role: Role, shared: list[torch.Tensor], product: torch.Tensor | None, drawn_from: Any
    ) -> torch.Tensor:
        import torch

        mix = self.output_mix if role == "output" and self.output_mix is not None else self.mix
        kinds = np.unique(self.kind[ids])
        out = torch.empty((len(ids), table.shape[1]), dtype=table.dtype)
        for kind in kinds:
            here = np.flatnonzero(self.kind[ids] == kind)
            mine = ids[here]
            if kind == COPY:
                rows = table[torch.from_numpy(self.source[mine])]
            elif kind == MIX:
                rows = combine(mix, table, mine)
            elif kind == SHARED:
                rows = torch.stack([shared[i] for i in self.source[mine]])
            elif kind == PRODUCT:
                rows = torch.from_numpy(self.product.left[self.source[mine]]).double() @ product
            else:
                rows = torch.from_numpy(self.draw.rows(mine, drawn_from, role))
            if len(kinds) == 1:
                out = rows.to(table.dtype)
            else:
                out[torch.from_numpy(here)] = rows.to(table.dtype)
        if not torch.isfinite(out.sum(dtype=torch.float32)) and len(bad := (~torch.isfinite(out).all(1)).nonzero()):  # one number tells for nearly all blocks
            row = int(ids[int(bad[0])])
            raise WorkbenchError(f"Row {row} of the new {role} table is not finite, because a source row holds NaN or infinity; repair the source model.")
        return out

    @staticmethod
    def _weighted(weights: np.ndarray, table: torch.Tensor) -> torch.Tensor:
        import torch

        total = torch.zeros(table.shape[1], dtype=torch.float64)
        for start in range(0, len(weights), BLOCK):
            total += torch.from_numpy(weights[start : start + BLOCK]) @ table[start : start + BLOCK].double()
        return total

    def terms(self, row: int, limit: int = 64, role: Role = "input") -> list[tuple[int, float]]:
        """The largest (source row, weight) of one target row; empty where it was drawn."""
        kind = self.kind[row]
        if kind == COPY:
            return [(int(self.source[row]), 1.0)]
        if kind == DRAW:
            return []
        if kind == SHARED:
            weights = self.shared[self.source[row]]
            ids = np.flatnonzero(weights)
        elif kind == PRODUCT:
            ids, weights = self.product.ids, np.zeros(self.mix.shape[1])
            weights[ids] = self.product.weights(int(self.source[row]))
        else:
            mix = self.output_mix if role == "output" and self.output_mix is not None else self.mix
            line = slice(mix.indptr[row], mix.indptr[row + 1])
            ids, weights = mix.indices[line], np.zeros(mix.shape[1])
            weights[ids] = mix.data[line]
        order = ids[np.lexsort((ids, -np.abs(weights[ids])))][:limit]
        return [(int(i), float(weights[i])) for i in order]

    def save(self, path: Path) -> None:
        """Write to one safetensors file; the report goes into the manifest."""
        from safetensors.numpy import save_file

        arrays = {"kind": self.kind, "source": self.source, "shared": self.shared}
        for name in ("mix", "output_mix", "similarity"):
            if (matrix := getattr(self, name)) is not None:
                arrays |= _arrays(name, matrix)
        if self.product:
            arrays |= {f"product.{name}": np.ascontiguousarray(getattr(self.product, name)) for name in ("left", "right", "ids")}
        if self.residual is not None:
            arrays["residual"] = self.residual
        draw = {"spread": self.draw.spread, "seed": self.draw.seed, "keys": {str(i): k.hex() for i, k in self.draw.keys.items()}} if self.draw else None
        save_file(arrays, path, metadata={"columns": str(self.mix.shape[1]), "draw": json.dumps(draw)})

    @classmethod
    def load(cls, path: Path) -> Blend:
        from safetensors import safe_open

        with safe_open(path, framework="np") as file:
            a = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            columns, draw = int(file.metadata()["columns"]), json.loads(file.metadata()["draw"])
        drawn = Draw(draw["spread"], draw["seed"], {int(i): bytes.fromhex(k) for i, k in draw["keys"].items()}) if draw else None
        second, alike = (_matrix(name, a, columns) if f"{name}.data" in a else None for name in ("output_mix", "similarity"))
        product = Product(*(a[f"product.{name}"] for name in ("left", "right", "ids"))) if "product.left" in a else None
        return cls(a["kind"], a["source"], _matrix("mix", a, columns), a["shared"], drawn, second, product, alike, a.get("residual"))


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


def combine(mix: scipy.sparse.csr_array, table: torch.Tensor, ids: np.ndarray | None = None) -> torch.Tensor:
    """The rows of mix (n, V) times table (V, d), all or those with `ids`, in the dtype of the table: summed in fp64 and rounded once.

    Only the source rows that occur are read from the (memory-mapped) table. By the size of the whole mix goes whether the sums are compiled ones.
    """
    import torch

    large = mix.nnz * table.shape[1] > LARGE and table.element_size() < 8
    mix = mix if ids is None else mix[ids]
    used, local = np.unique(mix.indices, return_inverse=True)
    rows, out = table[torch.from_numpy(used.astype(np.int64))], torch.empty((mix.shape[0], table.shape[1]), dtype=table.dtype)
    (_row_by_row if large else _in_panels)(mix.indptr.astype(np.int64), local.astype(np.int64), mix.data.astype(np.float64), rows, out)
    return out


def _row_by_row(ends: np.ndarray, places: np.ndarray, weights: np.ndarray, rows: torch.Tensor, out: torch.Tensor) -> None:
    import torch

    from .summing import sum_each

    rows = rows.float() if rows.dtype == torch.float16 else rows
    stored = (rows if rows.dtype == torch.float32 else rows.view(torch.int16)).numpy()

    def part(start: int) -> None:
        mine = slice(start, start + ROWS)
        made = torch.empty(out[mine].shape)
        sum_each(ends[start:], places, weights, stored, made.numpy())
        out[mine] = made

    for _ in spread(part, range(0, len(out), ROWS)):
        pass


def _in_panels(ends: np.ndarray, places: np.ndarray, weights: np.ndarray, rows: torch.Tensor, out: torch.Tensor) -> None:
    import torch
    from torch.nn.functional import embedding_bag

    given = [torch.from_numpy(part) for part in (places, ends, weights)]

    def panel(start: int) -> None:
        part = rows[:, start : start + PANEL].double().contiguous()
        out[:, start : start + PANEL] = embedding_bag(given[0], part, given[1], mode="sum", per_sample_weights=given[2], include_last_offset=True)

    for _ in spread(panel, range(0, out.shape[1], PANEL)):
        pass
