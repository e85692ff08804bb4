"""CLP-Transfer: a new token is the average of all shared tokens, weighted by how alike the donor finds them (arXiv 2301.09626)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from .base import PRODUCT, Blend, Product, Task
from .similar import unit
from .space import Anchored


class Clp(Anchored):
    """All shared tokens, weighted by their cosine in a donor's table."""

    needs: ClassVar[tuple[str, ...]] = ("donor",)
    idea: ClassVar[str] = "Every shared token says a little, the more the donor finds it alike; with thousands of them the result lies near their average."
    formula: ClassVar[str] = "E_new[t] = Σ cos(e_t, e_o) · E_src[o] / Σ cos(e_t, e_o), over all shared tokens o"
    paper: ClassVar[str] = "arXiv 2301.09626"
    method: Literal["clp"] = "clp"

    def blend(self, task: Task) -> Blend:
        rows, known, own = self.opened_donor().rows(task)
        anchors = self.shared(task, own)
        right, left = unit(rows[anchors[:, 1]]).T, unit(rows[task.new])
        total = left @ right.sum(axis=1)
        # Where the cosines cancel out, dividing by their sum would make a vector of any length.
        sound = known[task.new] & (np.abs(total) > 1e-3 * np.abs(left) @ np.abs(right).sum(axis=1))
        new = task.new[sound]
        start = Blend.copies(task)
        start["kind"][new] = PRODUCT
        start["source"][new] = np.arange(len(new))
        product = Product.of(left[sound] / total[sound, None], right, anchors[:, 0])
        return self.finish(task, start, new, product=product, report={"composed": int((known & ~own)[new].sum()), "anchors": len(anchors)})
