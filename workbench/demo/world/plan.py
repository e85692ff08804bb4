"""A plan is a text before it has a language: lines of facts, the combinations they use, and the questions they answer."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from . import facts
from .facts import Pair

# Kinds of lines whose first paraphrase alone has the person as its last subject.
TWO_SUBJECTS = frozenset({"lives", "owns", "did", "count", "many"})


class Blocked(Exception):
    """No combination of the split is left for this plan; the caller starts another one."""


class Line(NamedTuple):
    kind: str
    args: tuple[str, ...]
    pick: float  # which paraphrase, as a share of however many there are


@dataclass(frozen=True)
class Ask:
    """A question that the lines answer. ``slot`` says which argument is asked for, ``pool`` what else it could have been."""

    family: str
    args: tuple[str, ...]
    slot: int
    pool: tuple[str, ...]
    pair: Pair


# family → (slot of the answer, what else it could be). Where the pool is empty, there are no sensible wrong answers.
ANSWERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "where_live": (1, facts.CITIES),
    "who_live": (0, facts.PEOPLE),
    "what_job": (1, facts.JOBS),
    "who_job": (0, facts.PEOPLE),
    "how_old": (1, facts.AGES),
    "who_older": (0, ()),
    "colour": (2, facts.COLOURS),
    "colours": (2, facts.COLOURS),
    "quality": (2, facts.QUALITIES),
    "whose": (0, facts.PEOPLE),
    "who_has": (0, facts.PEOPLE),
    "what_has": (1, facts.OBJECTS),
    "who_gave": (0, facts.PEOPLE),
    "to_whom": (3, facts.PEOPLE),
    "who_now_has": (0, facts.PEOPLE),
    "who_did": (0, facts.PEOPLE),
    "what_did": (2, facts.OBJECTS),
    "who_saw": (0, facts.PEOPLE),
    "what_saw": (1, facts.ANIMALS),
    "where_saw": (2, facts.ZONES),
    "where_animal": (1, facts.ZONES),
    "who_animal": (0, facts.ANIMALS),
    "what_likes": (1, facts.FOODS),
    "who_likes": (0, facts.PEOPLE),
    "what_meal": (1, facts.FOODS),
    "how_many": (1, facts.COUNTS),
    "how_many_now": (1, facts.NUMBERS),
    "who_kin": (0, facts.PEOPLE),
    "kin_home": (3, facts.CITIES),
    "where_person": (1, facts.PLACES),
    "where_thing": (1, facts.ROOMS),
    "where_lies": (1, facts.SPOTS),
    "what_lies": (0, facts.PORTABLE),
    "when_went": (1, facts.TIMES),
    "what_doing": (1, facts.ACTIVITIES),
}
FAMILIES = tuple(ANSWERS)


class Plan:
    """Collects lines. Nothing is used twice by accident: every person, thing, place and number drawn is new to the plan."""

    def __init__(self, rng: random.Random, split: str) -> None:
        self.rng = rng
        self.split = split
        self.lines: list[Line] = []
        self.facts: list[Pair] = []
        self.asks: list[Ask] = []
        self.used: set[str] = set()
        self._last: set[str] = set()

    def pair(self, combination: str, first: str | None = None, second: str | None = None, among: Collection[str] | None = None) -> tuple[str, str]:
        """Draws a combination of the split; a given member stays, ``among`` limits the second one (the first, where the second is given)."""
        forward, backward = facts.pairs(combination, self.split)
        if first is None and second is None:
            first = self.fresh([key for key in forward if key not in self.used])
            self.used.add(first)
        options = forward.get(first, ()) if second is None else backward.get(second, ())
        other = self.fresh([key for key in options if key not in self.used and (among is None or key in among)])
        self.used.add(other)
        found = (first, other) if second is None else (other, second)
        self.facts.append((combination, *found))
        return found

    def fresh(self, options: list[str]) -> str:
        if not options:
            raise Blocked
        return options[int(self.rng.random() * len(options))]

    def person(self) -> str:
        key = self.fresh([p for p in facts.PEOPLE if p not in self.used])
        self.used.add(key)
        return key

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def add(self, kind: str, *args: str, pronoun: bool = True) -> None:
        """Adds a line. Its first person becomes a pronoun half of the time if the line before spoke of that person and no other."""
        people = {arg for arg in args if arg in facts.PEOPLE_SET}
        subject = args[0]
        if pronoun and self._last == {subject} and self.chance(0.6):
            args = ("~" + subject, *args[1:])
        self.lines.append(Line(kind, args, self.rng.random()))
        # A sentence that ends on a thing or an animal would leave "he" and "she" in doubt: there the name is said again.
        clear = kind != "saw" and (kind not in TWO_SUBJECTS or self.lines[-1].pick < 1 / 3)
        self._last = people if clear else set()

    def between(self) -> None:
        """What comes next is told on its own: no pronoun points back over this."""
        self._last = set()

    def ask(self, pair: Pair, family: str, *args: str) -> None:
        slot, pool = ANSWERS[family]
        self.asks.append(Ask(family, args, slot, pool, pair))
