"""Which products of merges a filter lets pass: scripts, digits, unfinished characters."""

from __future__ import annotations

import pytest
from tiny import encode

from workbench.errors import WorkbenchError
from workbench.tokenizer import Extension, extend
from workbench.tokenizer.filters import Filter

from .conftest import ENGLISH, KOREAN, RUSSIAN


@pytest.mark.parametrize(
    ("piece", "reason"),
    [("▁слово", ""), ("по-русски", ""), ("слово,", "other script"), ("-", "other script"), ("wордs", "other script"), ("▁▁да", "a space inside"),
     ("а▁б", "a space inside"),
     ("<0xD0>", "not text"), ("очень" * 4, "too long"), ("да1", "digits")],
)  # fmt: skip
def test_reasons(piece: str, reason: str) -> None:
    assert Filter("metaspace", "Cyrillic", 16, False).reason(piece) == reason


@pytest.mark.parametrize("word", ["一个", "十分", "三月", "万一"])
@pytest.mark.parametrize("script", ["Han", None])
def test_numerals_that_are_letters_are_no_digits(word: str, script: str | None) -> None:
    assert Filter("metaspace", script, 16, False).reason(word) == ""


@pytest.mark.parametrize("text", ["да٣", "да²", "да½", "даⅣ"])
def test_digits_are_those_of_any_script(text: str) -> None:
    assert Filter("metaspace", None, 16, False).reason(text) == "digits"


def test_chinese_words_with_numerals_are_learned(bases: dict) -> None:
    made = extend(bases["sentencepiece"], ["一个 十分 三月 万一"] * 3, Extension(new_tokens=30, script="Han"))
    assert {"一个", "十分", "三月", "万一"} <= {piece.removeprefix("▁") for piece in made.tokenizer.get_vocab()}


@pytest.mark.parametrize(
    ("raw", "script", "passes"),
    [(b"\xd0", "Cyrillic", True), (b" \xd1", "Cyrillic", True), (b"\xd0\xbc\xd0", "Cyrillic", True), (b"\xbc\xd0", "Cyrillic", False),
     (b"\xd8", "Arabic", False),     (b"\xd8\xa7\xd8", "Arabic", True), (b"\xda", "Arabic", True), (b"\xea", "Hangul", False),
     (b"\xeb", "Hangul", True), (b"\xe0\xa4", "Devanagari", False),
     ("क".encode() + b"\xe0\xa4", "Devanagari", True), (b"\xd0", "Arabic", False)],
)  # fmt: skip
def test_unfinished_characters_pass_if_they_can_only_become_letters_of_the_script(raw: bytes, script: str, passes: bool) -> None:
    from workbench.tokenizer.alphabet import to_letters

    assert (Filter("byte-level", script, 16, False).reason(to_letters(raw)) == "") is passes


def test_several_scripts_make_one_filter(bases: dict) -> None:
    japanese = ["吾輩は猫である。名前はまだ無い。", "猫はカタカナを読まない。吾輩はここで始めて人間というものを見た。"] * 3
    for base in bases.values():
        made = extend(base, japanese, Extension(new_tokens=60, script="Han+Hiragana+Katakana"))
        assert made.report.new > 20
        assert len(encode(made.tokenizer, japanese[0])) < len(encode(base, japanese[0])) * 0.8
        assert all(encode(made.tokenizer, text) == encode(base, text) for text in RUSSIAN + ENGLISH + KOREAN)
    with pytest.raises(WorkbenchError, match=r"'Hiragama' is no Unicode script\. Did you mean Hiragana\? Join several by \+"):
        extend(bases["byte-level"], japanese, Extension(script="Han+Hiragama"))
