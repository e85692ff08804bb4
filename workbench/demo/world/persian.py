"""Persian sentences: subject, object, verb; ezafe; را after a definite object. The conventions are those of `english.py`."""

from . import lexicon_fa as lex
from .facts import DRINKS
from .lexicon_fa import ZWNJ

Says = tuple[str, ...]

WHO = {**lex.PEOPLE, **{"~" + key: "او" for key in lex.PEOPLE}}


def ezafe(noun: str) -> str:
    """The noun as it is written before an adjective or an owner."""
    if noun in lex.PLAIN_ENDING:
        return noun
    if noun.endswith("ه"):
        return noun + ZWNJ + "ی"
    return noun + "ی" if noun[-1] in "او" else noun


NOUN = lex.NOUNS
EZAFE = {key: ezafe(word) for key, word in {**lex.NOUNS, **lex.KIN}.items()}
MI_KONAD = f"می{ZWNJ}کند"


def join(word: str, ending: str) -> str:
    """A word and its ending, kept apart by the non-joiner only where the letters would otherwise run together."""
    return word + ("" if word[-1] in "اآدذرزژو" else ZWNJ) + ending


def in_(place: str) -> str:
    return ("کنار " if place in lex.WATERSIDE else "در ") + lex.PLACES[place]


def to(place: str) -> str:
    return ("به کنار " if place in lex.WATERSIDE else "به ") + lex.PLACES[place]


def thing(o: str, adj: str) -> str:
    return f"یک {EZAFE[o]} {lex.ADJECTIVES[adj]}"


def lives(p: str, c: str) -> Says:
    return f"{WHO[p]} در {lex.CITIES[c]} زندگی {MI_KONAD}.", f"خانه{ZWNJ}ی {WHO[p]} در {lex.CITIES[c]} است."


def job(p: str, j: str) -> Says:
    return f"{WHO[p]} {lex.JOBS[j]} است.", f"{WHO[p]} به{ZWNJ}عنوان {lex.JOBS[j]} کار {MI_KONAD}."


def age(p: str, n: str) -> Says:
    return f"{WHO[p]} {lex.NUMBER[n]} سال دارد.", f"{WHO[p]} {join(lex.NUMBER[n], 'ساله')} است."


def older(p: str, q: str, n: str) -> Says:
    return f"{WHO[p]} از {WHO[q]} بزرگ{ZWNJ}تر است.", f"{WHO[p]} {lex.NUMBER[n]} سال از {WHO[q]} بزرگ{ZWNJ}تر است."


def owns(p: str, o: str, adj: str) -> Says:
    adjective = lex.ADJECTIVES[adj]
    return f"{WHO[p]} {thing(o, adj)} دارد.", f"{WHO[p]} یک {NOUN[o]} دارد. این {NOUN[o]} {adjective} است.", f"{EZAFE[o]} {WHO[p]} {adjective} است."


def many(p: str, o: str, adj: str) -> Says:
    things = f"{join(NOUN[o], 'های')} {WHO[p]} {lex.ADJECTIVES[adj]} هستند."
    return things, f"همه{ZWNJ}ی {things}"


def gave(p: str, v: str, o: str, adj: str, q: str) -> Says:
    return f"{WHO[p]} به {WHO[q]} {thing(o, adj)} {lex.VERBS[v]}.", f"{WHO[p]} {thing(o, adj)} به {WHO[q]} {lex.VERBS[v]}."


def now_has(q: str, o: str) -> Says:
    return (f"حالا {NOUN[o]} پیش {WHO[q]} است.",)


def did(p: str, v: str, o: str, adj: str) -> Says:
    return f"{WHO[p]} {thing(o, adj)} {lex.VERBS[v]}.", f"{WHO[p]} یک {NOUN[o]} {lex.VERBS[v]}. این {NOUN[o]} {lex.ADJECTIVES[adj]} است."


def saw(p: str, x: str, z: str) -> Says:
    return f"{WHO[p]} یک {NOUN[x]} {in_(z)} دید.", f"{WHO[p]} {in_(z)} یک {NOUN[x]} دید.", f"{WHO[p]} {in_(z)} بود. او آنجا یک {NOUN[x]} دید."


def animal(x: str, z: str) -> Says:
    return f"{NOUN[x]} {in_(z)} زندگی {MI_KONAD}.", f"یک {NOUN[x]} {in_(z)} هست. این {NOUN[x]} آنجا زندگی {MI_KONAD}."


def likes(p: str, f: str) -> Says:
    return f"{WHO[p]} {lex.FOODS[f]} دوست دارد.", f"{WHO[p]} {lex.FOODS[f]} را خیلی دوست دارد."


def dislikes(p: str, f: str) -> Says:
    return (f"{WHO[p]} {lex.FOODS[f]} دوست ندارد.",)


def meal(p: str, f: str, m: str) -> Says:
    verb = "نوشید" if f in DRINKS else "خورد"
    return f"{WHO[p]} {lex.MEALS[m]} {lex.FOODS[f]} {verb}.", f"{lex.MEALS[m]} {WHO[p]} {lex.FOODS[f]} {verb}."


def count(p: str, n: str, o: str) -> Says:
    return f"{WHO[p]} {lex.NUMBER[n]} {NOUN[o]} دارد.", f"{lex.NUMBER[n]} {NOUN[o]} اینجاست. آن{ZWNJ}ها مال {WHO[p]} هستند."


def had(p: str, n: str, o: str) -> Says:
    return (f"{WHO[p]} {lex.NUMBER[n]} {NOUN[o]} داشت.",)


def gave_more(q: str, n: str, o: str, p: str) -> Says:
    return (f"{WHO[q]} {lex.NUMBER[n]} {EZAFE[o]} دیگر به {WHO[p]} داد.",)


def gave_away(p: str, n: str, o: str, q: str) -> Says:
    return (f"{WHO[p]} {lex.NUMBER[n]} {NOUN[o]} به {WHO[q]} داد.",)


def has_now(p: str, n: str, o: str) -> Says:
    return (f"حالا {WHO[p]} {lex.NUMBER[n]} {NOUN[o]} دارد.",)


def kin(q: str, k: str, p: str) -> Says:
    return f"{WHO[q]} {EZAFE[k]} {WHO[p]} است.", f"{WHO[p]} یک {lex.KIN[k]} دارد. نام او {WHO[q]} است."


def kin_back(q: str, k: str, p: str) -> Says:
    return (f"پس {WHO[q]} {EZAFE[k]} {WHO[p]} است.",)


def went(p: str, place: str) -> Says:
    return (f"{WHO[p]} {to(place)} رفت.",)


def then_went(p: str, place: str) -> Says:
    return f"بعد {WHO[p]} {to(place)} رفت.", f"پس از آن {WHO[p]} {to(place)} رفت."


def went_when(p: str, t: str, place: str) -> Says:
    return f"{lex.TIMES[t]} {WHO[p]} {to(place)} رفت.", f"{WHO[p]} {lex.TIMES[t]} {to(place)} رفت."


def both_went(p: str, q: str, place: str) -> Says:
    return f"{WHO[p]} و {WHO[q]} {to(place)} رفتند.", f"{WHO[p]} و {WHO[q]} با هم {to(place)} رفتند."


def took(p: str, o: str) -> Says:
    return (f"{WHO[p]} {NOUN[o]} را برداشت.",)


def left(p: str, o: str, place: str) -> Says:
    return (f"{WHO[p]} {NOUN[o]} را {in_(place)} گذاشت.",)


def thing_at(o: str, place: str) -> Says:
    return f"{NOUN[o]} {in_(place)} است.", f"حالا {NOUN[o]} {in_(place)} است."


def person_at(p: str, place: str) -> Says:
    return f"{WHO[p]} {in_(place)} است.", f"حالا {WHO[p]} {in_(place)} است."


def put(p: str, o: str, s: str) -> Says:
    return (f"{WHO[p]} {NOUN[o]} را {lex.SPOTS[s]} گذاشت.",)


def lies(o: str, s: str) -> Says:
    return f"{NOUN[o]} {lex.SPOTS[s]} است.", f"یک {NOUN[o]} {lex.SPOTS[s]} هست."


def lies_now(o: str, s: str) -> Says:
    rest = f"{NOUN[o]} {lex.SPOTS[s]} است."
    return rest, f"حالا {rest}"


def doing(p: str, act: str, place: str) -> Says:
    return f"{WHO[p]} {in_(place)} {lex.ACTIVITIES[act]}.", f"{WHO[p]} {in_(place)} است. او {lex.ACTIVITIES[act]}."
