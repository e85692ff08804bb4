"""Copy tasks: a text with the instruction to repeat it, and the text as the reply (LEP, arXiv:2412.21140: the cheapest large gain in its tables)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from .conversations import Messages

SHORTEST = 20  # characters of a sentence worth copying
LONGEST = 12  # sentences of a paragraph
WORDINGS = ("Repeat the following text word for word:\n{text}", "Повтори следующий текст слово в слово:\n{text}")
_SENTENCE = re.compile(r"(?<=[.!?…。！？؟۔])\s+|\n+")


def copy_tasks(
    texts: Iterable[str], count: int, length: Callable[[str], int], room: int, wordings: Sequence[str] = WORDINGS, seed: int = 0
) -> Iterator[Messages]:
    """Sentences and paragraphs in turn, each asked for in one of the wordings, until there are `count` of them or the text ends.

    A paragraph is as many sentences in their order, up to twelve, as have together at most `room` tokens by `length`; a longer sentence is left out.
    """
    rng, made = random.Random(f"{seed}:copies"), 0
    waiting: list[str] = []
    taken = 0
    for sentence in (s for text in texts for s in sentences(text) if len(s) >= SHORTEST):
        if made >= count:
            return
        size = length(sentence) + 1  # the space between two sentences
        if size > room:
            continue
        if made % 2 and len(waiting) < LONGEST and taken + size <= room:
            waiting, taken = [*waiting, sentence], taken + size
        elif made % 2 and len(waiting) < 2:
            waiting, taken = [sentence], size
        else:
            yield asked(rng.choice(wordings), " ".join(waiting) if made % 2 else sentence)
            made, waiting, taken = made + 1, [], 0


def asked(wording: str, text: str) -> Messages:
    return [{"role": "user", "content": wording.replace("{text}", text)}, {"role": "assistant", "content": text}]


def sentences(text: str) -> list[str]:
    """The sentences of a text, by the marks that end them and by line breaks."""
    return [s for part in _SENTENCE.split(text) if (s := part.strip())]
