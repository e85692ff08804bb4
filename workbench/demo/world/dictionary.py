"""The lexicon as word pairs: English and a target language, in citation form."""

from __future__ import annotations

from functools import cache

from . import english, facts, lexicon_fa, lexicon_ru, lexicon_ru_more
from .tables import rows

# English | Russian | Persian: words that the sentences use only in inflected form.
_VERBS = rows("""
live | жить | زندگی کردن
have | иметь | داشتن
see | увидеть | دیدن
like | любить | دوست داشتن
eat | есть | خوردن
drink | пить | نوشیدن
go | идти | رفتن
take | взять | برداشتن
leave | оставить | ترک کردن
give | дать | دادن
sell | продать | فروختن
show | показать | نشان دادن
buy | купить | خریدن
find | найти | پیدا کردن
lose | потерять | گم کردن
choose | выбрать | انتخاب کردن
bring | принести | آوردن
hide | спрятать | پنهان کردن
read | читать | خواندن
sing | петь | آواز خواندن
dance | танцевать | رقصیدن
play | играть | بازی کردن
rest | отдыхать | استراحت کردن
work | работать | کار کردن
write | писать | نوشتن
draw | рисовать | نقاشی کشیدن
laugh | смеяться | خندیدن
run | бежать | دویدن
study | учиться | درس خواندن
sleep | спать | خوابیدن
wait | ждать | صبر کردن
talk | говорить | حرف زدن
""")
_NOUNS = rows("""
breakfast | завтрак | صبحانه
lunch | обед | ناهار
dinner | ужин | شام
summer | лето | تابستان
winter | зима | زمستان
spring | весна | بهار
autumn | осень | پاییز
morning | утро | صبح
evening | вечер | عصر
yesterday | вчера | دیروز
now | теперь | حالا
here | здесь | اینجا
there | там | آنجا
together | вместе | با هم
home | дом | خانه
name | имя | نام
job | работа | شغل
year | год | سال
colour | цвет | رنگ
animal | животное | حیوان
table | стол | میز
shelf | полка | قفسه
bed | кровать | تخت
drawer | ящик | کشو
cupboard | шкаф | کمد
sofa | диван | مبل
floor | пол | کف
door | дверь | در
curtain | штора | پرده
tree | дерево | درخت
window | окно | پنجره
""")


def _russian(category: str, key: str) -> str:
    ru, more = lexicon_ru, lexicon_ru_more
    match category:
        case "people":
            return ru.PEOPLE[key]
        case "nouns":
            return ru.NOUNS[key][1]
        case "adjectives":
            return ru.ADJECTIVES[key][0]
        case "places":
            return more.PLACES[key][2]
        case "kin":
            return more.KIN[key][0] or more.KIN[key][2]
        case "days":
            return more.TIMES[key][1]
        case "numbers":
            return more.NUMBER[key]
        case _:
            return {"cities": more.CITIES, "foods": more.FOODS, "jobs": more.JOBS}[category][key][0]


def _persian(category: str, key: str) -> str:
    fa = lexicon_fa
    if category == "days":
        return fa.TIMES[key].removeprefix("روز ")
    if category == "numbers":
        return fa.NUMBER[key]
    tables = {"people": fa.PEOPLE, "nouns": fa.NOUNS, "adjectives": fa.ADJECTIVES, "places": fa.PLACES, "kin": fa.KIN, "cities": fa.CITIES, "foods": fa.FOODS}
    return (tables | {"jobs": fa.JOBS})[category][key]


def _english(category: str, key: str) -> str:
    if category in ("people", "cities", "days"):
        return key.capitalize()
    return english.lex.NUMBER[key] if category == "numbers" else english.word(key)


CATEGORIES: dict[str, tuple[str, ...]] = {
    "people": facts.PEOPLE,
    "nouns": facts.ANIMALS + facts.OBJECTS + facts.FRUITS,
    "adjectives": facts.ADJECTIVES,
    "places": tuple(dict.fromkeys(facts.PLACES + facts.ZONES)),
    "cities": facts.CITIES,
    "foods": facts.FOODS,
    "jobs": facts.JOBS,
    "kin": tuple(facts.KIN),
    "numbers": facts.NUMBERS,
    "days": facts.DAYS,
}


@cache
def pairs(target: str, names: bool = True) -> tuple[tuple[str, str], ...]:
    """(English word, target word) of the whole lexicon; ``names=False`` leaves out people and cities."""
    column = ("ru", "fa").index(target)
    translate = (_russian, _persian)[column]
    skip = () if names else ("people", "cities")
    entries = [(_english(c, key), translate(c, key)) for c, keys in CATEGORIES.items() if c not in skip for key in keys]
    entries += [(word, forms[column]) for table in (_VERBS, _NOUNS) for word, forms in table.items()]
    return tuple(entries)
