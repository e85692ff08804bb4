"""English sentences. Every function of a fact returns its paraphrases; the n-th ones of the three languages are translations of each other.

A person may be given as ``~key``: then the sentence uses the pronoun. Functions named ``ask_…`` return (question, answer).
"""

from typing import NamedTuple

from . import lexicon_en as lex
from .facts import CITIES, DRINKS, FEMALE, PEOPLE
from .tables import up


class Who(NamedTuple):
    nom: str
    obj: str
    poss: str


def _who(key: str) -> dict[str, Who]:
    name = key.capitalize()
    return {key: Who(name, name, name + "'s"), "~" + key: Who("she", "her", "her") if key in FEMALE else Who("he", "him", "his")}


WHO = {form: who for key in PEOPLE for form, who in _who(key).items()}
CITY = {key: key.capitalize() for key in CITIES}
Says = tuple[str, ...]
Asks = tuple[str, str]


def pronoun(p: str) -> Who:
    return WHO["~" + p.removeprefix("~")]


def word(key: str) -> str:
    return lex.WORDS.get(key) or key.replace("_", " ")


def plural(key: str) -> str:
    return lex.PLURALS.get(key) or word(key) + "s"


def some(n: str, key: str) -> str:
    return f"{lex.NUMBER[n]} {word(key) if n == '1' else plural(key)}"


def a(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def thing(o: str, adj: str) -> str:
    return a(f"{word(adj)} {word(o)}")


def the(o: str) -> str:
    return "the " + word(o)


def lives(p: str, c: str) -> Says:
    return f"{WHO[p].nom} lives in {CITY[c]}.", f"{WHO[p].poss} home is in {CITY[c]}."


def job(p: str, j: str) -> Says:
    return f"{WHO[p].nom} is {a(word(j))}.", f"{WHO[p].nom} works as {a(word(j))}."


def age(p: str, n: str) -> Says:
    return f"{WHO[p].nom} is {lex.NUMBER[n]} years old.", f"{WHO[p].nom} is {lex.NUMBER[n]}."


def older(p: str, q: str, n: str) -> Says:
    return f"{WHO[p].nom} is older than {WHO[q].obj}.", f"{WHO[p].nom} is {lex.NUMBER[n]} year{'s' * (n != '1')} older than {WHO[q].obj}."


def owns(p: str, o: str, adj: str) -> Says:
    return f"{WHO[p].nom} has {thing(o, adj)}.", f"{WHO[p].nom} has {a(word(o))}. The {word(o)} is {word(adj)}.", f"{WHO[p].poss} {word(o)} is {word(adj)}."


def many(p: str, o: str, adj: str) -> Says:
    return f"{WHO[p].poss} {plural(o)} are {word(adj)}.", f"All {WHO[p].poss} {plural(o)} are {word(adj)}."


def gave(p: str, v: str, o: str, adj: str, q: str) -> Says:
    past = lex.VERBS[v][0]
    return f"{WHO[p].nom} {past} {WHO[q].obj} {thing(o, adj)}.", f"{WHO[p].nom} {past} {thing(o, adj)} to {WHO[q].obj}."


def now_has(q: str, o: str) -> Says:
    return (f"Now {WHO[q].nom} has {the(o)}.",)


def did(p: str, v: str, o: str, adj: str) -> Says:
    past = lex.VERBS[v][0]
    return f"{WHO[p].nom} {past} {thing(o, adj)}.", f"{WHO[p].nom} {past} {a(word(o))}. The {word(o)} is {word(adj)}."


def saw(p: str, x: str, z: str) -> Says:
    who, where, beast = WHO[p].nom, lex.PLACES[z][0], a(word(x))
    return f"{who} saw {beast} {where}.", f"{where} {who} saw {beast}.", f"{who} was {where}. There {pronoun(p).nom} saw {beast}."


def animal(x: str, z: str) -> Says:
    where = lex.PLACES[z][0]
    return f"The {word(x)} lives {where}.", f"There is {a(word(x))} {where}. The {word(x)} lives there."


def likes(p: str, f: str) -> Says:
    return f"{WHO[p].nom} likes {word(f)}.", f"{WHO[p].nom} likes {word(f)} very much."


def dislikes(p: str, f: str) -> Says:
    return (f"{WHO[p].nom} does not like {word(f)}.",)


def meal(p: str, f: str, m: str) -> Says:
    verb = "drank" if f in DRINKS else "ate"
    return f"{WHO[p].nom} {verb} {word(f)} {lex.MEALS[m]}.", f"{up(lex.MEALS[m])} {WHO[p].nom} {verb} {word(f)}."


def count(p: str, n: str, o: str) -> Says:
    return f"{WHO[p].nom} has {some(n, o)}.", f"There are {some(n, o)} here. They belong to {WHO[p].obj}."


def had(p: str, n: str, o: str) -> Says:
    return (f"{WHO[p].nom} had {some(n, o)}.",)


def gave_more(q: str, n: str, o: str, p: str) -> Says:
    return (f"{WHO[q].nom} gave {WHO[p].obj} one more {word(o)}." if n == "1" else f"{WHO[q].nom} gave {WHO[p].obj} {lex.NUMBER[n]} more {plural(o)}.",)


def gave_away(p: str, n: str, o: str, q: str) -> Says:
    return (f"{WHO[p].nom} gave {WHO[q].obj} {some(n, o)}.",)


def has_now(p: str, n: str, o: str) -> Says:
    return (f"Now {WHO[p].nom} has {some(n, o)}.",)


def kin(q: str, k: str, p: str) -> Says:
    """q is p's k."""
    return f"{WHO[q].nom} is {WHO[p].poss} {k}.", f"{WHO[p].nom} has {a(k)}. {up(pronoun(q).poss)} name is {WHO[q].nom}."


def kin_back(q: str, k: str, p: str) -> Says:
    return (f"So {WHO[q].nom} is {WHO[p].poss} {k}.",)


def went(p: str, place: str) -> Says:
    return (f"{WHO[p].nom} went {lex.PLACES[place][1]}.",)


def then_went(p: str, place: str) -> Says:
    to = lex.PLACES[place][1]
    return f"Then {WHO[p].nom} went {to}.", f"After that {WHO[p].nom} went {to}."


def went_when(p: str, t: str, place: str) -> Says:
    when = lex.TIMES[t][0]
    return f"{up(when)} {WHO[p].nom} went {lex.PLACES[place][1]}.", f"{WHO[p].nom} went {lex.PLACES[place][1]} {when}."


def both_went(p: str, q: str, place: str) -> Says:
    to = lex.PLACES[place][1]
    return f"{WHO[p].nom} and {WHO[q].nom} went {to}.", f"{WHO[p].nom} and {WHO[q].nom} went {to} together."


def took(p: str, o: str) -> Says:
    return (f"{WHO[p].nom} took {the(o)}.",)


def left(p: str, o: str, place: str) -> Says:
    return (f"{WHO[p].nom} left {the(o)} {lex.PLACES[place][0]}.",)


def thing_at(o: str, place: str) -> Says:
    return f"The {word(o)} is {lex.PLACES[place][0]}.", f"Now {the(o)} is {lex.PLACES[place][0]}."


def person_at(p: str, place: str) -> Says:
    return f"{WHO[p].nom} is {lex.PLACES[place][0]}.", f"Now {WHO[p].nom} is {lex.PLACES[place][0]}."


def put(p: str, o: str, s: str) -> Says:
    return (f"{WHO[p].nom} put {the(o)} {lex.SPOTS[s][0]}.",)


def lies(o: str, s: str) -> Says:
    return f"The {word(o)} is {lex.SPOTS[s][0]}.", f"There is {a(word(o))} {lex.SPOTS[s][0]}."


def lies_now(o: str, s: str) -> Says:
    return f"The {word(o)} is {lex.SPOTS[s][0]}.", f"Now {the(o)} is {lex.SPOTS[s][0]}."


def doing(p: str, act: str, place: str) -> Says:
    where, ing = lex.PLACES[place][0], lex.ACTIVITIES[act][0]
    return f"{WHO[p].nom} is {ing} {where}.", f"{WHO[p].nom} is {where}. {up(pronoun(p).nom)} is {ing}."
