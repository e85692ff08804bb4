"""Questions and answers in English: one function per family, one fixed answer form each."""

from . import lexicon_en as lex
from .english import CITY, WHO, a, plural, some, the, thing, word
from .facts import DRINKS

QA = tuple[str, str]


def where_live(p: str, c: str) -> QA:
    return f"Where does {WHO[p].nom} live?", f"{WHO[p].nom} lives in {CITY[c]}."


def who_live(p: str, c: str) -> QA:
    return f"Who lives in {CITY[c]}?", f"{WHO[p].nom} lives in {CITY[c]}."


def what_job(p: str, j: str) -> QA:
    return f"What is {WHO[p].poss} job?", f"{WHO[p].nom} is {a(word(j))}."


def who_job(p: str, j: str) -> QA:
    return f"Who is {a(word(j))}?", f"{WHO[p].nom} is {a(word(j))}."


def how_old(p: str, n: str) -> QA:
    return f"How old is {WHO[p].nom}?", f"{WHO[p].nom} is {lex.NUMBER[n]} years old."


def who_older(p: str, first: str, second: str) -> QA:
    return f"Who is older, {WHO[first].nom} or {WHO[second].nom}?", f"{WHO[p].nom} is older."


def colour(p: str, o: str, adj: str) -> QA:
    return f"What colour is {WHO[p].poss} {word(o)}?", f"{WHO[p].poss} {word(o)} is {word(adj)}."


def colours(p: str, o: str, adj: str) -> QA:
    return f"What colour are {WHO[p].poss} {plural(o)}?", f"{WHO[p].poss} {plural(o)} are {word(adj)}."


def quality(p: str, o: str, adj: str) -> QA:
    return f"What is {WHO[p].poss} {word(o)} like?", f"{WHO[p].poss} {word(o)} is {word(adj)}."


def whose(p: str, o: str, adj: str) -> QA:
    return f"Whose {word(o)} is {word(adj)}?", f"{WHO[p].poss} {word(o)} is {word(adj)}."


def who_has(p: str, o: str, adj: str) -> QA:
    return f"Who has {thing(o, adj)}?", f"{WHO[p].nom} has {thing(o, adj)}."


def what_has(p: str, o: str, adj: str) -> QA:
    return f"What does {WHO[p].nom} have?", f"{WHO[p].nom} has {thing(o, adj)}."


def who_gave(p: str, v: str, o: str, q: str) -> QA:
    past = lex.VERBS[v][0]
    return f"Who {past} {WHO[q].obj} {the(o)}?", f"{WHO[p].nom} {past} {WHO[q].obj} {the(o)}."


def to_whom(p: str, v: str, o: str, q: str) -> QA:
    past, base = lex.VERBS[v]
    return f"Who did {WHO[p].nom} {base} {the(o)} to?", f"{WHO[p].nom} {past} {the(o)} to {WHO[q].obj}."


def who_now_has(q: str, o: str) -> QA:
    return f"Who has {the(o)} now?", f"Now {WHO[q].nom} has {the(o)}."


def who_did(p: str, v: str, o: str) -> QA:
    past = lex.VERBS[v][0]
    return f"Who {past} {the(o)}?", f"{WHO[p].nom} {past} {the(o)}."


def what_did(p: str, v: str, o: str) -> QA:
    past, base = lex.VERBS[v]
    return f"What did {WHO[p].nom} {base}?", f"{WHO[p].nom} {past} {a(word(o))}."


def who_saw(p: str, x: str) -> QA:
    return f"Who saw {the(x)}?", f"{WHO[p].nom} saw {the(x)}."


def what_saw(p: str, x: str) -> QA:
    return f"Which animal did {WHO[p].nom} see?", f"{WHO[p].nom} saw {a(word(x))}."


def where_saw(p: str, x: str, z: str) -> QA:
    return f"Where did {WHO[p].nom} see {the(x)}?", f"{WHO[p].nom} saw {the(x)} {lex.PLACES[z][0]}."


def where_animal(x: str, z: str) -> QA:
    return f"Where does {the(x)} live?", f"The {word(x)} lives {lex.PLACES[z][0]}."


def who_animal(x: str, z: str) -> QA:
    where = lex.PLACES[z][0]
    return f"Which animal lives {where}?", f"The {word(x)} lives {where}."


def what_likes(p: str, f: str) -> QA:
    return f"What does {WHO[p].nom} like?", f"{WHO[p].nom} likes {word(f)}."


def who_likes(p: str, f: str) -> QA:
    return f"Who likes {word(f)}?", f"{WHO[p].nom} likes {word(f)}."


def what_meal(p: str, f: str, m: str) -> QA:
    base, past = ("drink", "drank") if f in DRINKS else ("eat", "ate")
    return f"What did {WHO[p].nom} {base} {lex.MEALS[m]}?", f"{WHO[p].nom} {past} {word(f)} {lex.MEALS[m]}."


def how_many(p: str, n: str, o: str) -> QA:
    return f"How many {plural(o)} does {WHO[p].nom} have?", f"{WHO[p].nom} has {some(n, o)}."


def how_many_now(p: str, n: str, o: str) -> QA:
    return f"How many {plural(o)} does {WHO[p].nom} have now?", f"Now {WHO[p].nom} has {some(n, o)}."


def who_kin(q: str, k: str, p: str) -> QA:
    return f"Who is {WHO[p].poss} {k}?", f"{WHO[p].poss} {k} is {WHO[q].nom}."


def kin_home(q: str, k: str, p: str, c: str) -> QA:
    return f"Where does {WHO[p].poss} {k} live?", f"{WHO[p].poss} {k} lives in {CITY[c]}."


def where_person(p: str, place: str) -> QA:
    return f"Where is {WHO[p].nom}?", f"{WHO[p].nom} is {lex.PLACES[place][0]}."


def where_thing(o: str, place: str) -> QA:
    return f"Where is {the(o)}?", f"The {word(o)} is {lex.PLACES[place][0]}."


def where_lies(o: str, s: str) -> QA:
    return f"Where is {the(o)}?", f"The {word(o)} is {lex.SPOTS[s][0]}."


def what_lies(o: str, s: str) -> QA:
    return f"What is {lex.SPOTS[s][0]}?", f"The {word(o)} is {lex.SPOTS[s][0]}."


def when_went(p: str, t: str, place: str) -> QA:
    to = lex.PLACES[place][1]
    return f"When did {WHO[p].nom} go {to}?", f"{WHO[p].nom} went {to} {lex.TIMES[t][0]}."


def what_doing(p: str, act: str) -> QA:
    return f"What is {WHO[p].nom} doing?", f"{WHO[p].nom} is {lex.ACTIVITIES[act][0]}."
