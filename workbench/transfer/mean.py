"""Every new row is the mean of all source rows."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from .base import SHARED, Blend, Method, Task, no_mix


class Mean(Method):
    """The mean of the whole source table, the same for every new token."""

    idea: ClassVar[str] = "All new tokens start at one point, the centre of the model's vocabulary: nothing is wrong with it, and nothing is known."
    formula: ClassVar[str] = "E_new[t] = 1/V · Σ E_src"
    method: Literal["mean"] = "mean"

    def blend(self, task: Task) -> Blend:
        start = Blend.copies(task)
        start["kind"][task.new] = SHARED
        start["source"][task.new] = 0
        weights = np.zeros((1, task.rows))
        weights[0, : task.source.size] = 1 / task.source.size  # rows of padding were never trained
        return Blend(**start, mix=no_mix(task), shared=weights)
