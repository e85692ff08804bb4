"""Russian grammar: case, gender, number, animacy, as far as the sentences need it."""

from typing import NamedTuple

from . import lexicon_ru as lex
from . import lexicon_ru_more as more
from .facts import FEMALE

SAW = ["увидел", "увидела"]
WENT = ["пошёл", "пошла"]


class Who(NamedTuple):
    """A person in the cases used here; ``near`` is the genitive after a preposition (у неё), ``before`` a pronoun's possessive (её лампа)."""

    nom: str
    gen: str
    dat: str
    acc: str
    near: str
    before: str
    female: bool

    def past(self, forms: list[str]) -> str:
        return forms[1] if self.female else forms[0]

    def poss(self, noun: str) -> str:
        return f"{self.before} {noun}" if self.before else f"{noun} {self.gen}"


def name(nom: str, female: bool) -> Who:
    """Declines a first name; the ending decides the class."""
    stem = nom[:-1]
    if nom.endswith("ия"):
        gen, dat, acc = stem + "и", stem + "и", stem + "ю"
    elif nom.endswith("а"):
        gen, dat, acc = stem + ("и" if stem[-1] in "гкх" else "ы"), stem + "е", stem + "у"
    elif nom[-1] in "йь":
        gen = acc = stem + "я"
        dat = stem + "ю"
    else:
        gen = acc = nom + "а"
        dat = nom + "у"
    return Who(nom, gen, dat, acc, gen, "", female)


SHE = Who("она", "её", "ей", "её", "неё", "её", True)
HE = Who("он", "его", "ему", "его", "него", "его", False)
WHO = {key: name(nom, key in FEMALE) for key, nom in lex.PEOPLE.items()}
WHO |= {"~" + key: SHE if key in FEMALE else HE for key in lex.PEOPLE}


def pronoun(p: str) -> Who:
    return WHO["~" + p.removeprefix("~")]


class Noun(NamedTuple):
    gender: str
    nom: str
    gen: str
    acc: str
    many: str
    of_many: str


def noun(kind: str, nom: str, gen: str, many: str, of_many: str) -> Noun:
    """Adds the accusative: that of the genitive for male animals, its own ending in -а/-я, else the nominative."""
    if kind == "ma":
        acc = gen
    elif nom[-1] in "ая":
        acc = nom[:-1] + {"а": "у", "я": "ю"}[nom[-1]]
    else:
        acc = nom
    return Noun(kind[0], nom, gen, acc, many, of_many)


NOUN = {key: noun(*fields) for key, fields in lex.NOUNS.items()}
GENDERS = {"m": 0, "f": 1, "n": 2}
NUMBER = more.NUMBER


def adjective(adj: str, gender: str) -> str:
    return lex.ADJECTIVES[adj][GENDERS[gender]]


def thing(o: str, adj: str) -> str:
    return f"{adjective(adj, NOUN[o].gender)} {NOUN[o].nom}"


def thing_acc(o: str, adj: str) -> str:
    """An inanimate thing as an object: only the feminine differs from the nominative."""
    form = adjective(adj, NOUN[o].gender)
    if NOUN[o].gender == "f":
        form = form[:-2] + {"ая": "ую", "яя": "юю"}[form[-2:]]
    return f"{form} {NOUN[o].acc}"


def some(n: str, o: str, accusative: bool = False) -> str:
    """A number with an inanimate noun: один, два–четыре and the rest each ask for a form of their own."""
    item = NOUN[o]
    if n == "1":
        return f"{'одну' if accusative and item.gender == 'f' else ('один', 'одна', 'одно')[GENDERS[item.gender]]} {item.acc if accusative else item.nom}"
    if n in ("2", "3", "4"):
        return f"{'две' if n == '2' and item.gender == 'f' else NUMBER[n]} {item.gen}"
    return f"{NUMBER[n]} {item.of_many}"


def years(n: str) -> str:
    return f"{NUMBER[n]} {'год' if n == '1' else 'года' if n in ('2', '3', '4') else 'лет'}"


def kin_word(q: str, k: str) -> str:
    return more.KIN[k][2 if WHO[q].female else 0]


def posture(o: str) -> str:
    return "стоит" if o in lex.STANDING else "лежит"
