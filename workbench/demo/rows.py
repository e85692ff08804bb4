"""What the demo's models are trained on: blocks of stories, of questions with their answers, of roll calls, of repetitions, of chats."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from ..training.data import Block, answers, chats, mix, pack, plain
from .world import instructions, stories
from .world.plan import Ask, Plan
from .world.render import question, text
from .world.text import endless, plan_questions, plan_roll, source

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
        return _asked(lang, plan, rng.sample(plan.asks, min(QUESTIONS, len(plan.asks))))

    yield from endless(make, source("interviews", lang, split, seed), split)


def rolls(lang: str, split: str, seed: int) -> Iterator[Pieces]:
    """The same sort of thing told of three to five people, and a question about each.

    Interviews alone teach what an answer looks like, not whose it is: after 14 M tokens of them the base answered two stories in three, which is
    every story with one possible answer and half of those with two.
    """

    def make(rng: random.Random, part: str) -> Pieces:
        plan = plan_roll(rng, part)
        return _asked(lang, plan, plan.asks)

    yield from endless(make, source("rolls", lang, split, seed), split)


def _asked(lang: str, plan: Plan, asks: list[Ask]) -> Pieces:
    pieces: Pieces = [(text(lang, plan.lines) + " ", False)]
    for ask in asks:
        asked, answer = question(lang, ask)
        pieces += [(asked + "\n", False), (answer, True), ("\n", True)]
    return pieces


def repetitions(lang: str, split: str, seed: int) -> Iterator[Pieces]:
    """A story and, as if it were an answer, the same story again: copying forms early from it, and lookup from copying."""
    for story in stories(lang, split, seed):
        yield [(story + "\n", False), (story, True), ("\n", True)]


def blocks(tokenizer: PreTrainedTokenizerBase, kind: str, lang: str, seed: int, split: str = "train") -> Iterator[Block]:
    """An endless stream of blocks of one kind (stories, interviews, rolls, repetitions, chats) in one language."""
    documents = {
        "stories": lambda: plain(tokenizer, stories(lang, split, seed)),
        "interviews": lambda: answers(tokenizer, interviews(lang, split, seed)),
        "rolls": lambda: answers(tokenizer, rolls(lang, split, seed)),
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
