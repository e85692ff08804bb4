"""New rows drawn from the multivariate normal distribution of the source table (Hewitt 2021)."""

from __future__ import annotations

from typing import ClassVar, Literal

from .base import Blend, Method, Task
from .random import drawn


class Gaussian(Method):
    """A normal distribution with the source table's mean and full covariance."""

    idea: ClassVar[str] = "Random, but in the directions in which the model's own vectors vary: a fairer control than independent numbers."
    formula: ClassVar[str] = "E_new[t] ~ N(mean, covariance)"
    paper: ClassVar[str] = "nlp.stanford.edu/~johnhew/vocab-expansion.html"
    method: Literal["gaussian"] = "gaussian"

    def blend(self, task: Task) -> Blend:
        return drawn(task, "covariance")
