"""The transfer steps: run, preview, explain."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Union

from pydantic import Field

from ..errors import WorkbenchError
from ..overlap import Match
from ..progress import Progress
from ..specs import ModelRef, Seed, Step, TokenizerRef
from .assemble import Carry, explain
from .clp import Clp
from .focus import Focus
from .gaussian import Gaussian
from .hidden import compared_with, hidden_overlap
from .mean import Mean
from .ofa import Ofa
from .omp import Omp
from .random import Random
from .salt import Salt
from .subtokens import Subtokens
from .wechsel import Wechsel

# The menu, not a gate: `Carry.write` takes any object with a `blend` function.
METHODS = (Subtokens, Salt, Focus, Omp, Clp, Wechsel, Ofa, Mean, Gaussian, Random)
MATCH: Any = Field("exact", description="Tokens that count as the same: equal bytes, or looser rules after that.", json_schema_extra={"advanced": True})
AnyOf = Union[METHODS]  # noqa: UP007 - made from the tuple


class Transfer(Step):
    """Give a model a new tokenizer: kept tokens keep their vectors, new ones are filled in by a method."""

    command: ClassVar[str] = "transfer"
    makes: ClassVar[str] = "model"
    main: ClassVar[tuple[str, ...]] = ("model", "tokenizer")
    model: ModelRef = Field(description="The model whose vectors are carried over.")
    tokenizer: TokenizerRef = Field(description="The tokenizer it shall have.")
    method: AnyOf = Field(Subtokens(), description="How new vectors are made.", discriminator="method")
    match: Match = Field(
        "exact", description="Which tokens count as the same: by their bytes, or by looser rules after these.", json_schema_extra={"advanced": True}
    )
    judge: bool = Field(
        True, description="Hide some shared tokens and report how well the method finds their vectors again.", json_schema_extra={"advanced": True}
    )
    pad_to: int = Field(
        1, ge=1, le=1024, description="Pad the tables to a multiple of so many rows, as some servers like.", json_schema_extra={"advanced": True}
    )
    link: bool = Field(
        False, description="Link the shards that do not change also where they lie in a folder of yours: then never edit them there.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    seed: Seed = Field(0, description="For methods that draw random numbers.", json_schema_extra={"advanced": True})

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        progress.at(0, "opening the model and both tokenizers")
        carry = Carry.open(self.model, self.tokenizer, self.seed, self.match)
        progress.at(0.2, f"filling {len(carry.task.new)} new rows")
        found = carry.write(self.method, out, link=self.link, pad_to=self.pad_to) | {"method": self.method.method}
        for warning in (warnings := [*found["warnings"], *found["report"].pop("warnings", [])]):
            progress.warn(warning)
        found |= {"warnings": warnings}
        if self.judge and (rivals := compared_with(self.method)):
            progress.at(0.7, "hiding shared tokens to see whether they are found again")
            try:
                found["hidden"] = hidden_overlap(carry.task, rivals, seed=self.seed)
            except WorkbenchError as error:
                progress.note(str(error))
        return found


class Preview(Step):
    """Say what a transfer would keep, make and drop; nothing is written."""

    command: ClassVar[str] = "transfer.preview"
    heavy: ClassVar[bool] = False
    main: ClassVar[tuple[str, ...]] = ("model", "tokenizer")
    model: ModelRef = Field(description="The model whose vectors would be carried over.")
    tokenizer: TokenizerRef = Field(description="The tokenizer it would have.")
    match: Match = Field(
        "exact", description="Which tokens count as the same: by their bytes, or by looser rules after these.", json_schema_extra={"advanced": True}
    )

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        return Carry.open(self.model, self.tokenizer, match=self.match).preview()


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
