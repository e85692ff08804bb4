"""Chips, traces and biographies as HTML: whatever the text, nothing in it is markup, and its direction is its own."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from workbench import chiphtml, tracehtml
from workbench.tokenizer import biography, load
from workbench.tokenizer.tracing import STATES, Tracer

PARTS = st.sampled_from(["<b>", "&amp;", '"', "'", "медведь", "خرس", "می\u200cکند", "👩‍👩‍👧", "\u202e", "\u0301", "\n", " ", "</span>"])
TEXT = st.lists(PARTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=8).map("".join)
ALLOWED = {"div", "span", "bdi", "i", "b", "br", "h5", "small", "table", "tr", "td", "th", "details", "summary", "p", "ul", "li"}


class Reader(HTMLParser):
    """Collects the tags and the text of chips."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "bdi" in self.open:
            self.said.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert reader.tags <= ALLOWED
    assert "\ufffd" not in html
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08]", html)
    return reader


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(tiny.tokenizer(tmp_path_factory.mktemp("tiny"), 100, tiny.ENGLISH + tiny.RUSSIAN))


@settings(max_examples=150, deadline=None)
@given(text=TEXT)
def test_a_row_says_every_token_and_no_markup(tokenizer: Any, text: str) -> None:
    html = chiphtml.row("<title>", tokenizer, text, under="bytes", number=3)
    reader = read(html)
    ids = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    assert list(map(int, re.findall(r'data-id="(\d+)"', html))) == ids
    assert html.count("<small>") == len(ids)
    assert reader.said[0] == "<title>"


@settings(max_examples=100, deadline=None)
@given(text=TEXT)
def test_traces_of_every_model_have_no_markup_of_the_text(tokenizer: Any, text: str) -> None:
    for each in (tokenizer, *others()):
        read(tracehtml.trace_html(Tracer(each).trace(text)))


def others() -> list[Tokenizer]:
    unigram = models.Unigram([("<unk>", 0.0), ("<b>", -1.0), ("ме", -2.0), ("м", -3.0), ("е", -3.0), ("&", -2.0), ("\u202e", -2.0)], 0)
    return [Tokenizer(unigram), Tokenizer(models.WordPiece({"[UNK]": 0, "<": 1, "##b": 2, "##>": 3, "\u202e": 4}, unk_token="[UNK]"))]


def test_every_biography_is_whole(tokenizer: Any) -> None:
    tracer = Tracer(tokenizer)
    for i in tracer.tokens:
        read(tracehtml.biography_html(biography(tracer, i, texts=["медведь"]), {"<extra>": "<i>"}, click=True))
    for each in others():
        for i in range(each.get_vocab_size()):
            read(tracehtml.biography_html(biography(each, i)))


def test_direction_is_that_of_the_first_letter() -> None:
    assert chiphtml.direction("خرس bear") == "rtl"
    assert chiphtml.direction("12 ⟨D0⟩ bear خرس") == "ltr"
    assert chiphtml.direction("«…» 12 שלום") == "rtl"
    assert chiphtml.direction("") == "ltr"


def test_new_tokens_and_parts_of_characters_are_marked(tokenizer: Any) -> None:
    html = chiphtml.row("x", tokenizer, "the 熊", known=frozenset())
    assert html.count('class="chip c') == html.count(' new" title=') == 5
    assert "bytes" in chiphtml.row("x", tokenizer, "熊")
    assert "new" not in chiphtml.row("x", tokenizer, "<s>", known=frozenset())


def test_a_bracket_that_was_written_is_no_part_of_a_character(tokenizer: Any) -> None:
    made = Tokenizer(models.BPE({"⟨": 0, "D": 1, "0": 2, "⟩": 3}, []))
    assert "bytes" not in tracehtml.trace_html(Tracer(made).trace("⟨D0⟩"))
    assert "bytes" in tracehtml.trace_html(Tracer(tokenizer).trace("熊"))


def test_a_long_word_is_drawn_around_what_is_merged_next() -> None:
    made = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    text = "ab" * 500
    trace = Tracer(made).trace(text)
    html = tracehtml.trace_html(trace)
    assert trace.ids == made.encode(text).ids
    assert html.count("chip") < STATES * (tracehtml.WIDTH + 3)
    assert "… 960 more" in html
    many = tracehtml.trace_html(Tracer(words_of(made)).trace(f"{'ab' * 30} " * 12))
    assert many.count("chip") < 1.2 * tracehtml.DRAWN
    assert "Only the steps of the first" in many
    assert html.count("joining") == 2 * (STATES - 1)  # the pair to be merged is always in sight


def words_of(made: Tokenizer) -> Tokenizer:
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def test_the_cost_has_no_words_where_the_script_has_none() -> None:
    assert chiphtml.cost("two words", 4) == "4 tokens, 2.00 per word, 2.2 bytes per token"
    assert chiphtml.cost("吾輩は猫である", 1) == "1 token, 21.0 bytes per token"
    assert chiphtml.cost("", 0) == "0 tokens"


def test_the_stylesheet_is_there() -> None:
    assert ".chip.new" in chiphtml.css()
    assert (Path(chiphtml.__file__).parent / "chips.css").is_file()
