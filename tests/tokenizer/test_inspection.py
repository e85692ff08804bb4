"""Chips: what is shown is safe, and says which part of the text it is."""

from __future__ import annotations

import unicodedata

import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.tokenizer import chips
from workbench.tokenizer.alphabet import BYTES, LETTERS, from_letters, runs, show, to_letters
from workbench.tokenizer.loading import wrap
from workbench.vocab import Vocabulary

quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=30)


@quick
@given(text=ANY)
def test_bytes_add_up_to_the_text_and_nothing_unsafe_is_shown(base: object, text: str) -> None:
    found = chips(base, text)
    spaced = text if base.backend_tokenizer.normalizer is None or not text else " " + text
    assert b"".join(c.bytes for c in found) == spaced.encode()
    for chip in found:
        assert chip.shown
        assert "\ufffd" not in chip.shown
        assert not any(unicodedata.category(c)[0] in "CZ" for c in chip.shown)
        assert unicodedata.category(chip.shown[0])[0] != "M"
        assert 0 <= chip.start <= chip.end <= len(text)


def test_chips_of_a_byte_level_tokenizer(bases: dict) -> None:
    found = chips(bases["byte-level"], " bear 熊\n<|end|>\u202e")
    assert [c.shown for c in found] == ["␣b", "ear", "␣", "⟨E7⟩", "⟨86⟩", "⟨8A⟩", "⏎", "<|end|>", "⟨E2⟩", "⟨80⟩", "⟨AE⟩"]
    assert [c.kind for c in found].index("special") == 7
    assert (found[0].word_start, found[1].word_start) == (True, False)
    assert (found[3].start, found[3].end) == (found[5].start, found[5].end) == (6, 7)
    assert [c.shown for c in chips(bases["byte-level"], "", special=True)] == ["<|begin|>"]


def test_chips_of_byte_fallback_and_wordpiece(bases: dict) -> None:
    found = chips(bases["sentencepiece"], "bear 熊")
    assert [c.shown for c in found] == ["␣b", "ear", "␣", "⟨E7⟩", "⟨86⟩", "⟨8A⟩"]
    assert found[-1].kind == "byte"
    piece = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "be": 1, "##ar": 2}, unk_token="[UNK]"))
    found = chips(wrap(piece, {"unk_token": "[UNK]"}), "bear")
    assert [(c.shown, c.word_start, c.bytes) for c in found] == [("be", True, b"be"), ("ar", False, b"ar")]


def test_half_a_surrogate_pair_is_shown_by_its_replacement(base: object) -> None:
    assert b"".join(c.bytes for c in chips(base, "a\ud83d\ude00b\ud83d")).decode().lstrip() == "a😀b\ufffd"


def test_special_and_added_tokens_are_shown_by_name_but_never_raw() -> None:
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    backend.add_special_tokens(["<\u202e\x07>"])
    backend.add_tokens(["\u2066a"])
    assert [c.shown for c in chips(wrap(backend, {}), "<\u202e\x07>\u2066a")] == ["<⟨U+202E⟩⟨U+0007⟩>", "⟨U+2066⟩a"]
    vocabulary = Vocabulary(backend)
    assert {vocabulary.printable(i) for i in vocabulary.tokens} == {"[UNK]", "<⟨U+202E⟩⟨U+0007⟩>", "⟨U+2066⟩a"}


def test_show_makes_everything_visible() -> None:
    assert show("a\u200cb \t\r\n".encode()) == "a⟨U+200C⟩b␣⇥␍⏎"
    assert show("\u0301e\u0301".encode()) == "◌\u0301e\u0301"
    assert show(b"\xd0\xbc\xd0") == "м⟨D0⟩"
    assert show("\u2066\u00a0\ufe0f".encode()) == "⟨U+2066⟩⟨U+00A0⟩⟨U+FE0F⟩"


@given(st.binary(max_size=12))
def test_alphabets_and_runs_lose_no_byte(raw: bytes) -> None:
    assert from_letters(to_letters(raw)) == raw
    assert b"".join(text.encode() + rest for text, rest in runs(raw)) == raw


def test_the_byte_alphabet_is_the_librarys() -> None:
    assert set(LETTERS) == set(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    assert BYTES["Ġ"] == 32
