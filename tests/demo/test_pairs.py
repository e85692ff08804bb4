"""Made-up languages ask only what they have said, and a deepened model computes what the shallow one did."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.demo.growing import deepened
from workbench.demo.pairs import ASKED, DEEP, SHALLOW, Difficulty, ordinary, pairs
from workbench.training.data import IGNORE

FIRST = [1]
VOCABULARY = range(7, 400)


@given(
    how=st.builds(Difficulty, words=st.sampled_from([0, 60]), kinds=st.booleans(), length=st.integers(1, 3), gap=st.integers(0, 3)),
    seed=st.integers(0, 99),
)
def test_every_answer_was_said_after_the_same_words(how: Difficulty, seed: int) -> None:
    for document in islice(pairs(VOCABULARY, FIRST, how, seed), 3):
        begun = next(n for n, label in enumerate(document.labels) if label != IGNORE)
        runs = [n for n, label in enumerate(document.labels) if label != IGNORE and document.labels[n - 1] == IGNORE]
        assert document.ids[:1] == FIRST
        assert all(label in (IGNORE, token) for token, label in zip(document.ids, document.labels, strict=True))
        assert 1 <= len(runs) <= ASKED
        said = "," + ",".join(map(str, document.ids[:begun]))
        for run in runs:
            end = next((n for n in range(run, len(document.labels)) if document.labels[n] == IGNORE), len(document.labels))
            if how.gap == 0 and how.length == 1:  # a bare pair: the key stands right before its value, both times
                assert f",{document.ids[run - 1]},{document.ids[run]}" in said
            else:
                assert "," + ",".join(map(str, document.ids[run:end])) in said + ","


def test_the_same_seed_makes_the_same_language() -> None:
    how = DEEP[-1][1]
    takes = [[d.ids for d in islice(pairs(VOCABULARY, FIRST, how, *of), 20)] for of in ((0,), (0, "train"), (0, "validation"), (1,))]
    assert takes[0] == takes[1]
    assert takes[0] != takes[2]
    assert takes[0] != takes[3]


def test_a_larger_vocabulary_keeps_the_words_and_kinds_of_a_smaller_one() -> None:
    def kinds(words: int) -> tuple[set[int], set[int]]:
        made = islice(pairs(VOCABULARY, FIRST, Difficulty(words, kinds=True), 0), 400)
        said = [d.ids[1 : next(n for n, label in enumerate(d.labels) if label != IGNORE) - 1] for d in made]
        return {i for ids in said for i in ids[::2]}, {i for ids in said for i in ids[1::2]}

    small, large = kinds(20), kinds(40)
    assert [len(kind) for kind in (*small, *large)] == [10, 10, 20, 20]
    assert small[0] < large[0]
    assert small[1] < large[1]
    assert not large[0] & large[1]


def test_stages_grow_harder() -> None:
    once = DEEP[: len(DEEP) // 2]
    size = [(-(how.words or 10**6), how.kinds, -how.length, -how.gap) for _, how in [*SHALLOW, *once]]
    assert size == sorted(size, reverse=True)
    assert once * 2 == DEEP


def test_special_tokens_are_no_words() -> None:
    from workbench.demo.tokenizers import base_tokenizer

    tokenizer = base_tokenizer(size=600, scale=0.05)
    assert ordinary(tokenizer) == list(range(7, 600))


@pytest.mark.parametrize("tied", [True, False])
def test_a_deepened_model_says_the_same_and_can_learn(tied: bool) -> None:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=60, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=8,
        tie_word_embeddings=tied,
    )  # fmt: skip
    shallow = Qwen3ForCausalLM(config).eval()
    deep = deepened(shallow, 5).eval()
    ids = torch.arange(20).unsqueeze(0)
    assert deep.config.num_hidden_layers == len(deep.model.layers) == 5
    assert torch.equal(shallow(ids).logits, deep(ids).logits)
    deep(ids, labels=ids).loss.backward()
    assert all(layer.self_attn.o_proj.weight.grad.abs().sum() > 0 for layer in deep.model.layers)
    assert (deep.get_input_embeddings().weight is deep.get_output_embeddings().weight) is tied
