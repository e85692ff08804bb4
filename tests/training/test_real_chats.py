"""Real tokenizers on real instructions and pairs: what carries loss is the reply, letter by letter, and its end."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from workbench.corpus import open_parallel
from workbench.tokenizer import load
from workbench.training.conversations import Conversations, end_ids, with_template
from workbench.training.data import IGNORE, chats, render
from workbench.training.feeds import PAIR, pairs_feed

pytestmark = pytest.mark.real
LARGE = ("mistral-v3.model", "llama3.tiktoken", "qwen.tiktoken")
TOKENIZERS = ("llama2.model", "gpt2-vocab.json", *(pytest.param(large, marks=pytest.mark.slow) for large in LARGE))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_replies_and_their_ends_are_learnt_and_prompts_are_what_is_asked(real_data: Path, name: str) -> None:
    tokens = load(real_data / "tokenizers" / name)
    tokens.chat_template = None
    assert with_template(tokens)
    assert end_ids(tokens) == [tokens.eos_token_id]
    talks = list(islice(Conversations([str(real_data / "instr" / "alpaca_en_demo.jsonl")]).train, 150))
    talks += list(islice(Conversations([str(real_data / "persian_tasks" / "fa_multiple_choice.jsonl")]).train, 50))
    for talk, document in zip(talks, chats(tokens, talks), strict=True):
        asked = render(tokens, talk[:1], True)
        assert document.ids[: len(asked)] == asked
        learnt = tokens.decode([i for i in document.labels if i != IGNORE])
        assert learnt.strip() == (talk[1]["content"] + tokens.eos_token).strip()


def test_pairs_keep_the_joiners_of_persian(real_data: Path) -> None:
    tokens = load(real_data / "tokenizers" / "llama3.tiktoken")
    pairs = open_parallel(real_data / "parallel" / "flores_sib200.tsv", "en", "fa")
    found = [tokens.decode(d.ids, skip_special_tokens=True) for d in pairs_feed(tokens, pairs, PAIR, 1).documents(0)]
    both = {f"en: {a}\nfa: {b}" for a, b in pairs.train} | {f"fa: {b}\nen: {a}" for a, b in pairs.train}
    assert set(found) <= both
    assert sum("\u200c" in text for text in found) > len(found) / 2
