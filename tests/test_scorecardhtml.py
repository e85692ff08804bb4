"""The scorecard as HTML: every number with its interval, colour only for what is clear, everything escaped, nothing asked of another machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tiny

from workbench import scorecardhtml
from workbench.__main__ import main

ROW = {"side": "target", "text": "/a/b/ru.txt", "n": 4}
CARD = {
    "control": "one",
    "rows": [
        {"model": "one", "measure": "bits_per_byte", **ROW, "value": 1.5, "low": 1.0, "high": 2.0},
        {"model": "<two>", "measure": "bits_per_byte", **ROW, "value": 0.5, "low": 0.25, "high": 1.0},
        {"model": "<two>", "measure": "lm-eval acc", **ROW, "value": 0.5, "low": None, "high": None},
        {"model": "one", "measure": "length", **ROW, "value": None, "low": None, "high": None},
    ],
    "differences": [{"model": "<two>", "measure": "bits_per_byte", **ROW, "difference": -1.0, "low": -1.5, "high": -0.5, "clear": True}],
    "models": [{"model": "<two>", "content": "abc", "context": 64}],
    "curves": [{"model": m, "measure": "copied", **ROW, "from": 0, "to": 128, "value": v, "low": v, "high": v} for m, v in (("one", 0.5), ("<two>", 0.0))],
    "examples": [{"model": "<two>", "measure": "copy", **ROW, "question": "<b>کجا؟</b>", "wanted": "a", "reply": "", "score": 0.0}],
    "notes": ["copy was left out for one & other."],
}


def test_a_clear_difference_is_coloured_by_what_is_better_and_others_are_not() -> None:
    made = scorecardhtml.table_html(CARD)
    assert 'class="delta better" title="to the control: −1.500 to −0.500">−1.000' in made
    unclear = CARD | {"differences": [CARD["differences"][0] | {"low": -2.5, "high": 0.5, "clear": False}]}
    assert 'class="delta" title="to the control: −2.500 to +0.500, no clear difference">−1.000' in scorecardhtml.table_html(unclear)
    worse = CARD | {"differences": [CARD["differences"][0] | {"difference": 1.0, "low": 0.5, "high": 1.5}]}
    assert 'class="delta worse"' in scorecardhtml.table_html(worse)
    assert "4 items, 95 % interval 0.250 to 1.000" in made
    assert made.count('class="none"') == 3  # what a model has no number for


def test_the_report_is_one_file_without_scripts_and_everything_in_it_is_escaped() -> None:
    made = scorecardhtml.report_html(CARD, "workbench evaluate --models one '<two>'")
    assert not re.search(r"https?://|<script|<two>|<b>کجا", made)
    for text in ("&lt;two&gt;", "left out for one &amp; other", "ru.txt", "bytes of text before", "<em>nothing</em>", 'dir="auto"'):
        assert text in made
    assert scorecardhtml.report_html({"rows": []}).startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("value", "signed", "said"), [(0.12345, False, "0.123"), (-12.34, True, "−12.3"), (1234.5, False, "1,234"), (None, True, "–"), (float("nan"), False, "–")]
)
def test_numbers_have_about_three_digits(value: float | None, signed: bool, said: str) -> None:
    assert scorecardhtml.say(value, signed) == said


def test_the_command_line_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tiny.folder(tmp_path / "model"))
    choices = tmp_path / "c.jsonl"
    choices.write_text('{"prompt": "a", "options": ["b", "c"], "right": 0}', encoding="utf-8")
    assert main(["evaluate", "--models", model, "--choices", str(choices), "--report", str(tmp_path / "r.html"), "--json"]) == 0
    said = capsys.readouterr()
    assert '"scorecard"' in said.out
    assert "report: " in said.err
    assert "workbench evaluate --models" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert main(["evaluate", model, "--choices", str(choices), "--report", str(tmp_path / "r.pdf")]) == 2
    assert "names an .html file" in capsys.readouterr().err
    assert main(["corpus", "demo:ru", "--report", str(tmp_path / "r.html")]) == 2
