"""The instruct and calibrate stages: what is learnt, in which template, and what the chat then sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

import workbench as wb
from workbench import refs
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.progress import Event, Progress
from workbench.tokenizer.steps import Extend
from workbench.training import Calibrate, Instruct
from workbench.training.answering import unfit
from workbench.training.conversations import PLAIN, Conversations
from workbench.training.copying import LONGEST, SHORTEST, copy_tasks, sentences
from workbench.training.seeing import first_batch
from workbench.transfer.steps import Transfer

QUICK = {"steps": 6, "batch_size": 2, "block": 64, "warmup_steps": 1, "eval_every": 3, "eval_documents": 5, "device": "cpu", "dtype": "fp32"}


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, str]:
    made = {}
    for name, lines in (("target", tiny.RUSSIAN), ("source", tiny.ENGLISH)):
        found = [{"instruction": f"{n}?", "input": "", "output": line} for n in range(30) for line in lines]
        found.insert(3, {"instruction": "nothing"})
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in found), encoding="utf-8")
        made[name] = str(tmp_path / f"{name}.jsonl")
    (tmp_path / "ru.txt").write_text("\n".join(f"{line}, {n}." for n in range(40) for line in tiny.RUSSIAN), encoding="utf-8")
    return made | {"text": str(tmp_path / "ru.txt")}


def test_a_base_model_learns_to_reply_in_the_plain_template_and_is_asked_in_it(tmp_path: Path, rows: dict[str, str]) -> None:
    place = tiny.folder(tmp_path / "model", tied=True)
    events: list[Event] = []
    step = Instruct(model=str(place), instructions=rows["target"], source_instructions=rows["source"], text=rows["text"], copy_tasks=4, **QUICK)
    made = wb.run(step, Progress(events.append))
    found = made.metrics
    assert found["rows_skipped"] == 2
    assert found["first_skipped"].endswith("row 4 has no output")
    said = [e.message for e in events if e.kind == "warning"]
    assert any("no chat template" in word for word in said)
    assert any("Only 0 of 4 copy tasks could be made" in word for word in said)  # the tiny model's block is full of the instruction alone
    assert sum("1 rows of" in word and "row 4 has no output" in word for word in said) == 2
    assert set(found["bits_per_byte"]) == {"target", "target_replies", "source_replies"}
    for name in ("target_replies", "source_replies"):
        assert found["bits_per_byte"][name]["after"] < found["bits_per_byte"][name]["before"]
    assert all(e.data["prompt"].endswith("### Response:") for e in events if e.kind == "sample")
    # The same template, written into the result: the prompt of the chat is what stood before the replies in training.
    tokens = wb.tokenizer.load(made.path)
    assert tokens.chat_template == PLAIN
    prompt = wb.chat.prompt(wb.chat.load(made.id, "cpu"), [{"role": "user", "content": "0?"}])
    assert prompt.ids == tokens("<s>### Instruction:\n0?\n\n### Response:\n", add_special_tokens=False)["input_ids"]
    assert Checkpoint.open(made.path).tied
    assert tokens.eos_token_id in json.loads((made.path / "generation_config.json").read_text())["eos_token_id"]


def test_conversations_that_the_template_refuses_are_left_out_and_said_wherever_they_stand(tmp_path: Path) -> None:
    place = tiny.folder(tmp_path / "model", chat=True)
    refusing = wb.tokenizer.load(place)
    refusing.chat_template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + refusing.chat_template
    wb.tokenizer.save(refusing, place)
    taken = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "the bear"}]} for n in range(120)]
    refused = {"messages": [{"role": "system", "content": "Be brief."}, *taken[0]["messages"]]}

    def made(*conversations: dict[str, Any]) -> Instruct:
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, conversations)), encoding="utf-8")
        return Instruct(model=str(place), instructions=str(tmp_path / "rows.jsonl"), **QUICK)

    warned = [word for n in (0, 60, 119) for word in first_batch(made(*taken[:n], refused, *taken[n:])).warnings if "are left out" in word]
    assert len(warned) == 3
    assert all(word.startswith("1 of the first ") and "(no system turn)" in word for word in warned)
    with pytest.raises(WorkbenchError, match=r"refuses a conversation \(no system turn\)"):
        first_batch(made(*[refused] * 30))


def test_only_replies_carry_loss_and_long_conversations_are_counted(tmp_path: Path, rows: dict[str, str]) -> None:
    place = tiny.folder(tmp_path / "model", chat=True)
    long = [{"instruction": "why? " * 50, "output": "so"}, {"instruction": "why?", "output": "so " * 100}]
    (tmp_path / "long.json").write_text(json.dumps(long + [{"instruction": f"{n}?", "output": "the bear lives in the forest"} for n in range(60)]))
    batch = first_batch(Instruct(model=str(place), instructions=str(tmp_path / "long.json"), **QUICK | {"block": 32}))
    assert any("2 of the first" in word and "1 whose reply begins behind it" in word for word in batch.warnings)
    tokens = wb.tokenizer.load(place)
    assert batch.documents
    for seen in batch.documents:
        learnt = tokens.decode([i for i, counts in zip(seen.ids, seen.learnt, strict=True) if counts])
        assert learnt in ("the bear lives in the forest</s>", *(["so " * n for n in range(100)]))
        assert seen.text.startswith("<|user|>")


@pytest.mark.parametrize(
    ("prompt", "answer", "ended", "why"),
    [
        ("Who?", "The bear.", True, ""),
        ("Кто?", "Медведь.", True, ""),
        ("Who?", " \n", True, "empty"),
        ("Who?", "The bear", False, "cut"),
        ("Who?", "no no no no no no", True, "repeated"),
        ("Who?", "I am. I am. I am. I am.", True, "repeated"),
        ("Кто?", "The bear.", True, "script"),
        ("Who?", "10000", True, ""),
        ("2+2?", "Четыре.", True, ""),
    ],
)
def test_answers_that_are_no_good_are_told_apart(prompt: str, answer: str, ended: bool, why: str) -> None:
    assert unfit(prompt, answer, ended) == why


def test_a_wanted_script_goes_before_that_of_the_prompt() -> None:
    assert unfit("Кто?", "The bear.", True, "any") == unfit("Кто?", "The bear.", True, "Latin") == ""
    assert unfit("Who?", "The bear.", True, "Cyrillic") == "script"


def test_copy_tasks_are_sentences_and_paragraphs_of_the_text() -> None:
    texts = [" ".join(f"This is sentence {n} of text {t}, it is." for n in range(9)) for t in range(30)]
    made = list(copy_tasks(texts, 20, len, 300, seed=1))
    assert made == list(copy_tasks(texts, 20, len, 300, seed=1))
    assert len(made) == 20
    whole = " ".join(texts)
    lengths = []
    for asked, said in made:
        assert asked["content"].endswith("\n" + said["content"])
        assert said["content"] in whole
        assert SHORTEST <= len(said["content"]) < 300
        lengths.append(len(sentences(said["content"])))
    assert lengths[::2] == [1] * 10
    assert all(1 < n <= LONGEST for n in lengths[1::2])
    assert list(copy_tasks(["short.", "long " * 100], 5, len, 300)) == []


KNOBS = {"prompts": ("demo:en",), "prompt_limit": 24, "copy_tasks": 6, "reply_tokens": 24, "steps": 3, "eval_documents": 4, "eval_every": 0, "device": "cpu"}


def test_calibration_learns_the_original_s_answers_and_a_control_takes_the_same(tmp_path: Path) -> None:
    same = KNOBS | {"batch_size": 2, "text": "demo:ru", "dtype": "fp32"}
    made = wb.run(Calibrate(model="demo:en-chat", instruct="demo:en-chat", **same))
    assert made.metrics["is_control"]
    counts = made.metrics["answers"]
    assert sum(counts.values()) == 24
    assert made.metrics["copies"] == 6
    kept = [json.loads(line)["messages"] for line in (made.path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(kept) == counts["kept"] > 12
    before, now = (Checkpoint.open(p) for p in (refs.locate("demo:en-chat"), made.path))
    layers = {name.split(".")[2] for name in before.shards if not torch.equal(before.tensor(name), now.tensor(name)) and ".layers." in name}
    assert layers == {"0", "3"}
    # The control, or a rival, learns from the answers that are there instead of asking again.
    again = Calibrate(model="demo:en-chat", answers=made.id, **{k: v for k, v in same.items() if k != "prompts"})
    assert first_batch(again).documents == first_batch(Calibrate(model="demo:en-chat", instruct="demo:en-chat", **same)).documents
    assert " --model ORIGINAL " in wb.run(again).metrics["control"]


def test_a_calibration_and_its_control_copy_the_same_texts() -> None:
    longer = wb.run(Extend(base="demo:en-chat", text="demo:ru", new_tokens=300, script="Cyrillic"))
    adapted = wb.run(Transfer(model="demo:en-chat", tokenizer=longer.id, judge=False)).id
    same = {"text": "demo:ru", "copy_tasks": 40, "block": 128, "instruct": "demo:en-chat"}

    def copies(step: Calibrate, *others: Any) -> list[Any]:
        return step.copies(wb.tokenizer.load(step.model), *others)[0]

    own, control = Calibrate(model=adapted, **same), Calibrate(model="demo:en-chat", answers=adapted, **same)
    assert copies(own, *own.others()) == copies(control, *control.others())
    told = own.control(adapted)["control"]  # as it is told to the user
    assert f" --answers {adapted} " in f"{told} "
    assert " --model demo:en-chat " in told
    assert "--prompts" not in told
    assert copies(own) != copies(control)  # each by its own tokenizer


def test_answers_are_asked_once_for_a_job_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.training import answering

    step = Calibrate(model="demo:en-chat", instruct="demo:en-chat", **KNOBS)
    tokens, work = wb.tokenizer.load("demo:en-chat"), tmp_path / "work"
    first = step.data(tokens, Progress(work=work))
    monkeypatch.setattr(answering, "self_answers", lambda *_, **__: pytest.fail("asked again"))
    second = step.data(tokens, Progress(work=work))
    assert second.kept == first.kept
    assert second.found == first.found


def test_a_calibration_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="needs 'instruct' and 'prompts'"):
        wb.run(Calibrate(model="demo:en-chat"))
    with pytest.raises(WorkbenchError, match="no chat template, so it is no chat model"):
        wb.run(Calibrate(model=str(tiny.folder(tmp_path / "base")), instruct="demo:en-chat", prompts="demo:en", block=64))
    with pytest.raises(WorkbenchError, match=r"Each of them needs \{text\}|each of them needs"):
        Calibrate(model="demo:en-chat", copy_requests="Repeat!")
    with pytest.raises(WorkbenchError, match=r"None of 4 answers is fit to learn from \(4 cut"):
        wb.run(Calibrate(model="demo:en-chat", instruct="demo:en-chat", **KNOBS | {"prompt_limit": 4, "reply_tokens": 1}))


def test_conversations_may_be_given(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert list(Conversations([[talk]], held_out=0.0).train) == [talk]
