"""From plans to text in a language."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from . import asks_en, asks_fa, asks_ru, english, persian, russian
from .plan import Ask, Line
from .tables import up

LANGUAGES = ("en", "ru", "fa")
_LINES: dict[str, ModuleType] = {"en": english, "ru": russian, "fa": persian}
_ASKS: dict[str, ModuleType] = {"en": asks_en, "ru": asks_ru, "fa": asks_fa}


class QA(NamedTuple):
    question: str
    answer: str


def sentence(lang: str, line: Line) -> str:
    """One line as one sentence (or two that belong together)."""
    says = getattr(_LINES[lang], line.kind)(*line.args)
    return up(says[int(line.pick * len(says))])


def text(lang: str, lines: list[Line]) -> str:
    return " ".join(sentence(lang, line) for line in lines)


_COUNTS: dict[tuple[str, int], int] = {}


def sentences(line: Line) -> int:
    """How many sentences a line makes; that depends on its paraphrase alone, of which there are one, two or three."""
    key = line.kind, int(line.pick * 6)
    if key not in _COUNTS:
        _COUNTS[key] = sentence("en", line).count(".")
    return _COUNTS[key]


def shorten(lines: list[Line], most: int) -> list[Line]:
    """As many lines from the start as make ``most`` sentences; a line has as many in every language."""
    total = 0
    for i, line in enumerate(lines):
        total += sentences(line)
        if total > most:
            return lines[:i]
    return lines


def question(lang: str, ask: Ask) -> QA:
    return QA(*getattr(_ASKS[lang], ask.family)(*ask.args))


def answer_with(lang: str, ask: Ask, other: str) -> str:
    """The answer, had ``other`` been asked for."""
    args = (*ask.args[: ask.slot], other, *ask.args[ask.slot + 1 :])
    return getattr(_ASKS[lang], ask.family)(*args)[1]
