"""Multiple choice by likelihood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.evaluation import Evaluate, chosen, read_choices
from workbench.tokenizer import load
from workbench.training.data import encode, start_ids

ITEMS = [
    {"prompt": "the bear lives ", "options": ["in the forest", "in the house", "red"], "right": 0},
    {"prompt": "a red ", "options": ["ball", "медведь"], "right": 1},
]


@pytest.fixture
def opened(tmp_path: Path):
    folder = tiny.folder(tmp_path / "model")
    return AutoModelForCausalLM.from_pretrained(folder), load(folder)


def test_the_choice_is_the_likeliest_answer_by_its_bytes(opened) -> None:
    model, tokens = opened
    found = chosen(model, tokens, ITEMS, batch_size=2)
    for item, row in zip(ITEMS, found.rows, strict=True):
        prompt, scores = start_ids(tokens) + encode(tokens, item["prompt"]), []
        for option in item["options"]:
            ids = encode(tokens, option)
            with torch.inference_mode():
                logs = model(torch.tensor([prompt + ids])).logits[0].double().log_softmax(-1)
            scores.append(sum(float(logs[len(prompt) - 1 + n, i]) for n, i in enumerate(ids)) / len(option.encode()))
        assert row["scores"] == pytest.approx(scores, abs=1e-6)
        assert row["chosen"] == scores.index(max(scores))
    assert found.chance == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found.low <= found.score <= found.high


def test_the_order_of_the_options_changes_nothing(opened) -> None:
    model, tokens = opened
    turned = [{**item, "options": item["options"][::-1], "right": len(item["options"]) - 1 - item["right"]} for item in ITEMS]
    assert chosen(model, tokens, turned).score == chosen(model, tokens, ITEMS).score
    with pytest.raises(WorkbenchError, match="no choices"):
        chosen(model, tokens, [])


def test_choices_are_read_and_faults_named(tmp_path: Path) -> None:
    file = tmp_path / "choices.jsonl"
    file.write_text("\n".join(map(json.dumps, ITEMS)) + "\n\n", encoding="utf-8")
    assert read_choices(file) == ITEMS
    assert read_choices(file, 1) == ITEMS[:1]
    for bad in ('{"prompt": "a", "options": ["b"], "right": 0}', '{"prompt": "a", "options": ["b", "c"], "right": 2}', "[]", "{", '{"prompt": "a"}'):
        file.write_text(json.dumps(ITEMS[0]) + "\n" + bad)
        with pytest.raises(WorkbenchError, match=r"Line 2 of .* is no choice"):
            read_choices(file)
    file.write_text("\n")
    with pytest.raises(WorkbenchError, match="holds no choice"):
        read_choices(file)
    with pytest.raises(WorkbenchError, match="is not a file"):
        read_choices(tmp_path / "none.jsonl")
    with pytest.raises(WorkbenchError, match="The demo has choices in en, ru, fa"):
        read_choices("demo:de")
    assert all(0 <= item["right"] < len(item["options"]) for item in read_choices("demo:ru", 5))


def test_the_step_reports_choices_of_base_models(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))  # byte by byte, a story is long
    rows = wb.run(Evaluate(models=(str(folder),), choices="demo:ru", source_choices="demo:en", documents=2)).metrics["rows"]
    assert [(r["measure"], r["side"], r["n"]) for r in rows] == [("choice", "target", 2), ("choice", "source", 2)]
