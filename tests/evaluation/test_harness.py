"""Standard tasks through lm-eval, on local task files; and its own bits per byte beside ours."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path

import pytest
import tiny
import torch

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.evaluation import Evaluate, Harness
from workbench.evaluation.bits import bits_per_byte
from workbench.models import open_model

installed = pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed (extra eval)")
CHOICE = """task: bears
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: options
doc_to_target: right
target_delimiter: ""
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
ROLLING = """task: rolling
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list: [{{metric: bits_per_byte}}]
"""
ITEMS = [{"prompt": "the bear lives ", "options": ["in the forest", "in the house"], "right": n % 2} for n in range(6)]


def task(place: Path, name: str, form: str, rows: list[dict]) -> str:
    (place / f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    (place / f"{name}.yaml").write_text(form.format(file=place / f"{name}.jsonl"), encoding="utf-8")
    return str(place / f"{name}.yaml")


@installed
def test_a_local_task_gives_rows_with_intervals_and_differences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    models = [str(tiny.folder(tmp_path / name, seed=seed)) for seed, name in enumerate("ab")]
    random.seed(5)
    before = random.getstate(), torch.random.get_rng_state()
    made = wb.run(Evaluate(models=tuple(models), lm_eval=(task(tmp_path, "bears", CHOICE, ITEMS),))).metrics
    assert random.getstate() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert [row["measure"] for row in made["rows"]] == ["lm-eval acc", "lm-eval acc_norm"] * 2
    assert all(row["n"] == 6 and row["low"] <= row["value"] <= row["high"] for row in made["rows"])
    assert made["rows"][0]["value"] == 0.5  # the same text asked with either answer as the right one
    assert [row["measure"] for row in made["differences"]] == ["lm-eval acc", "lm-eval acc_norm"]


# No text that repeats itself: windows of equal tokens of which different parts are scored change lm-eval's value with its batch size.
LONG = [" ".join(f"лиса видит медведя {n * n}" for n in range(9)), " ".join(f"the red ball {n * n}" for n in range(30)), "a"]


@installed
@pytest.mark.parametrize(("texts", "context"), [(["the bear lives", "лиса видит"], 64), (LONG, 16)])
def test_its_bits_per_byte_are_ours(texts: list[str], context: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents shorter than the context; and longer ones in windows side by side, which is stride = context."""
    from lm_eval.models.huggingface import HFLM

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tiny.folder(tmp_path / "model")
    model, tokens = open_model(folder, "cpu", "fp32")
    with torch.no_grad():
        model.lm_head.weight.mul_(30)  # far from uniform
    init = HFLM.__init__
    monkeypatch.setattr(HFLM, "__init__", lambda self, **given: init(self, **given, max_length=context))
    monkeypatch.setattr("workbench.models.open_model", lambda *_: (model, tokens))
    rows = wb.run(Evaluate(models=(str(folder),), lm_eval=(task(tmp_path, "rolling", ROLLING, [{"text": text} for text in texts]),))).metrics["rows"]
    assert [row["measure"] for row in rows] == ["lm-eval bits_per_byte"]
    ours = bits_per_byte(model, tokens, texts, context=context, stride=context)
    assert rows[0]["value"] == pytest.approx(ours.bits_per_byte, rel=1e-4)
    assert rows[0]["n"] == len(texts)


@installed
def test_what_lm_eval_cannot_run_is_said(tmp_path: Path) -> None:
    model = str(tiny.folder(tmp_path / "model"))
    with pytest.raises(WorkbenchError, match=r"lm-eval knows no task 'belebele_rus'\. Did you mean"):
        wb.run(Evaluate(models=(model,), lm_eval=("belebele_rus",)))
    broken = tmp_path / "broken.yaml"
    broken.write_text("task: broken\ndataset_path: json\noutput_type: multiple_choice\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match=r"could not run the task .*broken.yaml \("):
        wb.run(Evaluate(models=(model,), lm_eval=(str(broken),)))


def test_without_the_package_and_with_files_that_may_not_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(WorkbenchError, match=r"install 'workbench\[eval\]'"):
            Harness(task="arc_easy").items()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(WorkbenchError, match="is not a file"):
        Harness(task=str(tmp_path / "none.yaml")).items()
    (tmp_path / "code.yaml").write_text("task: a\nprocess_docs: !function utils.docs\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="runs Python code"):
        Harness(task=str(tmp_path / "code.yaml")).items()
