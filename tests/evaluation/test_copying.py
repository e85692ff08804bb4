"""Saying a text again."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.evaluation import Evaluate, copied
from workbench.evaluation.copying import LONGEST, kept, paragraph
from workbench.tokenizer import load

words = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=60)


@given(words, words)
def test_what_is_kept_is_a_share_and_all_of_it_only_where_the_text_is_there(text: str, other: str) -> None:
    assert kept(text, text) == 1.0
    assert 0.0 <= kept(text, other) <= 1.0
    assert kept(text, "") == 0.0
    assert kept(text, text[: len(text) // 2]) == pytest.approx((len(text) // 2) / len(text))


@given(st.lists(words, min_size=1, max_size=60))
def test_a_paragraph_is_the_first_whole_sentences_that_fit(sentences: list[str]) -> None:
    made = paragraph(sentences)
    assert len(made) <= LONGEST
    assert " ".join(sentences).startswith(made)
    assert made.startswith(sentences[0])


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tiny.folder(tmp_path / "model", chat=True)
    model, tokens = AutoModelForCausalLM.from_pretrained(folder), load(folder)

    def set_up(cut: float) -> None:
        def finished_replies(model: object, tokenizer: object, prompts: list[list[int]], rooms: list[int]) -> list[tuple[str, bool]]:
            said = [tokenizer.decode(p).split("SAY:")[1].split("</s>")[0] for p in prompts]
            return [(f" {text[: round(len(text) * cut)]} ", True) for text in said]

        monkeypatch.setattr("workbench.evaluation.asking.finished_replies", finished_replies)

    return model, tokens, set_up


def test_a_perfect_copy_scores_one_and_half_of_it_about_half(parrot) -> None:
    model, tokens, set_up = parrot
    texts = ["the bear lives. the fox sees the bear.", "who lives in it? a red ball and a blue ball."]
    set_up(1.0)
    whole = copied(model, tokens, texts, request="SAY:{text}", batch_size=3)
    assert (whole.sentences, whole.paragraphs, whole.characters, whole.n) == (1.0, 1.0, 1.0, 2)
    set_up(0.5)
    half = copied(model, tokens, texts, request="SAY:{text}")
    assert half.paragraphs == 0.0
    assert half.characters == pytest.approx(0.5, abs=0.05)
    assert 0.3 < half.sentences < 0.8


def test_what_does_not_fit_is_not_asked_for_and_said(parrot, tmp_path: Path) -> None:
    model, tokens, set_up = parrot
    set_up(1.0)
    long = f"a red ball. {'the bear lives in the forest ' * 20}."  # its first sentence fits
    found = copied(model, tokens, ["the fox sees the bear.", long], request="SAY:{text}")
    assert sorted((row["number"], row["kind"]) for row in found.rows) == [(0, "paragraph"), (0, "sentence"), (1, "sentence")]
    assert (found.n, found.sentences, found.paragraphs) == (2, 1.0, 1.0)
    nothing = copied(model, tokens, [long.partition(". ")[2]], request="SAY:{text}")
    assert (nothing.n, nothing.rows) == (0, [])
    assert isnan(nothing.sentences)
    text = tmp_path / "text.jsonl"
    text.write_text("\n".join(json.dumps({"text": f"{t} ball {n}."}) for n in range(60) for t in [long, "the fox sees the bear."]), encoding="utf-8")
    card = wb.run(Evaluate(models=(model.name_or_path,), text=str(text), copies=8, documents=2, copy_request="SAY:{text}")).metrics
    left = {row["measure"]: row["n"] for row in card["rows"]}
    assert 8 >= left["copy_sentences"] > left["copy_paragraphs"] == left["copy_characters"]
    assert any("do not fit into its context" in note and "copy_paragraphs" in note for note in card["notes"])


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path)
    model, tokens = AutoModelForCausalLM.from_pretrained(folder), load(folder)
    with pytest.raises(WorkbenchError, match="no chat template"):
        copied(model, tokens, ["a bear"])
    for texts, request in (([], "{text}"), ([" "], "{text}"), (["a bear"], "say it")):
        with pytest.raises(WorkbenchError, match="nothing to copy"):
            copied(model, tokens, texts, request=request)


def test_the_step_reports_copies_in_both_languages(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "model", chat=True)
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(f"{t} {n}" for t in tiny.RUSSIAN for n in range(40)), encoding="utf-8")
    rows = wb.run(Evaluate(models=(str(folder),), text=str(text), source_text=str(text), copies=2, documents=1)).metrics["rows"]
    assert [(r["measure"], r["side"]) for r in rows] == [
        ("bits_per_byte", "target"), ("bits_per_byte", "source"),
        *((f"copy_{kind}", side) for side in ("target", "source") for kind in ("sentences", "paragraphs", "characters")),
    ]  # fmt: skip
    with pytest.raises(WorkbenchError, match="copy_request"):
        Evaluate(models=(str(folder),), copy_request="no place")
