"""Multiple choice and classification: which option does a model hold for the likeliest, by its UTF-8 bytes? For base models, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ...progress import Progress
from ..base import Column, Found, Measure, Sides, Subject, before
from ..scoring import mean
from ..taskfiles import read_task

if TYPE_CHECKING:
    from ..steps import Evaluate


class Choices(Measure):
    """The share of items whose right option has the highest log-likelihood per UTF-8 byte; every model reads the same plain text before it."""

    kind: ClassVar[str] = "choice"
    given: ClassVar[bool] = True
    columns: ClassVar[dict[str, Column]] = {"choice": Column("choices", "more", "Share of items whose right option is the likeliest per UTF-8 byte.")}
    file: str = Field(description="A JSONL file of prompt, options and right, or of instruction, input and output; or demo:ru.")
    count: int = Field(200, ge=1, description="Items at most.")
    shots: int = Field(0, ge=0, description="Items at the beginning of the file that are shown with their answers, and not asked.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        file = getattr(knobs, f"{before(side)}choices")
        tasks = [each for each in getattr(knobs, f"{before(side)}tasks") if read_task(each).kind == "choice"]
        return [cls(side=side, file=each, count=knobs.count, shots=knobs.shots if each in tasks else 0) for each in [*([file] if file else []), *tasks]]

    @property
    def text(self) -> str:
        return self.file

    def items(self) -> list[dict[str, Any]]:
        from ..choosing import read_choices

        found = read_choices(self.file, self.count + self.shots) if self.file.startswith("demo:") else read_task(self.file, self.count + self.shots).items
        shown, asked = found[: self.shots], found[self.shots :]
        head = "".join(f"{item['prompt']}{item['options'][item['right']]}\n\n" for item in shown)
        return [{**item, "prompt": head + item["prompt"]} for item in asked]

    def take(self, subject: Subject, items: list[dict[str, Any]], progress: Progress) -> Found:
        from ..choosing import chosen

        fits = [needed(subject, item) <= subject.context for item in items]
        if not any(fits):
            return Found([mean("choice", [float("nan")] * len(items), "share")])
        asked = [item for item, fit in zip(items, fits, strict=True) if fit]
        found = chosen(subject.model, subject.tokenizer, asked, batch_size=subject.batch_size, tick=progress.at)
        rows = iter(found.rows)
        right = [float((row := next(rows))["chosen"] == row["right"]) if fit else float("nan") for fit in fits]
        examples = [
            {"question": row["prompt"], "wanted": row["options"][row["right"]], "reply": row["options"][row["chosen"]],
             "score": float(row["chosen"] == row["right"])}
            for row in found.rows
        ]  # fmt: skip
        notes = [f"Guessing gives {found.chance:.2f} of the choices of {Path(self.text).name}."]
        return Found([mean("choice", right, "share")], examples=examples, notes=notes)


def needed(subject: Subject, item: dict[str, Any]) -> int:
    """Tokens that are read to score the longest option; its last one is only predicted."""
    from ...training.data import encode, start_ids

    prompt = len(start_ids(subject.tokenizer)) + len(encode(subject.tokenizer, item["prompt"]))
    return prompt + max(len(encode(subject.tokenizer, option)) for option in item["options"]) - 1
