"""WECHSEL: word vectors of two languages, turned onto each other by a dictionary; every token is estimated anew (arXiv 2112.06598)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ..errors import WorkbenchError
from ..specs import PairsRef, TextRef
from .base import COPY, MIX, Blend, Method, Task
from .similar import nearest_k, unit
from .space import Filling, Space, as_rows, dictionary_pairs, in_words, words_of
from .wordvectors import Words


class Wechsel(Filling, Method):
    """The ten nearest source tokens in bilingual word vectors; also for tokens that both vocabularies have."""

    needs: ClassVar[tuple[str, ...]] = ("word vectors of both languages", "dictionary")
    idea: ClassVar[str] = "A dictionary turns one language's word vectors onto the other's; then every token is the mean of the source tokens nearest to it."
    formula: ClassVar[str] = "E_new[t] = Σ softmax(cos(W·f(t), f(j))/τ) · E_src[j], over the 10 nearest source tokens"
    paper: ClassVar[str] = "arXiv 2112.06598"
    reestimates: ClassVar[bool] = True
    method: Literal["wechsel"] = "wechsel"
    source_vectors: TextRef = Field("", description="Word vectors of the source language: a .vec or .bin file, or a text to learn them from, such as demo:en.")
    target_vectors: TextRef = Field("", description="Word vectors of the target language: a .vec or .bin file, or a text to learn them from, such as demo:ru.")
    dictionary: PairsRef = Field("", description="Word pairs, source and target: a .tsv file with two columns, or demo:en-ru.")
    neighbours: int = Field(10, ge=1, le=1024, description="Source tokens for each target token.", json_schema_extra={"advanced": True})
    softness: float = Field(0.1, gt=0, le=10, description="Temperature of the softmax: lower leans on the nearest.", json_schema_extra={"advanced": True})

    def blend(self, task: Task) -> Blend:
        for knob in ("source_vectors", "target_vectors", "dictionary"):
            if not getattr(self, knob):
                raise WorkbenchError(f"wechsel needs {knob.replace('_', ' ')}; give {knob} (word vectors of both languages and a dictionary between them).")
        source, target = words_of(self.source_vectors, task.seed), words_of(self.target_vectors, task.seed)
        turn, used = alignment(source, target, dictionary_pairs(self.dictionary))
        theirs, mine = in_words(task.source, task.rows, source), in_words(task.target, len(task.kept), target)
        theirs = Space(unit(theirs.vectors) @ turn, theirs.has, theirs.how)
        start = Blend.copies(task)
        wanted = np.arange(len(task.kept)) if task.wanted is None else task.wanted
        special = np.array([i >= task.target.size or task.target.identity(int(i)).kind != "text" for i in wanted], dtype=bool)
        new = wanted[~(special & (task.kept[wanted] >= 0)) & mine.has[wanted]]
        start["kind"][new], start["source"][new] = MIX, -1
        sources = np.setdiff1d(np.flatnonzero(theirs.has), task.off_limits)
        support = nearest_k(mine.vectors[new], theirs.vectors[sources], self.neighbours)
        return self.finish(
            task, start, np.union1d(new, np.flatnonzero(start["kind"] == COPY)), mix=as_rows(task, new, support, sources, support.softmax(self.softness)),
            similarity=as_rows(task, new, support, sources, support.cosines), report={"compared_in": target.how, "anchors": len(sources), "dictionary": used},
        )  # fmt: skip


def alignment(source: Words, target: Words, pairs: list[tuple[str, str]]) -> tuple[np.ndarray, int]:
    """W (d, d), orthogonal: source words times W lie nearest to their translations (Procrustes); and the number of pairs both sides know."""
    from scipy.linalg import orthogonal_procrustes

    (x, has_x), (y, has_y) = source.look_up([a for a, _ in pairs]), target.look_up([b for _, b in pairs])
    if x.shape[1] != y.shape[1] and has_x.any() and has_y.any():
        raise WorkbenchError(f"The word vectors have {x.shape[1]} and {y.shape[1]} dimensions; WECHSEL needs the same number for both languages.")
    known = has_x & has_y
    if known.sum() < 2:
        raise WorkbenchError(
            f"Of {len(pairs)} word pairs of the dictionary the word vectors know {int(known.sum())}; give one between their languages, source first."
        )
    return orthogonal_procrustes(unit(x[known]), unit(y[known]))[0], int(known.sum())
