"""Made-up languages of random tokens: what the demo's base model learns first, so that it can look things up before it can speak.

Which of several things belongs to which of several people is a circuit of two attention layers. On sentences it did not form: after 24 M
tokens a model told two candidates apart as a coin does. On bare pairs of random tokens it forms within some hundred steps of a
thousand tokens, if the queries and keys are normalised (Qwen3), the model is shallow, and the first words are few; the rest builds on it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..training.data import IGNORE, Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ASKED = 4  # pairs said again, with replacement: without it, the last one is known by elimination
Word = tuple[int, ...]


@dataclass(frozen=True)
class Difficulty:
    """How hard a made-up language is.

    `words`: different tokens (0: all); `kinds`: keys and values are words of two kinds; `length`: tokens a word has at most; `gap`: tokens at most
    before, between and after a key and its value, the same in every sentence of a document; `back`: share of the pairs asked for by their value.
    """

    words: int = 0
    kinds: bool = False
    length: int = 1
    gap: int = 0
    back: float = 0.0


# Steps at most, and the language. From bare pairs in a tiny vocabulary to sentences of several tokens. Asking by key is learnt first: asked both
# ways at once, neither forms within 500 steps. The model gets its other layers before the first language with gaps.
SHALLOW = [
    (800, Difficulty(128, kinds=True)),
    (1200, Difficulty(128, kinds=True, back=0.75)),
    (600, Difficulty(256, kinds=True, back=0.5)),
    (600, Difficulty(512, kinds=True, back=0.5)),
    (600, Difficulty(kinds=True, back=0.5)),
    (600, Difficulty(back=0.5)),
]
DEEP = [
    (600, Difficulty(gap=1, back=0.5)),
    (600, Difficulty(gap=2, back=0.5)),
    (300, Difficulty(length=2, gap=2, back=0.5)),
    (400, Difficulty(length=3, gap=3, back=0.5)),
] * 2  # none is mastered in its steps: once more, from the easiest on


def pairs(vocabulary: Sequence[int], first: Sequence[int], how: Difficulty, seed: int, split: str = "train") -> Iterator[Document]:
    """Two to five pairs of a key and a value, then four of them again in any order; the asked word carries loss.

    `first`: ids a document begins with. Where a value comes first and the key is asked for, the first id of the vocabulary stands before it.
    The words are decided by the seed: those of a smaller language are words of the same kind in a larger one.
    """
    rng = random.Random(f"{seed}:{split}")
    mark, others = vocabulary[0], list(vocabulary[1:])
    known = random.Random(seed).sample(others, len(others))[: how.words or None]
    keys, values = (known[::2], known[1::2]) if how.kinds else (known, known)
    while True:
        count = rng.randint(2, 5)
        said = list(zip(_words(rng, keys, count, how), _words(rng, values, count, how), strict=True))
        before, between, after = (rng.choices(known, k=rng.randint(0, how.gap)) for _ in range(3))
        if how.length > 1 and not between:  # else nothing shows where a key ends
            between = [rng.choice(known)]
        ids = [*first]
        for key, value in said:
            ids += [*before, *key, *between, *value, *after]
        labels = [IGNORE] * len(ids)
        for key, value in rng.choices(said, k=ASKED):
            if rng.random() < how.back:
                asked, answer, rest = [mark, *value], [*key, *between[:1]], between[1:]
            else:
                asked, answer, rest = [*before, *key, *between], [*value, *after[:1]], after[1:]
            ids += [*asked, *answer, *rest]
            labels += [IGNORE] * len(asked) + answer + [IGNORE] * len(rest)
        yield Document(ids, labels)


def ordinary(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """All ids but those of special tokens."""
    return sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))


def _words(rng: random.Random, tokens: Sequence[int], count: int, how: Difficulty) -> list[Word]:
    found: dict[Word, None] = {}
    while len(found) < count:
        found[tuple(rng.choices(tokens, k=rng.randint(1, how.length)))] = None
    return list(found)
