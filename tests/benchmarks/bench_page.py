"""From an edit in a form to its code, in a page on which six forms have been edited: fields that come as one input against fields that come one by one.

    python -m tests.benchmarks.bench_page [--rounds 10]

Prints one JSON row: seconds of each (medians), and the ratio gathered / one by one of a round. Both apps are served by this process, and looked at in one
browser, each in a page of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from .timing import paired

sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))
FIELDS = {
    "Corpus": "corpus-limit", "Tokenizer": "tokenizer-extend-new_tokens", "Fertility": "fertility-limit", "Spaces": "spaces-project-sample",
    "Training": "train-steps", "Evaluation": "scorecard-documents",
}  # fmt: skip


def one_by_one(_shell: Any, triggers: Any, function: Callable[..., Any], inputs: Sequence[Any], outputs: Any, **options: Any) -> Any:
    """What `Shell.gather` would be without it."""
    import gradio as gr

    return (triggers if callable(triggers) else partial(gr.on, triggers))(function, list(inputs), outputs, **options)


@contextmanager
def app(plain: bool) -> Iterator[str]:
    """The address of an app."""
    from served import free_port

    from workbench.ui.app import launch
    from workbench.ui.shell import Shell

    gather, port = Shell.gather, free_port()
    Shell.gather = one_by_one if plain else gather
    try:
        blocks = launch(port=port, block=False)
    finally:
        Shell.gather = gather
    yield f"http://127.0.0.1:{port}/"
    blocks.close(verbose=False)


def used(browser: Any, address: str) -> Any:
    """A page on which a field of each of these forms was edited."""
    from clicking import expect, go

    page = browser.new_page()
    page.goto(address)
    page.click("#load-demo")
    expect(page.locator("#chain")).to_contain_text("demo:en-base")
    for name, field in FIELDS.items():
        go(page, name)
        write(page, field, 250)
        page.wait_for_timeout(2_000)  # a form that lacks something has no code that would tell
    go(page, "Tokenizer")
    return page


def write(page: Any, field: str, value: int) -> None:
    box = page.locator(f"#{field}").locator("textarea, input").first
    box.fill(str(value))
    box.blur()  # a text box that was not typed in tells of it when it is left


def edit(page: Any, values: Iterator[int]) -> None:
    from clicking import expect

    value = next(values)
    write(page, FIELDS["Tokenizer"], value)
    expect(page.locator("#page-tokenizer .made-by .code", has_text=f"new_tokens={value}")).to_have_count(1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        os.environ["WORKBENCH_HOME"] = home
        from clicking import CHROMIUM, FLAGS, playwright

        with app(True) as first, app(False) as second, playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            values = count(300)
            works = {name: partial(edit, used(browser, where), values) for name, where in (("one_by_one", first), ("gathered", second))}
            print(json.dumps({"benchmark": "page", **paired(works, rounds), "load": round(os.getloadavg()[0], 1)}), flush=True)
            browser.close()


if __name__ == "__main__":
    main()
