"""OMP: a donor's vector is taken apart into few shared tokens, one after the other, and put together in the source (arXiv 2506.06607)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from .base import Blend, Task
from .combining import combine_rows
from .pursuit import pursue
from .space import Anchored, as_rows, sizes_report


class Omp(Anchored):
    """Orthogonal matching pursuit over the shared tokens of a donor, then least squares."""

    needs: ClassVar[tuple[str, ...]] = ("donor",)
    idea: ClassVar[str] = "Take the shared token that explains most of the donor's vector, then the one that explains most of what is left, k times."
    formula: ClassVar[str] = "E_new[t] = Σ c_o · E_src[o], c from k greedy steps on e_donor[t]"
    paper: ClassVar[str] = "arXiv 2506.06607"
    method: Literal["omp"] = "omp"
    k: int = Field(64, ge=1, le=1024, description="Shared tokens for each new token.")

    def blend(self, task: Task) -> Blend:
        rows, known, own = self.opened_donor().rows(task)
        anchors = self.shared(task, own)
        new = task.new[known[task.new]]
        support = pursue(rows[new], rows[anchors[:, 1]], self.k)
        found = combine_rows(rows[new], rows[anchors[:, 1]], support)
        residual = np.full(len(task.kept), np.nan)
        residual[new] = found.residual
        median = float(np.nanmedian(found.residual)) if len(new) else None
        return self.finish(
            task, Blend.copies(task), new, mix=as_rows(task, new, support, anchors[:, 0], found.coefficients),
            similarity=as_rows(task, new, support, anchors[:, 0], support.cosines), residual=residual,
            report={"composed": int((known & ~own)[new].sum()), "anchors": len(anchors), "residual_median": median, "solved_by_svd": found.by_svd}
            | sizes_report(support),
        )  # fmt: skip
