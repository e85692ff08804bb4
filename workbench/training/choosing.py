"""Which rows of the tables learn: all, those that a transfer filled in, or those with the old ones that belong to the new language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from .base import Stage

OFTEN = 10.0  # times as large a share of the new language's tokens as of the source language's
SAMPLE = 1000  # documents of each language


def trained_rows(stage: Stage) -> list[int] | None:
    """The ids of the rows that a stage lets learn, in their order; None for all.

    Raises WorkbenchError where there are none, or where the stage has no two languages to tell them by.
    """
    kind = getattr(stage, "rows", "all")
    if kind == "all":
        return None
    return new_rows(stage.model) if kind == "new" else _target_rows(stage)


def new_rows(reference: str) -> list[int]:
    """The ids of the rows that a transfer filled in, also where the model was trained or made by LEP since.

    Raises WorkbenchError for a model that no transfer made.
    """
    from ..transfer.base import COPY
    from ..transfer.explaining import Origin

    try:
        kinds = Origin.open(reference).blend.kind
    except WorkbenchError as error:
        raise WorkbenchError(f"'{reference}' was not made by a transfer, so it has no new rows; use --rows all.") from error
    found = [int(i) for i in (kinds != COPY).nonzero()[0]]
    if not found:
        raise WorkbenchError(f"The transfer that made '{reference}' filled in no row; use --rows all.")
    return found


def own_tokens(tokenizer: PreTrainedTokenizerFast, target: Iterable[str], source: Iterable[str]) -> set[int]:
    """Ids that are at least `OFTEN` times as large a share of the target language's tokens as of the source language's."""
    from .data import encode

    there, here = (Counter(i for text in texts for i in encode(tokenizer, text)) for texts in (target, source))
    factor = OFTEN * there.total() / max(here.total(), 1)
    return {i for i, count in there.items() if count >= factor * here[i]}


def _target_rows(stage: Stage) -> list[int]:
    """New rows, and the old ones that belong to the target language.

    What both languages share, such as marks of punctuation, stays: a chat model's layers rest on it. With the demo's Russian (1 200 steps, 200 held-out
    questions in Russian and in English, of which the original answers .82 and .92) LEP's chat model answered .75 and .91; .72 and .87 where all rows had
    learnt, .73 and .87 where new ones and all of those had that Russian text uses, and .65 and .92 where new ones alone had.
    """
    from .. import refs, tokenizer

    tokens = tokenizer.load(refs.locate(stage.model))
    own = own_tokens(tokens, *_both_languages(stage))
    try:
        new = new_rows(stage.model)
    except WorkbenchError:  # no transfer made it, so its old rows are all it has
        new = []
    if not own and not new:
        raise WorkbenchError(f"No token is mainly one of the new language, and '{stage.model}' has no new rows; use --rows all.")
    return sorted(own.union(new))


def _both_languages(stage: Any) -> tuple[list[str], list[str]]:
    """Some text in the new language and in the source language: of the texts, or of the sides of the pairs."""
    from .. import corpus

    text, source, pairs = (getattr(stage, name, None) for name in ("text", "source_text", "pairs"))
    if not (text or pairs) or not (source or pairs):
        raise WorkbenchError("rows=target tells the new language's tokens by comparing it with source text; give --source-text, or use --rows new.")
    both = corpus.open_parallel(pairs, seed=stage.seed).train.take(SAMPLE) if pairs else []
    there = corpus.open(text, seed=stage.seed).train.take(SAMPLE) if text else [b for _, b in both]
    return there, corpus.open(source, seed=stage.seed).train.take(SAMPLE) if source else [a for a, _ in both]
