"""Questions and answers in Persian: one function per family, one fixed answer form each."""

from . import lexicon_fa as lex
from .facts import DRINKS
from .persian import EZAFE, MI_KONAD, NOUN, WHO, ZWNJ, in_, join, thing, to

QA = tuple[str, str]


def where_live(p: str, c: str) -> QA:
    return f"{WHO[p]} کجا زندگی {MI_KONAD}؟", f"{WHO[p]} در {lex.CITIES[c]} زندگی {MI_KONAD}."


def who_live(p: str, c: str) -> QA:
    return f"چه کسی در {lex.CITIES[c]} زندگی {MI_KONAD}؟", f"{WHO[p]} در {lex.CITIES[c]} زندگی {MI_KONAD}."


def what_job(p: str, j: str) -> QA:
    return f"شغل {WHO[p]} چیست؟", f"{WHO[p]} {lex.JOBS[j]} است."


def who_job(p: str, j: str) -> QA:
    return f"چه کسی {lex.JOBS[j]} است؟", f"{WHO[p]} {lex.JOBS[j]} است."


def how_old(p: str, n: str) -> QA:
    return f"{WHO[p]} چند سال دارد؟", f"{WHO[p]} {lex.NUMBER[n]} سال دارد."


def who_older(p: str, first: str, second: str) -> QA:
    return f"چه کسی بزرگ{ZWNJ}تر است، {WHO[first]} یا {WHO[second]}؟", f"{WHO[p]} بزرگ{ZWNJ}تر است."


def colour(p: str, o: str, adj: str) -> QA:
    return f"{EZAFE[o]} {WHO[p]} چه رنگی است؟", f"{EZAFE[o]} {WHO[p]} {lex.ADJECTIVES[adj]} است."


def colours(p: str, o: str, adj: str) -> QA:
    items = f"{join(NOUN[o], 'های')} {WHO[p]}"
    return f"{items} چه رنگی هستند؟", f"{items} {lex.ADJECTIVES[adj]} هستند."


def quality(p: str, o: str, adj: str) -> QA:
    return f"{EZAFE[o]} {WHO[p]} چگونه است؟", f"{EZAFE[o]} {WHO[p]} {lex.ADJECTIVES[adj]} است."


def whose(p: str, o: str, adj: str) -> QA:
    return f"{EZAFE[o]} چه کسی {lex.ADJECTIVES[adj]} است؟", f"{EZAFE[o]} {WHO[p]} {lex.ADJECTIVES[adj]} است."


def who_has(p: str, o: str, adj: str) -> QA:
    return f"چه کسی {thing(o, adj)} دارد؟", f"{WHO[p]} {thing(o, adj)} دارد."


def what_has(p: str, o: str, adj: str) -> QA:
    return f"{WHO[p]} چه چیزی دارد؟", f"{WHO[p]} {thing(o, adj)} دارد."


def who_gave(p: str, v: str, o: str, q: str) -> QA:
    rest = f"{NOUN[o]} را به {WHO[q]} {lex.VERBS[v]}"
    return f"چه کسی {rest}؟", f"{WHO[p]} {rest}."


def to_whom(p: str, v: str, o: str, q: str) -> QA:
    return f"{WHO[p]} {NOUN[o]} را به چه کسی {lex.VERBS[v]}؟", f"{WHO[p]} {NOUN[o]} را به {WHO[q]} {lex.VERBS[v]}."


def who_now_has(q: str, o: str) -> QA:
    return f"حالا {NOUN[o]} پیش چه کسی است؟", f"حالا {NOUN[o]} پیش {WHO[q]} است."


def who_did(p: str, v: str, o: str) -> QA:
    return f"چه کسی {NOUN[o]} را {lex.VERBS[v]}؟", f"{WHO[p]} {NOUN[o]} را {lex.VERBS[v]}."


def what_did(p: str, v: str, o: str) -> QA:
    return f"{WHO[p]} چه چیزی {lex.VERBS[v]}؟", f"{WHO[p]} یک {NOUN[o]} {lex.VERBS[v]}."


def who_saw(p: str, x: str) -> QA:
    return f"چه کسی {NOUN[x]} را دید؟", f"{WHO[p]} {NOUN[x]} را دید."


def what_saw(p: str, x: str) -> QA:
    return f"{WHO[p]} چه حیوانی دید؟", f"{WHO[p]} یک {NOUN[x]} دید."


def where_saw(p: str, x: str, z: str) -> QA:
    return f"{WHO[p]} {NOUN[x]} را کجا دید؟", f"{WHO[p]} {NOUN[x]} را {in_(z)} دید."


def where_animal(x: str, z: str) -> QA:
    return f"{NOUN[x]} کجا زندگی {MI_KONAD}؟", f"{NOUN[x]} {in_(z)} زندگی {MI_KONAD}."


def who_animal(x: str, z: str) -> QA:
    return f"چه حیوانی {in_(z)} زندگی {MI_KONAD}؟", f"{NOUN[x]} {in_(z)} زندگی {MI_KONAD}."


def what_likes(p: str, f: str) -> QA:
    return f"{WHO[p]} چه چیزی دوست دارد؟", f"{WHO[p]} {lex.FOODS[f]} دوست دارد."


def who_likes(p: str, f: str) -> QA:
    return f"چه کسی {lex.FOODS[f]} دوست دارد؟", f"{WHO[p]} {lex.FOODS[f]} دوست دارد."


def what_meal(p: str, f: str, m: str) -> QA:
    verb = "نوشید" if f in DRINKS else "خورد"
    return f"{WHO[p]} {lex.MEALS[m]} چه {verb}؟", f"{WHO[p]} {lex.MEALS[m]} {lex.FOODS[f]} {verb}."


def how_many(p: str, n: str, o: str) -> QA:
    return f"{WHO[p]} چند {NOUN[o]} دارد؟", f"{WHO[p]} {lex.NUMBER[n]} {NOUN[o]} دارد."


def how_many_now(p: str, n: str, o: str) -> QA:
    return f"حالا {WHO[p]} چند {NOUN[o]} دارد؟", f"حالا {WHO[p]} {lex.NUMBER[n]} {NOUN[o]} دارد."


def who_kin(q: str, k: str, p: str) -> QA:
    return f"{EZAFE[k]} {WHO[p]} کیست؟", f"{EZAFE[k]} {WHO[p]} {WHO[q]} است."


def kin_home(q: str, k: str, p: str, c: str) -> QA:
    return f"{EZAFE[k]} {WHO[p]} کجا زندگی {MI_KONAD}؟", f"{EZAFE[k]} {WHO[p]} در {lex.CITIES[c]} زندگی {MI_KONAD}."


def where_person(p: str, place: str) -> QA:
    return f"{WHO[p]} کجاست؟", f"{WHO[p]} {in_(place)} است."


def where_thing(o: str, place: str) -> QA:
    return f"{NOUN[o]} کجاست؟", f"{NOUN[o]} {in_(place)} است."


def where_lies(o: str, s: str) -> QA:
    return f"{NOUN[o]} کجاست؟", f"{NOUN[o]} {lex.SPOTS[s]} است."


def what_lies(o: str, s: str) -> QA:
    return f"چه چیزی {lex.SPOTS[s]} است؟", f"{NOUN[o]} {lex.SPOTS[s]} است."


def when_went(p: str, t: str, place: str) -> QA:
    return f"{WHO[p]} کی {to(place)} رفت؟", f"{WHO[p]} {lex.TIMES[t]} {to(place)} رفت."


def what_doing(p: str, act: str) -> QA:
    return f"{WHO[p]} چه کار {MI_KONAD}؟", f"{WHO[p]} {lex.ACTIVITIES[act]}."
