from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import corpus, fertility
from workbench.errors import WorkbenchError
from workbench.fertility.encoder import Encoder
from workbench.fertility.measuring import interval

TEXT = ["the cat sat", "the cat ran far", "a dog"]


def words_tokenizer(vocabulary: list[str]):
    """One token per known word, [UNK] for the rest."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    built = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(["[UNK]", *vocabulary])}, unk_token="[UNK]"))
    built.pre_tokenizer = pre_tokenizers.Whitespace()
    return built


def bytes_tokenizer():
    """One token per byte; a word after a space takes its space with it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    built = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return built


def fallback_tokenizer():
    """Letters of English, the rest by byte-fallback pieces."""
    from tokenizers import Tokenizer, models

    pieces = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), *"abcdefghijklmnopqrstuvwxyz "]
    return Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [], unk_token="<unk>", byte_fallback=True))


def row(found, **where):
    (only,) = [r for r in found.rows if all(r[k] == v for k, v in where.items())]
    return only


def test_every_number_by_hand():
    found = fertility.measure({"w": words_tokenizer(["the", "cat", "sat", "ran"])}, {"t": TEXT})
    only = row(found)
    assert {k: only[k] for k in ("tokens", "words", "whitespace_words", "bytes", "chars")} == {
        "tokens": 9, "words": 9, "whitespace_words": 9, "bytes": 31, "chars": 31,
    }  # fmt: skip
    assert only["tokens_per_word"] == only["tokens_per_whitespace_word"] == 1
    assert only["bytes_per_token"] == 31 / 9
    assert (only["continued_words"], only["p95"], only["max"], only["strr"]) == (0, 1, 1, 100)
    assert only["unknown_rate"] == pytest.approx(3 / 9)
    assert only["utilisation"] == 1
    counts = np.array([3, 2, 2, 1, 1]) / 9  # [UNK], the, cat, sat, ran
    assert only["renyi"] == pytest.approx(np.log((counts**2.5).sum()) / -1.5 / np.log(5))
    assert only["parity"] is None
    assert found.by_script == [{"tokenizer": "w", "text": "t", "script": "Latin", "words": 9, "tokens": 9, "tokens_per_word": 1, "bytes_per_token": 25 / 9}]


def test_numbers_over_words():
    only = row(found := fertility.measure({"b": bytes_tokenizer()}, {"t": ["a bear", "a bear медведь"]}))
    # 'a' with its space is two bytes, 'bear' five, 'медведь' fifteen: no word is one token
    assert (only["continued_words"], only["p95"], only["max"], only["strr"]) == (1, 15, 15, 0)
    assert only["tokens"] == 6 + 6 + 15
    assert found.worst_words[0] == {"tokenizer": "b", "text": "t", "word": "медведь", "tokens": 15, "count": 1}
    assert [(r["script"], r["words"], r["tokens"]) for r in found.by_script] == [("Latin", 4, 14), ("Cyrillic", 1, 15)]


def test_byte_fallback_is_shown_apart_from_unknown():
    only = row(fertility.measure({"f": fallback_tokenizer()}, {"t": ["ab яю"]}))
    assert only["byte_fallback_rate"] == pytest.approx(4 / 7)
    assert only["unknown_rate"] == 0


def test_parity_is_tokens_of_the_target_over_tokens_of_the_source():
    pairs = [("ab", "яя"), ("abc", "я")]
    both = {"en": ["ab"], "ru": ["яя"]}
    found = fertility.measure({"b": bytes_tokenizer()}, both, parallel={"ru": pairs})
    assert (row(found, text="ru")["parity"], row(found, text="en")["parity"]) == (6 / 5, None)
    found = fertility.measure({"b": bytes_tokenizer()}, {"ru": ["яя"]}, parallel=pairs)
    assert row(found)["parity"] == 6 / 5
    assert found.notes == ["Parity is of the given pairs: tokens of target over tokens of source."]


def test_parity_of_the_source_side_itself_is_one(tmp_path):
    (tmp_path / "p.tsv").write_text("en\tru\nab\tяя\n", encoding="utf-8")
    pairs = corpus.open_parallel(tmp_path / "p.tsv")
    found = fertility.measure({"b": bytes_tokenizer()}, {"demo:en": ["ab"], "demo:ru": ["я"]}, parallel=pairs)
    assert [r["parity"] for r in found.rows] == [1.0, 2.0]


def test_text_without_spaces_has_no_words():
    found = fertility.measure({"b": bytes_tokenizer()}, {"ja": ["今日は天気がいい。"]}, parallel=[("ab", "今日")])
    only = row(found)
    gone = ("words", "tokens_per_word", "low", "high", "tokens_per_whitespace_word", "continued_words", "p95", "max", "strr")
    assert [only[k] for k in gone] == [None] * len(gone)
    assert only["bytes_per_token"] == 1
    assert only["parity"] == 3
    assert any("ja is mostly in scripts without spaces" in n for n in found.notes)


def test_intervals_hold_the_value_and_narrow_with_documents():
    generator = random.Random(1)
    documents = [" ".join(generator.choice(["a", "bear", "mushroom"]) for _ in range(20)) for _ in range(400)]
    few, many = (row(fertility.measure({"b": bytes_tokenizer()}, {"t": documents[:n]})) for n in (20, 400))
    for each in (few, many):
        assert each["low"] < each["tokens_per_word"] < each["high"]
    assert many["high"] - many["low"] < few["high"] - few["low"]
    assert row(fertility.measure({"b": bytes_tokenizer()}, {"t": ["one"]}))["low"] is None


def test_the_interval_agrees_with_scipy():
    from scipy.stats import bootstrap

    generator = np.random.default_rng(3)
    bottom = generator.integers(5, 40, 200)
    top = bottom * 2 + generator.integers(0, 20, 200)
    theirs = bootstrap((top, bottom), lambda a, b, axis: a.sum(axis) / b.sum(axis), paired=True, method="percentile", rng=3).confidence_interval
    assert interval(top.tolist(), bottom.tolist(), 0)[1:] == pytest.approx((theirs.low, theirs.high), abs=0.01)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda t: any(c.isalpha() for c in t)), min_size=1, max_size=6), st.integers(0, 9))
def test_laws(documents, seed):
    built = bytes_tokenizer()
    first, again = (fertility.measure({"b": built}, {"t": documents}, seed=seed) for _ in range(2))
    assert first == again
    only = row(first)
    assert only["tokens"] == only["bytes"] == sum(len(d.encode()) for d in documents)
    assert 0 < only["utilisation"] <= 1
    assert 0 <= only["renyi"] <= 1 + 1e-9
    twice = row(fertility.measure({"b": built}, {"t": documents * 2}, seed=seed))
    same = ("tokens_per_word", "continued_words", "p95", "max", "strr", "bytes_per_token", "utilisation", "unknown_rate")
    assert [twice[k] for k in same] == pytest.approx([only[k] for k in same])


def test_no_begin_or_end_tokens_are_counted_and_cutting_is_undone():
    from tokenizers.processors import TemplateProcessing

    built = words_tokenizer(["the", "cat", "sat"])
    built.post_processor = TemplateProcessing(single="[UNK] $A [UNK]", special_tokens=[("[UNK]", 0)])
    built.enable_truncation(2)
    built.enable_padding(length=50)
    before = built.truncation, built.padding
    assert row(fertility.measure(built, {"t": ["the cat sat the cat sat"]}))["tokens"] == 6
    assert (built.truncation, built.padding) == before


def test_a_tokenizer_that_adds_its_own_space_gets_none():
    from tokenizers import pre_tokenizers

    assert Encoder(bytes_tokenizer()).before_word == " "
    own = bytes_tokenizer()
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert Encoder(own).before_word == ""
    assert Encoder(words_tokenizer(["a"])).before_word == ""


def test_names_of_tokenizers_and_texts():
    stream = corpus.open(iter(TEXT), held_out=0).train
    found = fertility.measure([bytes_tokenizer(), bytes_tokenizer()], [stream, iter(["b"])])
    assert {(r["tokenizer"], r["text"]) for r in found.rows} == {
        (t, x) for t in ("tokenizer 1", "tokenizer 2") for x in ("the given documents train", "text 2")
    }  # fmt: skip
    assert row(fertility.measure({"b": bytes_tokenizer()}, stream))["words"] == 9


def test_limits_are_said():
    found = fertility.measure({"b": bytes_tokenizer()}, {"t": TEXT}, limit=2)
    assert row(found)["words"] == 7
    assert found.notes == ["t: the first 2 documents were measured; raise limit for more."]


def test_very_many_word_types_are_sampled(monkeypatch):
    monkeypatch.setattr("workbench.fertility.measuring.WORD_TYPES", 50)
    found = fertility.measure({"b": bytes_tokenizer()}, {"t": [f"w{n} w{n}" for n in range(200)]})
    assert found.notes == ["t has 200 distinct words; numbers over words are from 50 of them, drawn at random."]
    assert row(found)["words"] == 400


@pytest.mark.parametrize(
    ("tokenizers", "texts", "parallel", "sentence"),
    [
        ([], {"t": TEXT}, None, "There is no tokenizer to measure; name at least one."),
        ({"b": object()}, {"t": TEXT}, None, "A object cannot be measured; give a reference or a fast tokenizer."),
        (None, {}, None, "There is no text to measure on; name at least one, such as demo:ru."),
        (None, {"t": []}, None, "There is no text in t; give one that is not empty."),
        (None, {"t": [" "]}, None, "There is no text in t; give one that is not empty."),
        (None, {"t": [3]}, None, "Document 0 is a int; every document must be a string."),
        (None, {"t": TEXT}, {"u": [("a", "b")]}, "Parallel text is given for 'u', which is no text here."),
        (None, "demo:xx", None, "There is no 'demo:xx'."),
    ],
)
def test_bad_input_is_one_sentence(tokenizers, texts, parallel, sentence):
    with pytest.raises(WorkbenchError) as caught:
        fertility.measure({"b": bytes_tokenizer()} if tokenizers is None else tokenizers, texts, parallel=parallel)
    assert sentence in str(caught.value)


def test_half_a_character_is_one_sentence(tmp_path: Path):
    path = tmp_path / "text.jsonl"
    path.write_text('{"text": "whole"}\n{"text": "cut \\ud83d"}\n', encoding="utf-8")
    for texts in (path, {"t": ["whole", "cut \ud83d"]}):
        with pytest.raises(WorkbenchError, match="holds half a character"):
            fertility.measure({"b": bytes_tokenizer()}, texts)


def test_the_step_reports_rows(tmp_path: Path):
    (tmp_path / "text.tsv").write_text("en\tru\nthe cat\tкот\na dog\tпёс\n", encoding="utf-8")
    words_tokenizer(["the", "cat"]).save(str(tmp_path / "tokenizer.json"))
    spec = fertility.Fertility(tokenizers=(tmp_path / "tokenizer.json",), text=(tmp_path / "text.tsv",), column="ru", parallel=tmp_path / "text.tsv")
    made = wb.run(spec)
    assert made.id is None
    assert made.metrics["rows"][0]["words"] == 2
    assert made.metrics["rows"][0]["parity"] == 2 / 4
    import json

    assert json.loads(json.dumps(made.metrics)) == made.metrics


# FLORES dev and devtest sentences of SIB-200 (1004 lines): tokens per whitespace word, and parity to English.
PUBLISHED = {
    "gpt2": {"en": (1.23, 1), "ru": (7.76, 5.78), "fa": (6.07, 5.33), "ko": (8.77, 5.06)},
    "llama2.model": {"en": (1.41, 1), "ru": (2.56, 1.66), "fa": (5.27, 4.03), "ko": (6.37, 3.20)},
    "mistral-v3.model": {"en": (1.36, 1), "ru": (2.83, 1.90), "fa": (5.16, 4.09), "ko": (4.75, 2.47)},
    "llama3.tiktoken": {"en": (1.23, 1), "ru": (2.22, 1.65), "fa": (1.76, 1.54), "ko": (2.60, 1.50)},
    "qwen.tiktoken": {"en": (1.25, 1), "ru": (2.44, 1.78), "fa": (3.04, 2.62), "ko": (2.92, 1.65)},
    "darulm-ru-32k-bpe.model": {"en": (1.56, 1), "ru": (1.63, 0.96), "fa": (9.39, None), "ko": (10.15, None)},
}


@pytest.mark.real
@pytest.mark.parametrize("name", PUBLISHED)
def test_real_tokenizers_show_their_known_fertility(real_data: Path, name: str):
    from tokenizers import ByteLevelBPETokenizer

    folder, flores = real_data / "tokenizers", real_data / "parallel" / "flores_sib200.tsv"
    gpt2 = name == "gpt2"
    tokenizer = ByteLevelBPETokenizer(str(folder / "gpt2-vocab.json"), str(folder / "gpt2-merges.txt"))._tokenizer if gpt2 else folder / name
    languages = ("en", "ru", "fa", "ko")
    found = fertility.measure(
        {name: tokenizer}, {lang: corpus.open(flores, column=lang) for lang in languages},
        parallel={lang: corpus.open_parallel(flores, "en", lang) for lang in languages[1:]},
    )  # fmt: skip
    for lang in languages:
        per_word, parity = PUBLISHED[name][lang]
        measured = row(found, text=lang)
        assert measured["tokens_per_whitespace_word"] == pytest.approx(per_word, abs=0.01)
        assert lang == "en" or parity is None or measured["parity"] == pytest.approx(parity, abs=0.006)
        assert measured["unknown_rate"] == 0
    if "darulm" in name:
        assert row(found, text="fa")["byte_fallback_rate"] == pytest.approx(0.87, abs=0.01)
