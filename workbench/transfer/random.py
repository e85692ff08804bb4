"""New rows drawn with the mean and standard deviation of the source table: the weakest control."""

from __future__ import annotations

from typing import ClassVar, Literal

from .base import DRAW, Blend, Draw, Method, Task, no_mix


class Random(Method):
    """Independent normal numbers with the source table's mean and standard deviation in every dimension."""

    idea: ClassVar[str] = "Knows nothing: numbers as large as the model's own. Everything has to be learned; the control that any method must beat."
    formula: ClassVar[str] = "E_new[t] ~ N(mean, std)"
    spread: ClassVar[Literal["std", "covariance"]] = "std"
    method: Literal["random"] = "random"

    def blend(self, task: Task) -> Blend:
        return drawn(task, self.spread)


def drawn(task: Task, spread: Literal["std", "covariance"]) -> Blend:
    """A blend whose new rows are all drawn, each by its token's identity."""
    start = Blend.copies(task)
    start["kind"][task.new] = DRAW
    keys = {int(i): repr(task.target.identity(int(i))).encode() for i in task.new}
    return Blend(**start, mix=no_mix(task), draw=Draw(spread, task.seed, keys))
