"""Leaf pruning of real vocabularies."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from workbench.tokenizer import Optimization, load, optimize, save
from workbench.tokenizer.base import Base
from workbench.tokenizer.compacting import compact
from workbench.tokenizer.reducing import firing

from .test_real import CODE, encode, per_word

pytestmark = pytest.mark.real
SLOW = ("mistral", "gpt2", "qwen", "llama3")
each_base = pytest.mark.parametrize("name", ["llama2", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])


@each_base
def test_the_merges_that_never_fire_can_go(real_tokenizers: dict, flores: dict, name: str) -> None:
    base = Base(real_tokenizers[name].backend_tokenizer)
    if name == "llama2":  # as transformers converts it: every split of every piece
        vocab = base.spec["model"]["vocab"]
        order = sorted(vocab, key=vocab.__getitem__)
        base.spec["model"]["merges"] = [[t[:cut], t[cut:]] for t in order for cut in range(1, len(t)) if t[:cut] in vocab and t[cut:] in vocab]
        assert len(base.spec["model"]["merges"]) > 61_000
        base = Base(compact(base, [(vocab[left], vocab[right]) for left, right in base.spec["model"]["merges"]], ())[0])
    pairs = firing(base)
    fewer, id_map = compact(base, list(pairs.values()), ())
    assert id_map.tolist() == list(range(base.rows))
    for texts in (*flores.values(), CODE):
        before, after = ([e.ids for e in backend.encode_batch(texts, add_special_tokens=False)] for backend in (base.backend, fewer))
        assert after == before


@each_base
@pytest.mark.parametrize("score", ["frequency", pytest.param("learned", marks=pytest.mark.slow)])
def test_half_a_vocabulary(real_tokenizers: dict, flores: dict, name: str, score: str, tmp_path: Path) -> None:
    base = real_tokenizers[name]
    options = Optimization(score=score, new_tokens=500, script="Cyrillic")
    made = optimize(base, [*flores["en"], *flores["ru"], *CODE], flores["ru"], options)
    print(made.report)
    assert (made.report.kept, made.report.new, made.report.dead) == (len(base) // 2, 500, 0)
    kept = np.flatnonzero(made.id_map >= 0)
    assert made.id_map[kept].tolist() == list(range(len(base) // 2))
    again = load(save(made.tokenizer, tmp_path))
    assert again.convert_ids_to_tokens(range(len(kept))) == base.convert_ids_to_tokens(kept.tolist())
    for token in base.all_special_tokens:
        assert again.convert_tokens_to_ids(token) == made.id_map[base.convert_tokens_to_ids(token)]
    assert per_word(again, flores["ru"]) < per_word(base, flores["ru"])
    assert again.decode(again.encode("Hello, мир"), skip_special_tokens=True) == base.decode(base.encode("Hello, мир"), skip_special_tokens=True)
    texts = list(chain.from_iterable(flores.values()))
    for text, before, after in zip(texts, encode(base, texts), encode(again, texts), strict=True):
        if base.decode(before) == text:
            assert again.decode(after) == text


@each_base
def test_text_without_a_dropped_token_keeps_its_encoding(real_tokenizers: dict, flores: dict, name: str) -> None:
    base = real_tokenizers[name]
    made = optimize(base, flores["en"], [], Optimization(keep=len(base) // 3, new_tokens=0))
    words = sorted({word for text in chain(flores["en"], flores["fi"], flores["ru"], flores["ko"]) for word in text.split()})
    before, after = encode(base, words), encode(made.tokenizer, words)
    same = [(made.id_map[ids] >= 0).all() for ids in before]
    assert 0.1 < np.mean(same) < 0.9
    assert all(made.id_map[old].tolist() == new for old, new, untouched in zip(before, after, same, strict=True) if untouched)
