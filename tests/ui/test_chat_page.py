"""The Chat page with clicks in a real browser: three languages, both sides at once, a blind vote, and the link that opens it all again."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clicking import BROWSER, PICTURES, expect, go, number, picture, section

QUESTIONS = {"en": "Where does Martin live?", "ru": "Где живёт Мартин?", "fa": "خرس کجا زندگی می\u200cکند؟"}
# How often each side's growing reply was seen to change, and when: a reply may be over before this process can look.
WATCH = """(stop) => {
  window.seen = { a: [], b: [] };
  window.watching?.forEach((each) => each.disconnect());
  window.watching = ['a', 'b'].map((side) => {
    let last = '';
    const watch = new MutationObserver(() => {
      const text = document.querySelector(`#talk-${side} .writing`)?.innerText ?? '';
      if (text && text !== last) { last = text; seen[side].push(performance.now()); }
      const button = document.querySelector('#stop-a');
      if (stop && side === 'a' && seen.a.length >= 2 && seen.b.length && !button.disabled) { stop = false; button.click(); }
    });
    watch.observe(document.querySelector(`#talk-${side}`), { childList: true, subtree: true, characterData: true });
    return watch;
  });
}"""

pytestmark = BROWSER


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two chat models that share their layers and never end a reply by themselves; nothing hangs on what they say."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from workbench.refs import locate

    place = tmp_path_factory.mktemp("pair")
    tokenizer = AutoTokenizer.from_pretrained(locate("demo:en-chat"))
    shape = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6, "num_attention_heads": 4, "max_position_embeddings": 16384}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **shape))
        mute = [i for i in range(len(tokenizer)) if not tokenizer.decode([i], skip_special_tokens=True).strip(" \n\ufffd")]
        with torch.no_grad():  # what ends a reply or shows nothing is never the likeliest token: its logit is 0
            model.lm_head.weight[mute] = 0.0
    for name in ("one", "two"):
        model.save_pretrained(place / name)
        tokenizer.save_pretrained(place / name)
    file = place / "two" / "model.safetensors"
    tensors = load_file(file)
    save_file(tensors | {"model.embed_tokens.weight": tensors["model.embed_tokens.weight"].flip(0)}, file, metadata={"format": "pt"})
    return {"a": str(place / "one"), "b": str(place / "two")}


def choose(page: Any, pair: dict[str, str]) -> None:
    for side, model in pair.items():
        page.locator(f"#model-{side} input").fill(model)
        page.locator(f"#model-{side} input").press("Enter")
        expect(page.locator(f"#model-{side} input")).to_have_value(model)


def ask(page: Any, question: str, turn: int, stop: bool = False) -> None:
    """Ask and wait for both replies; `stop`: stop side A once both are seen to grow."""
    page.evaluate(WATCH, stop)
    page.locator("#question textarea").fill(question)
    page.locator("#question textarea").press("Enter")
    if stop:  # side A, while B goes on; then B as well, by the keyboard
        expect(page.locator("#talk-a .stamp")).to_have_count(turn)
        expect(page.locator("#talk-a .stamp").last).to_contain_text("stopped")
        expect(page.locator("#talk-b .writing")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("#talk-b .stamp").last).to_contain_text("stopped")
    for side in "ab":
        expect(page.locator(f"#talk-{side} .stamp")).to_have_count(turn)


def test_three_languages_a_stop_a_blind_vote_and_a_link(page: Any, address: str, pair: dict[str, str], tmp_path: Path) -> None:
    go(page, "Chat")
    choose(page, pair)

    for turn, (language, question) in enumerate(QUESTIONS.items(), 1):
        number(page, "#page-chat", "Max tokens", 6000 if language == "ru" else 120)
        ask(page, question, turn, stop=language == "ru")
        if language == "ru":  # the long one: a short reply may be there as a whole at the first look of a busy browser
            assert all(len(times) >= 2 for times in page.evaluate("seen").values()), "both sides are seen to grow"
        way = page.locator("#talk-a .turn.user").last.evaluate("turn => getComputedStyle(turn).direction")
        assert way == ("rtl" if language == "fa" else "ltr")
    prints = [page.locator(f"#talk-{side} .stamp .badge").first.inner_text() for side in "ab"]
    assert prints[0] != prints[1]
    page.locator("#talk-b [data-do=tokens]").last.click()
    expect(page.locator("#token-view .choice")).to_have_count(120)
    page.locator("#token-view .choice").nth(3).hover()
    expect(page.locator("#token-view .choice").nth(3).locator("table.others tr")).to_have_count(5)
    expect(page.locator("#token-view .chip-row")).to_have_count(3)
    picture(page, "7-chat-talk")

    page.locator("#talk-a [data-do=edit]").nth(1).click()
    expect(page.locator("#question textarea")).to_have_value(QUESTIONS["ru"])
    page.locator("#question textarea").fill("Кто живёт в лесу?")
    page.locator("#question textarea").press("Enter")
    for side in "ab":
        expect(page.locator(f"#talk-{side} .stamp")).to_have_count(2)  # the third turn is gone
        expect(page.locator(f"#talk-{side} .turn.user").last).to_have_text("Кто живёт в лесу?")
    page.click("#regenerate")
    expect(page.get_by_test_id("toast-body").first).to_contain_text("At temperature 0")

    page.locator("#blind input").check()
    page.click("#fresh")
    ask(page, QUESTIONS["fa"], 1)
    for side in "ab":
        expect(page.locator(f"#talk-{side} .stamp")).not_to_contain_text("weights")
        expect(page.locator("#chat-talks")).not_to_contain_text("/one")
    picture(page, "7-chat-blind")
    page.click("#vote-a")
    expect(page.locator("#said")).to_contain_text("A is better")
    page.click("#reveal")
    for side in "ab":
        expect(page.locator(f"#talk-{side} .stamp")).to_contain_text("weights")
    names = page.locator("#chat-talks .side-title").all_inner_texts()
    assert {re.search(r"(one|two)\s*$", name)[1] for name in names[:2]} == {"one", "two"}
    with page.expect_download() as saved:
        page.click("#chat-markdown")
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert QUESTIONS["fa"] in text
    assert "Vote: A" in text

    link = page.locator("#chat-link a").get_attribute("href")
    said = [page.locator(f"#talk-{side} .assistant").inner_text() for side in "ab"]
    page.goto(address + link)
    for side, before in zip("ab", said, strict=True):
        expect(page.locator(f"#talk-{side} .assistant")).to_have_text(before)
    expect(page.locator("#page-chat")).to_be_visible()
    expect(page.locator("#said")).to_contain_text("A is better")
    section(page, "chat", "Votes")
    expect(page.locator("#table-votes")).to_contain_text("two")
    picture(page, "7-chat-votes")


def test_a_prompt_set_is_asked_as_a_job(page: Any, pair: dict[str, str], tmp_path: Path) -> None:
    from clicking import run

    go(page, "Chat")
    section(page, "chat", "Prompt sets")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": "one"}\n{"question": "two"}\n', encoding="utf-8")
    page.locator("#upload-prompts input[type=file]").set_input_files(str(bad))
    expect(page.get_by_test_id("toast-body").first).to_contain_text("Row 2 of bad.jsonl")
    good = tmp_path / "good.txt"
    good.write_text("\n".join(QUESTIONS.values()), encoding="utf-8")
    page.locator("#upload-prompts button[aria-label*=emove], #upload-prompts button[aria-label*=lear]").first.click()
    page.locator("#upload-prompts input[type=file]").set_input_files(str(good))
    expect(page.locator("#prompts-read")).to_contain_text("3 prompts were read")
    for model in pair.values():
        page.locator("#chat-batch-models input").fill(model)
        page.locator("#chat-batch-models input").press("Enter")
    number(page, "#section-sets", "Max tokens", 5)
    run(page, "chat-batch")
    expect(page.locator("#batch-summary")).to_contain_text("3 prompts")
    expect(page.locator("#table-batch-replies")).to_contain_text(QUESTIONS["ru"])
    with page.expect_download() as saved:
        page.click("#replies-llm-comparator")
    import json

    assert len(json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))["examples"]) == 3
    picture(page, "7-chat-sets")
    if PICTURES:
        for dark in (True, False):
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
            picture(page, f"7-chat-sets-{'dark' if dark else 'light'}")
