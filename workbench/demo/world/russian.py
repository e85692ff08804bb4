"""Russian sentences. The conventions are those of `english.py`."""

from . import lexicon_ru as lex
from . import lexicon_ru_more as more
from .facts import DRINKS
from .russian_grammar import GENDERS, NOUN, SAW, WENT, WHO, adjective, kin_word, posture, pronoun, some, thing, thing_acc, years
from .tables import up

Says = tuple[str, ...]


def lives(p: str, c: str) -> Says:
    city = more.CITIES[c][1]
    return up(f"{WHO[p].nom} живёт в {city}."), up(f"{WHO[p].poss('дом')} находится в {city}.")


def job(p: str, j: str) -> Says:
    w, forms = WHO[p], more.JOBS[j]
    dash = " " if p[0] == "~" else " — "
    return f"{w.nom}{dash}{w.past(forms)}.", f"{w.nom} работает {w.past(forms[2:])}."


def age(p: str, n: str) -> Says:
    return f"{WHO[p].dat} {years(n)}.", f"{WHO[p].dat} сейчас {years(n)}."


def older(p: str, q: str, n: str) -> Says:
    return f"{WHO[p].nom} старше {WHO[q].gen}.", f"{WHO[p].nom} на {'год' if n == '1' else years(n)} старше {WHO[q].gen}."


def owns(p: str, o: str, adj: str) -> Says:
    w, item, form = WHO[p], NOUN[o], adjective(adj, NOUN[o].gender)
    this = ("этот", "эта", "это")[GENDERS[item.gender]]
    return f"у {w.near} есть {thing(o, adj)}.", f"у {w.near} есть {item.nom}. {up(this)} {item.nom} {form}.", f"{w.poss(item.nom)} {form}."


def many(p: str, o: str, adj: str) -> Says:
    things = f"{WHO[p].poss(NOUN[o].many)} {lex.ADJECTIVES[adj][3]}."
    return things, f"все {things}"


def gave(p: str, v: str, o: str, adj: str, q: str) -> Says:
    past = WHO[p].past(lex.VERBS[v])
    return f"{WHO[p].nom} {past} {WHO[q].dat} {thing_acc(o, adj)}.", f"{WHO[p].nom} {past} {thing_acc(o, adj)} {WHO[q].dat}."


def now_has(q: str, o: str) -> Says:
    return (f"теперь {NOUN[o].nom} у {WHO[q].near}.",)


def did(p: str, v: str, o: str, adj: str) -> Says:
    w, item = WHO[p], NOUN[o]
    past, this = w.past(lex.VERBS[v]), ("этот", "эта", "это")[GENDERS[item.gender]]
    return f"{w.nom} {past} {thing_acc(o, adj)}.", f"{w.nom} {past} {item.acc}. {up(this)} {item.nom} {adjective(adj, item.gender)}."


def saw(p: str, x: str, z: str) -> Says:
    w, where, beast = WHO[p], more.PLACES[z][0], NOUN[x].acc
    verb = w.past(SAW)
    was = w.past(["был", "была"])
    return f"{w.nom} {verb} {beast} {where}.", f"{where} {w.nom} {verb} {beast}.", f"{w.nom} {was} {where}. Там {pronoun(p).nom} {verb} {beast}."


def animal(x: str, z: str) -> Says:
    where, beast = more.PLACES[z][0], NOUN[x]
    return f"{beast.nom} живёт {where}.", f"{where} есть {beast.nom}. {up(beast.nom)} там живёт."


def likes(p: str, f: str) -> Says:
    return f"{WHO[p].nom} любит {more.FOODS[f][1]}.", f"{WHO[p].nom} очень любит {more.FOODS[f][1]}."


def dislikes(p: str, f: str) -> Says:
    return (f"{WHO[p].nom} не любит {more.FOODS[f][1]}.",)


def meal(p: str, f: str, m: str) -> Says:
    w, food = WHO[p], more.FOODS[f][1]
    verb = w.past(["пил", "пила"] if f in DRINKS else ["ел", "ела"])
    return f"{w.nom} {verb} {food} {more.MEALS[m]}.", f"{more.MEALS[m]} {w.nom} {verb} {food}."


def count(p: str, n: str, o: str) -> Says:
    return f"у {WHO[p].near} {some(n, o)}.", f"здесь {some(n, o)}. Они принадлежат {WHO[p].dat}."


def had(p: str, n: str, o: str) -> Says:
    return (f"у {WHO[p].near} было {some(n, o)}.",)


def gave_more(q: str, n: str, o: str, p: str) -> Says:
    return (f"{WHO[q].nom} {WHO[q].past(lex.VERBS['give'])} {WHO[p].dat} ещё {some(n, o, accusative=True)}.",)


def gave_away(p: str, n: str, o: str, q: str) -> Says:
    return (f"{WHO[p].nom} {WHO[p].past(lex.VERBS['give'])} {WHO[q].dat} {some(n, o, accusative=True)}.",)


def has_now(p: str, n: str, o: str) -> Says:
    return (f"теперь у {WHO[p].near} {some(n, o)}.",)


def kin(q: str, k: str, p: str) -> Says:
    relative = kin_word(q, k)
    return f"{WHO[q].nom} — {WHO[p].poss(relative)}.", f"у {WHO[p].near} есть {relative}. {up(pronoun(q).acc)} зовут {WHO[q].nom}."


def kin_back(q: str, k: str, p: str) -> Says:
    return (f"значит, {WHO[q].nom} — {WHO[p].poss(kin_word(q, k))}.",)


def went(p: str, place: str) -> Says:
    return (f"{WHO[p].nom} {WHO[p].past(WENT)} {more.PLACES[place][1]}.",)


def then_went(p: str, place: str) -> Says:
    rest = f"{WHO[p].nom} {WHO[p].past(WENT)} {more.PLACES[place][1]}."
    return f"потом {rest}", f"после этого {rest}"


def went_when(p: str, t: str, place: str) -> Says:
    w, when, to = WHO[p], more.TIMES[t][0], more.PLACES[place][1]
    verb = w.past(["ходил", "ходила"])
    return f"{when} {w.nom} {verb} {to}.", f"{w.nom} {verb} {to} {when}."


def both_went(p: str, q: str, place: str) -> Says:
    to = more.PLACES[place][1]
    return f"{WHO[p].nom} и {WHO[q].nom} пошли {to}.", f"{WHO[p].nom} и {WHO[q].nom} вместе пошли {to}."


def took(p: str, o: str) -> Says:
    return (f"{WHO[p].nom} {WHO[p].past(['взял', 'взяла'])} {NOUN[o].acc}.",)


def left(p: str, o: str, place: str) -> Says:
    return (f"{WHO[p].nom} {WHO[p].past(['оставил', 'оставила'])} {NOUN[o].acc} {more.PLACES[place][0]}.",)


def thing_at(o: str, place: str) -> Says:
    return f"{NOUN[o].nom} {more.PLACES[place][0]}.", f"теперь {NOUN[o].nom} {more.PLACES[place][0]}."


def person_at(p: str, place: str) -> Says:
    return f"{WHO[p].nom} {more.PLACES[place][0]}.", f"теперь {WHO[p].nom} {more.PLACES[place][0]}."


def put(p: str, o: str, s: str) -> Says:
    verb = ["поставил", "поставила"] if o in lex.STANDING else ["положил", "положила"]
    return (f"{WHO[p].nom} {WHO[p].past(verb)} {NOUN[o].acc} {more.SPOTS[s][1]}.",)


def lies(o: str, s: str) -> Says:
    return f"{NOUN[o].nom} {posture(o)} {more.SPOTS[s][0]}.", f"{more.SPOTS[s][0]} {posture(o)} {NOUN[o].nom}."


def lies_now(o: str, s: str) -> Says:
    rest = f"{NOUN[o].nom} {posture(o)} {more.SPOTS[s][0]}."
    return rest, f"теперь {rest}"


def doing(p: str, act: str, place: str) -> Says:
    w, where, verb = WHO[p], more.PLACES[place][0], more.ACTIVITIES[act][0]
    return f"{w.nom} {verb} {where}.", f"{w.nom} {where}. {up(pronoun(p).nom)} {verb}."
