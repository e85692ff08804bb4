from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import corpus, fertility
from workbench.errors import WorkbenchError
from workbench.fertility.encoder import Encoder
from workbench.fertility.intervals import Blocks, Resampled

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
    blocks = Blocks(2)
    blocks.add(np.array([top, bottom], dtype=float))
    assert Resampled(blocks.sums, 0).ratio(0, 1)[1:] == pytest.approx((theirs.low, theirs.high), abs=0.01)


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


def test_very_many_word_types_are_sampled_and_the_frequent_ones_kept(monkeypatch):
    monkeypatch.setattr("workbench.fertility.counting.WORD_TYPES", 400)
    monkeypatch.setattr("workbench.fertility.counting.PENDING", 100)
    rare = [f"w{n:04d}" for n in range(2_000)]
    documents = [f"the cat {a} {b}" for a, b in zip(rare[::2], rare[1::2], strict=True)]
    found = fertility.measure({"w": words_tokenizer(["the", "cat"]), "b": bytes_tokenizer()}, {"t": documents}, limit=None)
    said = re.fullmatch(
        r"t has about ([\d,]+) distinct words; numbers over words are from ([\d,]+) of them: the 2 most frequent, and 1 in (\d+) of the rest, drawn at random.",
        found.notes[0],
    )
    about, kept, rate = (int(n.replace(",", "")) for n in said.groups())
    assert about == pytest.approx(2_002, rel=0.25)
    assert kept <= 400
    assert rate in (8, 16)
    only = row(found, tokenizer="b")
    assert (only["words"], only["tokens_per_word"]) == (4_000, pytest.approx((3 + 4 + 6 + 6) / 4, abs=0.01))
    assert only["continued_words"] == 1
    assert only["p95"] == 6  # a sample that lost "the" and "cat", half of all words, would not know
    scripts = {r["script"]: r for r in found.by_script if r["tokenizer"] == "b"}
    assert scripts["Latin"]["words"] == pytest.approx(4_000, rel=0.15)
    again = fertility.measure({"w": words_tokenizer(["the", "cat"]), "b": bytes_tokenizer()}, {"t": documents}, limit=None)
    assert again == found


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


def test_nsl_new_tokens_and_consequences_are_against_the_reference():
    small, large = words_tokenizer(["the", "cat"]), bytes_tokenizer()
    found = fertility.measure({"bytes": large, "words": small}, {"t": TEXT}, context=100, width=10, weight_bytes=2)
    assert found.reference == "bytes"
    assert (row(found, tokenizer="bytes")["nsl"], row(found, tokenizer="words")["nsl"]) == (1, 9 / 31)
    assert row(found, tokenizer="bytes")["utilisation_new"] is None
    assert row(found, tokenizer="words")["utilisation_new"] == 1  # the, cat and [UNK] are no bytes
    first, second = found.consequences
    assert (first["words_per_window"], second["words_per_window"]) == (round(100 / (31 / 9)), 100)
    assert (second["characters_per_window"], second["window_share"], second["tokens_per_100_words"]) == (round(100 * 31 / 9), 10, 100)
    assert (first["table_mb"], second["table_mb"]) == (256 * 2 * 10 * 2 / 1e6, 3 * 2 * 10 * 2 / 1e6)
    assert (second["times_the_text"], second["times_the_table"]) == (pytest.approx(31 / 9), 3 / 256)
    tied = fertility.measure({"w": small}, {"t": TEXT}, reference=large, width=10, tied=True)
    assert len(tied.rows) == 1
    assert tied.consequences[0]["table_mb"] == 3 * 10 * 2 / 1e6
    assert row(tied)["nsl"] == 9 / 31


def test_a_token_is_new_whichever_way_it_is_written():
    from tokenizers import Tokenizer, models

    marked = Tokenizer(models.BPE({p: i for i, p in enumerate(["<unk>", "▁", "t", "h", "e", "▁the"])}, [], unk_token="<unk>"))
    bare = bytes_tokenizer()
    assert {marked.id_to_token(i) for i in Encoder(marked).lacking(Encoder(bare))} == {"<unk>", "▁the"}  # ▁ is the byte-level space


def test_utilisation_counts_tokens_that_occur_often_enough():
    built = words_tokenizer(["the", "cat", "sat", "ran"])  # [UNK] 3, the 2, cat 2, sat 1, ran 1
    assert [row(fertility.measure({"w": built}, {"t": TEXT}, min_count=k))["utilisation"] for k in (1, 2, 3, 4)] == [1, 0.6, 0.2, 0]


def test_histograms_add_up():
    found = fertility.measure({"f": fallback_tokenizer()}, {"t": ["ab яю ab"]})
    shown = {name: {r["bin"]: r["count"] for r in found.histograms if r["histogram"] == name} for name in {r["histogram"] for r in found.histograms}}
    assert shown == {
        "tokens per word": {"3": 2, "5": 1},
        "bytes per token": {"0": 2, "1": 8},  # a space is the mark before a word, not its length
        "characters per token": {"0": 6, "1": 4},
        "script of tokens": {"single bytes": 4, "Latin": 4, "no letters": 2},
        "script of vocabulary": {"single bytes": 256, "Latin": 26, "special": 1, "no letters": 1},
    }
    for name in shown:
        assert sum(r["share"] for r in found.histograms if r["histogram"] == name) == pytest.approx(1)


def test_counts_alone_agree_with_the_full_table():
    texts = {"t": TEXT, "ja": ["今日は天気がいい。"]}
    full, counts = (fertility.measure({"b": bytes_tokenizer()}, texts, detail=detail) for detail in ("full", "counts"))
    for a, b in zip(full.rows, counts.rows, strict=True):
        same = [key for key, value in b.items() if value is not None]
        assert {"tokens", "bytes", "chars", "whitespace_words", "bytes_per_token"} <= set(same)
        assert {key: a[key] for key in same} == {key: b[key] for key in same}
    assert counts.rows[0]["tokens_per_word"] is None


def test_parity_of_several_languages_has_a_row_each_and_an_interval(tmp_path):
    (tmp_path / "p.tsv").write_text("en\tru\tfa\nab\tяя\tا\nabcd\tя\tاا\n", encoding="utf-8")
    (tmp_path / "w.json").write_text(bytes_tokenizer().to_str(), encoding="utf-8")
    spec = fertility.Fertility(
        tokenizers=tmp_path / "w.json", text=tmp_path / "p.tsv", column="fa", parallel=tmp_path / "p.tsv", source_column="en", target_column=("ru", "fa")
    )
    metrics = wb.run(spec).metrics
    assert [(r["source"], r["target"], r["parity"], r["count"]) for r in metrics["parities"]] == [("en", "ru", 1, 2), ("en", "fa", 1, 2)]
    assert (metrics["parities"][0]["parity_low"], metrics["parities"][0]["parity_high"]) == (0.5, 2)
    assert metrics["rows"][0]["parity"] == 1


def test_words_are_found_by_chunks_as_in_the_whole_text():
    """Also where the narrow no-break space, which joins numbers, stands between them."""
    from workbench.corpus.scripts import words
    from workbench.fertility.counting import Counts

    letters = st.text(st.sampled_from("aбע今カ1,.'_-\u200c\u200d\u0301\u202f\u00a0\u3000\x1c \n\tℹ🙂ไท"), max_size=12)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(letters.filter(str.strip), min_size=1, max_size=4))
    def law(texts):
        counts = Counts(words, 0)
        assert counts.add(texts[:1])[0].tolist() + counts.add(texts)[0].tolist() == [len(words(t)) for t in texts[:1] + texts]
        sample = counts.sample()
        found: dict[str, int] = {}
        for word in (w for t in texts[:1] + texts for w in words(t)):
            found[word] = found.get(word, 0) + 1
        assert dict(zip(sample.names, sample.counts.tolist(), strict=True)) == found

    law()


def test_blocks_keep_every_sum_and_stay_few(monkeypatch):
    monkeypatch.setattr("workbench.fertility.intervals.BLOCKS", 4)
    blocks, rows = Blocks(2), np.random.default_rng(0).integers(0, 9, (2, 100))
    for part in np.array_split(rows, 7, axis=1):
        blocks.add(part)
    assert blocks.sums.shape[1] in range(4, 9)
    assert blocks.sums.sum(axis=1).tolist() == rows.sum(axis=1).tolist()
    size = 16  # 100 documents in at most 8 blocks
    assert blocks.sums.tolist() == np.add.reduceat(rows, range(0, 100, size), axis=1).tolist()


def test_worst_words_show_what_cannot_be_seen():
    found = fertility.measure({"b": bytes_tokenizer()}, {"t": ["می\u200cرود a\u202eb"]})
    assert {r["word"] for r in found.worst_words} == {"می⟨U+200C⟩رود", "a⟨U+202E⟩b"}


def test_text_without_words_says_so():
    found = fertility.measure({"b": bytes_tokenizer()}, {"t": ["?! … —"]})
    only = row(found)
    assert (only["words"], only["tokens_per_word"], only["continued_words"]) == (0, None, None)
    assert only["bytes_per_token"] == 1
    assert found.notes == ["t has no words, as it has neither letters nor numbers; use bytes per token."]


def test_what_is_named_twice_is_measured_once(tmp_path):
    words_tokenizer(["a"]).save(str(tmp_path / "tokenizer.json"))
    path = str(tmp_path / "tokenizer.json")
    found = fertility.measure([path, path], {"t": TEXT})
    assert len(found.rows) == 1
    assert found.notes == [f"{path} is named twice; it is measured once."]


def test_dictionaries_find_words_where_no_space_does():
    pytest.importorskip("icu4py")
    texts = {"ja": ["今日は天気がいい。", "3.14 don't"], "th": ["ฉันรักภาษาไทย"]}
    found = fertility.measure({"b": bytes_tokenizer()}, texts, segment="dictionary")
    assert [r["words"] for r in found.rows] == [5 + 2, 4]
    assert all(r["segmenter"].startswith("ICU") and r["tokens_per_whitespace_word"] is None for r in found.rows)
    assert {"tokenizer": "b", "text": "ja", "word": "今日", "tokens": 6, "count": 1} in found.worst_words
    assert not found.notes


def test_dictionaries_that_are_not_there_are_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "icu4py", None)
    with pytest.raises(WorkbenchError, match=r"pip install 'workbench\[segmentation\]'"):
        fertility.measure({"b": bytes_tokenizer()}, {"t": TEXT}, segment="dictionary")


# FLORES dev and devtest sentences of SIB-200 (1004 lines): tokens per whitespace word, and parity to English.
PUBLISHED = {
    "gpt2-vocab.json": {"en": (1.23, 1), "ru": (7.76, 5.78), "fa": (6.07, 5.33), "ko": (8.77, 5.06)},
    "llama2.model": {"en": (1.41, 1), "ru": (2.56, 1.66), "fa": (5.27, 4.03), "ko": (6.37, 3.20)},
    "mistral-v3.model": {"en": (1.36, 1), "ru": (2.83, 1.90), "fa": (5.16, 4.09), "ko": (4.75, 2.47)},
    "llama3.tiktoken": {"en": (1.23, 1), "ru": (2.22, 1.65), "fa": (1.76, 1.54), "ko": (2.60, 1.50)},
    "qwen.tiktoken": {"en": (1.25, 1), "ru": (2.44, 1.78), "fa": (3.04, 2.62), "ko": (2.92, 1.65)},
    "darulm-ru-32k-bpe.model": {"en": (1.56, 1), "ru": (1.63, 0.96), "fa": (9.39, None), "ko": (10.15, None)},
}


@pytest.mark.real
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name.endswith(".tiktoken") else ()) for name in PUBLISHED])
def test_real_tokenizers_show_their_known_fertility(real_data: Path, name: str):
    tokenizer, flores = real_data / "tokenizers" / name, real_data / "parallel" / "flores_sib200.tsv"
    languages = ("en", "ru", "fa", "ko")
    found = fertility.measure(
        {name: tokenizer}, {lang: corpus.open(flores, column=lang) for lang in languages},
        parallel={lang: corpus.open_parallel(flores, "en", lang) for lang in languages[1:]},
    )  # fmt: skip
    for lang in languages:
        per_word, parity = PUBLISHED[name][lang]
        measured = row(found, text=lang)
        # To the second decimal: no further from the printed number than rounding takes it (Mistral's English is 1.365).
        assert measured["tokens_per_whitespace_word"] == pytest.approx(per_word, abs=0.0051)
        assert lang == "en" or parity is None or measured["parity"] == pytest.approx(parity, abs=0.0051)
        assert measured["unknown_rate"] == 0
    if "darulm" in name:
        assert row(found, text="fa")["byte_fallback_rate"] == pytest.approx(0.87, abs=0.01)


def test_an_end_of_text_that_is_named_as_unknown_is_none():
    from workbench.tokenizer.loading import wrap

    built = bytes_tokenizer()
    built.add_special_tokens(["<end>"])
    ends = wrap(built, dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<end>"))
    assert row(fertility.measure({"g": ends}, {"t": ["a <end> b"]}))["unknown_rate"] == 0


def test_the_limit_is_noted_only_where_something_was_left_out():
    assert not fertility.measure({"b": bytes_tokenizer()}, {"t": TEXT}, limit=3).notes
    assert "raise limit" in fertility.measure({"b": bytes_tokenizer()}, {"t": TEXT}, limit=2).notes[0]


def test_parity_is_not_given_to_a_text_that_is_known_to_be_of_another_language(tmp_path):
    (tmp_path / "pairs.tsv").write_text("en\tru\na b\tб в\n", encoding="utf-8")
    pairs = corpus.open_parallel(tmp_path / "pairs.tsv", "en", "ru")
    found = fertility.measure({"b": bytes_tokenizer()}, {"ko": TEXT, "ru": TEXT, "novel.txt": TEXT, "en": TEXT}, parallel=pairs)
    assert [r["parity"] for r in found.rows] == [None, 5 / 3, 5 / 3, 1]
