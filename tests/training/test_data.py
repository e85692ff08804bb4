"""Blocks: nothing leaks, nothing is lost, loss only where it belongs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import WorkbenchError
from workbench.tokenizer import load
from workbench.training.data import IGNORE, SEEING, Document, answers, chats, collate, mix, pack, padded, plain, repeat, shuffled


def whole(*lengths: int) -> list[Document]:
    return [Document(ids := [100 * n + i for i in range(length)], list(ids)) for n, length in enumerate(lengths, 1)]


def used(block: dict[str, list[int]]) -> list[int]:
    return [i for i in block["input_ids"] if i]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("model"), chat=True)


@given(st.lists(st.integers(1, 30), max_size=40))
def test_whole_documents_stay_whole_and_none_is_lost(lengths: list[int]) -> None:
    blocks = list(pack(whole(*lengths), 32, pad=0))
    assert all(len(b[key]) == 32 for b in blocks for key in b)
    starts = [(b, n) for b in blocks for n, p in enumerate(b["position_ids"]) if p == 0 and b["input_ids"][n]]
    assert sorted(b["input_ids"][n] // 100 for b, n in starts) == list(range(1, len(lengths) + 1))
    for block, n in starts:
        length = lengths[block["input_ids"][n] // 100 - 1]
        assert block["input_ids"][n : n + length] == [block["input_ids"][n] + i for i in range(length)]
        assert block["labels"][n] == IGNORE
        assert block["labels"][n + 1 : n + length] == block["input_ids"][n + 1 : n + length]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=10))
def test_running_text_is_cut_but_complete_and_in_order(lengths: list[int]) -> None:
    documents = [Document(d.ids, d.labels, whole=False) for d in whole(*lengths)]
    blocks = list(pack(documents, 16, pad=0))
    assert [i for b in blocks for i in used(b)] == [i for d in documents for i in d.ids]


@given(st.lists(st.integers(1, 90), max_size=80), st.booleans())
def test_documents_longer_than_a_block_are_cut_and_all_others_follow(lengths: list[int], alone: bool) -> None:
    blocks = list(pack(whole(*lengths), 32, pad=0, alone=alone))
    starts = [b["input_ids"][n] // 100 for b in blocks for n, p in enumerate(b["position_ids"]) if p == 0 and b["input_ids"][n]]
    assert sorted(starts) == list(range(1, len(lengths) + 1))
    assert not alone or len(blocks) == len(lengths)


KINDS = {
    "llama": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 8},
    "phi": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    "gemma": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4}, "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "alibi": True},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4}, "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48},
    "opt": {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
}  # fmt: skip


APART_SINCE = {"falcon": "5.24"}  # releases of transformers: 5.23 lets documents of Falcon with ALiBi see each other


@pytest.mark.parametrize("kind", KINDS)
def test_documents_share_a_block_only_where_the_model_keeps_them_apart(kind: str) -> None:
    import transformers
    from packaging.version import Version
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"vocab_size": 200, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes, **KINDS[kind])).eval()
    one, other = ([Document(list(range(n, n + 9)), [0] * 9), Document(list(range(100, 110)), [0] * 10)] for n in (10, 30))
    with torch.no_grad():
        first, second = (model(**collate([*pack(ds, 24, 0)]), use_cache=False).logits[0, 9:19] for ds in (one, other))
    lately = kind in APART_SINCE and Version(transformers.__version__) >= Version(APART_SINCE[kind])
    assert torch.allclose(first, second, atol=1e-6) == (kind not in SEEING or lately)


def test_a_document_does_not_see_its_neighbours(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    documents = [[5 * n + i for i in range(length)] for n, length in enumerate((9, 11, 10), 1)]
    one = [Document(ids, ids) for ids in documents]
    other = [Document(ids := [i + 7 for i in documents[0]], ids), *one[1:]]
    with torch.no_grad():
        first, second = (model(**collate([*pack(ds, 32, 0)]), use_cache=False).logits[0] for ds in (one, other))
    assert not torch.allclose(first[:9], second[:9])
    assert torch.equal(first[9:30], second[9:30])


def test_only_answers_carry_loss(folder: Path) -> None:
    tokens = load(folder)
    (document,) = answers(tokens, [[("who lives?\n", False), ("the bear", True), ("\n", True)]])
    said = tokens("the bear")["input_ids"] + tokens("\n")["input_ids"] + [tokens.eos_token_id]
    assert [i for i in document.labels if i != IGNORE] == said
    assert document.ids[0] == tokens.bos_token_id
    assert len(document.ids) == len(document.labels)


def test_only_the_replies_of_a_chat_carry_loss(folder: Path) -> None:
    tokens = load(folder)
    turns = [("user", "who?"), ("assistant", "the bear"), ("user", "where?"), ("assistant", "in the house")]
    (document,) = chats(tokens, [[{"role": r, "content": c} for r, c in turns]])
    assert tokens.decode([i for i in document.labels if i != IGNORE]) == "the bear</s>in the house</s>"
    assert all(b in (a, IGNORE) for a, b in zip(document.ids, document.labels, strict=True))


def test_a_chat_needs_a_template_that_only_appends(tmp_path: Path) -> None:
    tokens = load(tiny.tokenizer(tmp_path))
    talk = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2]
    with pytest.raises(WorkbenchError, match="no chat template"):
        next(chats(tokens, talk))
    tokens.chat_template = "{{ messages | length }}" + tiny.TEMPLATE
    with pytest.raises(WorkbenchError, match="changes earlier turns"):
        next(chats(tokens, talk))


def test_plain_text_is_framed(folder: Path) -> None:
    tokens = load(folder)
    (document,) = plain(tokens, ["the fox"])
    assert tokens.decode(document.ids) == "<s>the fox</s>"
    assert document.labels == document.ids


def test_mixing_and_shuffling_follow_the_seed_alone() -> None:
    def draw(seed: int) -> list[int]:
        return list(islice(mix([iter([1] * 500), iter([2] * 500)], [0.8, 0.2], seed), 400))

    assert draw(1) == draw(1) != draw(2)
    assert 40 < draw(1).count(2) < 120
    assert list(shuffled(range(100), 3, 10)) == list(shuffled(range(100), 3, 10)) != list(shuffled(range(100), 4, 10))
    assert sorted(shuffled(range(100), 3, 10)) == list(range(100))


def test_an_empty_text_is_said_to_be_empty() -> None:
    assert list(islice(repeat(lambda epoch: iter([epoch])), 3)) == [0, 1, 2]
    with pytest.raises(WorkbenchError, match="empty"):
        next(repeat(lambda _: iter([])))


@given(st.lists(st.integers(2, 40), max_size=30), st.booleans(), st.integers(1, 3))
def test_padding_is_what_no_document_fills(lengths: list[int], alone: bool, each: int) -> None:
    blocks = list(pack(whole(*lengths), 32, pad=7, alone=alone))
    found = sum(padded(collate(blocks[n : n + each])) for n in range(0, len(blocks), each))
    assert found == 32 * len(blocks) - sum(min(length, 32) for length in lengths)
    assert padded({"input_ids": torch.full((1, 4), 7), "labels": torch.full((1, 4), IGNORE)}) == 0
