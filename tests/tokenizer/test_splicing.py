"""The laws that hold after tokens made elsewhere were spliced in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.tokenizer import Extension, add_words, extend, load, save, splice
from workbench.tokenizer.loading import wrap
from workbench.tokenizer.reporting import dead

from .conftest import ENGLISH, PERSIAN, RUSSIAN, train_sentencepiece
from .test_extension import ANY, CHAT, encode, spec

BASES = ["byte-level", "ignore_merges", "sentencepiece"]
DONORS = ["bpe", "unigram", "byte-level", "wordpiece", "words"]
WORDS = ["медведь", "холодная", "по-русски", "two words", "река", "медведь", " помнит ", "", "строитель", "заозёрье"]
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])


@pytest.fixture(scope="module")
def donors(sp_folder: Path) -> dict[str, object]:
    """The Russian of the tests as four kinds of tokenizers have it, and as a word list."""
    options = {"byte_fallback": True, "normalization_rule_name": "identity", "character_coverage": 1.0}
    bpe = load(train_sentencepiece(sp_folder, "donor-bpe", RUSSIAN * 2, model_type="bpe", vocab_size=460, **options))
    unigram = load(train_sentencepiece(sp_folder, "donor-unigram", RUSSIAN * 2, model_type="unigram", vocab_size=420, **options))
    letters = Tokenizer(models.BPE())
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.train_from_iterator(RUSSIAN, trainers.BpeTrainer(vocab_size=420, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.BertNormalizer(lowercase=False), pre_tokenizers.BertPreTokenizer()
    pieces.train_from_iterator(RUSSIAN, trainers.WordPieceTrainer(vocab_size=200, show_progress=False, special_tokens=["[UNK]"]))
    return {"bpe": bpe, "unigram": unigram, "byte-level": wrap(letters, {}), "wordpiece": wrap(pieces, {"unk_token": "[UNK]"}), "words": WORDS}


def added(base: object, donor: object, options: Extension) -> object:
    return add_words(base, donor, options) if isinstance(donor, list) else splice(base, donor, options)


@pytest.fixture(scope="module")
def made(bases: dict, donors: dict) -> dict:
    return {
        (base, donor, missing): added(bases[base], donors[donor], Extension(script="Cyrillic", missing=missing))
        for base in BASES for donor in DONORS for missing in ("chain", "reject")
    }  # fmt: skip


@pytest.fixture(scope="module", params=[(b, d) for b in BASES for d in DONORS], ids="-".join)
def case(request: pytest.FixtureRequest, made: dict, bases: dict, donors: dict) -> tuple:
    """(base, donor, result with chain, result with reject)"""
    base, donor = request.param
    return bases[base], donors[donor], made[base, donor, "chain"], made[base, donor, "reject"]


@quick
@given(text=ANY)
def test_text_comes_back_and_gets_no_longer(case: tuple, text: str) -> None:
    base, _, *results = case
    for result in results:
        ids = encode(result.tokenizer, text)
        assert len(ids) <= len(encode(base, text))
        assert result.tokenizer.decode(ids) == base.decode(encode(base, text))


@quick
@given(text=ANY)
def test_text_without_a_letter_of_the_script_keeps_its_encoding(case: tuple, text: str) -> None:
    base, _, *results = case
    text = regex.sub(r"(?V1)[[\p{L}\p{M}]&&\p{sc=Cyrillic}]", "", text)
    assert all(encode(result.tokenizer, text) == encode(base, text) for result in results)


def test_every_token_is_reachable_and_every_merge_joins_tokens(case: tuple) -> None:
    base, _, *results = case
    for result in results:
        assert not dead(result.tokenizer.backend_tokenizer, result.new_ids)
        assert result.report.dead == 0
        model = spec(result.tokenizer)["model"]
        merges = [tuple(m) for m in model["merges"]]
        assert len(set(merges)) == len(merges)
        assert all({left, right, left + right} <= model["vocab"].keys() for left, right in merges)
        assert merges[: len(spec(base)["model"]["merges"])] == [tuple(m) for m in spec(base)["model"]["merges"]]


def test_old_ids_stay_and_the_chat_reads_the_same(case: tuple, tmp_path: Path) -> None:
    base, _, result, _ = case
    again = load(save(result.tokenizer, tmp_path))
    assert base.get_vocab().items() <= again.get_vocab().items()
    assert again.get_vocab() == result.tokenizer.get_vocab()
    assert sorted(again.get_vocab().values()) == list(range(result.report.rows_after))
    if base.chat_template:
        chat = [{"role": "user", "content": "медведь"}]
        assert base.chat_template == CHAT
        assert again.apply_chat_template(chat, tokenize=False) == base.apply_chat_template(chat, tokenize=False)


def test_twice_adds_nothing_the_second_time(case: tuple) -> None:
    _, donor, chained, rejecting = case
    for result, missing in ((chained, "chain"), (rejecting, "reject")):
        again = added(result.tokenizer, donor, Extension(script="Cyrillic", missing=missing))
        assert again.report.new == 0
        assert again.tokenizer.backend_tokenizer.to_str() == result.tokenizer.backend_tokenizer.to_str()


def test_chain_leaves_none_out_for_want_of_merges_and_reject_adds_nothing_between(case: tuple) -> None:
    _, _, chained, rejecting = case
    by_nature = {
        "other script",
        "digits",
        "a space inside",
        "not text",
        "never in one word of the base",
        "a character that the base writes in bytes, or not at all",
    }
    assert set(chained.report.rejected) <= by_nature
    assert rejecting.report.between == 0
    assert rejecting.report.new - rejecting.report.letters <= chained.report.new - chained.report.between
    assert set(rejecting.tokenizer.get_vocab()) <= set(chained.tokenizer.get_vocab())


def test_a_donor_gives_its_tokens(bases: dict, donors: dict, made: dict) -> None:
    """Each Russian token of the donor, read as text, is one token afterwards."""
    for base in BASES:
        result = made[base, "bpe", "chain"]
        for token in ("медведь", "лес", "холод"):
            if f"▁{token}" in donors["bpe"].get_vocab():
                assert len(encode(result.tokenizer, f"the {token}")) == len(encode(result.tokenizer, "the")) + 1


def test_a_word_list_makes_words_whole(bases: dict) -> None:
    for name, base in bases.items():
        result = add_words(base, WORDS, Extension(script="Cyrillic"))
        for word in ("медведь", "холодная", "помнит", "строитель", "заозёрье"):
            assert len(encode(result.tokenizer, f"the {word} end")) == len(encode(base, "the end")) + 1, name
        assert result.report.rejected.get("a space inside", 0) + result.report.rejected.get("never in one word of the base", 0) >= 1
        assert result.report.new == len(result.new_ids)


def test_the_limit_holds_and_what_is_left_follows_later(bases: dict, donors: dict) -> None:
    for name in BASES:
        some = splice(bases[name], donors["bpe"], Extension(script="Cyrillic", new_tokens=60))
        assert 0 < some.report.new <= 60
        assert some.report.rejected["no room left"] > 0
        assert some.report.new > some.report.letters
        rest = splice(some.tokenizer, donors["bpe"], Extension(script="Cyrillic"))
        assert rest.report.new > 0
        assert rest.report.dead == 0


def test_the_first_words_come_first_with_their_letters(bases: dict) -> None:
    """Letters that the base lacks are paid for by the words that need them, not all before the first word."""
    words = ["곰은", "숲에", "겨울", "강으로", "아이들은"]
    for base in bases.values():
        room = add_words(base, words[:2], Extension(script="Hangul")).report.new
        some = add_words(base, words, Extension(script="Hangul", new_tokens=room))
        assert some.report.new == room
        whole = [word for word in words if len(encode(some.tokenizer, f"the {word}")) == len(encode(base, "the")) + 1]
        assert whole == words[:2]
        assert some.report.rejected == {"no room left": 3}


def test_what_the_pre_tokenizer_always_cuts_is_not_added(bases: dict) -> None:
    backend = Tokenizer.from_str(bases["byte-level"].backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), backend.pre_tokenizer])
    result = splice(wrap(backend, {}), wrap(_donor(["47", "b4", "бв"], " 47"), {}), Extension(digits=True))
    assert set(result.tokenizer.get_vocab()) - set(bases["byte-level"].get_vocab()) >= {"47"}
    assert result.report.rejected == {"never in one word of the base": 2}


def test_a_spliced_tokenizer_can_be_extended(made: dict) -> None:
    for base in BASES:
        further = extend(made[base, "bpe", "chain"].tokenizer, PERSIAN, Extension(new_tokens=30, script="Arabic"))
        assert (further.report.new, further.report.dead) == (30, 0)


def test_texts_and_reference_are_measured(bases: dict, donors: dict) -> None:
    result = splice(bases["sentencepiece"], donors["bpe"], Extension(), texts=iter(RUSSIAN), reference=ENGLISH)
    assert result.report.tokens_per_word_after < result.report.tokens_per_word_before
    assert result.report.resplit is not None
    assert result.report.words == sum(len(text.split()) for text in RUSSIAN)
    kept = splice(bases["sentencepiece"], donors["bpe"], Extension(script="Cyrillic"), reference=ENGLISH)
    assert (kept.report.resplit, kept.report.tokens_per_word_after) == (0.0, None)


def test_old_tokens_that_nothing_makes_stay_as_they_are(bases: dict) -> None:
    """'ab' is in the vocabulary and no merge makes it; new tokens are built around it."""
    letters = ["a", "b", "c", "ab", "bc"]
    backend = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, [("b", "c")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    result = splice(wrap(backend, {}), wrap(_donor(["ab", "aba", "abab", "xa"]), {}), Extension())
    assert {"aba", "abab"} <= set(result.tokenizer.get_vocab())
    assert not dead(result.tokenizer.backend_tokenizer, result.new_ids)
    assert [token.value for token in result.tokenizer.backend_tokenizer.model.tokenize("abc")] == ["a", "bc"]
    assert result.report.rejected == {"a character that the base writes in bytes, or not at all": 1}


def _donor(pieces: list[str], *words: str) -> Tokenizer:
    """A WordPiece of these parts of words, and of these words, a space in front."""
    vocab = [f"##{piece}" for piece in pieces] + [word.strip() for word in words]
    donor = Tokenizer(models.WordPiece({"[UNK]": 0} | {piece: i for i, piece in enumerate(vocab, 1)}, unk_token="[UNK]"))
    donor.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return donor


def test_the_step_takes_a_donor_or_a_word_list(bases: dict, donors: dict, tmp_path: Path) -> None:
    base, donor = save(bases["byte-level"], tmp_path / "base"), save(donors["bpe"], tmp_path / "donor")
    words = tmp_path / "words.txt"
    words.write_text("\n".join(WORDS), encoding="utf-8")
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(RUSSIAN * 3), encoding="utf-8")
    made = wb.run(wb.tokenizer.Extend(base=base, donor=donor, text=text, script="Cyrillic"))
    assert made.metrics["new"] > 50
    assert (made.metrics["dead"], made.metrics["resplit"]) == (0, 0.0)
    assert made.metrics["tokens_per_word_after"] < made.metrics["tokens_per_word_before"]
    listed = wb.run(wb.tokenizer.Extend(base=base, words=words, text=text, script="Cyrillic"))
    assert json.dumps(listed.metrics["examples"], ensure_ascii=False).count("two␣words") == 1
    with pytest.raises(WorkbenchError, match=r"has no token of the script Cyrillic that could be added to"):
        wb.run(wb.tokenizer.Extend(base=made, donor=donor, text=text, script="Cyrillic"))
    with pytest.raises(WorkbenchError, match="give one of them"):
        wb.run(wb.tokenizer.Extend(base=base, donor=donor, words=words, text=text))
    with pytest.raises(WorkbenchError, match="only BPE can be extended"):
        wb.run(wb.tokenizer.Extend(base=save(donors["unigram"], tmp_path / "unigram"), donor=donor, text=text))


def test_control_and_direction_characters_are_shown_escaped(bases: dict) -> None:
    result = add_words(bases["byte-level"], ["\u202eабв", "а\u0007б", "абв"], Extension(script="Cyrillic"))
    shown = [token for tokens in result.report.examples.values() for token in tokens]
    assert shown == ["␣⟨U+202E⟩абв", "␣а⟨U+0007⟩б"]
