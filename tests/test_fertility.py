"""One token per known word, [UNK] for the rest."""

from __future__ import annotations

import random

import numpy as np
import pytest
from counted import TEXT, bytes_tokenizer, fallback_tokenizer, row, words_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import corpus, fertility
from workbench.fertility.encoder import Encoder
from workbench.fertility.intervals import Blocks, Resampled


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


def test_a_tokenizer_that_adds_its_own_space_gets_none():
    from tokenizers import pre_tokenizers

    assert Encoder(bytes_tokenizer()).before_word == " "
    own = bytes_tokenizer()
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert Encoder(own).before_word == ""
    assert Encoder(words_tokenizer(["a"])).before_word == ""


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


def test_an_end_of_text_that_is_named_as_unknown_is_none():
    from workbench.tokenizer.loading import wrap

    built = bytes_tokenizer()
    built.add_special_tokens(["<end>"])
    ends = wrap(built, dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<end>"))
    assert row(fertility.measure({"g": ends}, {"t": ["a <end> b"]}))["unknown_rate"] == 0
