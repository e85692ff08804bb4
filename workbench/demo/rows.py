"""What the demo's models are trained on: blocks of stories, of questions with their answers, of retellings, of chats, and of made-up pairs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from ..training.data import Block, Document, answers, chats, mix, pack, plain, start_ids
from .pairs import DEEP, Difficulty, ordinary, pairs
from .world import instructions, stories
from .world.render import question, text
from .world.text import endless, plan_alike, plan_questions, source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BLOCK = 256  # tokens; no document of the world is longer by much
QUESTIONS = 4  # asked of one story: it is read once and all the answers carry loss
RETOLD = 3  # of the two to four things told
Pieces = list[tuple[str, bool]]
Phase = tuple[int, Mapping[str, float], Mapping[str, float]]  # blocks, share of each kind, share of each language


def interviews(lang: str, split: str, seed: int) -> Iterator[Pieces]:
    """A story and four questions about it; the answers carry loss.

    In-context lookup does not form under plain language-model loss on independent facts, nearly all of which is noise. Questions are drawn with
    replacement: where each is asked once, a model learns to name what has not been named yet.
    """

    def make(rng: random.Random, part: str) -> Pieces:
        plan = plan_questions(rng, part)
        pieces: Pieces = []
        before = text(lang, plan.lines) + " "
        for ask in rng.choices(plan.asks, k=QUESTIONS):
            asked, answer = question(lang, ask)
            pieces += [(f"{before}{asked}\n", False), (answer, True), ("\n", True)]
            before = ""
        return pieces

    yield from endless(make, source("interviews", lang, split, seed), split)


def retellings(lang: str, split: str, seed: int) -> Iterator[Pieces]:
    """The same thing told of two to four people, then some of it again in any order, in the same words or in others: who goes with what."""

    def make(rng: random.Random, part: str) -> Pieces:
        told = plan_alike(rng, part)
        same = rng.random() < 0.5
        pieces: Pieces = [(text(lang, [line for lines in told for line in lines]) + "\n", False)]
        for _ in range(RETOLD):
            lines = rng.choice(told)
            pieces += [(text(lang, lines if same else [line._replace(pick=rng.random()) for line in lines]), True), ("\n", True)]
        return pieces

    yield from endless(make, source("retellings", lang, split, seed), split)


def made_up(tokenizer: PreTrainedTokenizerBase, how: Difficulty, seed: int, split: str = "train") -> Iterator[Document]:
    """Pairs in a made-up language of this tokenizer's tokens."""
    return pairs(ordinary(tokenizer), start_ids(tokenizer), how, seed, split)


def blocks(tokenizer: PreTrainedTokenizerBase, kind: str, lang: str, seed: int, split: str = "train") -> Iterator[Block]:
    """An endless stream of blocks of one kind (stories, interviews, retellings, chats; pairs have no language) in one language."""
    documents = {
        "stories": lambda: plain(tokenizer, stories(lang, split, seed)),
        "interviews": lambda: answers(tokenizer, interviews(lang, split, seed)),
        "retellings": lambda: answers(tokenizer, retellings(lang, split, seed)),
        "pairs": lambda: made_up(tokenizer, DEEP[-1][1], seed, f"{split}-{lang}"),
        "chats": lambda: chats(tokenizer, (i.messages for i in instructions(lang, split, seed))),
    }[kind]()
    return pack(documents, BLOCK, tokenizer.pad_token_id)


def blend(tokenizer: PreTrainedTokenizerBase, phases: list[Phase], seed: int) -> Callable[[], Iterator[Block]]:
    """A stream of phases; the last one goes on for ever."""

    def make() -> Iterator[Block]:
        return chain.from_iterable(
            islice(phase(kinds, languages, seed + n), count if n < len(phases) - 1 else None) for n, (count, kinds, languages) in enumerate(phases)
        )

    def phase(kinds: Mapping[str, float], languages: Mapping[str, float], at: int) -> Iterator[Block]:
        pairs = [(kind, lang) for kind in kinds for lang in languages]
        return mix([blocks(tokenizer, *pair, at) for pair in pairs], [kinds[k] * languages[lang] for k, lang in pairs], at)

    return make
