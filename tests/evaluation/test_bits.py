"""Bits per byte against sums written out by hand."""

from __future__ import annotations

import math

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.errors import WorkbenchError
from workbench.evaluation.bits import bits_per_byte, cut
from workbench.tokenizer import load

TEXTS = ["the bear lives in the forest", "лиса видит медведя, " * 6, "a", "الثعلب"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    folder = tiny.folder(tmp_path_factory.mktemp("model"))
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight.mul_(30)  # far from uniform
    return model.eval(), load(folder)


def direct(model: LlamaForCausalLM, ids: list[int], context: int, stride: int) -> float:
    """Token after token, each in the window in which it is scored."""
    total = 0.0
    for n in range(1, len(ids)):
        start = next(s for s in range(0, len(ids), stride) if s + context >= n)
        start = min(start, max(len(ids) - context - 1, 0))  # the last window is full
        with torch.no_grad():
            logits = model(torch.tensor([ids[start:n]])).logits[0, -1].double()
        total -= float(torch.log_softmax(logits, -1)[ids[n]]) / math.log(2)
    return total


@pytest.mark.parametrize(("context", "stride", "batch_size"), [(64, 32, 3), (16, 4, 1), (16, 15, 8), (16, 16, 2)])
def test_it_equals_a_direct_computation(pair, context: int, stride: int, batch_size: int) -> None:
    model, tokens = pair
    found = bits_per_byte(model, tokens, TEXTS, context=context, stride=stride, batch_size=batch_size)
    ids = [[tokens.bos_token_id, *tokens(t, add_special_tokens=False)["input_ids"]] for t in TEXTS]
    assert found.bits == pytest.approx(sum(direct(model, i, context, stride) for i in ids), rel=1e-4)
    assert found.bytes == sum(len(t.encode()) for t in TEXTS)
    assert found.tokens == sum(len(i) - 1 for i in ids)
    assert found.n == 4
    assert found.low <= found.bits_per_byte <= found.high


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_windows_score_every_token_once(length: int, context: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, context))
    ids, scored = list(range(length)), []
    for window, first in cut(ids, context, stride):
        assert 1 <= first < len(window) <= context + 1
        assert not scored or first > context - stride
        scored += window[first:]
    assert scored == ids[1:]


def test_without_a_start_mark_the_first_token_does_not_count(pair) -> None:
    model, tokens = pair
    bare = PreTrainedTokenizerFast(tokenizer_object=tokens.backend_tokenizer, eos_token="</s>")
    framed = bits_per_byte(model, bare, ["the bear"])
    assert framed.bytes == 8
    bare = PreTrainedTokenizerFast(tokenizer_object=tokens.backend_tokenizer)
    first, *rest = bare("the bear")["input_ids"]
    found = bits_per_byte(model, bare, ["the bear"])
    assert found.bytes == 8 - len(bare.decode([first]))
    assert found.tokens == len(rest)


def test_what_cannot_be_measured_is_said(pair) -> None:
    model, tokens = pair
    with pytest.raises(WorkbenchError, match="no text to measure"):
        bits_per_byte(model, tokens, [])
    with pytest.raises(WorkbenchError, match="no text to measure"):
        bits_per_byte(model, tokens, ["", ""])
    with pytest.raises(WorkbenchError, match="a stride up to it"):
        bits_per_byte(model, tokens, TEXTS, context=8, stride=9)
    with pytest.raises(WorkbenchError, match="more than the 64 tokens"):
        bits_per_byte(model, tokens, TEXTS, context=65)


def test_equal_documents_leave_no_doubt(pair) -> None:
    found = bits_per_byte(*pair, [TEXTS[0]] * 5)
    assert found.low == pytest.approx(found.high)
