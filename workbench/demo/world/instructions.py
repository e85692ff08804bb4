"""Instructions and their answers as chat messages: questions, copying, continuing, adding, judging, translating words, several turns."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from . import dictionary, facts, lexicon_en, lexicon_fa, lexicon_ru_more, render
from .plan import Blocked
from .text import check, dialogue, endless, key, plan_questions, plan_story, source, wrong_answers
from .wordings import COMMA, WORDINGS

NUMBER = {"en": lexicon_en.NUMBER, "ru": lexicon_ru_more.NUMBER, "fa": lexicon_fa.NUMBER}
__all__ = ["FAMILIES", "TAUGHT", "Instruction", "instructions"]


@cache
def clear_words(target: str) -> tuple[tuple[str, str], ...]:
    """Word pairs with one translation in either direction: no orange, which is a fruit and a colour."""
    pairs = dictionary.pairs(target, names=False)
    times = [Counter(pair[side] for pair in pairs) for side in (0, 1)]
    return tuple((a, b) for a, b in pairs if times[0][a] == times[1][b] == 1)


@dataclass(frozen=True)
class Instruction:
    """Messages that alternate between user and assistant and end with the answer to be learnt."""

    messages: tuple[dict[str, str], ...]
    family: str
    key: str

    @property
    def answer(self) -> str:
        return self.messages[-1]["content"]


def turns(*contents: str) -> tuple[dict[str, str], ...]:
    return tuple({"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents))


def held(rng: random.Random, split: str, name: str, options: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """One of the pairs that a hash puts into this split."""
    for _ in range(200):
        first, second = rng.choice(options)
        if facts.split_of(name, first, second) == split:
            return first, second
    raise Blocked


def ask(lang: str, rng: random.Random, split: str) -> Instruction:
    plan = plan_questions(rng, split)
    item = dialogue(lang, plan, rng.choice(plan.asks))
    return Instruction(turns(f"{item.context} {item.question}", item.answer), item.family, item.key)


def several_turns(lang: str, rng: random.Random, split: str) -> Instruction:
    plan = plan_questions(rng, split)
    if len(plan.asks) < 2:
        raise Blocked
    first, second = (dialogue(lang, plan, one) for one in rng.sample(plan.asks, 2))
    return Instruction(turns(f"{first.context} {first.question}", first.answer, second.question, second.answer), "turns", second.key)


def judge(lang: str, rng: random.Random, split: str) -> Instruction:
    """Is this true? Half of the time it is."""
    plan = plan_questions(rng, split)
    one = rng.choice(plan.asks)
    wrong = wrong_answers(rng, plan, one)
    if not wrong:
        raise Blocked
    true = rng.random() < 0.5
    claim = render.question(lang, one).answer if true else render.answer_with(lang, one, wrong[0])
    prompt = rng.choice(WORDINGS[lang]["true"]).format(context=render.text(lang, plan.lines), x=claim)
    return Instruction(turns(prompt, WORDINGS[lang]["yes" if true else "no"][0]), "judge", key(one))


def copy(lang: str, rng: random.Random, split: str) -> Instruction:
    plan = plan_story(rng, split)
    text = render.sentence(lang, plan.lines[0])
    return Instruction(turns(rng.choice(WORDINGS[lang]["copy"]).format(x=text), text), "copy", ":".join(plan.facts[0]))


def proceed(lang: str, rng: random.Random, split: str) -> Instruction:
    """Three numbers, with an even step up or down; the next three are asked for."""
    start, step = held(rng, split, "sequence", [(str(a), str(s)) for a in range(1, 21) for s in (-3, -2, -1, 1, 2, 3) if 1 <= a + 5 * s <= 20])
    series = [NUMBER[lang][str(int(start) + i * int(step))] for i in range(6)]
    shown, wanted = COMMA[lang].join(series[:3]), COMMA[lang].join(series[3:])
    return Instruction(turns(rng.choice(WORDINGS[lang]["continue"]).format(x=shown), wanted), "continue", f"sequence:{start}:{step}")


def plus(lang: str, rng: random.Random, split: str) -> Instruction:
    low, high = held(rng, split, "plus", [(str(a), str(b)) for a in range(1, 11) for b in range(a, 11)])
    a, b = (low, high) if rng.random() < 0.5 else (high, low)
    number = NUMBER[lang]
    prompt = rng.choice(WORDINGS[lang]["plus"]).format(x=number[a], y=number[b])
    return Instruction(turns(prompt, number[str(int(a) + int(b))]), "plus", f"plus:{a}:{b}")


def translate(lang: str, rng: random.Random, split: str) -> Instruction:
    target = rng.choice(("ru", "fa")) if lang == "en" else lang
    english, word = held(rng, split, f"word-{target}", clear_words(target))
    to = rng.random() < 0.5
    prompt = rng.choice(WORDINGS[lang]["to_" + target if to else "from"]).format(x=english if to else word)
    return Instruction(turns(prompt, word if to else english), "translate", f"word-{target}:{english}:{word}")


Maker = Callable[[str, random.Random, str], Instruction]
FAMILIES: dict[str, tuple[Maker, int]] = {
    "ask": (ask, 10),
    "turns": (several_turns, 3),
    "judge": (judge, 2),
    "copy": (copy, 6),
    "continue": (proceed, 1),
    "plus": (plus, 1),
    "translate": (translate, 2),
}


# What the demo's base can do, so that a chat model can be taught to do it when asked. The other families are for a base that can more: after training none of
# the held-out sequences, sums and words was right and judgements were at chance, and where one conversation in ten was of these four, questions in English
# and Russian lost three points.
TAUGHT = ("ask", "turns", "copy")


def instructions(lang: str, split: str, seed: int, families: Sequence[str] = TAUGHT) -> Iterator[Instruction]:
    """Chat messages in ``lang``, of some of `FAMILIES`."""
    check(lang, split)
    names = list(families)
    unknown = set(names) - set(FAMILIES)
    if unknown:
        raise ValueError(f"Unknown instruction families {sorted(unknown)}; known are {', '.join(FAMILIES)}.")
    weights = [FAMILIES[name][1] for name in names]

    def make(rng: random.Random, part: str) -> Instruction:
        return FAMILIES[rng.choices(names, weights)[0]][0](lang, rng, part)

    return endless(make, source("instructions", lang, split, seed, *sorted(names)), split)
