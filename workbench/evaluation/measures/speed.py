"""Speed of generation in characters a second: what fewer tokens per word are worth on this machine."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from ...progress import Progress
from ...specs import TextRef
from ..base import Column, Found, OnText, Subject
from ..scoring import Score
from .checks import Continuations

TOKENS = 48
USUAL = 8


class Speed(OnText):
    """Held-out documents are gone on with, one at a time, greedily, for a fixed number of tokens; characters written over seconds taken."""

    kind: ClassVar[str] = "speed"
    usual: ClassVar[int] = USUAL
    kept: ClassVar[bool] = False
    columns: ClassVar[dict[str, Column]] = {"characters_per_second": Column("characters/s", "more", "Characters generated a second, one text at a time.")}
    reference: TextRef = Field(description="The text; its held-out documents are begun.")
    count: int = Field(USUAL, ge=1, description="Documents at most.")

    def items(self) -> list[dict[str, str]]:
        return Continuations(reference=self.reference, count=self.count).items()

    def take(self, subject: Subject, items: list[dict[str, str]], progress: Progress) -> Found:
        from ...training.data import encode, start_ids

        found = []
        prompts = [start_ids(subject.tokenizer) + encode(subject.tokenizer, item["begin"]) for item in items]
        for n, ids in enumerate([prompts[0], *prompts]):  # the first one twice: it also waits for what is made ready at the first use
            tokens = min(TOKENS, subject.context - len(ids))
            found.append(timed(subject, ids, tokens) if tokens > 0 else [float("nan")] * 2)
            progress.at(n / len(prompts))
        notes = ["Characters a second are of this machine as busy as it was, one model after the other."]
        return Found([Score("characters_per_second", np.array(found[1:]), "ratio")], notes=notes)


def timed(subject: Subject, ids: list[int], tokens: int) -> list[float]:
    """[characters, seconds] of exactly so many tokens after these."""
    import torch

    model: Any = subject.model
    pad = subject.tokenizer.pad_token_id if subject.tokenizer.pad_token_id is not None else subject.tokenizer.eos_token_id or 0
    asked = torch.tensor([ids], device=model.get_input_embeddings().weight.device)
    with torch.inference_mode():
        start = time.perf_counter()
        out = model.generate(
            asked, attention_mask=torch.ones_like(asked), min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False, pad_token_id=pad, use_cache=True
        )
        written = subject.tokenizer.decode(out[0, len(ids) :].tolist(), skip_special_tokens=True)  # reading the ids waits for the device
        return [float(len(written)), time.perf_counter() - start]
