"""FOCUS: a new token is a convex combination of the shared tokens that are most alike in word vectors (arXiv 2305.14481)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from .base import Blend, Task
from .similar import sparsemax
from .space import Compared, as_rows, sizes_report


class Focus(Compared):
    """Convex combinations of shared tokens, weighted by sparsemax of their likeness."""

    needs: ClassVar[tuple[str, ...]] = ("vectors",)
    idea: ClassVar[str] = "Words that stand in like places mean alike: a new token becomes a weighted average of its nearest shared tokens, and of no others."
    formula: ClassVar[str] = "E_new[t] = Σ sparsemax(cos(f(t), f(o))) · E_src[o]"
    paper: ClassVar[str] = "arXiv 2305.14481"
    method: Literal["focus"] = "focus"

    def blend(self, task: Task) -> Blend:
        donor = self.opened_donor() if self.donor and not self.vectors else None
        space = self.compared_in(task, donor)
        anchors = self.shared(task, space.has if space.own is None else space.own)
        new = task.new[space.has[task.new]]
        support = sparsemax(space.vectors[new], space.vectors[anchors[:, 1]])
        weights = support.sparsemax() if len(support.anchors) else np.zeros(0)
        return self.finish(
            task, Blend.copies(task), new, mix=as_rows(task, new, support, anchors[:, 0], weights),
            similarity=as_rows(task, new, support, anchors[:, 0], support.cosines),
            report={"compared_in": space.how, "anchors": len(anchors)} | sizes_report(support),
        )  # fmt: skip
