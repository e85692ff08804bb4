"""The laws that every extended tokenizer obeys."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import encode
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from workbench import corpus
from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Progress
from workbench.tokenizer import Extension, extend, load, save
from workbench.tokenizer.base import Base
from workbench.tokenizer.filters import Filter
from workbench.tokenizer.loading import wrap

from .conftest import CHAT, CORPORA, ENGLISH, KOREAN, PERSIAN, RUSSIAN

SCRIPTS = ["Cyrillic", "Arabic", "Hangul", None]


TRICKY = [
    "",
    " ",
    "  ",
    "\r\n",
    "a\r\n b",
    "\u00a0",
    "می\u200cخواهم",
    "e\u0301",
    "👩\u200d👩\u200d👧 🏳️\u200d🌈",
    "\t x",
    "й и\u0306",
    "<|user|>hi<|end|> <s>",
    "<think>x",
]


ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=40) | st.sampled_from(TRICKY + RUSSIAN + PERSIAN + KOREAN + ENGLISH)


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])


@pytest.fixture(scope="module")
def made(bases: dict) -> dict:
    """(base, script) → (base tokenizer, its extension by 60)."""
    return {
        (name, script): (base, extend(base, CORPORA[script], Extension(new_tokens=60, script=script)))
        for name, base in bases.items() for script in SCRIPTS
    }  # fmt: skip


@pytest.fixture(scope="module", params=["byte-level", "ignore_merges", "sentencepiece"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=SCRIPTS, ids=str)
def case(request: pytest.FixtureRequest, name: str, made: dict) -> tuple:
    return made[name, request.param]


def spec(tokenizer: object) -> dict:
    return json.loads(tokenizer.backend_tokenizer.to_str())


@quick
@given(text=ANY)
def test_p1_text_comes_back(case: tuple, text: str) -> None:
    base, made = case
    ids = encode(made.tokenizer, text)
    if base.decode(encode(base, text)) == text:
        assert made.tokenizer.decode(ids) == text


@quick
@given(data=st.data())
def test_p2_text_without_a_letter_of_the_script_keeps_its_encoding(name: str, made: dict, data: st.DataObject) -> None:
    script = data.draw(st.sampled_from(SCRIPTS[:3]))
    text = regex.sub(rf"(?V1)[[\p{{L}}\p{{M}}]&&\p{{sc={script}}}]", "", data.draw(ANY))
    base, extended = made[name, script]
    assert encode(extended.tokenizer, text) == encode(base, text)


def test_p2_holds_for_symbols_that_share_their_first_bytes_with_letters(made: dict) -> None:
    base, extended = made["byte-level", "Arabic"]
    for text in (" \u06dd", " \u060c", "\u0600 \u061f", " \u200c \u200d"):
        assert encode(extended.tokenizer, text) == encode(base, text)


SHARED = {"Cyrillic": ("ʼ", "Hawaiʼi Oʼahu", "a ʼ b"), "Arabic": ("ـ", "ܣـܣ ـ", "ܣَ"), "Devanagari": ("ʼ", "a॒")}


@pytest.mark.parametrize(("script", "word"), [("Cyrillic", "здоровʼя з'їзд"), ("Arabic", "كـتـاب كَتَبَ"), ("Devanagari", "चलʼ कʼ अ॒ग्नि")])
def test_p2_holds_for_letters_and_marks_that_scripts_share(bases: dict, name: str, script: str, word: str) -> None:
    made = extend(bases[name], [word] * 5, Extension(new_tokens=60, script=script))
    assert made.report.new > 3 or (script == "Devanagari" and name != "sentencepiece")  # E0 A4 begins the danda as well, which is no letter
    for text in SHARED[script]:
        assert encode(made.tokenizer, text) == encode(bases[name], text)


def test_p3_no_token_is_dead(case: tuple) -> None:
    _, made = case
    model = Base(made.tokenizer.backend_tokenizer)
    for i in made.new_ids:
        assert model.cut(made.tokenizer.backend_tokenizer.id_to_token(i)) == [i]
    assert made.report.dead == 0
    assert made.report.new == len(made.new_ids) > 30


def test_p4_merges_join_tokens_to_tokens_and_none_is_there_twice(case: tuple) -> None:
    base, made = case
    model = spec(made.tokenizer)["model"]
    pairs = [tuple(m) for m in model["merges"]]
    assert len(set(pairs)) == len(pairs)
    assert all({left, right, left + right} <= model["vocab"].keys() for left, right in pairs)
    assert pairs[: len(spec(base)["model"]["merges"])] == [tuple(m) for m in spec(base)["model"]["merges"]]


@quick
@given(text=ANY)
def test_p5_no_text_gets_longer(case: tuple, text: str) -> None:
    base, made = case
    assert len(encode(made.tokenizer, text)) <= len(encode(base, text))


def test_p6_old_ids_specials_and_everything_around_the_model_stay(case: tuple, tmp_path) -> None:
    base, made = case
    old, new = spec(base), spec(load(save(made.tokenizer, tmp_path)))
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "truncation", "padding"):
        assert new[part] == old[part]
    again = load(tmp_path)
    assert base.get_vocab().items() <= again.get_vocab().items()
    assert again.get_vocab() == made.tokenizer.get_vocab()
    assert sorted(again.get_vocab().values()) == list(range(made.report.rows_after))
    assert (again.bos_token_id, again.eos_token_id, again.chat_template) == (base.bos_token_id, base.eos_token_id, base.chat_template)
    for token in base.all_special_tokens:
        assert encode(again, f"a{token}b").count(base.convert_tokens_to_ids(token)) == 1
    if base.chat_template:
        chat = [{"role": "user", "content": "привет"}, {"role": "assistant", "content": "hi"}]
        assert base.chat_template == CHAT
        assert again.apply_chat_template(chat, tokenize=False) == base.apply_chat_template(chat, tokenize=False)


def test_p7_the_folder_loads_by_the_library_alone(case: tuple, tmp_path) -> None:
    _, made = case
    save(made.tokenizer, tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in RUSSIAN + ENGLISH + TRICKY:
        assert again(text)["input_ids"] == made.tokenizer(text)["input_ids"]
        assert again.decode(encode(again, text)) == made.tokenizer.decode(encode(made.tokenizer, text))


@pytest.mark.parametrize("script", SCRIPTS)
def test_p8_by_n_and_then_by_m_is_by_n_plus_m(name: str, bases: dict, made: dict, script: str | None, tmp_path) -> None:
    for first in (3, 23):
        half = extend(bases[name], CORPORA[script], Extension(new_tokens=first, script=script)).tokenizer
        whole = extend(half, CORPORA[script], Extension(new_tokens=60 - first, script=script)).tokenizer
        save(whole, tmp_path / "parts")
        save(made[name, script][1].tokenizer, tmp_path / "whole")
        for file in ("tokenizer.json", "tokenizer_config.json"):
            assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.parametrize("script", SCRIPTS)
def test_merges_are_those_of_counting_all_pairs_anew(bases: dict, name: str, script: str | None) -> None:
    base, texts = bases[name], CORPORA[script]
    made = extend(base, texts, Extension(new_tokens=40, script=script))
    assert (
        made.tokenizer.backend_tokenizer.to_str()
        == wrap(slow_extension(base, texts, made.report.new, script, made.report.letters), {}).backend_tokenizer.to_str()
    )


def slow_extension(tokenizer: object, texts: list[str], wanted: int, script: str | None, letters: int) -> Tokenizer:
    """The definition: count every pair of every word, take the best that passes, cut everything anew with the longer list of merges."""
    base = Base(extend(tokenizer, texts, Extension(new_tokens=letters, script=script)).tokenizer.backend_tokenizer)
    judge = Filter(base.kind, script, 16, False)
    counts, _ = base.count(texts, Progress())
    vocab = base.spec["model"]["vocab"]
    for _ in range(wanted - letters):
        text = {i: token for token, i in vocab.items()}
        pairs: Counter[tuple[int, int]] = Counter()
        for word, count in counts.items():
            if not (base.ignore_merges and word in vocab):
                for pair in pairwise(base.cut(word)):
                    pairs[pair] += count
        for pair, _count in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
            product = text[pair[0]] + text[pair[1]]
            if judge.reason(product) or product in vocab or base.cut(product) != [*pair]:
                continue
            vocab[product] = base.rows
            base.spec["model"]["merges"].append([text[pair[0]], text[pair[1]]])
            base = Base(Tokenizer.from_str(json.dumps(base.spec)))
            vocab = base.spec["model"]["vocab"]
            break
    return base.backend


def test_letters_come_first_and_are_then_merged(bases: dict) -> None:
    made = extend(bases["sentencepiece"], RUSSIAN, Extension(new_tokens=60, script="Cyrillic"))
    tokens = [made.tokenizer.backend_tokenizer.id_to_token(i) for i in made.new_ids]
    assert made.report.letters > 10
    assert all(len(t) == 1 for t in tokens[: made.report.letters])
    assert all("▁" not in t[1:] for t in tokens)
    assert any(len(t) > 3 for t in tokens)


def test_the_filter_holds(bases: dict) -> None:
    made = extend(bases["byte-level"], RUSSIAN + ENGLISH, Extension(new_tokens=500, script="Cyrillic", max_length=4))
    assert made.report.exhausted
    for i in made.new_ids:
        token = made.tokenizer.decode([i]).strip(" \ufffd")
        assert regex.fullmatch(r"[\p{Cyrillic}\p{M}'’-]{0,4}", token)
    free = extend(bases["byte-level"], ["7788 7788 7788"], Extension(new_tokens=9, digits=True))
    assert "Ġ7788" in free.tokenizer.get_vocab()


def test_bad_input_is_one_sentence(bases: dict, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"no Unicode script\. Did you mean Cyrillic"):
        extend(bases["byte-level"], RUSSIAN, Extension(script="Cyrilic"))
    with pytest.raises(WorkbenchError, match="no text"):
        extend(bases["byte-level"], [])
    with pytest.raises(WorkbenchError, match=r"no letter of the script Arabic \(its letters are Cyrillic"):
        extend(bases["byte-level"], RUSSIAN, Extension(script="Arabic"))
    (tmp_path / "cut.jsonl").write_text('{"text": "Медведь"}\n{"text": "cut \\ud83d"}\n', encoding="utf-8")
    with pytest.raises(WorkbenchError, match=r"cut\.jsonl, row 2: 'text' holds half a character"):
        extend(bases["byte-level"], corpus.open(tmp_path / "cut.jsonl", held_out=0).train)
    from tokenizers import models

    with pytest.raises(WorkbenchError, match="only BPE can be extended"):
        extend(Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")), RUSSIAN)


def test_a_stop_is_noticed(bases: dict) -> None:
    with pytest.raises(Stopped):
        extend(bases["byte-level"], RUSSIAN, progress=Progress(stop=lambda: True))


def test_nothing_asked_nothing_changed(bases: dict) -> None:
    for base in bases.values():
        made = extend(base, RUSSIAN, Extension(new_tokens=0))
        assert made.tokenizer.get_vocab() == base.get_vocab()
        assert made.report.tokens_per_word_before == made.report.tokens_per_word_after


def test_merges_written_as_strings_are_read(bases: dict, tmp_path) -> None:
    old = spec(bases["byte-level"])
    old["model"]["merges"] = [" ".join(m) for m in old["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(old))
    here = extend(tmp_path, RUSSIAN, Extension(new_tokens=10, script="Cyrillic"))
    there = extend(bases["byte-level"], RUSSIAN, Extension(new_tokens=10, script="Cyrillic"))
    assert here.tokenizer.get_vocab() == there.tokenizer.get_vocab()


def test_words_apart_are_cut_as_in_their_text(bases: dict) -> None:
    """The words counted are the words encoded: each is cut alone as it is inside its text."""
    for base in bases.values():
        apart = Base(base.backend_tokenizer)
        if not apart.ignore_merges:
            for text in RUSSIAN + ENGLISH + KOREAN:
                assert [i for word in apart.words(text) for i in apart.cut(word)] == encode(base, text)
