"""What two vocabularies share: by kind, by rule, by script."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models

from workbench.errors import WorkbenchError
from workbench.overlap import RULES, collisions, group, groups
from workbench.tokenizer import load
from workbench.tokenizer.loading import wrap
from workbench.vocab import Identity, Vocabulary, overlap

WORDS = st.lists(st.text("aAäÄбБ▁ﬁ1¹é" + "e\u0301", min_size=1, max_size=4), unique=True, max_size=25)


def vocabulary(words: list[str]) -> Vocabulary:
    return Vocabulary(wrap(tokenizers.Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, [])), {}))


def text(v: Vocabulary, i: int) -> str:
    return v.identity(i).bytes.decode()


@settings(deadline=None)
@given(WORDS, WORDS, st.sampled_from(RULES))
def test_rules_pair_each_token_once_and_a_looser_rule_changes_nothing_that_a_stricter_one_did(first: list[str], second: list[str], match: str) -> None:
    a, b = vocabulary(first), vocabulary(second)
    found = overlap(a, b, match)
    ids = [j for pairs in (found.pairs, *found.loose.values()) for _, j in pairs.tolist()]
    assert len(set(ids)) == len(ids)
    assert list(found.by_rule) == list(RULES[: RULES.index(match) + 1])
    assert found.by_rule["exact"] == len(overlap(a, b))
    stricter = overlap(a, b, RULES[max(RULES.index(match) - 1, 0)])
    assert all((stricter.loose[rule] == found.loose[rule]).all() for rule in stricter.loose)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_what_a_rule_pairs_has_in_common_what_the_rule_says_and_nothing_is_left_that_it_could_pair(first: list[str], second: list[str]) -> None:
    a, b = vocabulary(first), vocabulary(second)
    found = overlap(a, b, "word_start")
    for i, j in found.loose["nfc"].tolist():
        assert unicodedata.normalize("NFC", text(a, i)) == unicodedata.normalize("NFC", text(b, j))
        assert a.identity(i).word_start == b.identity(j).word_start
    for rule in ("nfkc", "case", "word_start"):
        for i, j in found.loose[rule].tolist():
            assert folded(text(a, i)) == folded(text(b, j))
            assert rule == "word_start" or a.identity(i).word_start == b.identity(j).word_start
    paired = {j for pairs in (found.pairs, *found.loose.values()) for _, j in pairs.tolist()}
    known = {folded(text(a, i)) for i in a.tokens if text(a, i)}
    assert not {j for j in b.tokens if folded(text(b, j)) in known} - paired


def folded(word: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())


def test_the_stricter_rule_comes_first_and_one_source_token_may_serve_several() -> None:
    a, b = vocabulary(["▁haus", "haus", "ﬁn", "é"]), vocabulary(["▁Haus", "HAUS", "fin", "e\u0301", "haus", "▁fin"])
    found = overlap(a, b, "word_start")
    assert found.text.tolist() == [[1, 4]]
    assert {rule: pairs.tolist() for rule, pairs in found.loose.items()} == {
        "nfc": [[3, 3]], "nfkc": [[2, 2]], "case": [[0, 0], [1, 1]], "word_start": [[2, 5]],
    }  # fmt: skip
    assert found.by_rule == {"exact": 1, "nfc": 1, "nfkc": 1, "case": 2, "word_start": 1}
    with pytest.raises(WorkbenchError, match=r"no rule 'word-start'.*word_start"):
        overlap(a, b, "word-start")


@pytest.mark.parametrize(
    ("identity", "wanted"),
    [
        (("text", True, "мир".encode()), "Cyrillic"), (("text", False, b"12"), "digits"), (("text", False, "12-й".encode()), "Cyrillic"),
        (("text", True, b"--"), "punctuation"), (("text", True, b""), "spaces"), (("text", False, b"\n\n"), "spaces"), (("text", False, b"\xd0"), "bytes"),
        (("byte", False, b"a"), "bytes"), (("special", False, b"<s>"), "special"), (("text", False, "熊".encode() + b"\xe7"), "Han"),
    ],
)  # fmt: skip
def test_every_token_is_counted_once_where_it_belongs(identity: tuple, wanted: str) -> None:
    assert group(Identity(*identity)) == wanted


def test_ids_that_no_token_has_are_unused() -> None:
    assert groups(Vocabulary(wrap(tokenizers.Tokenizer(models.BPE({"a": 0, "c": 2}, [])), {})), range(3)) == ["Latin", "unused", "Latin"]


def test_collisions_are_listed_with_their_ids_and_how_each_is_written() -> None:
    assert collisions(vocabulary(["x", "a b", "a▁b"])) == [{"token": "a␣b", "ids": [1, 2], "written": ["a b", "a▁b"]}]
    assert collisions(vocabulary(["x"])) == []


@pytest.mark.real
def test_real_overlaps_by_kind_script_and_rule(real_data: Path) -> None:
    v = {name: Vocabulary(load(real_data / "tokenizers" / f"{name}.model")) for name in ("llama2", "darulm-ru-32k-bpe", "darulm-ru-32k-unigram")}
    for name, total in (("darulm-ru-32k-bpe", 9443), ("darulm-ru-32k-unigram", 8162)):
        found = overlap(v["llama2"], v[name], "case")
        assert found.by_kind == {"text": total - 259, "byte": 256, "special": 3}
        assert found.by_rule["exact"] == len(found) == total
        assert found.by_rule["case"] > 500
        counted = Counter(groups(v[name], found.pairs[:, 1].tolist()))
        assert (counted["bytes"], counted["special"], counted.total()) == (256, 3, total)
        assert counted["Latin"] + counted["Cyrillic"] > 0.95 * (total - 259)
