"""The LEP recipe on a real trained model and real Russian prose: bits per byte after each stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stories

import workbench as wb

pytestmark = [pytest.mark.real, pytest.mark.slow]


def answers(place: Path, seed_tasks: Path) -> Path:
    """The Russian side of the seed tasks, as conversations."""
    tasks = [json.loads(line)["ru"] for line in seed_tasks.read_text(encoding="utf-8").splitlines()]
    rows = [{"instruction": t["instruction"], "input": t["instances"][0]["input"], "output": t["instances"][0]["output"]} for t in tasks]
    place.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows if row["output"].strip()), encoding="utf-8")
    return place


def test_lep_on_stories260k_with_russian_prose(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    russian, english = (real_data / "mono" / f"{language}_war_and_peace.txt" for language in ("ru", "en"))
    base = stories.convert(real_data / "weights" / "stories260K", tmp_path / "stories260K")
    alpaca = real_data / "instr" / "alpaca_en_demo.jsonl"
    sibling = wb.run(wb.training.Instruct(model=base, instructions=(alpaca,), steps=30, batch_size=4, eval_every=0))
    short = ("eval_documents=20", "batch_size=8", "accumulate=1", "eval_every=0")
    asked = answers(tmp_path / "ru.jsonl", real_data / "instr" / "seed_tasks_en_ru.jsonl")
    changes = [
        f"base={base}", f"instruct={sibling.id}", f"text={russian}", f"source={english}", "prompts=[]", "tokenizer.new_tokens=1000",
        f"calibrated.answers={asked}", "adapted.steps=150", "adapted.block=128", "adapted.learning_rate=0.01",
        *(f"{stage}.{knob}" for stage in ("adapted", "calibrated", "control") for knob in short),
        *(f"{stage}.{knob}" for stage in ("calibrated", "control") for knob in ("steps=30", "copy_tasks=20", "block=256")),
        *(f"{measure}.{knob}" for measure in ("bases", "chats") for knob in ("documents=20", "context=128")), "chats.copies=2",
        *(f'{knob}=""' for knob in ("bases.choices", "bases.source_choices", "chats.questions", "chats.source_questions")),
    ]  # fmt: skip
    found = wb.run(wb.recipes.Recipe(recipe="lep", scale="demo", set=tuple(changes))).metrics
    bits = {row["model"]: row["bits_per_byte target"] for row in found["rows"]}
    with capsys.disabled():
        for row in found["rows"]:
            print(f"\n{row['model']}: {row['bits_per_byte target']:.3f} bits per byte of Russian, {row['bits_per_byte source']:.3f} of English", end="")
    assert bits["adapted"] < bits["start"]
    assert bits["adapted"] < bits["base"]
    assert bits["conversion"] < bits["instruct"]  # what the tables learnt came over
    assert bits["calibrated"] < bits["control"]
