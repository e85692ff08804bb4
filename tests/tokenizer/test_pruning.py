"""The laws of leaf pruning, for any list of merges and on tiny bases of all kinds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, processors

from workbench.progress import Progress
from workbench.tokenizer import Optimization, optimize
from workbench.tokenizer.base import Base
from workbench.tokenizer.compacting import compact, follow, named
from workbench.tokenizer.pruning import Pruner, must_stay, unreachable
from workbench.tokenizer.reducing import firing, merge

from .conftest import ENGLISH, RUSSIAN, byte_level

REFERENCE = ENGLISH[:6] + RUSSIAN[:2]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])


@pytest.fixture(scope="module", params=["byte-level", "ignore_merges", "sentencepiece"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@st.composite
def free_bpe(draw: st.DrawFn) -> Tokenizer:
    """A BPE over a, b and c with every split of every token as a merge, in an order of its own: many tokens dead, late merges reviving early ones."""
    words = draw(st.lists(st.text("abc", min_size=2, max_size=5), unique=True, max_size=14))
    vocab = {token: i for i, token in enumerate(["a", "b", "c", *words])}
    splits = [(w[:cut], w[cut:]) for w in words for cut in range(1, len(w)) if w[:cut] in vocab and w[cut:] in vocab]
    return Tokenizer(models.BPE(vocab, draw(st.permutations(splits))))


@quick
@given(backend=free_bpe(), text=st.text("abc", max_size=24))
def test_only_the_merges_that_make_a_token_of_its_own_string_ever_fire(backend: Tokenizer, text: str) -> None:
    base = Base(backend)
    pairs = firing(base)
    vocab = base.spec["model"]["vocab"]
    shown = {i: token for token, i in vocab.items()}
    assert {i for i in vocab.values() if len(shown[i]) > 1} - pairs.keys() == {i for i in vocab.values() if base.cut(shown[i]) != [i]}
    fewer = models.BPE(vocab, [(shown[left], shown[right]) for left, right in pairs.values()])
    assert [t.id for t in fewer.tokenize(text)] == base.cut(text)
    ranks = {pair: (rank, i) for rank, (i, pair) in enumerate(pairs.items())}
    assert merge([vocab[letter] for letter in text], ranks)[0] == base.cut(text)


@quick
@given(backend=free_bpe(), text=st.text("abc", max_size=24), data=st.data())
def test_text_without_a_dropped_token_keeps_its_encoding_whatever_the_merges(backend: Tokenizer, text: str, data: st.DataObject) -> None:
    base = Base(backend)
    pruner = Pruner(base, data.draw(st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 9))), frozenset(range(3)))
    pruner.prune(data.draw(st.integers(0, base.rows - len(pruner.stays))), Progress())
    after, id_map = compact(base, pruner.merges(), pruner.gone)
    before = base.cut(text)
    assume(not pruner.gone & set(before))
    assert Base(after).cut(text) == id_map[before].tolist() if before else not Base(after).cut(text)


def test_counts_are_always_those_of_the_remaining_vocabulary(bases: dict, name: str) -> None:
    base = Base(bases[name].backend_tokenizer)
    counts, _ = base.count(REFERENCE, Progress())
    pruner = Pruner(base, counts, must_stay(base, frozenset()))
    for many in (5, 20, 30):
        pruner.prune(many, Progress())
        after, id_map = compact(base, pruner.merges(), pruner.gone)
        real = np.zeros(len(id_map), dtype=int)
        new = Base(after)
        for word, count in counts.items():
            vocab = new.spec["model"]["vocab"]
            for i in [vocab[word]] if new.ignore_merges and word in vocab else new.cut(word):
                real[i] += count
        may_go = [i for i in range(len(id_map)) if i not in pruner.stays and i not in pruner.gone]
        assert [pruner.counts[i] for i in may_go] == real[id_map[may_go]].tolist()
        assert not any(pruner.counts[i] for i in pruner.gone)


def test_tokens_nothing_can_reach_go_first_but_not_words_that_are_looked_up_whole() -> None:
    kinds = {ignore: byte_level(True) for ignore in (True, False)}
    old = json.loads(kinds[False].to_str())
    old["model"]["ignore_merges"] = False
    kinds[False] = Tokenizer.from_str(json.dumps(old))
    words = {"Ġvillage", "Ġbridge"}
    found = {ignore: unreachable(base := Base(backend)) & {base.spec["model"]["vocab"][w] for w in words} for ignore, backend in kinds.items()}
    assert found[True] == frozenset()
    assert len(found[False]) == 2
    texts = ["The village bridge"] * 3
    keep = 365
    assert words <= optimize(kinds[True], texts, [], Optimization(keep=keep, new_tokens=0)).tokenizer.get_vocab().keys()
    pruned = optimize(kinds[False], texts, [], Optimization(keep=keep, new_tokens=0))
    assert not words & pruned.tokenizer.get_vocab().keys()
    assert (pruned.report.unreachable_before, pruned.report.dead) == (3, 0)


def test_post_processors_of_all_kinds_follow() -> None:
    id_map = np.array([-1, 3, 4])
    kinds = [
        processors.BertProcessing(("[SEP]", 1), ("[CLS]", 2)),
        processors.RobertaProcessing(("</s>", 1), ("<s>", 2)),
        processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1), ("<s>", 2)]),
        processors.Sequence([processors.ByteLevel(), processors.BertProcessing(("[SEP]", 1), ("[CLS]", 2))]),
    ]
    for processor in kinds:
        part = json.loads(processor.__getstate__())
        assert sorted(named(part)) == [1, 2]
        follow(part, id_map)
        assert sorted(named(part)) == [3, 4]
    assert named(None) == []


def test_the_padding_follows_and_may_not_go() -> None:
    backend = byte_level(False)
    token = backend.id_to_token(350)
    backend.enable_padding(pad_id=350, pad_token=token)
    base = Base(backend)
    assert 350 in must_stay(base, frozenset())
    after, _ = compact(base, [], {300, 301})
    assert after.padding["pad_id"] == after.token_to_id(token) == 348


@pytest.mark.parametrize(("byte_fallback", "stays"), [(True, {"▁", "a"}), (False, {"▁", "a", "м"})])
def test_characters_that_bytes_cannot_spell_stay(byte_fallback: bool, stays: set[str]) -> None:
    vocab = {f"<0x{b:02X}>": b for b in range(256)} | {token: 256 + n for n, token in enumerate(("▁", "a", "м", "▁a"))}
    base = Base(Tokenizer(models.BPE(vocab, [("▁", "a")], byte_fallback=byte_fallback)))
    assert must_stay(base, frozenset()) == set(range(256)) | {vocab[token] for token in stays}
