"""Endless, seeded text of the small world: stories, question dialogues, instructions, parallel lines, multiple choice.

Every stream is decided by its arguments alone. Splits hold out *combinations* (who lives where, which thing has which colour …, see
`facts.split_of`): every combination that a train text is drawn from is a train combination, and so for test. Names of
cities, colours and so on that only appear as a wrong option are not facts; nor is what follows from a story (see `facts`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from . import dictionary as words
from . import facts, render, scenes
from .plan import Ask, Blocked, Line, Plan

Made = TypeVar("Made")
# Share of the documents that are conversations (a story, questions about it, and their answers), in what the demo's models have read and in the text that
# they are adapted with. A table learns what its text is about: with a quarter in the latter, too, 800 steps bring back .73 of Russian questions and .67 of
# Persian ones, with three fifths .80 and .75 (the base itself, over its own pieces: .84 and .84).
READ, SPOKEN = 0.25, 0.6


@dataclass(frozen=True)
class Dialogue:
    """A story, a question about it, and the one right answer. ``key`` names the fact asked for."""

    context: str
    question: str
    answer: str
    family: str
    key: str


@dataclass(frozen=True)
class Choice:
    """A question with its options, of which ``options[right]`` is true."""

    context: str
    question: str
    options: tuple[str, ...]
    right: int
    family: str
    key: str


@dataclass(frozen=True)
class Document:
    """A story with the combinations it states."""

    text: str
    facts: tuple[facts.Pair, ...]


def check(lang: str, split: str) -> None:
    if lang not in render.LANGUAGES:
        raise ValueError(f"The demo world speaks {', '.join(render.LANGUAGES)}, not {lang!r}.")
    if split not in facts.SPLITS:
        raise ValueError(f"A split is one of {', '.join(facts.SPLITS)}, not {split!r}.")


def source(*names: object) -> random.Random:
    return random.Random(":".join(map(str, names)))


def endless(make: Callable[[random.Random, str], Made], rng: random.Random, split: str) -> Iterator[Made]:
    """Calls ``make`` for ever, stepping over plans for which the split has no combination left."""
    while True:
        try:
            yield make(rng, split)
        except Blocked:
            continue


def plan_story(rng: random.Random, split: str) -> Plan:
    """One or two people, what they are and have, what happens to them, and often a consequence: 2 to 6 sentences."""
    plan = Plan(rng, split)
    for _ in range(1 if rng.random() < 0.65 else 2):
        p = plan.person()
        chosen = rng.sample(scenes.TRAITS, rng.choice((0, 1, 1, 2, 2)))
        if scenes.job in chosen and scenes.age in chosen:
            chosen.remove(scenes.job)
        chosen.sort(key=scenes.TRAITS.index)
        chosen += rng.sample(scenes.EVENTS, rng.choice((0, 0, 1, 1, 2)))
        if not chosen or rng.random() < 0.4:
            chosen.append(rng.choice(scenes.ENDS if {scenes.age, scenes.job, scenes.kin} & set(chosen) else (*scenes.ENDS, scenes.older)))
        for scene in chosen:
            scene(plan, p)
    while len(plan.lines) < 2:
        rng.choice(scenes.ASIDES)(plan, "")
    plan.lines = render.shorten(plan.lines, 6)
    return plan


def plan_questions(rng: random.Random, split: str) -> Plan:
    """One to four sentences in which every question has one answer; facts of the same sort about other people stand beside the one asked for."""
    plan = Plan(rng, split)
    main = rng.choice(scenes.SCENES)
    cast = [main]
    if main not in scenes.LONG:
        cast += [main if rng.random() < 0.75 else rng.choice(scenes.TRAITS) for _ in range(rng.choice((0, 1, 1, 2)))]
    wanted: list[Ask] = []
    for scene in cast:
        before = len(plan.asks)
        scene(plan, plan.person())
        if scene is main:
            wanted += plan.asks[before:]
    if render.shorten(plan.lines, 4) is not plan.lines:
        raise Blocked
    plan.asks = wanted
    return plan


def plan_alike(rng: random.Random, split: str) -> list[list[Line]]:
    """The same scene two to four times, about other people and things."""
    plan, scene = Plan(rng, split), rng.choice(scenes.ALIKE)
    told: list[list[Line]] = []
    for _ in range(rng.randint(2, 4)):
        before = len(plan.lines)
        scene(plan, plan.person())
        told.append(plan.lines[before:])
        plan.between()
    return told


def key(ask: Ask) -> str:
    return ":".join(ask.pair)


def documents(lang: str, split: str, seed: int, conversations: float = READ) -> Iterator[Document]:
    """Stories together with what they state; some are conversations, as in any large text: without, adapting the tables unlearns question words."""
    check(lang, split)

    def make(rng: random.Random, part: str) -> Document:
        if rng.random() < conversations:
            plan = plan_questions(rng, part)
            asked = (render.question(lang, ask) for ask in rng.choices(plan.asks, k=2))
            return Document(f"{render.text(lang, plan.lines)} " + "".join(f"{qa.question}\n{qa.answer}\n" for qa in asked), tuple(plan.facts))
        plan = plan_story(rng, part)
        return Document(render.text(lang, plan.lines), tuple(plan.facts))

    return endless(make, source("stories", lang, split, seed), split)


def stories(lang: str, split: str, seed: int, conversations: float = READ) -> Iterator[str]:
    """Short coherent stories, which the demo's models were made with."""
    return (document.text for document in documents(lang, split, seed, conversations))


def texts(lang: str, split: str, seed: int) -> Iterator[str]:
    """What `demo:LANG` is: stories, of which three fifths are conversations."""
    return stories(lang, split, seed, SPOKEN)


def dialogue(lang: str, plan: Plan, ask: Ask) -> Dialogue:
    return Dialogue(render.text(lang, plan.lines), *render.question(lang, ask), ask.family, key(ask))


def dialogues(lang: str, split: str, seed: int) -> Iterator[Dialogue]:
    """A short story and a question that it answers."""
    check(lang, split)

    def make(rng: random.Random, part: str) -> Dialogue:
        plan = plan_questions(rng, part)
        return dialogue(lang, plan, rng.choice(plan.asks))

    return endless(make, source("dialogues", lang, split, seed), split)


def wrong_answers(rng: random.Random, plan: Plan, ask: Ask) -> list[str]:
    """Other members of the pool, those of the same story first; only such as leave the sentence sensible."""
    right = ask.args[ask.slot]
    others = [other for other in ask.pool if other not in ask.args]
    if ask.family == "who_kin":
        others = [other for other in others if (other in facts.FEMALE) == (right in facts.FEMALE)]
    if ask.family == "what_meal":
        others = [other for other in others if (other in facts.DRINKS) == (right in facts.DRINKS)]
    if ask.family in ("how_many", "how_many_now"):
        others = [other for other in others if abs(int(other) - int(right)) < 5]
    near = [other for other in others if other in plan.used]
    rng.shuffle(near)
    far = [other for other in others if other not in plan.used]
    return (near[:2] + rng.sample(far, min(3, len(far))))[:3]


def choices(lang: str, split: str, seed: int) -> Iterator[Choice]:
    """A story, a question, and four answers (three where the world has no fourth)."""
    check(lang, split)

    def make(rng: random.Random, part: str) -> Choice:
        plan = plan_questions(rng, part)
        ask = rng.choice(plan.asks)
        wrong = wrong_answers(rng, plan, ask)
        if len(wrong) < 2:
            raise Blocked
        text, (question, answer) = render.text(lang, plan.lines), render.question(lang, ask)
        options = [answer] + [render.answer_with(lang, ask, other) for other in wrong]
        rng.shuffle(options)
        return Choice(text, question, tuple(options), options.index(answer), ask.family, key(ask))

    return endless(make, source("choices", lang, split, seed), split)


def parallel(target: str, split: str, seed: int) -> Iterator[tuple[str, str]]:
    """The same line, or the same story, in English and in the target language."""
    check(target, split)

    def make(rng: random.Random, part: str) -> tuple[str, str]:
        lines = plan_story(rng, part).lines
        if rng.random() < 0.6:
            line = lines[int(rng.random() * len(lines))]
            lines = [Line(line.kind, tuple(arg.removeprefix("~") for arg in line.args), line.pick)]
        return render.text("en", lines), render.text(target, lines)

    return endless(make, source("parallel", target, split, seed), split)


def dictionary(target: str) -> list[tuple[str, str]]:
    """(English word, target word) for the whole lexicon, in citation form."""
    check(target, "train")
    return list(words.pairs(target))
