"""How a model writes when nobody asks: in the right script, without a loop, at what length."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from ...corpus.scripts import main_script, script
from ...progress import Progress
from ...specs import TextRef
from ..base import Column, Found, OnText, Subject
from ..scoring import Score, mean

FEWEST, SHOWN, WANTED = 24, 96, 160  # characters: a document at least, of it as the beginning, and of it as what could follow
USUAL = 40


class Continuations(OnText):
    """Held-out documents are begun and the model goes on, greedily, in plain text: is it in the text's script, is it caught in a loop, how long is it?"""

    kind: ClassVar[str] = "checks"
    usual: ClassVar[int] = USUAL
    columns: ClassVar[dict[str, Column]] = {
        "script_share": Column("right script", "more", "Share of the letters written that are of the text's main script."),
        "looping": Column("loops", "fewer", "Share of continuations that end in the same piece four times over."),
        "length": Column("length", "", "Characters written, over those that followed in the text (of both at most 160)."),
    }
    reference: TextRef = Field(description="The text; its held-out documents are begun.")
    count: int = Field(USUAL, ge=1, description="Documents at most.")

    def items(self) -> list[dict[str, str]]:
        from ...corpus import open as open_text

        found = [begun(text) for text in open_text(self.reference).held_out.take(4 * self.count) if len(text.strip()) >= FEWEST]
        return found[: self.count]

    def take(self, subject: Subject, items: list[dict[str, str]], progress: Progress) -> Found:
        from ...training.answering import looped
        from ...training.data import encode, start_ids
        from ..prompting import generate

        tokenizer, main = subject.tokenizer, main_script("".join(item["begin"] for item in items))
        prompts = [start_ids(tokenizer) + encode(tokenizer, item["begin"]) for item in items]
        said = generate(subject, prompts, [len(encode(tokenizer, item["follows"])) + 8 for item in items], progress)
        written = [None if text is None else text[:WANTED] for text in said]
        nothing = float("nan")
        letters = np.array([[nothing] * 2 if text is None else in_script(text, main) for text in written])
        lengths = np.array([[nothing] * 2 if t is None else [len(t), len(i["follows"])] for t, i in zip(written, items, strict=True)], dtype=float)
        loops = [nothing if text is None else float(bool(looped(text))) for text in said]
        scores = [Score("script_share", letters, "ratio"), mean("looping", loops, "share"), Score("length", lengths, "ratio")]
        examples = [
            {"question": item["begin"], "wanted": item["follows"], "reply": text, "score": None} for item, text in zip(items, written, strict=True) if text
        ]
        return Found(scores, examples=examples)


def begun(text: str) -> dict[str, str]:
    """A document cut behind a word: its beginning (a third of a short one), and what follows."""
    text = text.strip()
    at = min(SHOWN, len(text) // 3)
    space = text.find(" ", at)
    at = space if 0 < space < 2 * SHOWN else at
    return {"begin": text[:at], "follows": text[at : at + WANTED]}


def in_script(text: str, main: str) -> list[float]:
    """(letters of the script, letters)."""
    letters = [found for c in text if (found := script(c))]
    return [float(letters.count(main)), float(len(letters))]
