"""Questions with one right answer: does the greedy reply say just that?"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ...progress import Progress
from ..base import Column, Found, Measure, Sides, Subject, before
from ..scoring import mean

if TYPE_CHECKING:
    from ..steps import Evaluate


class Questions(Measure):
    """The share of questions answered exactly: messages in the chat template, prompts as text to go on with."""

    kind: ClassVar[str] = "questions"
    given: ClassVar[bool] = True
    version: ClassVar[int] = 2  # since what does not fit into the context is left out
    columns: ClassVar[dict[str, Column]] = {"exact_match": Column("questions answered", "more", "Share of questions whose greedy reply is just the answer.")}
    file: str = Field(description="A JSONL file of prompt or messages with answer, or demo:ru.")
    count: int = Field(200, ge=1, description="Questions at most.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        file = getattr(knobs, f"{before(side)}questions")
        return [cls(side=side, file=file, count=knobs.count)] if file else []

    @property
    def text(self) -> str:
        return self.file

    def items(self) -> list[dict[str, Any]]:
        from ..asking import read_questions

        return read_questions(self.file, self.count)

    def unfit(self, subject: Subject) -> str:
        asks = any(item.get("messages") for item in self.items())
        return "it has no chat template to be asked in" if asks and not subject.tokenizer.chat_template else ""

    def take(self, subject: Subject, items: list[dict[str, Any]], progress: Progress) -> Found:
        from ..asking import exact_match

        found = exact_match(subject.model, subject.tokenizer, items, batch_size=subject.batch_size, tick=progress.at)
        examples = [
            {"question": row.get("prompt") or row["messages"][-1]["content"], "wanted": row["answer"], "reply": row["reply"], "score": float(row["right"])}
            for row in found.rows
            if row["right"] is not None
        ]
        right = [nan if row["right"] is None else float(row["right"]) for row in found.rows]
        return Found([mean("exact_match", right, "share")], examples=examples)
