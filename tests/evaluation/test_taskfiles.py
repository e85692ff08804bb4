"""Task files: what they hold is told by their fields, and every fault by its line and reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation import read_task
from workbench.evaluation.taskfiles import letters

GOOD = {
    "choice": {"prompt": "a", "options": ["b", "c"], "right": 1},
    "question on a text": {"context": "a b c", "question": "b?", "answers": ["b"]},
    "summary": {"text": "a b c", "summary": "a"},
    "translation": {"source": "bear", "target": "медведь"},
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_is_what_its_fields_say(kind: str, tmp_path: Path) -> None:
    found = read_task(write(tmp_path / "a.jsonl", GOOD[kind], "", GOOD[kind], GOOD[kind]), 2)
    assert (found.kind, found.items) == (kind, [GOOD[kind]] * 2)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("translation", "{", r"Line 2 of .* is no JSON \("),
        ("translation", "[1]", "Line 2 of .* is a list, not an object"),
        ("translation", {"source": "a"}, "Line 2 of .* is no translation: 'target' is missing"),
        ("translation", {"source": "a", "target": 3}, "'target' is a number, not text"),
        ("translation", {"source": "a", "target": " "}, "'target' is empty"),
        ("translation", '{"source": "a", "target": "\\ud83d"}', "'target' holds half a character"),
        ("summary", {"text": "a", "summary": "b", "instruction": 1}, "'instruction' is a number, not text"),
        ("choice", {"prompt": "a", "options": ["b"], "right": 0}, "'options' is no list of at least two texts"),
        ("choice", {"prompt": "a", "options": ["b", "c"], "right": 2}, "'right' is no number from 0 to 1"),
        ("question on a text", {"context": "a", "question": "b", "answers": []}, "'answers' is no list of texts"),
    ],
)
def test_faults_are_told_by_line_and_reason(first: str, second: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=said):
        read_task(write(tmp_path / "a.jsonl", GOOD[first], second))


def test_files_that_hold_no_task(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="has the fields a, b, which no task has"):
        read_task(write(tmp_path / "a.jsonl", {"a": 1, "b": 2}))
    with pytest.raises(WorkbenchError, match="holds no item"):
        read_task(write(tmp_path / "a.jsonl", "", " "))
    with pytest.raises(WorkbenchError, match="is not a file"):
        read_task(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes('{"source": "é"}'.encode("latin-1"))
    with pytest.raises(WorkbenchError, match="cannot be read as UTF-8"):
        read_task(tmp_path / "latin.jsonl")


def test_labelled_items_become_choices_among_their_letters_or_the_labels_of_their_instruction(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Pick.", "input": "Which? (A) one (B) two (C) three", "output": "B"},
        {"instruction": "Mood?", "input": "good", "output": 0},
        {"instruction": "Mood?", "input": "bad", "output": 1},
    ]
    found = read_task(write(tmp_path / "a.jsonl", *rows))
    assert [(item["options"], item["right"]) for item in found.items] == [(["A", "B", "C"], 1), (["0", "1"], 0), (["0", "1"], 1)]
    assert found.items[1]["prompt"] == "Mood?\ngood\n"
    with pytest.raises(WorkbenchError, match="only the label '0'"):
        read_task(write(tmp_path / "b.jsonl", rows[1]))


@pytest.mark.parametrize(
    ("text", "label", "wanted"),
    [
        ("a) nine b) six", "b", ["a", "b"]), ("Option A: 1 Option B : 2", "Option A", ["Option A", "Option B"]),
        ("f(A) and nothing else", "A", []), ("(A) x (B) y", "D", []), ("(A) x (B) y", "positive", []),
    ],
)  # fmt: skip
def test_letters_are_those_that_the_text_offers(text: str, label: str, wanted: list[str]) -> None:
    assert letters(text, label) == wanted


@pytest.mark.real
def test_the_persian_paper_s_items(real_data: Path) -> None:
    counts = {}
    for path in sorted((real_data / "persian_tasks").glob("*.jsonl")):
        found = read_task(path)
        counts[path.stem] = (found.kind, len(found.items), sorted({len(item["options"]) for item in found.items}))
    assert counts == {
        "en_entailment": ("choice", 200, [3]), "en_multiple_choice": ("choice", 200, [4, 5]), "en_sentiment": ("choice", 200, [2, 3]),
        "fa_entailment": ("choice", 200, [3]), "fa_multiple_choice": ("choice", 200, [4]), "fa_sentiment": ("choice", 100, [2]),
    }  # fmt: skip
