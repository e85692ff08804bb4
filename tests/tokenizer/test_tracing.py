"""Step by step: every trace ends where the library does, and every step follows from the one before."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from workbench.errors import WorkbenchError
from workbench.tokenizer import trace
from workbench.tokenizer.alphabet import byte_piece
from workbench.tokenizer.lattice import Edge, two_best
from workbench.tokenizer.tracing import CHARACTERS, STATES, WORDS, Tracer

quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PARTS = st.sampled_from(
    ["<|end|>", "<think>", "<s>", " bear", "медведь ", " village", "  ", "\n", "熊", "é", "e\u0301", "👩‍👧", "می\u200cکند", "‮", "▁", "aaaa"]
)
TEXT = st.lists(PARTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6).map("".join)
WORD = st.text("abcé▁", max_size=9)


def library(tokenizer: Any, text: str) -> list[int]:
    return getattr(tokenizer, "backend_tokenizer", tokenizer).encode(text, add_special_tokens=False).ids


def assert_steps_follow(tracer: Tracer, text: str) -> None:
    """Each state is the one before with its marked pair merged, by the lowest rank there was."""
    for word in tracer.trace(text).words:
        for before, after in pairwise(word.states[: STATES - 1]):
            ids = [piece.id for piece in before.pieces]
            ids[before.at : before.at + 2] = [before.product.id]
            assert ids == [piece.id for piece in after.pieces]
            ranks = [tracer.engine.merges[pair][0] for pair in pairwise(p.id for p in before.pieces) if pair in tracer.engine.merges]
            assert before.rank == min(ranks)
        if word.states:
            assert tuple(piece.id for piece in word.states[-1].pieces) == word.ids
            assert word.states[-1].at is None


@quick
@given(text=TEXT)
def test_a_trace_ends_at_the_librarys_ids(base: object, text: str) -> None:
    tracer = Tracer(base)
    assert tracer.trace(text).ids == library(base, text)
    assert_steps_follow(tracer, text)


@st.composite
def bpe_models(draw: st.DrawFn) -> Tokenizer:
    """Small random BPE models, with and without unknown token, byte pieces, prefix and suffix; products may be made in several ways."""
    alphabet = draw(st.sets(st.sampled_from("abcé▁"), min_size=1))
    prefix, suffix = draw(st.sampled_from([("", ""), ("##", ""), ("", "</w>")]))
    vocab = dict.fromkeys(["<unk>", *(p + c + s for c in sorted(alphabet) for p in {"", prefix} for s in {"", suffix})])
    if draw(st.booleans()):
        vocab |= dict.fromkeys(map(byte_piece, range(256) if draw(st.booleans()) else range(128)))
    merges: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(0, 6))):
        known = [token for token in vocab if token != "<unk>" and not token.startswith("<0x")]
        left, right = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        if right.startswith(prefix) and (left, right) not in merges:
            merges.append((left, right))
            vocab[left + right[len(prefix) :]] = None
    marks = {"unk_token": "<unk>" if draw(st.booleans()) else "", "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    ids = {token: i for i, token in enumerate(vocab)}
    switches = {name: draw(st.booleans()) for name in ("fuse_unk", "byte_fallback", "ignore_merges")}
    return Tokenizer(models.BPE(ids, merges, **switches, **{name: mark for name, mark in marks.items() if mark}))


@settings(max_examples=300, deadline=None)
@given(made=bpe_models(), word=WORD)
def test_any_bpe_model_is_followed_exactly(made: Tokenizer, word: str) -> None:
    assert trace(made, word).ids == library(made, word)


@st.composite
def unigram_models(draw: st.DrawFn) -> Tokenizer:
    """Small random Unigram models; scores repeat, so that paths tie."""
    pieces = sorted(draw(st.sets(st.text("abcé▁", min_size=1, max_size=4), max_size=12)))
    scores = draw(st.lists(st.sampled_from([-1.0, -2.0, -2.5, -4.0, -7.25]), min_size=len(pieces), max_size=len(pieces)))
    vocab = [("<unk>", 0.0), *zip(pieces, scores, strict=True)]
    if draw(st.booleans()):
        vocab += [(byte_piece(b), -9.0) for b in range(256)]
    return Tokenizer(models.Unigram(vocab, 0, byte_fallback=draw(st.booleans())))


@settings(max_examples=300, deadline=None)
@given(made=unigram_models(), word=WORD)
def test_any_unigram_model_is_followed_exactly(made: Tokenizer, word: str) -> None:
    found = trace(made, word)
    assert found.ids == library(made, word)
    for each in found.words:
        best = [edge for edge in each.lattice.edges if edge.best]
        assert "".join(edge.shown for edge in best) == each.shown
        assert sum(edge.score for edge in best) == pytest.approx(each.lattice.score)
        assert [e.start for e in best[1:]] == [e.end for e in best[:-1]]


@settings(max_examples=150, deadline=None)
@given(size=st.integers(1, 6), data=st.data())
def test_the_best_two_paths_are_the_best_two(size: int, data: st.DataObject) -> None:
    spans = [(start, end) for start in range(size) for end in range(start + 1, size + 1)]
    chosen = sorted(data.draw(st.sets(st.sampled_from(spans), min_size=1)))
    edges = [Edge(a, b, 0, "", data.draw(st.sampled_from([-1.0, -2.0, -3.5]))) for a, b in chosen]

    def paths(at: int) -> list[float]:
        return [0.0] if at == size else [edge.score + rest for edge in edges if edge.start == at for rest in paths(edge.end)]

    assert [score for score, _ in two_best(size, edges)] == pytest.approx(sorted(paths(0), reverse=True)[:2])
    for score, path in two_best(size, edges):
        assert sum(edges[n].score for n in path) == pytest.approx(score)


def test_a_lattice_counts_its_ways() -> None:
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("aa", -1.5)], 0))
    (word,) = trace(made, "aaa").words
    assert word.lattice.paths == 3
    assert (word.lattice.score, word.lattice.runner_up_score) == (-2.5, -2.5)


@settings(max_examples=100, deadline=None)
@given(text=st.text("abc dé", max_size=14))
def test_wordpiece_takes_the_longest_match(text: str) -> None:
    made = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "ab": 2, "##b": 3, "##bc": 4, "##c": 5, "##a": 6}, unk_token="[UNK]", max_input_chars_per_word=6))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    found = trace(made, text)
    assert found.ids == library(made, text)
    for word in found.words:
        assert word.states[0].rest == word.shown
        assert word.states[-1].rest == ""


def test_a_word_list_is_looked_up_and_other_models_are_refused() -> None:
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "bear": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    assert trace(made, "bear fox").ids == [1, 0]
    assert [word.how for word in trace(made, "bear fox").words] == ["looked up", "looked up"]


def test_added_tokens_and_whole_words_say_so(bases: dict) -> None:
    assert [(w.shown, w.how) for w in trace(bases["ignore_merges"], " village<|end|>").words] == [("␣village", "whole"), ("<|end|>", "added")]
    assert trace(bases["byte-level"], " village").words[0].how == "merged"


def test_a_sentence_without_a_pre_tokenizer_is_shown_in_its_parts(bases: dict) -> None:
    assert [word.shown for word in trace(bases["sentencepiece"], "the bear sees").words] == ["␣the", "␣bear", "␣sees"]


def test_long_text_is_cut_with_a_note(base: object) -> None:
    found = trace(base, "the bear " * CHARACTERS)
    assert len(found.words) == WORDS
    assert any(f"{CHARACTERS:,}" in note for note in found.notes)
    assert any("words" in note for note in found.notes)
    long = trace(base, "bridge" * 60)
    assert max(len(word.states) for word in long.words) == STATES
    assert long.ids == library(base, "bridge" * 60)
    assert any("steps" in note for note in long.notes)


def test_half_a_surrogate_pair_is_no_bug(base: object) -> None:
    assert trace(base, "a\ud83d").ids == library(base, "a\ufffd")


def test_what_cannot_be_opened_is_one_sentence() -> None:
    with pytest.raises(WorkbenchError, match="no artefact"):
        trace("no-such-tokenizer", "a")


@pytest.mark.real
def test_real_tokenizers_are_followed_exactly(real_tokenizers: dict, flores: dict[str, list[str]]) -> None:
    for n, name in enumerate(real_tokenizers.FILES):
        tokenizer = real_tokenizers[name]
        tracer = Tracer(tokenizer)
        for language, sentences in list(flores.items())[n % 3 :: 3]:  # a third of the languages each, all of them together
            text = sentences[17][:40]  # within the limits: GPT-2 makes a word of every vowel sign of Hindi
            assert tracer.trace(text).ids == library(tokenizer, text), (name, language)


def test_unigram_from_sentencepiece(sp_folder: Path) -> None:
    from workbench.tokenizer import load

    from .conftest import ENGLISH, train_sentencepiece

    path = train_sentencepiece(sp_folder, "unigram", ENGLISH * 3, model_type="unigram", vocab_size=340, byte_fallback=True, character_coverage=1.0)
    tokenizer = load(path)
    for text in (*ENGLISH, "the 熊 bear 👩‍👧 <s>", ""):
        assert trace(tokenizer, text).ids == library(tokenizer, text)
