"""A new row is made of the source rows of the pieces that its text had before: FVT, and the initialisation of LEP."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import Blend, Method, Task, subtoken_mix

Pick = Literal["mean", "first", "last"]


class Subtokens(Method):
    """The mean of the pieces into which the source tokenizer cuts the token's bytes (arXiv 2403.14688, 2412.21140)."""

    idea: ClassVar[str] = "A new word starts as the average of the pieces it used to be written with, so the model is not lost at step 0."
    formula: ClassVar[str] = "E_new[t] = 1/K · Σ E_src[piece]"
    paper: ClassVar[str] = "arXiv 2403.14688"
    method: Literal["subtokens"] = "subtokens"
    input_from: Pick = Field("mean", description="Input row: the mean of the pieces, or only the first or the last.", json_schema_extra={"advanced": True})
    output_from: Pick = Field("mean", description="Output row: the mean of the pieces, or only the first or the last.", json_schema_extra={"advanced": True})

    def blend(self, task: Task) -> Blend:
        second = None if self.output_from == self.input_from else subtoken_mix(task, self.output_from)
        return Blend(**Blend.copies(task), mix=subtoken_mix(task, self.input_from), output_mix=second)
