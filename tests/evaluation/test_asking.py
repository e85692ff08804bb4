"""Asking models questions, and the step around it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.evaluation import Evaluate, exact_match, read_questions
from workbench.evaluation.asking import replies, wilson
from workbench.models import context_of
from workbench.tokenizer import load
from workbench.training.data import encode, render, start_ids


def lines(path: Path, items: list[dict]) -> str:
    path.write_text("\n".join(json.dumps(i) for i in items), encoding="utf-8")
    return str(path)


def test_a_reply_is_right_if_it_says_just_the_answer(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path, chat=True)
    model, tokens = AutoModelForCausalLM.from_pretrained(folder), load(folder)
    talk = [{"role": "user", "content": "who?"}]
    said = [replies(model, tokens, [ids], 9)[0].strip() for ids in (start_ids(tokens) + encode(tokens, "the bear"), render(tokens, talk, True))]
    questions = [
        {"prompt": "the bear", "answer": said[0].split("\n")[0]}, {"messages": talk, "answer": said[1][:-1]}, {"prompt": "the fox", "answer": "no"}
    ]  # fmt: skip
    found = exact_match(model, tokens, questions, batch_size=2)
    assert [row["answer"] == row["reply"] for row in found.rows] == [row["right"] for row in found.rows]
    assert found.n == 3
    assert found.low <= found.score <= found.high
    assert not found.rows[2]["right"]


def test_a_batch_says_what_single_questions_say(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path)
    model, tokens = AutoModelForCausalLM.from_pretrained(folder), load(folder)
    prompts = [encode(tokens, t) for t in ("the bear", "a", "who lives in the house and")]
    assert replies(model, tokens, prompts, 6) == [replies(model, tokens, [p], 6)[0] for p in prompts]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_question_that_does_not_fit_is_left_out_and_short_ones_are_as_before(tmp_path: Path, kind: str) -> None:
    """GPT-2 has no positions beyond its context: where one were asked for, it would break."""
    folder = tiny.folder(tmp_path / kind) if kind == "llama" else gpt2(tmp_path)
    model, tokens = AutoModelForCausalLM.from_pretrained(folder), load(folder)
    short, long = {"prompt": "the bear", "answer": "no"}, {"prompt": "the bear lives " * 60, "answer": "no"}
    near = {"prompt": tokens.decode(encode(tokens, long["prompt"])[: context_of(model.config) - 12]), "answer": "n"}
    wide = {"prompt": "a red ball", "answer": "the bear lives in the forest and sees the fox"}  # its long reply must not reach beyond what `near` leaves
    found = exact_match(model, tokens, [short, long, near, wide], batch_size=4)
    alone = [exact_match(model, tokens, [q]).rows[0]["reply"] for q in (short, near, wide)]
    assert [row["reply"] for row in found.rows] == [alone[0], None, alone[1], alone[2]]
    assert found.n == 3
    nothing = exact_match(model, tokens, [long])
    assert (nothing.n, nothing.low, nothing.high) == (0, 0.0, 1.0)


def gpt2(place: Path) -> Path:
    folder = tiny.folder(place / "tokenizer")
    tokens = load(folder)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokens), n_positions=64, n_embd=32, n_layer=2, n_head=2)).save_pretrained(place / "gpt2")
    tokens.save_pretrained(place / "gpt2")
    return place / "gpt2"


def test_questions_are_read_and_faults_named(tmp_path: Path) -> None:
    good = {"prompt": "a", "answer": "b"}
    assert read_questions(lines(tmp_path / "good.jsonl", [good] * 3), 2) == [good] * 2
    with pytest.raises(WorkbenchError, match=r"Line 2 of .* is no question"):
        read_questions(lines(tmp_path / "bad.jsonl", [good, {"prompt": "a"}]))
    with pytest.raises(WorkbenchError, match="is not a file"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(WorkbenchError, match="The demo asks in en, ru, fa"):
        read_questions("demo:de")
    assert len(read_questions("demo:ru", 4)) == 4


def test_messages_need_a_template(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path)
    model, tokens = AutoModelForCausalLM.from_pretrained(folder), load(folder)
    with pytest.raises(WorkbenchError, match="no chat template"):
        exact_match(model, tokens, read_questions("demo:en", 1))


def test_wilson_s_interval() -> None:
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_the_step_makes_one_row_per_model_and_measure(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "model", chat=True)
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(f"{t} {n}" for t in tiny.RUSSIAN for n in range(40)), encoding="utf-8")
    asked = lines(tmp_path / "q.jsonl", [{"prompt": "a", "answer": "b"}])
    step = Evaluate(models=(str(folder), str(folder)), text=str(text), source_text=str(text), questions=asked, documents=5)
    rows = wb.run(step).metrics["rows"]
    assert [r["measure"] for r in rows] == ["bits_per_byte", "bits_per_byte", "exact_match"] * 2
    assert [r["side"] for r in rows] == ["target", "source", "target"] * 2
    assert all(set(r) == {"model", "measure", "side", "text", "value", "low", "high", "n"} for r in rows)
    assert rows[:3] == rows[3:]
    with pytest.raises(WorkbenchError, match="nothing to measure on"):
        wb.run(Evaluate(models=(str(folder),)))
