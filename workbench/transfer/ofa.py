"""OFA: a new token is the softmax-weighted mean of its nearest source tokens in one space of many languages (arXiv 2311.08849)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ..errors import WorkbenchError
from ..specs import PairsRef
from .base import Blend, Method, Task
from .similar import nearest_k
from .space import Filling, as_rows, bilingual_words, in_words


class Ofa(Filling, Method):
    """The ten nearest source tokens in multilingual word vectors."""

    needs: ClassVar[tuple[str, ...]] = ("multilingual vectors",)
    idea: ClassVar[str] = "Where words of both languages live in one space, a new token becomes the mean of the source tokens nearest to it."
    formula: ClassVar[str] = "E_new[t] = Σ softmax(cos/τ) · E_src[j], over the 10 nearest source tokens"
    paper: ClassVar[str] = "arXiv 2311.08849"
    method: Literal["ofa"] = "ofa"
    multilingual: PairsRef = Field("", description="A multilingual .vec or .bin file, or parallel text to learn such vectors from, such as demo:en-ru.")
    neighbours: int = Field(10, ge=1, le=1024, description="Source tokens for each new token.", json_schema_extra={"advanced": True})
    softness: float = Field(0.1, gt=0, le=10, description="Temperature of the softmax: lower leans on the nearest.", json_schema_extra={"advanced": True})

    def blend(self, task: Task) -> Blend:
        if not self.multilingual:
            raise WorkbenchError("ofa needs multilingual vectors; give a .vec or .bin file that covers both languages, or parallel text such as demo:en-ru.")
        words = bilingual_words(self.multilingual, task.seed)
        theirs, mine = in_words(task.source, task.rows, words), in_words(task.target, len(task.kept), words)
        sources = np.setdiff1d(np.flatnonzero(theirs.has), task.off_limits)
        new = task.new[mine.has[task.new]]
        support = nearest_k(mine.vectors[new], theirs.vectors[sources], self.neighbours)
        return self.finish(
            task, Blend.copies(task), new, mix=as_rows(task, new, support, sources, support.softmax(self.softness)),
            similarity=as_rows(task, new, support, sources, support.cosines), report={"compared_in": words.how, "anchors": len(sources)},
        )  # fmt: skip
