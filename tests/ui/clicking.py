"""What browser tests share: where Chromium is, and the few things one does on every page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PICTURES = os.environ.get("WORKBENCH_PICTURES")  # a folder for screenshots of every page
BROWSER = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium was found; install it to run the browser tests")]

# Whether a new job has ended, or the app has refused to begin one and said so.
ENDED = """([slug, before, toasts]) => {
  const job = document.querySelector(`#status-${slug} .job.done, #status-${slug} .job.failed`);
  return job && job.dataset.job !== before || document.querySelectorAll('[data-testid=toast-body]').length > toasts;
}"""

expect = playwright.expect
expect.set_options(timeout=120_000)


def go(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()
    expect(page.locator(f"#page-{name.lower()}")).to_be_visible()


def section(page: Any, of: str, name: str) -> None:
    """One of the tabs within a page."""
    page.locator(f"#{of}-sections").get_by_role("tab", name=name, exact=True).click()


def picture(page: Any, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(1_500)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


def looks(page: Any, noun: str, sections: Sequence[str]) -> None:
    """Every section of a page, light and dark, wide and narrow, for whoever looks at the pictures."""
    for dark in (False, True):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
        for width in (1280, 768):
            page.set_viewport_size({"width": width, "height": 900})
            if width < 800 and page.locator("#sidebar.open .toggle-button").count():  # it covers a narrow page
                page.locator("#sidebar.open .toggle-button").click()
            for name in sections:
                section(page, noun, name)
                picture(page, f"{noun}-{name.split()[0].lower()}-{width}-{'dark' if dark else 'light'}")


def run(page: Any, slug: str, seconds: float = 300) -> str:
    """Press a run button and wait until the job it started is done; returns the job's id."""
    box = page.locator(f"#status-{slug} .job")
    before = box.get_attribute("data-job") if box.count() else ""
    toasts = page.get_by_test_id("toast-body").count()
    expect(page.locator(f"#run-{slug}")).to_be_enabled()
    page.locator(f"#run-{slug}").click()
    page.wait_for_function(ENDED, arg=[slug, before or "", toasts], timeout=seconds * 1000, polling=200)
    said = [*box.all_inner_texts(), *page.get_by_test_id("toast-body").all_inner_texts()]
    made = box.get_attribute("data-job") if page.locator(f"#status-{slug} .job.done").count() else None
    assert made not in (None, before), said
    return made


def number(page: Any, within: str, label: str, value: object) -> None:
    page.locator(within).get_by_label(label, exact=True).first.fill(str(value))
