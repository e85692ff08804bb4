"""SALT: what the donor's vector is in terms of shared tokens, said again with the source's vectors (arXiv 2505.10945, METHODS: SALT)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from .base import BLOCK, Blend, Task
from .blends import combine
from .combining import Combined, combine_rows
from .similar import Support, sparsemax
from .space import Compared, as_rows, sizes_report

COLLAPSED = 200  # a median support beyond this: the vectors hardly tell tokens apart
CANCELLING = 5.0  # Σ|c| beyond this: large terms that cancel in the donor, and need not in the source


class Salt(Compared):
    """Semantic Aware Linear Transfer: least squares from a donor's vectors, over the shared tokens that mean nearly the same."""

    needs: ClassVar[tuple[str, ...]] = ("donor",)
    idea: ClassVar[str] = (
        "A model of the target language knows what its tokens mean. Each new token becomes the combination of its nearest shared tokens that comes "
        "closest to its vector there; the same combination of the source's vectors is its new vector."
    )
    formula: ClassVar[str] = "E_new[t] = e_donor[t] · A⁺B, A and B the donor's and the source's rows of the support of sparsemax(cos)"
    paper: ClassVar[str] = "arXiv 2505.10945"
    method: Literal["salt"] = "salt"
    k_max: int = Field(0, ge=0, le=4096, description="At most so many shared tokens for one new token; 0: as many as sparsemax finds (the paper).")
    ridge: float = Field(0.0, ge=0, le=10, description="Shrinks the combination; 0 is the paper's.", json_schema_extra={"advanced": True})
    center: bool = Field(False, description="Combinations whose weights sum to one (affine); the paper's need not.", json_schema_extra={"advanced": True})
    temperature: float = Field(
        1.0, gt=0, le=10, description="Divides the similarities before sparsemax: higher finds more shared tokens.", json_schema_extra={"advanced": True}
    )
    norm: Literal["as found", "match"] = Field(
        "as found", description="match: scale new vectors to the median length of the source's; least squares makes short ones.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip

    def blend(self, task: Task) -> Blend:
        donor = self.opened_donor()
        rows, known, own = donor.rows(task)
        space = self.compared_in(task, donor)
        anchors = self.shared(task, own, space.has)
        new = task.new[known[task.new] & space.has[task.new]]
        support = sparsemax(space.vectors[new], space.vectors[anchors[:, 1]], self.temperature, self.k_max)
        found = combine_rows(rows[new], rows[anchors[:, 1]], support, self.ridge, self.center)
        coefficients = {role: found.coefficients * self._scale(task, role, new, anchors[:, 0], support, found) for role in ("input", "output")}
        residual = np.full(len(task.kept), np.nan)
        residual[new] = found.residual
        about = {"compared_in": space.how, "composed": int((known & ~own)[new].sum()), "anchors": len(anchors)} | _diagnostics(support, found)
        about["warnings"] = warnings(task, anchors[:, 1], support, found, rows.shape[1])
        return self.finish(
            task, Blend.copies(task), new, mix=as_rows(task, new, support, anchors[:, 0], coefficients["input"]),
            output_mix=None if self.norm == "as found" else as_rows(task, new, support, anchors[:, 0], coefficients["output"]),
            similarity=as_rows(task, new, support, anchors[:, 0], support.cosines), residual=residual, report=about,
        )  # fmt: skip

    def _scale(self, task: Task, role: Literal["input", "output"], new: np.ndarray, sources: np.ndarray, support: Support, found: Combined) -> Any:
        """(nnz,) factors that give each new row the median length of the source's rows; 1 unless asked for."""
        if self.norm == "as found" or task.tables is None or not len(support.anchors):
            return 1.0
        table, mix = task.tables(role), as_rows(task, new, support, sources, found.coefficients)
        lengths = np.concatenate([table[start : start + BLOCK].float().norm(dim=1).numpy() for start in range(0, len(table), BLOCK)])
        wanted = np.median(lengths[lengths > 0])
        mine = np.concatenate([combine(mix, table, new[start : start + BLOCK]).double().norm(dim=1).numpy() for start in range(0, len(new), BLOCK)])
        return np.repeat(np.divide(wanted, mine, out=np.ones_like(mine), where=mine > 0), support.sizes)


def _diagnostics(support: Support, found: Combined) -> dict[str, Any]:
    some = support.sizes > 0
    if not some.any():
        return {}
    total = _totals(support, found)
    known = found.conditioning[~np.isnan(found.conditioning)]
    return sizes_report(support) | {
        "residual_median": float(np.nanmedian(found.residual)), "residual_p95": float(np.nanpercentile(found.residual, 95)),
        "weights_median": float(np.median(total)), "weights_max": float(total.max()),
        "conditioning_median": float(np.median(known)) if len(known) else None, "conditioning_min": float(known.min()) if len(known) else None,
        "solved_by_svd": found.by_svd,
    }  # fmt: skip


def _totals(support: Support, found: Combined) -> np.ndarray:
    """Σ|c| of each token that has a support."""
    return np.add.reduceat(np.abs(found.coefficients), support.ends[:-1][support.sizes > 0]) if len(support.anchors) else np.zeros(0)


def warnings(task: Task, anchors: np.ndarray, support: Support, found: Combined, width: int) -> list[str]:
    """What speaks against trusting the result, in plain sentences."""
    said = []
    median = float(np.median(support.sizes)) if len(support.sizes) else 0
    if median > COLLAPSED:
        said.append(f"The median token leans on {median:.0f} shared tokens: the vectors hardly tell words apart; give better ones, or set k_max.")
    if len(support.sizes) and (near := float((np.abs(support.sizes / width - 1) < 0.1).mean())) > 0.1:
        said.append(
            f"{near:.0%} of the tokens lean on about as many shared tokens as the donor is wide ({width}), where least squares is least stable; set k_max."
        )
    if (torn := float((_totals(support, found) > CANCELLING).mean()) if len(support.anchors) else 0) > 0.1:
        said.append(
            f"{torn:.0%} of the tokens are made of large terms that cancel each other; compare tokens in word vectors (vectors), or set k_max or ridge."
        )
    if len(anchors) < width:
        said.append(f"Only {len(anchors)} shared tokens are known to the donor, fewer than its width of {width}.")
    letters = sum(any(c.isalpha() for c in task.target.identity(int(i)).bytes.decode("utf-8", "ignore")) for i in anchors)
    if letters < len(anchors) / 2:
        said.append(f"Only {letters} of {len(anchors)} shared tokens have letters; digits and punctuation say little about words.")
    return said
