"""Far from the beginning: bits per byte, and a sentence said again, by how much text stands before."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from ...progress import Progress
from ...specs import TextRef
from ..base import Column, Found, OnText, Row, Subject
from ..scoring import Score

EDGES = (0, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768)  # bytes of text before
USUAL = 12  # long texts, each of as many documents as make the last edge
SHARE = 1 / 3  # of a sentence that is shown again before the model goes on with it


class Positions(OnText):
    """Long texts of joined documents, read from the beginning as far as a model's context reaches; positions are bytes, as tokens differ between models."""

    kind: ClassVar[str] = "positions"
    usual: ClassVar[int] = USUAL
    suites: ClassVar[tuple[str, ...]] = ("full",)
    columns: ClassVar[dict[str, Column]] = {}  # curves only: models whose contexts end at different places have no one number
    reference: TextRef = Field(description="The text; its held-out documents are joined.")
    count: int = Field(USUAL, ge=1, description="Long texts at most.")
    reach: int = Field(8192, ge=256, le=32_768, description="Bytes of a long text; what a model's context does not hold is left out for it.")

    def items(self) -> list[str]:
        """Long texts of at least `reach` bytes, or one of all there is."""
        from ...corpus import open as open_text

        found: list[str] = []
        joined: list[str] = []
        size = 0
        for document in open_text(self.reference).held_out:
            joined.append(document.strip())
            size += len(joined[-1].encode()) + 1
            if size >= self.reach:
                found.append("\n".join(joined))
                joined, size = [], 0
            if len(found) == self.count:
                break
        return found or (["\n".join(joined)] if joined else [])

    def take(self, subject: Subject, items: list[str], progress: Progress) -> Found:
        bits = bits_by_position(subject, items, progress.part(0, 0.3))
        copies = copies_by_distance(subject, items, progress.part(0.3, 1))
        curves = []
        for name, stats in (("bits_per_byte", bits), ("copied", copies)):
            for n, (low, high) in enumerate(pairwise(EDGES)):
                score = Score(name, stats[:, n], "ratio")
                if score.n:
                    curves.append(row(name, low, high, score))
        return Found([], curves=curves)


def row(name: str, low: int, high: int, score: Score) -> Row:
    ends = score.interval()
    return {"measure": name, "from": low, "to": high, "value": score.value, "low": ends[0], "high": ends[1], "n": score.n}


def bits_by_position(subject: Subject, texts: list[str], progress: Progress) -> np.ndarray:
    """(texts, places, 2) bits and bytes of each text between two edges; NaN where the context ends before the place does."""
    from ..bits import LOGITS, framed, nats_of

    found = np.full((len(texts), len(EDGES) - 1, 2), np.nan)
    most = max(min(subject.context, LOGITS // subject.model.config.get_text_config().vocab_size), 2)
    for n, text in enumerate(texts):
        ids, _ = framed(subject.tokenizer, text)
        ends = byte_ends(subject.tokenizer, text)
        skipped = len(ids) - len(ends)  # 1: the mark that stands first
        ids, ends = ids[: most + 1], ends[: most + 1 - skipped]
        nats = nats_of(subject.model, [ids])[0].numpy()
        sizes = np.diff(ends, prepend=0)[1 - skipped :]
        starts = (ends - np.diff(ends, prepend=0))[1 - skipped :]
        for place, (low, high) in enumerate(pairwise(EDGES)):
            inside = (starts >= low) & (starts < high)
            if inside.any() and ends[-1] >= min(high, len(text.encode())):
                found[n, place] = nats[inside].sum() / math.log(2), sizes[inside].sum()
        progress.at((n + 1) / len(texts))
    return found


def byte_ends(tokenizer: Any, text: str) -> np.ndarray:
    """(tokens,) how many UTF-8 bytes of the text each token ends behind; a token that ends inside a character counts all of it."""
    sizes = np.concatenate([[0], np.cumsum([len(c.encode()) for c in text])])
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return np.maximum.accumulate(np.array([sizes[end] for _, end in offsets], dtype=np.int64))


def copies_by_distance(subject: Subject, texts: list[str], progress: Progress) -> np.ndarray:
    """(texts, places, 2): of each text's first sentence, begun again after so much of the rest, the share of the missing characters that comes; and 1."""
    from ...training.data import encode, start_ids
    from ..prompting import generate

    asked = [(n, place, *found) for n, text in enumerate(texts) for place in range(len(EDGES) - 1) if (found := begun_again(text, EDGES[place]))]
    prompts = [start_ids(subject.tokenizer) + encode(subject.tokenizer, prompt) for *_, prompt, _ in asked]
    rooms = [len(encode(subject.tokenizer, rest)) + 4 for *_, rest in asked]
    found = np.full((len(texts), len(EDGES) - 1, 2), np.nan)
    for (n, place, _, rest), said in zip(asked, generate(subject, prompts, rooms, progress), strict=True):
        if said is not None:
            found[n, place] = same_start(said, rest) / len(rest), 1.0
    return found


def begun_again(text: str, distance: int) -> tuple[str, str] | None:
    """(the text up to `distance` bytes behind its first sentence, and that sentence begun again; the rest of it). None where the text is too short."""
    from ...training.copying import sentences

    first = next((s for s in sentences(text) if len(s) >= 12), "")
    rest = text.partition(first)[2] if first else ""
    if not first or len(rest.encode()) < distance:
        return None
    between = rest.encode()[:distance].decode(errors="ignore")
    at = first.find(" ", round(len(first) * SHARE))
    at = at if at > 0 else round(len(first) * SHARE)
    return f"{first}{between}\n{first[:at]}", first[at:]


def same_start(said: str, wanted: str) -> int:
    """Characters up to the first difference."""
    return next((n for n, (a, b) in enumerate(zip(said, wanted, strict=False)) if a != b), min(len(said), len(wanted)))
