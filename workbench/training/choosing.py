"""Which rows of the tables learn: all, those that a transfer filled in, or those with the old ones that belong to the new language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from .base import Stage

OFTEN = 10.0  # times as large a share of the new language's tokens as of the source language's
SAMPLE = 1000  # documents of each language, the first ones


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

    Raises WorkbenchError for a model that no transfer made, or one that filled in no row.
    """
    from ..transfer.explaining import NoTransfer

    try:
        found = _filled(reference)
    except NoTransfer as error:
        raise WorkbenchError(f"'{reference}' was not made by a transfer, so it has no new rows; use --rows all.") from error
    if not found:
        raise WorkbenchError(f"The transfer that made '{reference}' filled in no row; use --rows all.")
    return found


def _filled(reference: str) -> list[int]:
    from ..transfer.base import COPY
    from ..transfer.explaining import Origin

    return [int(i) for i in (Origin.open(reference).blend.kind != COPY).nonzero()[0]]


def own_tokens(tokenizer: PreTrainedTokenizerFast, target: Iterable[str], source: Iterable[str]) -> set[int]:
    """Ids that are at least `OFTEN` times as large a share of the target language's tokens as of the source language's."""
    from .data import encode

    there, here = (Counter(i for text in texts for i in encode(tokenizer, text)) for texts in (target, source))
    factor = OFTEN * there.total() / max(here.total(), 1)
    return {i for i, count in there.items() if count >= factor * here[i]}


def _target_rows(stage: Stage) -> list[int]:
    """New rows, and the old ones that belong to the target language, by the first `SAMPLE` documents of each.

    What both languages share, such as marks of punctuation, stays: a chat model's layers rest on it. With the demo's Russian (1 200 steps, 200 held-out
    questions in Russian and in English, of which the original answers .82 and .92) LEP's chat model answered .75 and .91; .72 and .87 where all rows had
    learnt, .73 and .87 where new ones and all of those had that Russian text uses, and .65 and .92 where new ones alone had.
    """
    from .. import refs, tokenizer
    from ..transfer.explaining import NoTransfer

    tokens = tokenizer.load(refs.locate(stage.model))
    own = own_tokens(tokens, *_both_languages(stage))
    with suppress(NoTransfer):  # then its old rows are all it has
        own.update(_filled(stage.model))
    if not own:
        raise WorkbenchError(f"No token is mainly one of the new language, and '{stage.model}' has no new rows; use --rows all.")
    return sorted(own)


def _both_languages(stage: Any) -> tuple[list[str], list[str]]:
    """Documents in the new language and in the source language: of the texts, or else of the sides of the pairs."""
    from .. import corpus

    pairs = corpus.open_parallel(stage.pairs, seed=stage.seed).train.take(SAMPLE) if getattr(stage, "pairs", None) else []
    found = []
    for side, knob in ((1, "text"), (0, "source_text")):
        reference = getattr(stage, knob)
        if not reference and not pairs:
            raise WorkbenchError(f"rows=target tells the two languages' tokens apart by text of both; give --{knob.replace('_', '-')}, or use --rows all.")
        documents = corpus.open(reference, seed=stage.seed).train.take(SAMPLE) if reference else [pair[side] for pair in pairs]
        if not documents:
            raise WorkbenchError(f"{reference} has no document to train on by which rows=target could tell its language's tokens; give more text.")
        found.append(documents)
    return found[0], found[1]
