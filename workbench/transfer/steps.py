"""The transfer steps: run, preview, explain."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Union

from pydantic import Field

from ..progress import Progress
from ..specs import ModelRef, Step, TokenizerRef
from .assemble import Carry, explain
from .clp import Clp
from .focus import Focus
from .gaussian import Gaussian
from .mean import Mean
from .ofa import Ofa
from .omp import Omp
from .random import Random
from .salt import Salt
from .subtokens import Subtokens
from .wechsel import Wechsel

# The menu, not a gate: `Carry.write` takes any object with a `blend` function.
METHODS = (Subtokens, Salt, Focus, Omp, Clp, Wechsel, Ofa, Mean, Gaussian, Random)
AnyOf = Union[METHODS]  # noqa: UP007 - made from the tuple


class Transfer(Step):
    """Give a model a new tokenizer: kept tokens keep their vectors, new ones are filled in by a method."""

    command: ClassVar[str] = "transfer"
    makes: ClassVar[str] = "model"
    model: ModelRef = Field(description="The model whose vectors are carried over.")
    tokenizer: TokenizerRef = Field(description="The tokenizer it shall have.")
    method: AnyOf = Field(Subtokens(), description="How new vectors are made.", discriminator="method")
    seed: int = Field(0, ge=0, description="For methods that draw random numbers.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        progress.at(0, "opening the model and both tokenizers")
        carry = Carry.open(self.model, self.tokenizer, self.seed)
        progress.at(0.3, f"filling {len(carry.task.new)} new rows")
        return carry.write(self.method, out) | {"method": self.method.method}


class Preview(Step):
    """Say what a transfer would keep, make and drop; nothing is written."""

    command: ClassVar[str] = "transfer.preview"
    heavy: ClassVar[bool] = False
    model: ModelRef = Field(description="The model whose vectors would be carried over.")
    tokenizer: TokenizerRef = Field(description="The tokenizer it would have.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        carry = Carry.open(self.model, self.tokenizer)
        counts = carry.counts()
        warnings = []
        if counts["kept"] < 100:
            warnings.append(f"Only {counts['kept']} tokens are shared; methods that lean on shared tokens will have little to go by.")
        if counts["new"] == 0:
            warnings.append("The tokenizer has no token that the model lacks; the result will be the same model.")
        if counts["table_bytes_after"] > 2 * counts["table_bytes_before"]:
            warnings.append("The tables more than double; think of fewer new tokens.")
        return counts | {"warnings": warnings}


class Explain(Step):
    """Say what a token's vector was made of: which source tokens, with what weights."""

    command: ClassVar[str] = "transfer.explain"
    heavy: ClassVar[bool] = False
    main: ClassVar[tuple[str, ...]] = ("model", "token")
    model: ModelRef = Field(description="A model that a transfer made.")
    token: str = Field(description="The token, as its text (with a leading space where it starts a word) or as #id.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        found = asdict(explain(self.model, int(self.token[1:]) if self.token[:1] == "#" and self.token[1:].isdecimal() else self.token))
        return {"text": found.pop("text"), **found}
