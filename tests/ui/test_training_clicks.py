"""The Training page with clicks in a real browser: a stage, its first batch, a training stopped, gone on with and found again after a reload, and compared."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER, PICTURES, expect, go, looks, number, picture, section

pytestmark = BROWSER


def test_a_training_is_looked_at_stopped_and_gone_on_with(page: Any) -> None:
    page.click("#load-demo")
    expect(page.locator("#chain")).to_contain_text("demo:en-base")
    go(page, "Training")
    expect(page.locator("#samples")).to_contain_text("Transfer a model first")  # an empty state says what to do
    choose(page)
    preview(page)
    job = interrupted(page)
    compared(page, job)
    planned(page)
    if PICTURES:
        looks(page, "training", ("Train", "Runs", "Measure", "Recipes"))


def choose(page: Any) -> None:
    expect(page.locator("#train-text input")).to_have_value("demo:ru")
    expect(page.locator("#train-instructions")).to_have_count(0)  # the knobs of other stages are not there
    page.locator("#stage-cards [data-stage=instruct]").press("Enter")  # the keyboard does as well
    expect(page.locator("#train-instructions .token")).to_have_count(1)
    expect(page.locator("#train-block input")).to_have_value("256")
    page.locator("#train-preset").get_by_label("paper").check()
    expect(page.locator("#train-block input")).to_have_value("512")
    page.locator("#stage-cards [data-stage=monolingual]").click()
    expect(page.locator("#train-learning_rate input")).to_have_value(re.compile(r"0\.0002|2e-0?4"))
    page.locator("#train-preset").get_by_label("demo").check()
    expect(page.locator("#train-block input")).to_have_value("128")
    expect(page.locator("#stage-needs")).to_contain_text("no model to train")
    page.locator("#train-model input").fill("demo:en-base")
    page.locator("#train-model input").press("Enter")
    expect(page.locator("#stage-needs .note")).to_have_count(0)


def preview(page: Any) -> None:
    for field, value in (("Steps", 100_000), ("Batch size", 4), ("Block", 64)):
        number(page, "#page-training", field, value)
    page.click("#preview-train")
    expect(page.locator("#preview-batch")).to_contain_text("It fits")
    expect(page.locator("#preview-batch .batch .chip.learnt").nth(9)).to_be_visible()
    expect(page.locator("#preview-batch .batch .chip.given").first).to_be_visible()
    number(page, "#page-training", "Batch size", 100_000_000)
    page.click("#run-train")
    expect(page.get_by_test_id("toast-body").first).to_contain_text("more memory")
    expect(page.locator("#status-train .job")).to_have_count(0)
    number(page, "#page-training", "Batch size", 4)


def interrupted(page: Any) -> str:
    page.get_by_role("button", name=re.compile("^Advanced")).locator("visible=true").first.click()
    number(page, "#page-training", "Eval documents", 2)
    number(page, "#page-training", "Eval every", 5)
    page.click("#run-train")
    job = page.locator("#status-train .job.running").get_attribute("data-job")
    expect(page.locator("#run-train")).to_be_disabled()
    page.click("#queue-train")
    expect(page.locator("#status-train .queue li")).to_contain_text("monolingual")
    page.locator("#jobs li", has_text="waiting").get_by_role("button").click()  # the one that waits is stopped on the left
    expect(page.locator("#status-train .queue li")).to_have_count(0)
    page.wait_for_function("drawn('target').length >= 2")
    picture(page, "training-running")
    page.reload()
    go(page, "Training")
    expect(page.locator(f"#status-train .job.running[data-job='{job}']")).to_be_visible()
    page.click("#stop-train")
    ended = page.locator(f"#status-train .job.done[data-job='{job}']")
    expect(ended).to_contain_text("stopped early")
    page.reload()
    go(page, "Training")
    page.click("#resume-train")
    expect(page.locator(f"#status-train .job.running[data-job='{job}']")).to_be_visible()
    page.locator("#status-train summary").click()
    expect(page.locator("#status-train pre")).to_contain_text("Going on from step")
    page.click("#stop-train")
    expect(ended).to_contain_text("stopped early")
    return str(job)


def compared(page: Any, job: str) -> None:
    section(page, "training", "Runs")
    page.locator("#runs-chosen input").fill(job[-4:])  # the list is drawn anew when a job ends: what is left of it by then is this one alone
    expect(page.locator("#runs-chosen [role=option]")).to_have_count(1)
    page.locator("#runs-chosen [role=option]", has_text=job[-4:]).click()
    page.locator("#runs-chosen input").press("Escape")
    expect(page.locator("#table-runs")).to_contain_text("stopped early")
    expect(page.locator("#section-runs .gtitle", has_text="Bits per byte, target")).to_be_visible()


def planned(page: Any) -> None:
    section(page, "training", "Recipes")
    expect(page.locator("#recipes-about")).to_contain_text("LEP")
    page.click("#recipes-plan")
    expect(page.locator("#table-plan")).to_contain_text("train align")
    expect(page.locator("#recipes-plan-note")).to_contain_text("steps to run")
