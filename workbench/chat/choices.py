"""What a model chose at each step of a reply and what else it might have said, and how a text is cut by several tokenizers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ALTERNATIVES = 5


@dataclass(frozen=True)
class Choice:
    """One token of a reply: its id, the natural logarithm of its probability, and (id, logarithm) of the likeliest tokens at this place."""

    id: int
    log: float
    best: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Chosen:
    """A choice, to be shown: text as `inspection.chips` shows it, kind, probability, and the alternatives with theirs."""

    id: int
    shown: str
    kind: str
    bytes: bytes
    probability: float
    alternatives: tuple[tuple[str, float], ...]


def chosen(tokenizer: PreTrainedTokenizerFast, choices: Sequence[Choice]) -> list[Chosen]:
    """The tokens of a reply in words."""
    from ..tokenizer.inspection import look, spelling_of

    spelling = spelling_of(tokenizer)
    names = tokenizer.convert_ids_to_tokens

    def named(token: int) -> tuple[str, bytes, str]:
        if (name := names(token)) is None:  # a row of the table that no token has
            return f"#{token}", b"", "special"
        shown, raw, _, kind = look(spelling, token, name)
        return shown, raw, kind

    found = []
    for choice in choices:
        shown, raw, kind = named(choice.id)
        others = tuple((named(i)[0], math.exp(log)) for i, log in choice.best)
        found.append(Chosen(choice.id, shown, kind, raw, math.exp(choice.log), others))
    return found


def packed(choices: Sequence[Choice]) -> list[list[Any]]:
    """As JSON, short: [id, logarithm, [[id, logarithm], …]]."""
    return [[c.id, round(c.log, 4), [[i, round(log, 4)] for i, log in c.best]] for c in choices]


def unpacked(rows: Sequence[Sequence[Any]]) -> list[Choice]:
    return [Choice(int(i), float(log), tuple((int(a), float(b)) for a, b in best)) for i, log, best in rows]
