"""What the demo's models are trained on: blocks of stories, of questions with their answers, of repetitions, of chats."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from ..training.data import Block, answers, chats, mix, pack, plain
from .world import instructions, stories
from .world.render import question, text
from .world.text import endless, plan_questions, source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BLOCK = 256  # tokens; no document of the world is longer by much
QUESTIONS = 4  # asked of one story at most: the story is read once and its answers all carry loss
Pieces = list[tuple[str, bool]]
Phase = tuple[int, Mapping[str, float], Mapping[str, float]]  # blocks, share of each kind, share of each language


def interviews(lang: str, split: str, seed: int) -> Iterator[Pieces]:
    """A story and up to four questions about it; the answers carry loss.

    In-context lookup does not form under plain language-model loss on independent facts, nearly all of which is noise.
    """

    def make(rng: random.Random, part: str) -> Pieces:
        plan = plan_questions(rng, part)
        asks = rng.sample(plan.asks, min(QUESTIONS, len(plan.asks)))
        pieces: Pieces = [(text(lang, plan.lines) + " ", False)]
        for ask in asks:
            asked, answer = question(lang, ask)
            pieces += [(asked + "\n", False), (answer, True), ("\n", True)]
        return pieces

    yield from endless(make, source("interviews", lang, split, seed), split)


def repetitions(lang: str, split: str, seed: int) -> Iterator[Pieces]:
    """A story and, as if it were an answer, the same story again: copying forms early from it, and lookup from copying."""
    for story in stories(lang, split, seed):
        yield [(story + "\n", False), (story, True), ("\n", True)]


def blocks(tokenizer: PreTrainedTokenizerBase, kind: str, lang: str, seed: int, split: str = "train") -> Iterator[Block]:
    """An endless stream of blocks of one kind (stories, interviews, repetitions, chats) in one language."""
    documents = {
        "stories": lambda: plain(tokenizer, stories(lang, split, seed)),
        "interviews": lambda: answers(tokenizer, interviews(lang, split, seed)),
        "repetitions": lambda: answers(tokenizer, repetitions(lang, split, seed)),
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
