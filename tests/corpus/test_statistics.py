from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import corpus
from workbench.corpus import scripts
from workbench.corpus.scripts import main_script, script_shares
from workbench.corpus.statistics import near_duplicates

LONG = "The old bear walked slowly along the river and looked for berries under the birches, because winter was near and its den still cold. "


def test_totals():
    found = corpus.measure(["Hello, world!", "Привет, мир"])
    assert (found.documents, found.characters, found.bytes, found.words, found.whitespace_words) == (2, 24, 33, 4, 4)
    assert found.scripts == pytest.approx({"Latin": 10 / 19, "Cyrillic": 9 / 19})
    assert found.length == {"mean": 12, "median": 12, "p95": pytest.approx(12.9), "max": 13}
    assert found.length_histogram[-1] == {"from": 8, "to": 16, "documents": 2}
    assert found.first == ["Hello, world!", "Привет, мир"]


def test_words_follow_the_standard():
    assert corpus.words("don't stop: 3.14, می‌روم __ cafe\u0301s e-mail 👍🏽") == ["don't", "stop", "3.14", "می‌روم", "cafe\u0301s", "e", "mail"]
    assert corpus.words("\u200fשלום \u200cمی") == ["שלום", "می"]  # a mark in front hides no word


def test_the_short_way_finds_the_words_of_the_standard():
    """Every letter that is taken for plain, alone, beside others and within punctuation."""
    letters = [chr(c) for c in range(0x20000) if scripts._PLAIN.fullmatch(chr(c))]
    assert len(letters) > 10_000
    for start in range(0, len(letters), 40):
        for written in ("".join(letters[start : start + 40]), *("«" + c + "б" + c + "a…»," for c in letters[start : start + 40])):
            assert corpus.words(written) == scripts._WORD.findall(" " + written)


@given(st.text(st.sampled_from("aбуא가カ今1,.;:'\"_-«»—…()\u200c\u0301 "), max_size=12))
def test_words_are_those_of_the_standard(text):
    assert corpus.words(text) == scripts._WORD.findall(" " + text)


@given(st.text())
def test_words_are_parts_of_the_text_in_order(text):
    place = 0
    for word in corpus.words(text):
        place = text.index(word, place) + len(word)


@given(st.text(max_size=30))
def test_script_shares_sum_to_one(text):
    shares = script_shares(Counter(text))
    assert not shares or sum(shares.values()) == pytest.approx(1)


def test_the_main_script_is_that_of_most_letters():
    assert [main_script(text) for text in ("bear", "медведь a", "خرس", "12!")] == ["Latin", "Cyrillic", "Arabic", ""]


def test_exact_duplicates_are_those_after_the_first():
    assert corpus.measure(["a", "b", "a", "a"]).exact_duplicates == 2


def test_planted_near_duplicates_are_found():
    others = [" ".join(f"{n}{word}{n * 7}" for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]) * 3 for n in range(300)]
    planted = [LONG * 2, (LONG * 2).replace("birches", "beeches", 1), LONG * 2 + "Snow."]
    assert near_duplicates([*others, *planted]) == 2
    found = corpus.measure([*others, *planted, LONG * 2])
    assert (found.near_duplicates, found.exact_duplicates, found.near_sample) == (2, 1, 303)
    assert any("2 of 303 sampled documents are nearly the same" in w for w in found.warnings)


def test_the_sample_is_bounded_and_seeded():
    documents = [f"{LONG}{n}" for n in range(50)]
    assert corpus.measure(documents, near_sample=10).near_sample == 10
    assert corpus.measure(documents, near_sample=10, seed=4) == corpus.measure(documents, near_sample=10, seed=4)


@pytest.mark.parametrize("seed", [2**32 - 1, 2**32, 2**63 - 1])
def test_a_seed_may_be_any_that_a_corpus_takes(seed):
    assert near_duplicates([LONG, "other text", LONG + "!"], seed) == 1


def test_forms_and_their_warnings():
    found = corpus.measure(["cafe\u0301", "a\u00a0b", "می\u200cروم علي", "x\x00", "a\ufeffb", "broken \ufffd", "plain", "tab\tonly"])
    expected = {"not_nfc": 1, "not_nfkc": 2, "nbsp": 1, "zwnj": 1, "bom": 1, "control": 1, "arabic_letters": 1, "persian_letters": 1, "replacement": 1}
    assert found.forms == expected
    text = " ".join(found.warnings)
    for part in ("1 of 8 documents are not in Unicode form NFC", "no-break spaces", "byte order marks", "control characters", "U+FFFD", "spelled in two ways"):
        assert part in text
    assert "zero-width" not in text  # expected in Persian
    assert "zero-width non-joiners" in " ".join(corpus.measure(["a\u200cb"]).warnings)
    assert corpus.measure(["plain", "простой"]).warnings == []


def test_scripts_without_spaces_have_no_word_count():
    found = corpus.measure(["今日は天気がいい。", "สวัสดีครับ"])
    assert found.words is None
    assert "bytes per token" in found.warnings[-1]
    assert corpus.measure(["오늘은 날씨가 좋다."]).words == 3


def test_nothing_is_still_something():
    found = corpus.measure([])
    assert (found.documents, found.characters, found.scripts, found.length_histogram) == (0, 0, {}, [])


def test_only_the_first_twenty_are_shown_and_cut():
    found = corpus.measure(["x" * 5_000] * 30)
    assert len(found.first) == 20
    assert len(found.first[0]) == 1_000
