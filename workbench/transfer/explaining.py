"""Back from a vector to what it was made of, also where the model was trained or propagated since."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import refs, store
from ..checkpoint import Checkpoint
from ..errors import WorkbenchError
from .base import COPY, KINDS, Blend

if TYPE_CHECKING:
    import torch

    from ..vocab import Vocabulary

BLEND = "blend.safetensors"
NEAREST = 8
ROWS = 4096  # compared at a time


@dataclass(frozen=True)
class Explanation:
    """Why one vector is what it is.

    Attributes:
        rows: of the source tokens the largest by weight: token, id, weight and, where the method went by it, similarity.
        terms: how many there are in all.
        output_rows: the same for the output table where it is made of others than the input table.
        residual: how far the combination is from what it imitates, relative to it; None where the method imitates nothing.
        norm, output_norm: lengths of the rows as they are now; the second is None for a tied model.
        moved: the cosine between the input row as the transfer made it and as it is now; None where nothing came after.
        neighbours, kept_neighbours: the nearest rows of the input table by cosine: all, and those that are copies of the source's.
        text: the explanation as a sentence.
    """

    token: str
    id: int
    kind: Literal["copy", "mix", "shared", "draw", "product"]
    rows: list[dict[str, Any]]
    terms: int
    output_rows: list[dict[str, Any]]
    residual: float | None
    norm: float
    output_norm: float | None
    moved: float | None
    neighbours: list[dict[str, Any]]
    kept_neighbours: list[dict[str, Any]]
    text: str


class NoTransfer(WorkbenchError):
    """No transfer made a model or an ancestor of it."""


@dataclass(frozen=True)
class Origin:
    """A model that descends from a transfer, opened to explain its rows; open it once for many tokens."""

    path: Path
    transfer: Path  # the folder that the transfer wrote: the same, or an ancestor
    source: str  # the model that the transfer started from, as a reference

    @classmethod
    def open(cls, model: str | Path) -> Origin:
        """By reference. Raises NoTransfer if no transfer made the model or an ancestor of it, WorkbenchError if its manifest is gone."""
        place = transfer = refs.locate(model)
        seen: set[Path] = set()
        while not (transfer / BLEND).is_file():
            step = _step(transfer)
            # LEP puts the adapted model's rows into the instruct model, so its tables descend from the adapted one.
            earlier = getattr(step, "adapted", None) or getattr(step, "model", None) or getattr(step, "source", None)
            seen.add(transfer)
            if earlier is None or (transfer := refs.locate(earlier)) in seen:
                raise NoTransfer(f"{model} was not made by a transfer, so nothing records what its vectors are made of; give the id of a transferred model.")
        step = _step(transfer)
        if step is None:
            raise WorkbenchError(f"{model} is a copy of a transferred model; give the id of the original, whose manifest names the source.")
        return cls(place, transfer, step.model)

    @cached_property
    def blend(self) -> Blend:
        return Blend.load(self.transfer / BLEND)

    @cached_property
    def names(self) -> Vocabulary:
        """The source's tokens."""
        from ..vocab import Vocabulary

        return Vocabulary(refs.locate(self.source))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        from ..vocab import Vocabulary

        return Vocabulary(self.path)

    @cached_property
    def now(self) -> Checkpoint:
        return Checkpoint.open(self.path)

    @cached_property
    def _table(self) -> torch.Tensor:
        return self.now.input()

    def explain(self, token: str | int, limit: int = 64) -> Explanation:
        """What a token's vector was made of, with at most `limit` source tokens.

        Raises WorkbenchError where there is no such token, or where it came to the model after the transfer.
        """
        row, blend = self.vocabulary.find(token), self.blend
        shown = self.vocabulary.printable(row)
        if row >= len(blend.kind):
            raise WorkbenchError(f"{shown} was added to the model after the transfer, so it was not made of source tokens; ask for another token.")
        kind, terms = KINDS[blend.kind[row]], blend.terms(row, limit=len(self.names.tokens) + 1)
        rows = self._rows(row, terms[:limit])
        others = blend.terms(row, limit, role="output") if blend.output_mix is not None and not self.now.tied else []
        vector = self._table[row].float()
        moved = self._moved(row, vector)
        every, kept = self._nearest(row, vector)
        residual = float(blend.residual[row]) if blend.residual is not None and np.isfinite(blend.residual[row]) else None
        return Explanation(
            shown, row, kind, rows, len(terms), self._rows(row, others) if others != terms[:limit] else [], residual, float(vector.norm()),
            None if self.now.tied else float(self.now.output()[row].float().norm()), moved, every, kept, self._said(shown, kind, rows, len(terms), moved),
        )  # fmt: skip

    def _rows(self, row: int, terms: list[tuple[int, float]]) -> list[dict[str, Any]]:
        alike = self.blend.similarity
        found = {}
        if alike is not None:
            line = slice(alike.indptr[row], alike.indptr[row + 1])
            found = dict(zip(alike.indices[line].tolist(), alike.data[line].tolist(), strict=True))
        return [
            {"token": self.names.printable(i) if i in self.names.tokens else f"row {i}", "id": i, "weight": w}
            | ({"similarity": found[i]} if i in found else {})
            for i, w in terms
        ]  # fmt: skip

    def _moved(self, row: int, vector: torch.Tensor) -> float | None:
        """The cosine of the row with what the transfer wrote; None in the transferred model itself."""
        if self.path == self.transfer:
            return None
        before = Checkpoint.open(self.transfer).input()[row].float()
        return float(vector @ before / (vector.norm() * before.norm()).clamp(min=1e-30))

    def _nearest(self, row: int, vector: torch.Tensor) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The nearest of all rows, and of those that are copies; tokens only, no padding."""
        import torch

        size = min(len(self._table), self.vocabulary.size)
        cosines = torch.empty(size)
        for start in range(0, size, ROWS):
            block = self._table[start : min(start + ROWS, size)].float()
            cosines[start : start + len(block)] = block @ vector / (block.norm(dim=1) * vector.norm()).clamp(min=1e-30)
        cosines[row] = -2
        copies = np.zeros(size, dtype=bool)
        copies[: len(self.blend.kind)] = self.blend.kind[:size] == COPY
        only = torch.where(torch.from_numpy(copies), cosines, torch.tensor(-2.0))
        return self._top(cosines), self._top(only)

    def _top(self, cosines: torch.Tensor) -> list[dict[str, Any]]:
        values, ids = cosines.topk(min(NEAREST, len(cosines)))
        pairs = zip(ids.tolist(), values.tolist(), strict=True)
        return [{"token": self.vocabulary.printable(i), "id": i, "cosine": round(value, 4)} for i, value in pairs if value > -2]

    def _said(self, shown: str, kind: str, rows: list[dict[str, Any]], terms: int, moved: float | None) -> str:
        if kind == "draw":
            text = f"{shown} was drawn at random ({self.blend.draw.spread} of the source table)"
        elif not rows:
            text = f"{shown} is made of nothing: a row of zeros"
        else:
            said = " + ".join(f"{r['weight']:.3g}·{r['token']}" for r in rows[:8]).replace("+ -", "− ")
            text = f"{shown} = {said}" + (f" + … ({terms} in all)" if terms > 8 else "")
        return text if moved is None else f"{text}. It has moved since: the cosine with the vector that the transfer made is {moved:.3f}."


def _step(place: Path) -> Any:
    """The step that made an artefact; None where the folder is none."""
    return store.read(place).step if (place / "manifest.json").is_file() else None


def explain(model: str | Path, token: str | int, limit: int = 64) -> Explanation:
    """What a token's vector was made of in a model that a transfer wrote, or that was trained or made by LEP from such a one.

    Raises WorkbenchError if no transfer is among what made the model, or it has no such token.
    """
    return Origin.open(model).explain(token, limit)
