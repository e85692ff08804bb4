"""The first journey with clicks in a real browser, offline: what a teacher would do in front of a class."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER, expect, go, number, picture, run, section

QUESTION = "Анна живёт в Москве. Мартин живёт в Париже. Где живёт Мартин?"
CLOCK = re.compile("component_server")
# A reply may be over before this process can look: Esc is pressed in the page, once a side can be stopped.
ESCAPE = """() => {
  const button = document.querySelector("#stop-a");
  const press = () => button.disabled || document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  new MutationObserver(press).observe(button, { attributes: true });
}"""

pytestmark = BROWSER


@pytest.mark.timeout(1500)  # eight jobs one after the other: 160 s beside one training, over 600 s seen where many processes shared two cores
def test_the_first_journey_with_clicks(page: Any) -> None:
    picture(page, "1-start-empty")
    page.click("#load-demo")
    expect(page.locator("#chain")).to_contain_text("demo:en-base")
    expect(page.locator("#journey li.next")).to_contain_text("Tokenizer")

    go(page, "Tokenizer")
    expect(page.locator("#tokenizer-extend-new_tokens").locator("textarea, input")).to_have_value("2000")  # the demo's, so that it does not come later
    page.locator("#tokenizer-extend-new_tokens").locator("textarea, input").fill("200")
    run(page, "tokenizer-extend")
    expect(page.locator("#chain")).to_contain_text("tokenizer-")
    expect(page.locator("#table-new-tokens")).to_be_visible()
    expect(page.locator("#tokenizer-result")).to_contain_text("dead")
    picture(page, "3-tokenizer-make")
    look_inside(page)

    go(page, "Fertility")
    page.locator("#fertility-limit textarea, #fertility-limit input").first.fill("200")
    run(page, "fertility")
    expect(page.locator("#fertility-note")).to_contain_text("fewer tokens")
    expect(page.locator("#page-fertility .js-plotly-plot").first).to_be_visible()
    assert page.locator("text=Share chart").count() == 0
    expect(page.locator("#table-consequences")).to_contain_text("words per window")
    page.locator("#histogram-kind").get_by_label("script of vocabulary").check()
    expect(page.locator("#page-fertility .gtitle", has_text="Script of vocabulary")).to_be_visible()
    number(page, "#page-fertility", "New tokens", 250)
    run(page, "fertility-sweep")
    expect(page.locator("#sweep-note")).to_contain_text("knee")
    expect(page.locator("#table-vocabulary-sizes")).to_contain_text("1536")  # the base itself is the first row
    picture(page, "4-fertility")

    go(page, "Transfer")
    page.click("#preview-transfer")
    expect(page.locator("#preview-result")).to_contain_text("kept")
    run(page, "transfer")
    expect(page.locator("#transfer-result")).to_contain_text("subtokens")
    section(page, "transfer", "Why this vector?")
    expect(page.locator("#why-model input")).not_to_have_value("")  # what was made is offered a moment later
    page.locator("#why-token input").fill("#1600")
    page.click("#why-ask")
    expect(page.locator("#why-result")).to_contain_text("=")
    picture(page, "5-transfer")

    go(page, "Training")
    number(page, "#page-training", "Steps", 30)
    number(page, "#page-training", "Batch size", 8)
    number(page, "#page-training", "Block", 64)
    page.locator("#page-training").get_by_role("button", name=re.compile("^Advanced")).first.click()
    number(page, "#page-training", "Eval every", 10)
    number(page, "#page-training", "Eval documents", 10)
    run(page, "train")
    for name in ("target", "source"):  # drawn from the live events at steps 0, 10, 20, and the result's last one
        page.wait_for_function("name => drawn(name).length >= 4", arg=name)
    target = page.evaluate("drawn('target')")
    assert target[-1] < target[0]
    expect(page.locator("#samples tr").nth(1)).to_be_visible()
    expect(page.locator("#chain li.there")).to_have_count(5)
    picture(page, "6-training")

    go(page, "Transfer")
    section(page, "transfer", "LEP")
    trained_model = page.locator("#chain li.there").nth(4).get_attribute("title")
    expect(page.locator("#lep-adapted input")).to_have_value(re.compile(trained_model))  # the offer comes a moment after the chain
    run(page, "lep")
    expect(page.locator("#lep-result")).to_contain_text("conversion")
    expect(page.locator("#chain li.there")).to_have_count(6)

    go(page, "Training")
    section(page, "training", "Measure")
    number(page, "#page-training", "Documents", 20)
    run(page, "evaluate")
    said = page.locator("#evaluation-note .note").first
    expect(said).to_contain_text("bits per byte")
    _, untrained, trained = map(float, re.findall(r"(\d+\.\d+) for", said.inner_text()))
    assert trained < untrained
    picture(page, "6-training-measured")

    chat(page)
    go(page, "Start")
    expect(page.locator("#journey li.there")).to_have_count(5)
    picture(page, "1-start")
    go(page, "Artefacts")
    expect(page.locator("#artefact-about")).to_contain_text("Where it comes from")
    picture(page, "8-artefacts")


def look_inside(page: Any) -> None:
    """The other sections of the Tokenizer page: chips and their stories, the vocabulary, and the steps."""
    section(page, "tokenizer", "Explore")
    expect(page.locator("#explore-chips .chip-row")).to_have_count(2)
    expect(page.locator("#explore-chips .chip.new").first).to_be_visible()
    page.locator("#explore-text textarea").fill("Мартин <b>жив</b>ёт в Париже 🐻 ё")
    expect(page.locator("#explore-chips")).to_contain_text("<")  # shown, not interpreted
    assert page.locator("#explore-chips .chip b").count() == 0
    assert "\ufffd" not in page.locator("#explore-chips").inner_text()
    page.locator("#explore-chips .chip.new").first.click()
    expect(page.locator("#explore-life")).to_contain_text("new; was")
    page.locator("#explore-chips .chip").nth(3).press("Enter")  # the keyboard does as well
    expect(page.locator("#explore-life")).not_to_contain_text("new; was")
    page.locator("#explore-text textarea").fill("خرس می\u200cخوابد.")
    expect(page.locator("#explore-chips .chips[dir=rtl]")).to_have_count(2)
    first, second = (page.locator("#explore-chips .chip").nth(n).bounding_box()["x"] for n in (0, 1))
    assert first > second  # from the right
    picture(page, "3-tokenizer")

    section(page, "tokenizer", "Vocabulary")
    expect(page.locator("#vocabulary-summary")).to_contain_text("200 new")
    page.locator("#vocabulary-state").get_by_label("new", exact=True).click()
    expect(page.locator("#vocabulary-summary")).to_contain_text(": 200 tokens fit")
    page.locator("#table-vocabulary [data-testid=cell-0-0]").click()
    expect(page.locator("#vocabulary-life")).to_contain_text("new; was")
    picture(page, "3-tokenizer-vocabulary")

    section(page, "tokenizer", "Step through")
    expect(page.locator("#trace-steps .joining").first).to_be_visible()
    picture(page, "3-tokenizer-steps")


def chat(page: Any) -> None:
    """Both sides answer, with different weights; the adapted one writes more characters with a token."""
    go(page, "Chat")
    expect(page.locator("#model-b input")).not_to_have_value("")
    number(page, "#page-chat", "Max tokens", 24)
    page.locator("#question textarea").fill(QUESTION)
    page.locator("#question textarea").press("Enter")
    for side in "ab":
        expect(page.locator(f"#talk-{side} .stamp")).to_contain_text("weights")
        expect(page.locator(f"#talk-{side} .stamp")).to_contain_text(re.compile("ended by itself|cut at the limit"))
    prints = [page.locator(f"#talk-{side} .stamp .badge").first.inner_text() for side in "ab"]
    assert prints[0] != prints[1]
    stamps = [page.locator(f"#talk-{side} .stamp").inner_text() for side in "ab"]
    original, adapted = (int(n) / int(t) for t, n in (re.search(r"(\d+) tokens, (\d+) characters", stamp).groups() for stamp in stamps))
    assert adapted > original
    picture(page, "7-chat")


def test_a_reply_is_stopped_by_the_keyboard(page: Any, tmp_path: Path) -> None:
    page.click("#load-demo")
    expect(page.locator("#chain")).to_contain_text("demo:en-base")
    go(page, "Chat")
    for side, model in (("a", str(slow(tmp_path / "slow"))), ("b", "demo:en-chat")):
        page.locator(f"#model-{side} input").fill(model)
        page.locator(f"#model-{side} input").press("Enter")
        expect(page.locator(f"#model-{side} input")).to_have_value(model)
    number(page, "#page-chat", "Max tokens", 400)
    page.evaluate(ESCAPE)
    page.locator("#question textarea").fill(QUESTION)
    page.locator("#question textarea").press("Enter")
    for side in "ab":
        expect(page.locator(f"#talk-{side} .stamp")).to_contain_text(re.compile("stopped|ended by itself|cut at the limit"))
    expect(page.locator("#talk-a .stamp")).to_contain_text("stopped")


def slow(folder: Path) -> Path:
    """A chat model of 100 M parameters that were never trained: its replies do not end by themselves, and last until a key arrives."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from workbench.refs import locate

    tokenizer = AutoTokenizer.from_pretrained(locate("demo:en-chat"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=1024, intermediate_size=2816, num_hidden_layers=8, num_attention_heads=16, max_position_embeddings=512
        )
        model = LlamaForCausalLM(config)
        with torch.no_grad():  # a mark that ends a reply is never the likeliest token: its logit is 0
            model.lm_head.weight[tokenizer.all_special_ids] = 0.0
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_uploads_become_a_corpus_with_pairs(page: Any, tmp_path: Path) -> None:
    text = tmp_path / "bears.txt"
    text.write_text("".join(f"Медведь номер {n} живёт в лесу.\n" for n in range(80)) + "Медведь номер 1 живёт в лесу.\n", encoding="utf-8")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("en\tru\n" + "".join(f"Bear {n}\tМедведь {n}\n" for n in range(30)), encoding="utf-8")
    go(page, "Corpus")
    page.locator("#upload-text input[type=file]").set_input_files(str(text))
    expect(page.locator("#page-corpus")).to_contain_text("bears.txt")
    expect(page.locator("#corpus-source")).to_contain_text("bears.txt")
    page.locator("#upload-pairs input[type=file]").set_input_files(str(pairs))
    expect(page.locator("#corpus-parallel input")).to_have_value(re.compile("pairs.tsv"))
    run(page, "corpus")
    expect(page.locator("#corpus-summary")).to_contain_text("81")
    expect(page.locator("#corpus-summary")).to_contain_text("repeat an earlier one")
    expect(page.locator("#table-documents")).to_contain_text("Медведь")
    expect(page.locator("#table-pairs")).to_contain_text("Bear 0")
    picture(page, "2-corpus")


def test_an_upload_before_the_first_offer_stays(browser: Any, address: str, page: Any, tmp_path: Path) -> None:
    """What the home folder offers comes a moment after the page, and with it the code, which says what the fields hold."""
    page.click("#load-demo")
    expect(page.locator("#chain")).to_contain_text("demo:en-base")
    text = tmp_path / "early.txt"
    text.write_text("Медведь живёт в лесу.\n" * 3, encoding="utf-8")
    late = browser.new_page()
    held: list[Any] = []
    late.route(CLOCK, lambda route: held.append(route))  # the clock's first look does not come back yet
    late.goto(address)
    go(late, "Corpus")
    late.locator("#upload-text input[type=file]").set_input_files(str(text))
    expect(late.locator("#page-corpus .made-by .code")).to_contain_text("early.txt")
    assert held
    late.unroute(CLOCK)  # and now it does
    expect(late.locator("#chain")).to_contain_text("demo:en-base")
    expect(late.locator("#corpus-parallel input")).to_have_value("demo:en-ru")  # a field that nobody touched follows the offer
    expect(late.locator("#corpus-source")).to_contain_text("early.txt")
    expect(late.locator("#page-corpus .made-by .code")).to_contain_text("demo:en-ru")
    expect(late.locator("#page-corpus .made-by .code")).to_contain_text("early.txt")
    late.close()


def test_a_mistake_is_one_sentence(page: Any) -> None:
    go(page, "Transfer")
    section(page, "transfer", "Why this vector?")
    page.locator("#why-token input").fill("слово")
    field = page.locator("#why-model input")
    field.fill("no-such-model")
    field.press("Enter")
    page.click("#why-ask")
    toast = page.get_by_test_id("toast-body").first
    expect(toast).to_contain_text("no-such-model")
    assert "Traceback" not in toast.inner_text()
