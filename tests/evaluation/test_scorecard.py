"""The scorecard: the same items for all, a control beside every number, results kept by content, and what was left out said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.evaluation import BitsPerByte, Evaluate, Speed, caching, scorecard
from workbench.evaluation.base import Found, Measure, Subject
from workbench.evaluation.measures import COLUMNS, MEASURES
from workbench.evaluation.scoring import mean
from workbench.progress import Progress


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "ru.txt").write_text("\n".join(f"{line} {n}." for n in range(60) for line in tiny.RUSSIAN), encoding="utf-8")
    return str(tmp_path / "ru.txt")


@pytest.fixture
def models(tmp_path: Path) -> tuple[str, str]:
    made = [tiny.folder(tmp_path / "base"), tiny.folder(tmp_path / "chat", chat=True, seed=1)]
    for folder in made:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}))
    return str(made[0]), str(made[1])


def test_the_full_suite_measures_what_it_can_and_says_what_it_cannot(models: tuple[str, str], text: str, tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text("\n".join(json.dumps({"prompt": p, "answer": "x"}) for p in ("who?", "where?")), encoding="utf-8")
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text("\n".join(json.dumps({"instruction": "Mood?", "input": f"{n}", "output": n % 2}) for n in range(4)), encoding="utf-8")
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"context": "a bear", "question": "who?", "answers": ["bear"]}), encoding="utf-8")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("source\ttarget\n" + "\n".join(f"bear {n}\tмедведь {n}" for n in range(200)), encoding="utf-8")
    told: list[float] = []
    step = Evaluate(
        models=models, suite="full", text=text, source_text=text, questions=str(questions), tasks=(str(labelled), str(answers)), pairs=str(pairs),
        documents=4, copies=2, copy_request="{text}", context=32,
    )  # fmt: skip
    made = wb.store.run(step, Progress(lambda event: told.append(event.fraction) if event.fraction is not None else None)).metrics
    assert told == sorted(told)
    names = {row["measure"] for row in made["rows"]}
    assert names == {
        "bits_per_byte", "exact_match", "choice", "copy_sentences", "copy_paragraphs", "copy_characters", "answer_exact", "answer_f1", "script_share",
        "looping", "length", "hit_1", "hit_10", "csls_hit_1", "same_again", "right_again", "characters_per_second",
    }  # fmt: skip
    assert names <= COLUMNS.keys()
    base, chat = made["scorecard"]
    assert (base["model"], chat["model"]) == models
    assert base["copy_sentences target"] is None
    assert chat["copy_sentences target"] is not None
    assert any("copy" in note and "no chat template" in note and models[0] in note for note in made["notes"])
    assert "Guessing gives 0.50" in " ".join(made["notes"])
    assert {row["model"] for row in made["differences"]} == {models[1]}
    assert {row["documents_begin_with"] for row in made["models"]} == {"BOS <s>"}
    assert {row["measure"] for row in made["curves"]} == {"bits_per_byte", "copied"}
    assert {row["measure"] for row in made["examples"]} == {"questions", "choice", "copy", "generation", "checks", "consistency"}


def test_a_result_is_kept_by_what_the_model_and_the_items_are(models: tuple[str, str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measures = [BitsPerByte(reference=text, documents=3)]
    first = scorecard([models[0]], measures)
    again = shutil.copytree(models[0], tmp_path / "another name")
    with monkeypatch.context() as patched:
        patched.setattr("workbench.models.open_model", lambda *_: pytest.fail("a model was loaded whose result is kept"))
        kept = scorecard([str(again)], measures)
        assert kept.rows[0]["value"] == first.rows[0]["value"]
        assert kept.models[0]["content"] == first.models[0]["content"]
    Path(text).write_text("\n".join(f"{line} {n}!" for n in range(60) for line in tiny.RUSSIAN), encoding="utf-8")
    assert scorecard([models[0]], measures).rows[0]["value"] != first.rows[0]["value"]
    assert caching.key_of(Subject(models[0]), Speed(reference=text), []) is None  # nothing that a clock says is kept
    for place in caching.folder().glob("*.json"):
        place.write_text("{", encoding="utf-8")
    assert scorecard([models[0]], measures).rows  # a damaged one is measured again
    monkeypatch.setattr(caching, "MOST", 1)
    caching.write("0" * 64, Found([mean("a", [1.0])]))
    assert [place.stem for place in caching.folder().glob("*.json")] == ["0" * 64]


def test_every_model_is_compared_with_the_control_that_is_named(models: tuple[str, str], text: str) -> None:
    made = scorecard([Path(model) for model in models], [BitsPerByte(reference=text, documents=8)], control=Path(models[1]))
    assert made.control == models[1]
    (row,) = made.differences
    assert row["model"] == models[0]
    assert row["difference"] == pytest.approx(made.rows[0]["value"] - made.rows[1]["value"])
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["clear"] == (row["low"] > 0 or row["high"] < 0)
    with pytest.raises(WorkbenchError, match="is not among the models"):
        scorecard(models[:1], [BitsPerByte(reference=text)], control="demo:en-base")


def test_any_object_of_a_measure_s_shape_will_do(models: tuple[str, str]) -> None:
    class Weights(Measure):
        kind = "weights"

        def items(self) -> list[str]:
            return ["lm_head"]

        def take(self, subject: Subject, items: list[str], progress: Progress) -> Found:
            return Found([mean("size", [float(subject.model.get_output_embeddings().weight.numel()) for _ in items])])

    assert [row["value"] for row in scorecard(models, [Weights()]).rows] == [302 * 16] * 2


def test_bad_input_is_told_before_a_model_is_loaded(models: tuple[str, str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.models.open_model", lambda *_: pytest.fail("a model was loaded"))
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"source": "a", "target": "b"}\n{"source": "a"}', encoding="utf-8")
    with pytest.raises(WorkbenchError, match=r"Line 2 of .*broken.jsonl is no translation: 'target' is missing"):
        wb.run(Evaluate(models=models, text=text, tasks=(str(broken),)))
    empty = tmp_path / "empty.txt"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="no text in"):
        wb.run(Evaluate(models=models, text=str(empty)))
    (tmp_path / "short.txt").write_text("a bear", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="has no held-out document"):
        wb.run(Evaluate(models=models, text=str(tmp_path / "short.txt")))
    with pytest.raises(WorkbenchError, match=r"Nothing could be measured: speed .*: there is nothing to measure on"):
        wb.run(Evaluate(models=models, text=str(tmp_path / "short.txt"), measures=("speed",)))
    with pytest.raises(WorkbenchError, match="nothing to measure on"):
        wb.run(Evaluate(models=models, suite="quick"))
    with pytest.raises(WorkbenchError, match=r"Nothing could be measured: copy .* was left out for .*base: it has no chat template"):
        wb.run(Evaluate(models=models[:1], text=text, measures=("copy",), copies=1))


def test_the_menu_has_a_column_for_every_score_and_a_suite_for_every_measure() -> None:
    from typing import get_args

    from workbench.evaluation.steps import Kind

    assert {kind.kind for kind in MEASURES} == set(get_args(Kind))
    assert all(kind.suites for kind in MEASURES)
    assert all(column.help.endswith(".") for column in COLUMNS.values())
    assert len(COLUMNS) == sum(len(kind.columns) for kind in MEASURES)
