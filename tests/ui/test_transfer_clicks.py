"""The Transfer page with clicks in a real browser: a card, a preview, a transfer, why a vector is what it is, a race, and whether three models fit for LEP."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER, PICTURES, expect, go, looks, picture, run, section

pytestmark = BROWSER


def test_methods_race_and_explain_themselves(page: Any) -> None:
    go(page, "Transfer")
    expect(page.locator("#transfer-result")).to_contain_text("Tokenizer page")  # an empty state says what to do
    go(page, "Tokenizer")
    page.locator("#tokenizer-extend-new_tokens").locator("textarea, input").fill("200")
    page.click("#load-demo")
    expect(page.locator("#chain")).to_contain_text("demo:en-base")
    expect(page.locator("#tokenizer-extend-base input")).to_have_value("demo:en-base")
    expect(page.locator("#tokenizer-extend-new_tokens").locator("textarea, input")).to_have_value("200")  # typed before the demo's 2000 came
    run(page, "tokenizer-extend")
    go(page, "Transfer")
    expect(page.locator("#transfer-tokenizer input")).to_have_value(re.compile("tokenizer-"))
    transfer(page)
    why(page)
    race(page)
    lep(page)


def transfer(page: Any) -> None:
    cards = page.locator("#method-cards [data-method]")
    expect(cards).to_have_count(10)
    expect(page.locator("#method-cards [aria-checked=true]")).to_have_text(re.compile("^subtokens"))
    page.locator("#method-cards [data-method=salt]").press("Enter")  # the keyboard does as well
    expect(page.locator("#transfer-salt-donor input")).to_have_value("demo:ru-plm")
    expect(page.locator("#method-cards [aria-checked=true]")).to_have_text(re.compile("^salt"))
    donor = page.locator("#transfer-salt-donor input")
    donor.fill("")
    donor.blur()
    expect(page.locator("#method-needs")).to_contain_text("salt needs a donor")
    page.click("#run-transfer")
    expect(page.get_by_test_id("toast-body").first).to_contain_text("fill in Donor")
    donor.fill("demo:ru-plm")
    donor.blur()
    expect(page.locator("#method-needs .note")).to_have_count(0)
    vectors = page.locator("#transfer-salt-vectors input")
    expect(vectors).to_have_value("demo:ru")
    vectors.fill("")  # learning them takes a while; the donor's own space does not
    vectors.blur()
    page.click("#preview-transfer")
    expect(page.locator("#preview-result")).to_contain_text("200 new")
    picture(page, "transfer-cards")
    run(page, "transfer")
    expect(page.locator("#transfer-result")).to_contain_text("Σ|c|, median")
    expect(page.locator("#section-methods .gtitle", has_text="Source tokens")).to_be_visible()
    expect(page.locator("#table-transfer-report")).to_contain_text("residual")
    expect(page.locator("#section-methods .gtitle", has_text="Hidden shared tokens")).to_be_visible()
    picture(page, "transfer-done")


def why(page: Any) -> None:
    section(page, "transfer", "Why this vector?")
    expect(page.locator("#why-model input")).to_have_value(re.compile("model-"))
    page.locator("#why-token input").click()
    page.locator("#why-token [role=option]", has_text="#1600").first.click()  # a new token, offered
    expect(page.locator("#why-result .portrait")).to_contain_text("#1600")
    expect(page.locator("#why-result .chip").nth(3)).to_be_visible()
    expect(page.locator("#section-why .gtitle", has_text="Weights")).to_be_visible()
    expect(page.locator("#table-neighbours")).to_contain_text("kept")
    page.locator("#why-token input").fill("#80")
    page.click("#why-ask")
    expect(page.locator("#why-result")).to_contain_text("copied from the source")
    picture(page, "transfer-why")


def race(page: Any) -> None:
    section(page, "transfer", "Race")
    expect(page.locator("#race-donor input")).to_have_value("demo:ru-plm")
    expect(page.locator("#race-methods .token")).to_have_count(3)
    expect(page.locator("#race-vectors").locator("textarea, input")).to_have_value("demo:ru")  # learning them takes a while: here without
    for field, value in (("vectors", ""), ("steps", "0, 2, 4")):
        page.locator(f"#race-{field}").locator("textarea, input").fill(value)
        page.locator(f"#race-{field}").locator("textarea, input").blur()
    page.locator("#race-seeds input[type=number]").fill("1")
    page.locator("#race-documents input").fill("5")
    run(page, "race")
    for title in ("Step 0", "Convergence"):
        expect(page.locator("#section-race .gtitle", has_text=title)).to_be_visible()
    expect(page.locator("#table-race")).to_contain_text("original")
    expect(page.locator("#race-result")).to_contain_text("At step 0")
    picture(page, "transfer-race")


def lep(page: Any) -> None:
    section(page, "transfer", "LEP")
    expect(page.locator("#lep-adapted input")).to_have_value(re.compile("model-"))
    page.click("#check-lep")
    expect(page.locator("#lep-check")).to_contain_text("The three models fit each other")
    expect(page.locator("#table-lep-models")).to_contain_text("instruct")
    run(page, "lep")
    expect(page.locator("#lep-result")).to_contain_text("held-out rows")
    expect(page.locator("#section-lep .gtitle", has_text="R²")).to_be_visible()
    picture(page, "transfer-lep")
    if PICTURES:
        looks(page, "transfer", ("Methods", "Race", "LEP", "Why this vector?"))
