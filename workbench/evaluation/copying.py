"""Copying: can a chat model say a text again? What it loses first where its tokens and its layers do not fit.

Measured as in LEP (arXiv 2412.21140): a sentence by how near the length of the reply comes, a paragraph by whether all of it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REQUEST = "Repeat the following text word for word:\n{text}"
WHOLE = 0.99  # matched characters / length from which on a paragraph counts as copied
MORE = 8  # tokens that a reply may have beside what is wanted
LONGEST = 1_000  # characters of a paragraph; the sentences beyond are left out


@dataclass(frozen=True)
class Copied:
    """How well texts were said again.

    Attributes:
        sentences: mean of min(p/s, s/p), p tokens of the reply and s of the sentence, by the model's own tokenizer; it ignores what they say.
        paragraphs: share of paragraphs of which `WHOLE` of the characters came, in order.
        characters: mean share of a text's characters that came, in order, over sentences and paragraphs.
        n, whole: how many first sentences and how many paragraphs were asked for. What does not fit into the model's context, request and copy, is not,
            most often a paragraph; a mean over nothing is NaN.
    """

    sentences: float
    paragraphs: float
    characters: float
    n: int
    whole: int
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)


def copied(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], *, request: str = REQUEST, batch_size: int = 16,
    tick: Callable[[float], object] = lambda done: None,
) -> Copied:  # fmt: skip
    """Ask a chat model for every text's first sentence and for its paragraph; `request` holds {text} where the text goes. `tick` hears how far it is.

    Raises WorkbenchError if there is no text, no {text}, or no chat template to ask in.
    """
    from ..models import context_of
    from ..training.copying import sentences as into_sentences
    from ..training.data import encode, render
    from .asking import finished_replies

    parts = [found for text in texts if (found := into_sentences(text))]
    asked = [(n, *item) for n, each in enumerate(parts) for item in (("sentence", each[0][:LONGEST]), ("paragraph", paragraph(each)))]
    if not asked or "{text}" not in request:
        raise WorkbenchError("There is nothing to copy; give at least one text, and a request with {text} where it goes.")
    if not tokenizer.chat_template:
        raise WorkbenchError("This tokenizer has no chat template, so it cannot be asked to copy; use an instruct model.")
    prompts = [render(tokenizer, [{"role": "user", "content": request.replace("{text}", text)}], True) for *_, text in asked]
    sizes = [len(encode(tokenizer, text)) for *_, text in asked]
    left = [context_of(model.config) - len(each) for each in prompts]
    # Texts of about one length wait for one another least.
    order = sorted((n for n in range(len(asked)) if sizes[n] + MORE <= left[n]), key=lambda n: len(asked[n][2]))
    rooms = [min(2 * size + MORE, most) for size, most in zip(sizes, left, strict=True)]
    rows = []
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        for n, (reply, _) in zip(part, finished_replies(model, tokenizer, [prompts[n] for n in part], [rooms[n] for n in part]), strict=True):
            (number, kind, text), size, said = asked[n], sizes[n], len(encode(tokenizer, reply.strip()))
            length = min(said / size, size / said) if said else 0.0
            rows.append({"number": number, "kind": kind, "text": text, "reply": reply.strip(), "length": length, "kept": kept(text, reply)})
        tick(len(rows) / len(order))
    sentences, paragraphs = ([row for row in rows if row["kind"] == kind] for kind in ("sentence", "paragraph"))
    means = (_mean([r["length"] for r in sentences]), _mean([r["kept"] >= WHOLE for r in paragraphs]), _mean([r["kept"] for r in rows]))
    return Copied(*means, len(sentences), len(paragraphs), rows)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def paragraph(sentences: Iterable[str]) -> str:
    """As many whole sentences as fit, at least one, cut where even that is too long."""
    found = ""
    for each in sentences:
        if found and len(found) + len(each) >= LONGEST:
            break
        found = f"{found} {each}".strip()
    return found[:LONGEST]


def kept(text: str, reply: str) -> float:
    """The share of a text's characters that a reply has, in their order."""
    blocks = SequenceMatcher(None, text, reply.strip(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(text)
