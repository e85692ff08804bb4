"""Scenes: the things that can happen in the small world. Each adds its lines and the questions they answer to a plan, about person ``p``."""

from __future__ import annotations

from collections.abc import Callable

from .facts import COLOURS, COUNTABLE, FEMALE, FRUITS, KIN, LARGE, MEALS, OBJECTS, OUTINGS, PORTABLE, ROOMS, SITES, TRANSFERS, VERBS
from .plan import Plan
from .tables import words

Scene = Callable[[Plan, str], None]
_OBJECTS, _COUNTABLE, _PORTABLE, _ROOMS = frozenset(OBJECTS), frozenset(COUNTABLE), frozenset(PORTABLE), frozenset(ROOMS)
_OUTINGS, _SITES, _LARGE, _SETS, _COLOURS = frozenset(OUTINGS), frozenset(SITES), frozenset(LARGE), frozenset(COUNTABLE) - frozenset(FRUITS), frozenset(COLOURS)
_PRICELESS = frozenset({"letter", "gift", "stone"})  # neither bought nor sold
_CHILD_KIN = frozenset(words("brother sister father mother grandfather grandmother uncle aunt friend neighbour"))


def home(plan: Plan, p: str) -> None:
    _, city = plan.pair("person-city", p)
    plan.add("lives", p, city)
    for family in ("where_live", "who_live"):
        plan.ask(("person-city", p, city), family, p, city)


def job(plan: Plan, p: str) -> None:
    _, j = plan.pair("person-job", p)
    plan.add("job", p, j)
    for family in ("what_job", "who_job"):
        plan.ask(("person-job", p, j), family, p, j)


def age(plan: Plan, p: str) -> None:
    _, n = plan.pair("person-age", p)
    plan.add("age", p, n)
    plan.ask(("person-age", p, n), "how_old", p, n)


def older(plan: Plan, p: str) -> None:
    _, n = plan.pair("person-age", p)
    q = plan.person()
    _, m = plan.pair("person-age", q)
    plan.add("age", p, n)
    plan.add("age", q, m)
    (old, years), (young, fewer) = sorted(((p, int(n)), (q, int(m))), key=lambda item: -item[1])
    if plan.chance(0.5):
        plan.add("older", old, young, str(years - fewer))
    plan.ask(("person-age", p, n), "how_old", p, n)
    plan.ask(("person-age", q, m), "how_old", q, m)
    plan.ask(("person-age", old, str(years)), "who_older", old, *((p, q) if plan.chance(0.5) else (q, p)))


def owns(plan: Plan, p: str) -> None:
    _, o = plan.pair("person-object", p, among=_OBJECTS)
    _, adj = plan.pair("object-adjective", o)
    plan.add("owns", p, o, adj)
    for family in ("colour" if adj in COLOURS else "quality", "whose", "who_has", "what_has"):
        plan.ask(("object-adjective", o, adj), family, p, o, adj)


def gave(plan: Plan, p: str) -> None:
    _, o = plan.pair("person-object", p, among=_OBJECTS)
    q, _ = plan.pair("person-object", second=o)
    _, adj = plan.pair("object-adjective", o)
    verb = plan.rng.choice([v for v in TRANSFERS if v != "sell" or o not in _PRICELESS])
    plan.add("gave", p, verb, o, adj, q)
    key = ("person-object", p, o)
    if verb != "show":
        if plan.chance(0.4):
            plan.add("now_has", q, o, pronoun=False)
        plan.ask(("person-object", q, o), "who_now_has", q, o)
    plan.ask(key, "who_gave", p, verb, o, q)
    plan.ask(("person-object", q, o), "to_whom", p, verb, o, q)


def did(plan: Plan, p: str) -> None:
    _, o = plan.pair("person-object", p, among=_OBJECTS)
    _, adj = plan.pair("object-adjective", o)
    verb = plan.rng.choice([v for v in VERBS if (v in ("find", "choose") or o not in _LARGE or v == "buy") and (v != "buy" or o not in _PRICELESS)])
    plan.add("did", p, verb, o, adj)
    for family in ("who_did", "what_did"):
        plan.ask(("person-object", p, o), family, p, verb, o)


def saw(plan: Plan, p: str) -> None:
    _, x = plan.pair("person-animal", p)
    _, zone = plan.pair("animal-zone", x)
    plan.add("saw", p, x, zone)
    plan.ask(("person-animal", p, x), "who_saw", p, x)
    plan.ask(("person-animal", p, x), "what_saw", p, x)
    plan.ask(("animal-zone", x, zone), "where_saw", p, x, zone)


def animal(plan: Plan, _p: str) -> None:
    x, zone = plan.pair("animal-zone")
    plan.add("animal", x, zone)
    for family in ("where_animal", "who_animal"):
        plan.ask(("animal-zone", x, zone), family, x, zone)


def likes(plan: Plan, p: str) -> None:
    _, f = plan.pair("person-food", p)
    plan.add("likes", p, f)
    if plan.chance(0.3):
        _, g = plan.pair("person-food", p)
        plan.add("dislikes", p, g)
    for family in ("what_likes", "who_likes"):
        plan.ask(("person-food", p, f), family, p, f)


def meal(plan: Plan, p: str) -> None:
    _, f = plan.pair("person-food", p)
    when = plan.rng.choice(MEALS)
    plan.add("meal", p, f, when)
    plan.ask(("person-food", p, f), "what_meal", p, f, when)


def count(plan: Plan, p: str) -> None:
    _, o = plan.pair("person-object", p, among=_COUNTABLE)
    _, n = plan.pair("object-count", o)
    plan.add("count", p, n, o)
    plan.ask(("person-object", p, o), "how_many", p, n, o)


def many(plan: Plan, p: str) -> None:
    _, o = plan.pair("person-object", p, among=_SETS)
    _, adj = plan.pair("object-adjective", o, among=_COLOURS)
    plan.add("many", p, o, adj)
    plan.ask(("object-adjective", o, adj), "colours", p, o, adj)


def sums(plan: Plan, p: str) -> None:
    """A number that has to be worked out: more things come, or some are given away."""
    _, o = plan.pair("person-object", p, among=_COUNTABLE)
    _, had = plan.pair("object-count", o)
    q, _ = plan.pair("person-object", second=o)
    plan.add("had", p, had, o)
    if plan.chance(0.5):
        change = plan.rng.randint(1, 10)
        total = int(had) + change
        plan.add("gave_more", q, str(change), o, p)
    else:
        change = plan.rng.randint(1, int(had) - 1)
        total = int(had) - change
        plan.add("gave_away", p, str(change), o, q)
    if plan.chance(0.4):
        plan.add("has_now", p, str(total), o, pronoun=False)
    plan.ask(("person-object", p, o), "how_many_now", p, str(total), o)


def kin(plan: Plan, p: str) -> None:
    _, q = plan.pair("person-person", p)
    aged = any(line.kind == "age" for line in plan.lines)
    gender = "f" if q in FEMALE else "m"
    word = plan.rng.choice([k for k, (sex, _) in KIN.items() if gender in sex and (not aged or k in _CHILD_KIN)])
    plan.add("kin", q, word, p, pronoun=False)
    back = KIN[word][1]
    key = ("person-person", p, q)
    plan.ask(key, "who_kin", q, word, p)
    if back and plan.chance(0.25):
        plan.add("kin_back", p, back[0 if p in FEMALE else 1], q, pronoun=False)
    if plan.chance(0.5):
        _, city = plan.pair("person-city", q)
        plan.add("lives", q, city)
        plan.ask(("person-city", q, city), "kin_home", q, word, p, city)


def carry(plan: Plan, p: str) -> None:
    """Where something is follows from who carried it there."""
    _, o = plan.pair("person-object", p, among=_PORTABLE)
    _, goal = plan.pair("person-place", p, among=_ROOMS)
    if plan.chance(0.6):
        _, start = plan.pair("person-place", p, among=_ROOMS)
        plan.add("went", p, start)
    plan.add("took", p, o)
    plan.add("then_went", p, goal)
    final = goal
    if plan.chance(0.7):
        plan.add("left", p, o, goal)
        if plan.chance(0.4):
            _, final = plan.pair("person-place", p)
            plan.add("then_went", p, final)
        if plan.chance(0.3):
            plan.add("thing_at", o, goal)
    plan.ask(("person-place", p, goal), "where_thing", o, goal)
    plan.ask(("person-place", p, final), "where_person", p, final)


def lies(plan: Plan, _p: str) -> None:
    o, spot = plan.pair("object-spot")
    plan.add("lies", o, spot)
    for family in ("where_lies", "what_lies"):
        plan.ask(("object-spot", o, spot), family, o, spot)


def put(plan: Plan, p: str) -> None:
    _, o = plan.pair("person-object", p, among=_PORTABLE)
    _, spot = plan.pair("object-spot", o)
    plan.add("took", p, o)
    plan.add("put", p, o, spot)
    if plan.chance(0.3):
        plan.add("lies_now", o, spot)
    for family in ("where_lies", "what_lies"):
        plan.ask(("object-spot", o, spot), family, o, spot)


def went(plan: Plan, p: str) -> None:
    _, time = plan.pair("person-time", p)
    _, place = plan.pair("person-place", p, among=_OUTINGS)
    plan.add("went_when", p, time, place)
    plan.ask(("person-time", p, time), "when_went", p, time, place)


def together(plan: Plan, p: str) -> None:
    _, place = plan.pair("person-place", p, among=_OUTINGS)
    q, _ = plan.pair("person-place", second=place)
    plan.add("both_went", p, q, place, pronoun=False)
    if plan.chance(0.5):
        plan.add("person_at", *((p, place) if plan.chance(0.5) else (q, place)))
    plan.ask(("person-place", p, place), "where_person", p, place)
    plan.ask(("person-place", q, place), "where_person", q, place)


def doing(plan: Plan, p: str) -> None:
    _, place = plan.pair("person-place", p, among=_SITES)
    _, act = plan.pair("person-activity", p)
    plan.add("doing", p, act, place)
    plan.ask(("person-activity", p, act), "what_doing", p, act)
    plan.ask(("person-place", p, place), "where_person", p, place)


# What a person is or has, what happened to them, and what is true of them at the end.
TRAITS: tuple[Scene, ...] = (home, job, age, owns, likes, count, many, kin)
EVENTS: tuple[Scene, ...] = (gave, did, saw, meal, went)
ENDS: tuple[Scene, ...] = (carry, put, together, doing, sums)
ASIDES: tuple[Scene, ...] = (animal, lies)
SCENES = TRAITS + EVENTS + ENDS + ASIDES + (older,)
LONG: frozenset[Scene] = frozenset({carry, put, sums, older})
ALIKE = TRAITS + EVENTS + ASIDES + (doing,)
