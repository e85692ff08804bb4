"""Spot checks of grammar, with gold sentences written by hand."""

import re
from itertools import islice

import pytest

from workbench.demo import world
from workbench.demo.world import asks_fa, asks_ru, english, facts, persian, russian
from workbench.demo.world import russian_grammar as ru


def sample(lang, n=2000):
    text = list(islice(world.stories(lang, "train", 11), n))
    for item in islice(world.dialogues(lang, "train", 11), n):
        text += [item.context, item.question, item.answer]
    return "\n".join(text)


@pytest.fixture(scope="module")
def texts():
    return {lang: sample(lang) for lang in world.LANGUAGES}


def test_english_articles(texts):
    assert not re.search(r"\b[Aa] [aeiou]", texts["en"])
    assert not re.search(r"\b[Aa]n [^aeiou]", texts["en"])


def test_english_plurals():
    assert english.some("2", "knife") == "two knives"
    assert english.some("1", "box") == "one box"
    assert english.plural("glass") == "glasses"
    assert english.plural("candy") == "sweets"


def test_russian_names_decline():
    assert ru.WHO["olga"][1:5] == ("Ольги", "Ольге", "Ольгу", "Ольги")
    assert ru.WHO["maria"][1:5] == ("Марии", "Марии", "Марию", "Марии")
    assert ru.WHO["igor"][1:4] == ("Игоря", "Игорю", "Игоря")
    assert ru.WHO["andrei"][1:4] == ("Андрея", "Андрею", "Андрея")
    assert ru.WHO["ivan"][1:4] == ("Ивана", "Ивану", "Ивана")


def test_russian_animacy_and_gender():
    assert ru.NOUN["bear"].acc == "медведя"
    assert ru.NOUN["horse"].acc == "лошадь"
    assert ru.NOUN["fox"].acc == "лису"
    assert ru.NOUN["pencil"].acc == "карандаш"
    assert ru.thing_acc("lamp", "blue") == "синюю лампу"
    assert ru.thing_acc("dress", "big") == "большое платье"
    assert ru.thing_acc("chair", "old") == "старый стул"


@pytest.mark.parametrize(
    ("n", "o", "form"),
    [
        ("1", "book", "одна книга"),
        ("2", "book", "две книги"),
        ("2", "apple", "два яблока"),
        ("4", "stone", "четыре камня"),
        ("5", "egg", "пять яиц"),
        ("11", "spoon", "одиннадцать ложек"),
    ],
)
def test_russian_numbers(n, o, form):
    assert ru.some(n, o) == form


def test_russian_one_thing_as_object():
    assert russian.gave_more("anna", "1", "pear", "boris") == ("Анна дала Борису ещё одну грушу.",)
    assert russian.gave_more("boris", "1", "apple", "anna") == ("Борис дал Анне ещё одно яблоко.",)


def test_russian_past_agrees_with_the_person(texts):
    women = "|".join(ru.lex.PEOPLE[key] for key in facts.WOMEN)
    men = "|".join(ru.lex.PEOPLE[key] for key in facts.MEN)
    past = r"(?:купил|нашёл|потерял|выбрал|принёс|спрятал|дал|продал|показал|увидел|пошёл|ходил|ел|пил|взял|оставил|положил|поставил|был)\b"
    assert not re.search(rf"\b(?:{women}|[Оо]на) {past}", texts["ru"])
    assert re.search(rf"\b(?:{men}|[Оо]н) {past}", texts["ru"])
    assert not re.search(rf"\b(?:{men}|[Оо]н) \w+ла\b", texts["ru"])


def test_russian_gold():
    assert asks_ru.whose("olga", "lamp", "red") == ("Чья лампа красная?", "Лампа Ольги красная.")
    assert asks_ru.who_animal("bear", "forest") == ("Какое животное живёт в лесу?", "В лесу живёт медведь.")
    assert asks_ru.who_kin("igor", "neighbour", "maria") == ("Кто сосед Марии?", "Сосед Марии — Игорь.")
    assert russian.older("anna", "igor", "2")[1] == "Анна на два года старше Игоря."
    assert russian.many("~anna", "book", "blue")[1] == "все её книги синие."


def test_persian_letters(texts):
    assert "\u200c" in texts["fa"]
    assert not re.search("[يكى٠-٩]", texts["fa"])
    assert "می\u200cکند" in texts["fa"]
    assert "\u200c\u200c" not in texts["fa"]
    assert not re.search("\u200c[ .؟،]|[ .؟،]\u200c", texts["fa"])
    assert not re.search("[اآدذرزژو]\u200c", texts["fa"]), "the non-joiner has nothing to separate after these letters"


@pytest.mark.parametrize(("o", "words"), [("lemon", "لیموی دیگر"), ("box", "جعبه‌ی دیگر"), ("apple", "سیب دیگر")])
def test_persian_more_of_a_thing(o, words):
    assert words in persian.gave_more("anna", "2", o, "boris")[0]


def test_persian_gold():
    assert persian.owns("anna", "notebook", "red")[2] == "دفترچه\u200cی آنا قرمز است."
    assert persian.owns("anna", "picture", "old")[0] == "آنا یک تابلوی قدیمی دارد."
    assert persian.owns("anna", "hat", "black")[2] == "کلاه آنا سیاه است."
    assert persian.many("anna", "chair", "green")[1] == "همه\u200cی صندلی\u200cهای آنا سبز هستند."
    assert asks_fa.who_did("anna", "find", "key") == ("چه کسی کلید را پیدا کرد؟", "آنا کلید را پیدا کرد.")
    assert persian.gave("anna", "give", "lamp", "red", "boris")[1] == "آنا یک چراغ قرمز به بوریس داد."


def test_persian_sentences_end_in_a_verb(texts):
    verbs = frozenset(
        "است هست هستند دارد ندارد داشت اینجاست رفت رفتند داد فروخت کرد خرید آورد دید بود خورد نوشید برداشت گذاشت کند".split()  # noqa: SIM905 - words stay readable as a line
    )
    for sentence in re.findall(r"[^.؟\n]+\.", texts["fa"]):
        last = sentence.rstrip(".").split()[-1]
        assert last.startswith("می\u200c") or last in verbs, sentence


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_sentences_start_with_a_capital(texts, lang):
    assert not re.search(r"(?:^|[.?] )[a-zа-яё]", texts[lang], re.M)


def test_only_the_script_of_the_language(texts):
    assert not re.search(r"[A-Za-z]", texts["ru"] + texts["fa"])
    assert not re.search(r"[а-яё\u0600-\u06ff]", texts["en"], re.I)
