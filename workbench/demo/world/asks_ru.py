"""Questions and answers in Russian: one function per family, one fixed answer form each."""

from . import lexicon_ru as lex
from . import lexicon_ru_more as more
from .facts import DRINKS
from .russian_grammar import GENDERS, NOUN, SAW, WHO, adjective, kin_word, posture, some, thing, years
from .tables import up

QA = tuple[str, str]


def where_live(p: str, c: str) -> QA:
    return f"Где живёт {WHO[p].nom}?", f"{WHO[p].nom} живёт в {more.CITIES[c][1]}."


def who_live(p: str, c: str) -> QA:
    return f"Кто живёт в {more.CITIES[c][1]}?", f"В {more.CITIES[c][1]} живёт {WHO[p].nom}."


def what_job(p: str, j: str) -> QA:
    return f"Кем работает {WHO[p].nom}?", f"{WHO[p].nom} работает {WHO[p].past(more.JOBS[j][2:])}."


def who_job(p: str, j: str) -> QA:
    he = more.JOBS[j][2] if j != "nurse" else WHO[p].past(more.JOBS[j][2:])  # a woman is never called by the male word
    return f"Кто работает {he}?", f"{WHO[p].nom} работает {WHO[p].past(more.JOBS[j][2:])}."


def how_old(p: str, n: str) -> QA:
    return f"Сколько лет {WHO[p].dat}?", f"{WHO[p].dat} {years(n)}."


def who_older(p: str, first: str, second: str) -> QA:
    return f"Кто старше, {WHO[first].nom} или {WHO[second].nom}?", f"{WHO[p].nom} старше."


def colour(p: str, o: str, adj: str) -> QA:
    item = WHO[p].poss(NOUN[o].nom)
    return f"Какого цвета {item}?", up(f"{item} {adjective(adj, NOUN[o].gender)}.")


def colours(p: str, o: str, adj: str) -> QA:
    items = WHO[p].poss(NOUN[o].many)
    return f"Какого цвета {items}?", up(f"{items} {lex.ADJECTIVES[adj][3]}.")


def quality(p: str, o: str, adj: str) -> QA:
    which = ("Какой", "Какая", "Какое")[GENDERS[NOUN[o].gender]]
    return f"{which} {NOUN[o].nom} у {WHO[p].near}?", up(f"{WHO[p].poss(NOUN[o].nom)} {adjective(adj, NOUN[o].gender)}.")


def whose(p: str, o: str, adj: str) -> QA:
    gender = NOUN[o].gender
    which = ("Чей", "Чья", "Чьё")[GENDERS[gender]]
    return f"{which} {NOUN[o].nom} {adjective(adj, gender)}?", up(f"{WHO[p].poss(NOUN[o].nom)} {adjective(adj, gender)}.")


def who_has(p: str, o: str, adj: str) -> QA:
    return f"У кого есть {thing(o, adj)}?", f"У {WHO[p].near} есть {thing(o, adj)}."


def what_has(p: str, o: str, adj: str) -> QA:
    return f"Что есть у {WHO[p].near}?", f"У {WHO[p].near} есть {thing(o, adj)}."


def who_gave(p: str, v: str, o: str, q: str) -> QA:
    he = lex.VERBS[v][0]
    return f"Кто {he} {WHO[q].dat} {NOUN[o].acc}?", f"{WHO[p].nom} {WHO[p].past(lex.VERBS[v])} {WHO[q].dat} {NOUN[o].acc}."


def to_whom(p: str, v: str, o: str, q: str) -> QA:
    past = WHO[p].past(lex.VERBS[v])
    return f"Кому {WHO[p].nom} {past} {NOUN[o].acc}?", f"{WHO[p].nom} {past} {NOUN[o].acc} {WHO[q].dat}."


def who_now_has(q: str, o: str) -> QA:
    return f"У кого теперь {NOUN[o].nom}?", f"Теперь {NOUN[o].nom} у {WHO[q].near}."


def who_did(p: str, v: str, o: str) -> QA:
    return f"Кто {lex.VERBS[v][0]} {NOUN[o].acc}?", f"{WHO[p].nom} {WHO[p].past(lex.VERBS[v])} {NOUN[o].acc}."


def what_did(p: str, v: str, o: str) -> QA:
    past = WHO[p].past(lex.VERBS[v])
    return f"Что {past} {WHO[p].nom}?", f"{WHO[p].nom} {past} {NOUN[o].acc}."


def who_saw(p: str, x: str) -> QA:
    return f"Кто увидел {NOUN[x].acc}?", f"{WHO[p].nom} {WHO[p].past(SAW)} {NOUN[x].acc}."


def what_saw(p: str, x: str) -> QA:
    saw = WHO[p].past(SAW)
    return f"Какое животное {saw} {WHO[p].nom}?", f"{WHO[p].nom} {saw} {NOUN[x].acc}."


def where_saw(p: str, x: str, z: str) -> QA:
    saw = WHO[p].past(SAW)
    return f"Где {WHO[p].nom} {saw} {NOUN[x].acc}?", f"{WHO[p].nom} {saw} {NOUN[x].acc} {more.PLACES[z][0]}."


def where_animal(x: str, z: str) -> QA:
    return f"Где живёт {NOUN[x].nom}?", up(f"{NOUN[x].nom} живёт {more.PLACES[z][0]}.")


def who_animal(x: str, z: str) -> QA:
    where = more.PLACES[z][0]
    return f"Какое животное живёт {where}?", up(f"{where} живёт {NOUN[x].nom}.")


def what_likes(p: str, f: str) -> QA:
    return f"Что любит {WHO[p].nom}?", f"{WHO[p].nom} любит {more.FOODS[f][1]}."


def who_likes(p: str, f: str) -> QA:
    return f"Кто любит {more.FOODS[f][1]}?", f"{WHO[p].nom} любит {more.FOODS[f][1]}."


def what_meal(p: str, f: str, m: str) -> QA:
    verb = WHO[p].past(["пил", "пила"] if f in DRINKS else ["ел", "ела"])
    return f"Что {WHO[p].nom} {verb} {more.MEALS[m]}?", up(f"{more.MEALS[m]} {WHO[p].nom} {verb} {more.FOODS[f][1]}.")


def how_many(p: str, n: str, o: str) -> QA:
    return f"Сколько {NOUN[o].of_many} у {WHO[p].near}?", f"У {WHO[p].near} {some(n, o)}."


def how_many_now(p: str, n: str, o: str) -> QA:
    return f"Сколько {NOUN[o].of_many} теперь у {WHO[p].near}?", f"Теперь у {WHO[p].near} {some(n, o)}."


def who_kin(q: str, k: str, p: str) -> QA:
    relative = WHO[p].poss(kin_word(q, k))
    return f"Кто {relative}?", up(f"{relative} — {WHO[q].nom}.")


def kin_home(q: str, k: str, p: str, c: str) -> QA:
    relative = WHO[p].poss(kin_word(q, k))
    return f"Где живёт {relative}?", up(f"{relative} живёт в {more.CITIES[c][1]}.")


def where_person(p: str, place: str) -> QA:
    return f"Где {WHO[p].nom}?", f"{WHO[p].nom} {more.PLACES[place][0]}."


def where_thing(o: str, place: str) -> QA:
    return f"Где {NOUN[o].nom}?", up(f"{NOUN[o].nom} {more.PLACES[place][0]}.")


def where_lies(o: str, s: str) -> QA:
    return f"Где {posture(o)} {NOUN[o].nom}?", up(f"{NOUN[o].nom} {posture(o)} {more.SPOTS[s][0]}.")


def what_lies(o: str, s: str) -> QA:
    return f"Что {posture(o)} {more.SPOTS[s][0]}?", up(f"{more.SPOTS[s][0]} {posture(o)} {NOUN[o].nom}.")


def when_went(p: str, t: str, place: str) -> QA:
    went, to = WHO[p].past(["ходил", "ходила"]), more.PLACES[place][1]
    return f"Когда {WHO[p].nom} {went} {to}?", f"{WHO[p].nom} {went} {to} {more.TIMES[t][0]}."


def what_doing(p: str, act: str) -> QA:
    return f"Что делает {WHO[p].nom}?", f"{WHO[p].nom} {more.ACTIVITIES[act][0]}."
