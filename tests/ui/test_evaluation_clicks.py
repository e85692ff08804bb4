"""The Evaluation page in a real browser: what fills itself in, a task file added, a scorecard measured, kept over a reload, and saved as a report."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER, PICTURES, expect, go, number, picture, run

pytestmark = BROWSER
TASK = [{"instruction": "Mood?", "input": text, "output": label} for text, label in (("good", "glad"), ("bad", "sad"), ("fine", "glad"))]


def test_a_scorecard_is_measured_kept_and_saved(page: Any, tmp_path: Path) -> None:
    go(page, "Evaluation")
    expect(page.locator("#scorecard-note")).to_contain_text("Load the demo")  # an empty state says what to do
    picture(page, "evaluation-empty")
    page.click("#load-demo")
    for knob, value in (("text", "demo:ru"), ("source_text", "demo:en"), ("pairs", "demo:en-ru")):
        expect(page.locator(f"#scorecard-{knob} input")).to_have_value(value)
    expect(page.locator("#scorecard-questions").locator("textarea, input")).to_have_value("demo:ru")
    expect(page.locator("#scorecard-models .token")).to_have_count(2)
    expect(page.locator("#scorecard-suite input:checked")).to_have_value("quick")

    broken, task = tmp_path / "broken.jsonl", tmp_path / "mood.jsonl"
    broken.write_text('{"instruction": "Mood?"', encoding="utf-8")
    task.write_text("\n".join(map(json.dumps, TASK)), encoding="utf-8")
    upload(page, broken)
    expect(page.get_by_test_id("toast-body").first).to_contain_text("Line 1 of")
    upload(page, task)
    expect(page.locator("#scorecard-tasks").locator("textarea, input")).to_have_value(re.compile("mood.jsonl"))
    number(page, "#page-evaluation", "Documents", 3)
    number(page, "#page-evaluation", "Copies", 1)
    run(page, "scorecard")
    table = page.locator("#scorecard-table table")
    expect(table).to_contain_text("bits per byte")
    expect(table).to_contain_text("mood.jsonl")
    expect(table.locator("thead th")).to_have_count(3)
    expect(page.locator("#scorecard-note")).to_contain_text("against demo:en-base")
    expect(page.locator("#page-evaluation .gtitle", has_text="Bits per byte")).to_have_count(2)
    shows(page)

    page.reload()
    go(page, "Evaluation")
    expect(page.locator("#scorecard-table table")).to_contain_text("bits per byte")
    with page.expect_download() as saved:
        page.click("#scorecard-report")
    report = Path(saved.value.path()).read_text(encoding="utf-8")
    assert report.startswith("<!doctype html>")
    assert "workbench evaluate --models demo:en-base demo:en-chat --suite quick" in report
    assert not re.search(r"https?://|<script", report)


def upload(page: Any, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click("#scorecard-upload")
    chooser.value.set_files(str(file))


def shows(page: Any) -> None:
    if not PICTURES:
        return
    page.locator("#scorecard-said button").first.click()
    for dark in (False, True):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
        for width in (1280, 768):
            page.set_viewport_size({"width": width, "height": 900})
            if width < 800 and page.locator("#sidebar.open .toggle-button").count():
                page.locator("#sidebar.open .toggle-button").click()
            picture(page, f"evaluation-{width}-{'dark' if dark else 'light'}")
    page.set_viewport_size({"width": 1280, "height": 900})
