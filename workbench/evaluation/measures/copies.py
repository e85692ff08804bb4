"""Copying, as LEP measures it: a sentence and a paragraph are to be said again."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from ...progress import Progress
from ...specs import TextRef
from ..base import Column, Found, Measure, Sides, Subject, before
from ..copying import REQUEST, WHOLE
from ..scoring import mean

if TYPE_CHECKING:
    from ..steps import Evaluate

USUAL = 20  # texts, where a suite asks for copies and nobody says how many


class Copies(Measure):
    """How well a chat model says held-out texts again (arXiv 2412.21140): sentences by length, paragraphs whole, and the share of characters that came."""

    kind: ClassVar[str] = "copy"
    given: ClassVar[bool] = True
    version: ClassVar[int] = 2  # since what does not fit into the context is left out
    needs: ClassVar[tuple[str, ...]] = ("template",)
    columns: ClassVar[dict[str, Column]] = {
        "copy_sentences": Column("sentences copied", "more", "How near the reply's length in tokens comes to the sentence's; it ignores what is said."),
        "copy_paragraphs": Column("paragraphs copied", "more", "Share of paragraphs of which 99 % of the characters came, in order."),
        "copy_characters": Column("characters copied", "more", "Share of the characters that came, in order."),
    }
    reference: TextRef = Field(description="The text; held-out documents are copied.")
    count: int = Field(USUAL, ge=1, description="Texts at most.")
    request: str = Field(REQUEST, pattern=r"\{text\}", description="How a text is asked for; {text} is the text.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        text, count = getattr(knobs, f"{before(side)}text"), knobs.copies or (USUAL if knobs.suite != "given" or cls.kind in knobs.measures else 0)
        return [cls(side=side, reference=text, count=count, request=getattr(knobs, f"{before(side)}copy_request"))] if text and count else []

    @property
    def text(self) -> str:
        return self.reference

    def items(self) -> list[str]:
        from ...corpus import open as open_text
        from ...training.copying import sentences

        return [text for text in open_text(self.reference).held_out.take(self.count) if sentences(text)]

    def take(self, subject: Subject, items: list[str], progress: Progress) -> Found:
        from ..copying import copied

        found = copied(subject.model, subject.tokenizer, items, request=self.request, batch_size=subject.batch_size, tick=progress.at)
        kinds = {kind: {row["number"]: row for row in found.rows if row["kind"] == kind} for kind in ("sentence", "paragraph")}
        sentences, paragraphs = ([kinds[kind].get(n, {"length": nan, "kept": nan}) for n in range(len(items))] for kind in kinds)
        both = np.array([[row["kept"] for row in rows] for rows in (sentences, paragraphs)])
        scores = [
            mean("copy_sentences", [row["length"] for row in sentences]),
            mean("copy_paragraphs", [nan if isnan(row["kept"]) else float(row["kept"] >= WHOLE) for row in paragraphs], "share"),
            mean("copy_characters", both.mean(0)),  # of texts that were asked for in both ways, so that models are set against each other on the same
        ]
        said = kinds["sentence"].values()
        return Found(scores, examples=[{"question": row["text"], "wanted": row["text"], "reply": row["reply"], "score": row["kept"]} for row in said])
