"""The Spaces page with clicks in a real browser: draw, before and after, a point, a lasso, a file, search, UMAP stopped."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER, PICTURES, expect, go, picture, run

pytestmark = BROWSER
# Where the points of a row are in the window, by plotly's own scales.
PLACE = """(row) => {
  const plot = document.querySelector('.space-plot');
  plot.scrollIntoView({ block: 'center', behavior: 'instant' });
  const trace = plot._fullData.find((t) => t.customdata && Array.from(t.customdata).includes(row));
  const n = Array.from(trace.customdata).indexOf(row);
  const [xa, ya] = [plot._fullLayout[trace.xaxis === 'x' ? 'xaxis' : 'xaxis' + trace.xaxis.slice(1)],
                    plot._fullLayout[trace.yaxis === 'y' ? 'yaxis' : 'yaxis' + trace.yaxis.slice(1)]];
  const box = plot.getBoundingClientRect();
  return [box.left + xa._offset + xa.l2p(trace.x[n]), box.top + ya._offset + ya.l2p(trace.y[n])];
}"""
DRAWN = """(n) => {
  const plot = document.querySelector('.space-plot');
  return plot?.data && plot.data.some((t) => t.customdata) && plot._fullLayout._subplots.cartesian.length === n;
}"""


def test_spaces_are_drawn_asked_and_chosen_from(page: Any) -> None:
    go(page, "Spaces")
    expect(page.locator("#spaces-note")).to_contain_text("Load the demo")
    page.click("#load-demo")
    expect(page.locator("#spaces-project-spaces .token")).to_have_count(1)
    go(page, "Tokenizer")
    new_tokens = page.locator("#tokenizer-extend-new_tokens").locator("textarea, input")
    expect(new_tokens).to_have_value("2000")  # the demo's, so that it does not come later
    new_tokens.fill("300")
    run(page, "tokenizer-extend")
    go(page, "Transfer")
    expect(page.locator("#transfer-tokenizer input")).to_have_value(re.compile("tokenizer-"))
    run(page, "transfer")
    go(page, "Spaces")
    expect(page.locator("#spaces-project-spaces .token")).to_have_count(2)
    page.click("#draw-spaces")
    page.wait_for_function(DRAWN, arg=2)
    expect(page.locator("#space-caption")).to_contain_text("Distances in a picture are not distances in the space")
    expect(page.locator("#space-numbers")).to_contain_text("cosine of translations, after")
    expect(page.locator("#table-space-numbers")).to_contain_text("translations, cosine before")
    picture(page, "spaces-drawn")
    looks_different(page)
    point(page)
    lasso(page)
    if PICTURES:
        everywhere(page)


def looks_different(page: Any) -> None:
    """Before and after: one pane with the other's points."""
    for name, panes in (("before", 1), ("after", 1), ("side by side", 2)):
        page.locator("#space-view").get_by_label(name, exact=True).check()
        page.wait_for_function(DRAWN, arg=panes)
    page.wait_for_function("document.querySelector('.space-plot').data.some((t) => t.name === 'new')")
    page.locator("#space-view").get_by_label("before", exact=True).check()
    page.wait_for_function("!document.querySelector('.space-plot').data.some((t) => t.name === 'new')")  # the first space has none
    page.locator("#space-view").get_by_label("after", exact=True).check()
    page.wait_for_function("document.querySelector('.space-plot').data.some((t) => t.name === 'new')")


def point(page: Any) -> None:
    """A search marks a token; a click on it tells its way through both spaces."""
    page.locator(".space-search").fill("red")
    expect(page.locator(".space-said")).to_contain_text("with “red”")
    row = page.evaluate("""() => {
      const t = document.querySelector('.space-plot').data.find((t) => t.customdata && t.text.some((x) => x.includes('red')));
      return (t.customdata._inputArray ?? t.customdata)[t.text.findIndex((x) => x.includes('red'))];
    }""")
    x, y = page.evaluate(PLACE, row)
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    life = page.locator("#space-life")
    expect(life).to_contain_text("Nearest in")
    expect(life).to_contain_text("Cosine with the stage before")
    expect(life.locator(".chip").nth(10)).to_be_visible()


def lasso(page: Any) -> None:
    """Points within a lasso are listed, and the file has all of them."""
    import pandas

    page.locator(".space-search").fill("")
    page.evaluate("document.querySelector('.space-plot').scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = page.locator(".space-plot .nsewdrag").first.bounding_box()
    left, top, right, bottom = box["x"] + 5, box["y"] + 5, box["x"] + box["width"] - 5, box["y"] + box["height"] - 5
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 8)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator("#space-selection")).to_contain_text("points chosen")
    expect(page.locator("#table-chosen-points")).to_contain_text("kept")
    count = int(page.locator("#space-selection b").inner_text().replace(",", ""))
    assert count > 500
    with page.expect_download() as given:
        page.locator("[data-file=csv]").click()
    listed = pandas.read_csv(given.value.path(), encoding="utf-8-sig", keep_default_na=False)
    assert list(listed)[:4] == ["token", "id", "space_name", "state"]
    assert len(listed) == count
    with page.expect_download() as given:
        page.locator("[data-file=parquet]").click()
    assert {"x", "y", "token", "neighbors"} <= set(pandas.read_parquet(given.value.path()))


def everywhere(page: Any) -> None:
    """Light and dark, wide and narrow, for whoever looks at the pictures."""
    page.locator("#space-view").get_by_label("side by side", exact=True).check()
    for dark in (False, True):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
        for width in (1280, 768):
            page.set_viewport_size({"width": width, "height": 900})
            if width < 800 and page.locator("#sidebar.open .toggle-button").count():
                page.locator("#sidebar.open .toggle-button").click()
            picture(page, f"spaces-{width}-{'dark' if dark else 'light'}")
