"""Bits per byte of held-out text: the one measure of fit that can be compared across tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from ...errors import WorkbenchError
from ...progress import Progress
from ...specs import TextRef
from ..base import Column, Found, Measure, Sides, Subject, before
from ..scoring import Score

if TYPE_CHECKING:
    from ..steps import Evaluate


class BitsPerByte(Measure):
    """How many bits a model needs for a byte of text that it has not seen; `evaluation.bits_per_byte` says how documents begin and windows move."""

    kind: ClassVar[str] = "bits"
    given: ClassVar[bool] = True
    columns: ClassVar[dict[str, Column]] = {"bits_per_byte": Column("bits per byte", "fewer", "Bits that the model needs for one byte of held-out text.")}
    reference: TextRef = Field(description="The text; its held-out part is measured.")
    documents: int = Field(200, ge=1, description="Documents at most.")
    context: int = Field(0, ge=0, description="Tokens a model sees at once; 0 takes what it was made for, at most 1024.")
    stride: int = Field(0, ge=0, description="Tokens a window moves by; 0 takes half the context.")

    @classmethod
    def asked(cls, knobs: Evaluate, side: Sides) -> Sequence[Measure]:
        text = getattr(knobs, f"{before(side)}text")
        return [cls(side=side, reference=text, documents=knobs.count, context=knobs.context, stride=knobs.stride)] if text else []

    @property
    def text(self) -> str:
        return self.reference

    def items(self) -> list[str]:
        from ...corpus import open as open_text

        if not (found := open_text(self.reference).held_out.take(self.documents)):
            raise WorkbenchError(f"{self.reference} has no held-out document; give a longer text, or a corpus that has a held-out part.")
        return found

    def take(self, subject: Subject, items: list[str], progress: Progress) -> Found:
        from ..bits import by_document

        how = {"context": self.context or None, "stride": self.stride or None, "batch_size": subject.batch_size}
        bits, sizes, _ = by_document(subject.model, subject.tokenizer, items, **how, tick=progress.at)
        return Found([Score("bits_per_byte", np.stack([bits, sizes.astype(float)], axis=1), "ratio")])
