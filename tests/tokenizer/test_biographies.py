"""The life of a token: every token of every kind has one, and its tree spells it."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, models

from workbench.errors import WorkbenchError
from workbench.tokenizer import biography, extend
from workbench.tokenizer.engines import Node
from workbench.tokenizer.extension import Extension
from workbench.tokenizer.tracing import Tracer
from workbench.vocab import Vocabulary

from .conftest import RUSSIAN


def leaves(node: Node) -> list[int]:
    return [i for part in node.parts for i in leaves(part)] or [node.piece.id]


def test_every_token_has_one_and_its_tree_spells_it(base: Any) -> None:
    tracer = Tracer(base)
    found = [biography(tracer, i) for i in tracer.tokens]
    assert {life.made for life in found} >= {"alphabet", "merged", "special"}
    for life in found:
        assert (life.rank is not None) == (life.made == "merged")
        assert life.tree is None or "".join(tracer.tokens[i] for i in leaves(life.tree)) == life.token
        assert life.made != "unreachable" or base.backend_tokenizer.model.ignore_merges
        assert "\ufffd" not in life.shown
        if life.kind == "text" and life.word_start:
            assert life.bytes[:1] == b" "


def test_what_only_ignore_merges_reaches_is_called_unreachable(bases: dict) -> None:
    assert biography(bases["ignore_merges"], " village").made == "unreachable"
    assert biography(bases["byte-level"], "<think>").made == "added"
    assert biography(bases["sentencepiece"], "<0xD0>").made == "byte"


def test_a_new_token_knows_what_it_was_and_how_often_it_is_used(base: Any) -> None:
    made = extend(base, RUSSIAN, Extension(new_tokens=40, script="Cyrillic")).tokenizer
    old, tracer = Vocabulary(base), Tracer(made)
    life = biography(tracer, Vocabulary(base).size + 30, base, RUSSIAN)
    assert life.before.id is None
    assert b"".join(bytes([*b" " * old.identity(p.id).word_start, *old.identity(p.id).bytes]) for p in life.before.pieces) == life.bytes
    assert life.scripts == ("Cyrillic",)
    ids = [i for text in RUSSIAN for i in made.backend_tokenizer.encode(text, add_special_tokens=False).ids]
    assert (life.usage.count, life.usage.tokens, life.usage.documents) == (ids.count(life.id), len(ids), len(RUSSIAN))
    same = biography(tracer, 300, base)
    assert same.before.id == 300
    assert [piece.id for piece in same.before.pieces] == [300]


def test_what_a_token_is_used_in_is_made_of_it(base: Any) -> None:
    tracer = Tracer(base)
    for i in tracer.tokens:
        life = biography(tracer, i)
        assert life.used_in_count >= len(life.used_in)
        for longer in life.used_in:
            assert any(i in pair and product == longer.id for pair, (_, product) in tracer.engine.merges.items())
    used = {piece.id for i in tracer.tokens for piece in biography(tracer, i).used_in}
    assert used == {product for _, product in tracer.engine.merges.values()}


def test_a_unigram_token_has_a_score_and_a_wordpiece_none() -> None:
    life = biography(Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("▁a", -1.5), ("ab", -3.0)], 0)), " a")
    assert (life.made, life.score, life.tree) == ("score", -1.5, None)
    life = biography(Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("ab", -3.0)], 0)), 1)
    assert [piece.shown for piece in life.used_in] == ["ab"]
    assert biography(Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")), "a").made == "listed"


def test_bad_input_is_one_sentence(bases: dict) -> None:
    with pytest.raises(WorkbenchError, match="no token 99999"):
        biography(bases["byte-level"], 99999)
    with pytest.raises(WorkbenchError, match="several texts"):
        biography(bases["byte-level"], 300, texts="one text")
