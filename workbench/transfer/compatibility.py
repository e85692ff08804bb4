"""Whether three models are a base, its adaptation and its instruct sibling: asked before an LEP is run, on a sample of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from .. import checkpoint, store
from ..progress import Progress
from ..specs import ModelRef, Step
from . import layers
from .lep import HOPELESS, Propagation
from .trio import Side, Trio, Which, check_finite, check_used

if TYPE_CHECKING:
    import torch

DIRECTIONS = 64  # random directions of the instruct rows that are predicted: enough for R², and the product is thin
JUDGED = 512


class LepCheck(Step):
    """Say whether three models fit each other for LEP, and how well, before anything is computed at length; nothing is written."""

    command: ClassVar[str] = "lep.check"
    heavy: ClassVar[bool] = False
    base: ModelRef = Field(description="The base model before adaptation.")
    adapted: ModelRef = Field(description="The base model after adaptation, or the folder of a LoRA adapter over it.")
    instruct: ModelRef = Field(description="The instruction-tuned sibling of the base model.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        return compatibility(Trio.open(self.base, self.adapted, self.instruct))


def compatibility(trio: Trio) -> dict[str, Any]:
    """Sizes, ties, shared tokens, what became of the layers, bytes to be written, and R² of a map fitted on a sample of the shared rows, with warnings.

    Raises WorkbenchError where the three cannot be propagated at all, or the disk has too little room.
    """
    sides = trio.base, trio.adapted, trio.instruct
    made = Propagation(trio)
    which: tuple[Which, ...] = ("input",) if made.tied else ("input", "output")
    need = checkpoint.plan(trio.instruct.checkpoint, store.folder() / "model", *(made.rows(w) for w in which)).bytes
    fits = {w: sampled_fit(trio, w) for w in which}
    warnings = [said for w in which if (said := _said(w, fits[w]))]
    changed = layers.changed(trio.base.checkpoint, trio.adapted.checkpoint, thorough=False)
    if changed or trio.adapted.adapter:
        warnings.append("The adapted model's layers were trained too: what they learnt is added to the instruct model's, unless the layer scale is 0.")
    shared = len(trio.shared_ids)
    if shared < 0.9 * trio.base.vocabulary.size:
        warnings.append(f"Only {shared} of the base model's {trio.base.vocabulary.size} tokens are the instruct model's at the same ids.")
    return {
        "models": [{"role": s.role, **s.about(), "rows": len(s.table("input")), "ids": s.vocabulary.size, "tied": s.tied} for s in sides],
        "shared_tokens": shared, "added_tokens": len(made.added), "rows_after": max(made.ids.values()) + 1, "tied": made.tied,
        "layers_changed": len(changed), "adapter": trio.adapted.adapter is not None, "bytes_needed": need, **fits, "warnings": warnings,
    }  # fmt: skip


def _said(which: Which, fit: dict[str, Any]) -> str:
    best = max(fit["r2_swap"], -np.inf if fit["r2_map"] is None else fit["r2_map"])
    if best >= HOPELESS:
        return ""
    return f"A map of the {which} table explains only {best:.2f} of sampled rows: the base is probably not the one this instruct model was tuned from."


def sampled_fit(trio: Trio, which: Which) -> dict[str, Any]:
    """R² of swap on a sample of shared rows; where that is low, also of a map to random directions of the instruct rows, on rows held out from it.

    The map is None where swap alone shows the two to be siblings, or fewer rows are shared than a map takes. It is a lower bound: the fit proper has all rows.
    """
    import torch

    width = trio.base.checkpoint.shape[1]
    ids = trio.shared_ids
    ids = ids[np.unique(np.linspace(0, len(ids) - 1, min(len(ids), 2 * width + JUDGED)).astype(np.int64))]
    a, b = (_rows(side, which, ids) for side in (trio.base, trio.instruct))
    used = (a != 0).any(1) & (b != 0).any(1)
    c = (b - a)[used]
    a, b = a[used], b[used]
    check_used([len(a)], which)
    judge = torch.zeros(len(a), dtype=torch.bool)
    judge[:: max(len(a) // min(JUDGED, max(len(a) // 5, 1)), 1)] = True
    found: dict[str, Any] = {"r2_swap": 1 - _squares(c[judge]) / max(_squares(b[judge]), 1e-300), "r2_map": None, "rows": len(a)}
    if found["r2_swap"] < HOPELESS and int((~judge).sum()) > width:
        towards = torch.randn(width, min(DIRECTIONS, width), generator=torch.Generator().manual_seed(0))
        known, wanted = a[~judge], (c @ towards)
        gram = (known.T @ known).double()
        gram.diagonal().add_(1e-6 * float(gram.diagonal().mean()))  # against sums in fp32
        y = torch.linalg.solve(gram, (known.T @ wanted[~judge]).double()).float()
        found["r2_map"] = 1 - _squares(a[judge] @ y - wanted[judge]) / max(_squares(b[judge] @ towards), 1e-300)
    return found


def _squares(x: torch.Tensor) -> float:
    return float(x.double().square().sum())


def _rows(side: Side, which: Which, ids: np.ndarray) -> Any:
    import torch

    rows = side.table(which)[torch.from_numpy(ids)].float()
    check_finite(rows, side.role, which, ids)
    return rows
