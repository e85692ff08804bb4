"""Conversations of several turns: does a model still say the same when it is asked again, with another question in between?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ...progress import Progress
from ..base import Column, Found, Measure, Sides, Subject, before
from ..scoring import mean

if TYPE_CHECKING:
    from ..steps import Evaluate

USUAL = 40


class Consistency(Measure):
    """A question, another one, and the first again, each answered by the model: is the third reply the first one, and is it right?"""

    kind: ClassVar[str] = "consistency"
    suites: ClassVar[tuple[str, ...]] = ("full",)
    needs: ClassVar[tuple[str, ...]] = ("template",)
    columns: ClassVar[dict[str, Column]] = {
        "same_again": Column("same when asked again", "more", "Share of questions answered as at first when asked again after another question."),
        "right_again": Column("right when asked again", "more", "Share of questions answered exactly in the third turn."),
    }
    file: str = Field(description="A JSONL file of messages or prompt with answer, or demo:ru.")
    count: int = Field(USUAL, ge=2, description="Questions at most.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        file = getattr(knobs, f"{before(side)}questions")
        return [cls(side=side, file=file, count=max(min(knobs.count, USUAL), 2))] if file else []

    @property
    def text(self) -> str:
        return self.file

    def items(self) -> list[dict[str, Any]]:
        from ..asking import read_questions

        return read_questions(self.file, self.count)

    def unfit(self, subject: Subject) -> str:
        return super().unfit(subject) or ("" if len(self.items()) > 1 else f"{self.text} has only one question, so none can come between")

    def take(self, subject: Subject, items: list[dict[str, Any]], progress: Progress) -> Found:
        from ...training.data import encode, render
        from ..prompting import generate

        asked = [item.get("messages") or [{"role": "user", "content": item["prompt"]}] for item in items]
        rooms = [len(encode(subject.tokenizer, item["answer"])) + 8 for item in items]
        between = [*range(1, len(items)), 0]  # the next one's question stands between
        talks, turns = [list(messages) for messages in asked], []
        for number in range(3):
            room = [rooms[n] for n in between] if number == 1 else rooms
            part = progress.part(number / 3, (number + 1) / 3)
            turns.append(generate(subject, [render(subject.tokenizer, talk, True) for talk in talks], room, part))
            for n, talk in enumerate(talks):
                said = (turns[-1][n] or "").strip()
                talk += [{"role": "assistant", "content": said}, asked[between[n]][-1] if number == 0 else asked[n][-1]]
        first, _, third = turns
        missed = [any(turn[n] is None for turn in turns) for n in range(len(items))]
        same = [float("nan") if gone else float(a.strip() == c.strip()) for a, c, gone in zip(first, third, missed, strict=True)]
        right = [float("nan") if gone else float(c.strip() == i["answer"].strip()) for c, i, gone in zip(third, items, missed, strict=True)]
        examples = [
            {"question": asked[n][-1]["content"], "wanted": first[n].strip(), "reply": third[n].strip(), "score": same[n]}
            for n in range(len(items))
            if not missed[n]
        ]
        return Found([mean("same_again", same, "share"), mean("right_again", right, "share")], examples=examples)
