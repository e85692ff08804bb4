"""A running app and a browser on it, for the tests that click."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# The numbers of a line on the Training page, as plotly drew them.
DRAWN = """window.drawn = (name) => [...document.querySelectorAll("#page-training .js-plotly-plot")]
  .flatMap((figure) => figure.data ?? []).filter((line) => line.name === name).flatMap((line) => [...(line.y?._inputArray ?? line.y)])"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app-home")


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    from served import served

    with served(home, {}) as where:
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from clicking import CHROMIUM, FLAGS, playwright

    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A fresh tab on the app. Afterwards: no page error, and nothing was asked of any other machine."""
    from clicking import expect

    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(120_000)
    errors: list[str] = []
    outside: list[str] = []
    console: list[str] = []
    opened.on("console", lambda message: console.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda r: outside.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    opened.add_init_script(DRAWN)
    opened.goto(address)
    opened.wait_for_selector("#run-recipe")
    expect(opened.locator("#machine")).to_contain_text("GiB")  # the first look at the home folder has come back,
    opened.wait_for_selector(".made-by .code", state="attached")  # and what it offers is in the fields
    yield opened
    print("said by the page:", opened.get_by_test_id("toast-body").all_inner_texts(), console)  # shown where the test fails
    opened.close()
    assert errors == []
    assert outside == []
