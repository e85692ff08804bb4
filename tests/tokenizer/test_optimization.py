"""The laws that every optimised tokenizer obeys."""

from __future__ import annotations

from collections import Counter
from itertools import islice, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

import workbench as wb
from workbench.demo.world import stories
from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Progress
from workbench.tokenizer import Optimization, Optimize, load, optimize, save
from workbench.tokenizer.base import Base
from workbench.tokenizer.loading import wrap
from workbench.tokenizer.pruning import Pruner, must_stay
from workbench.tokenizer.reporting import dead
from workbench.tokenizer.scoring import learned

from .conftest import CHAT, ENGLISH, PERSIAN, RUSSIAN, byte_level
from .test_extension import ANY, TRICKY, encode, spec

REFERENCE = ENGLISH[:6] + RUSSIAN[:2]
WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SCORES = ["frequency", "learned"]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])


@pytest.fixture(scope="module")
def made(bases: dict) -> dict:
    """(base, score) → (base tokenizer, pruned by two thirds of what may go, the same and then extended)."""
    found = {}
    for (name, base), score in product(bases.items(), SCORES):
        keep = keep_of(base)
        pruned = optimize(base, REFERENCE, [], Optimization(keep=keep, score=score, new_tokens=0))
        found[name, score] = base, pruned, optimize(base, REFERENCE, RUSSIAN, Optimization(keep=keep, score=score, new_tokens=40, script="Cyrillic"))
    return found


def keep_of(base: object) -> int:
    return len(base) - 2 * (len(base) - least(base)) // 3


def least(base: object) -> int:
    old = Base(base.backend_tokenizer)
    return len(Pruner(old, {}, must_stay(old, frozenset(base.all_special_ids))).stays)


@pytest.fixture(scope="module", params=["byte-level", "ignore_merges", "sentencepiece"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=SCORES)
def case(request: pytest.FixtureRequest, name: str, made: dict) -> tuple:
    return made[name, request.param]


@quick
@given(text=ANY)
def test_text_without_a_dropped_token_keeps_its_encoding_up_to_the_map(case: tuple, text: str) -> None:
    base, pruned, _ = case
    before = encode(base, text)
    if (pruned.id_map[before] >= 0).all():
        assert encode(pruned.tokenizer, text) == pruned.id_map[before].tolist()


def test_that_law_is_not_empty(case: tuple) -> None:
    base, pruned, _ = case
    untouched = [(pruned.id_map[encode(base, text)] >= 0).all() for text in ENGLISH + RUSSIAN + TRICKY]
    assert any(untouched)
    assert not all(untouched)


@quick
@given(text=ANY)
def test_p1_text_comes_back(case: tuple, text: str) -> None:
    base, *results = case
    if base.decode(encode(base, text)) == text:
        for result in results:
            assert result.tokenizer.decode(encode(result.tokenizer, text)) == text


def test_p3_every_survivor_is_what_its_own_string_gives_and_no_token_is_dead(case: tuple) -> None:
    base, pruned, whole = case
    already = set(dead(base.backend_tokenizer))
    for result in (pruned, whole):
        old = {int(new): i for i, new in enumerate(result.id_map) if new >= 0}
        assert {old.get(i) for i in dead(result.tokenizer.backend_tokenizer)} <= already
        assert result.report.dead == 0
    assert whole.report.extension.dead == 0
    assert whole.report.new == 40


def test_p4_merges_join_tokens_to_tokens_and_none_is_there_twice(case: tuple) -> None:
    for result in case[1:]:
        model = spec(result.tokenizer)["model"]
        pairs = [tuple(m) for m in model["merges"]]
        assert len(set(pairs)) == len(pairs) == len({left + right for left, right in pairs})
        assert all({left, right, left + right} <= model["vocab"].keys() for left, right in pairs)


@quick
@given(text=ANY)
def test_p5_extending_makes_no_text_longer(case: tuple, text: str) -> None:
    _, pruned, whole = case
    assert len(encode(whole.tokenizer, text)) <= len(encode(pruned.tokenizer, text))


def test_the_map_is_a_monotone_injection_and_says_the_truth(case: tuple) -> None:
    base, pruned, whole = case
    for result in (pruned, whole):
        kept = np.flatnonzero(result.id_map >= 0)
        assert result.id_map[kept].tolist() == list(range(len(kept)))
        assert (len(kept), len(result.id_map)) == (keep_of(base), result.report.rows_before)
        assert (result.report.kept, result.report.dropped) == (len(kept), len(result.id_map) - len(kept))
        for i in kept:
            assert result.tokenizer.convert_ids_to_tokens(int(result.id_map[i])) == base.convert_ids_to_tokens(int(i))
    assert len(pruned.tokenizer) == keep_of(base)
    assert len(whole.tokenizer) == keep_of(base) + 40 == whole.report.rows_after


def test_p6_specials_follow_the_map_and_the_chat_reads_the_same(case: tuple, tmp_path: Path) -> None:
    base, _, whole = case
    again = load(save(whole.tokenizer, tmp_path))
    for i, token in base.added_tokens_decoder.items():
        moved = again.added_tokens_decoder[int(whole.id_map[i])]
        assert (moved.content, moved.special) == (token.content, token.special)
        assert encode(again, f"a{token}b").count(int(whole.id_map[i])) == 1
    for role in ("bos", "eos", "unk"):
        i, moved = (getattr(t, f"{role}_token_id") for t in (base, again))
        assert moved == (None if i is None else whole.id_map[i])
    assert again("дом").input_ids[:1] == [again.bos_token_id]  # the post-processor's
    if base.chat_template:
        chat = [{"role": "user", "content": "привет"}, {"role": "assistant", "content": "hi"}]
        assert base.chat_template == CHAT
        assert again.apply_chat_template(chat, tokenize=False) == base.apply_chat_template(chat, tokenize=False)
    old, new = spec(base), spec(again)
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        assert new[part] == old[part]


def test_p7_the_folder_loads_by_the_library_alone(case: tuple, tmp_path: Path) -> None:
    _, _, whole = case
    again = AutoTokenizer.from_pretrained(save(whole.tokenizer, tmp_path))
    for text in RUSSIAN + ENGLISH + TRICKY:
        assert again(text)["input_ids"] == whole.tokenizer(text)["input_ids"]


def test_what_may_never_go_stays_however_little_is_kept(bases: dict, name: str) -> None:
    base = bases[name]
    made = optimize(base, REFERENCE, [], Optimization(keep=least(base), new_tokens=0))
    assert len(made.tokenizer) == least(base) == made.report.stays
    for text in RUSSIAN + ENGLISH + PERSIAN:
        assert made.tokenizer.decode(encode(made.tokenizer, text), skip_special_tokens=True) == text
    again = made.tokenizer.backend_tokenizer
    if name == "sentencepiece":
        assert all(again.token_to_id(c) is not None for c in ("▁", "a", "Z", "7", "{") if base.backend_tokenizer.token_to_id(c) is not None)
        assert again.token_to_id("м") is None
        assert all(again.token_to_id(f"<0x{b:02X}>") is not None for b in range(256))


def test_by_n_and_then_by_m_is_to_the_final_size(bases: dict, name: str, tmp_path: Path) -> None:
    base, keep = bases[name], keep_of(bases[name])
    half = optimize(base, REFERENCE, [], Optimization(keep=(len(base) + keep) // 2, new_tokens=0))
    rest = optimize(half.tokenizer, REFERENCE, [], Optimization(keep=keep, new_tokens=0))
    whole = optimize(base, REFERENCE, [], Optimization(keep=keep, new_tokens=0))
    for place, result in (("parts", rest), ("whole", whole)):
        save(result.tokenizer, tmp_path / place)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    through = np.where(half.id_map >= 0, rest.id_map[half.id_map], -1)
    assert through.tolist() == whole.id_map.tolist()


def test_the_same_texts_give_the_same_bytes_in_any_order(bases: dict, name: str, made: dict) -> None:
    for score in SCORES:
        options = Optimization(keep=keep_of(bases[name]), score=score, new_tokens=40, script="Cyrillic")
        again = optimize(bases[name], REFERENCE[::-1], RUSSIAN, options)
        assert again.tokenizer.backend_tokenizer.to_str() == made[name, score][2].tokenizer.backend_tokenizer.to_str()
        assert again.id_map.tolist() == made[name, score][2].id_map.tolist()


def test_what_the_reference_uses_most_stays(bases: dict) -> None:
    made = {}
    for text in (ENGLISH[0], ENGLISH[2]):
        for score in SCORES:
            kept = optimize(bases["byte-level"], [text] * 5, [], Optimization(keep=290, score=score, new_tokens=0)).tokenizer
            made[text, score] = len(encode(kept, text))
            others = [len(encode(kept, t)) - len(encode(bases["byte-level"], t)) for t in ENGLISH if t != text]
            assert made[text, score] - len(encode(bases["byte-level"], text)) < max(others)


def test_dropped_tokens_may_come_back_as_new_ones(bases: dict) -> None:
    base = bases["byte-level"]
    made = optimize(base, RUSSIAN, ENGLISH * 3, Optimization(keep=290, new_tokens=60))
    assert made.report.relearned == sum(t in base.get_vocab() for t, i in made.tokenizer.get_vocab().items() if i >= 290) > 0


def test_a_donor_may_bring_the_new_tokens(bases: dict) -> None:
    base = bases["byte-level"]
    donor = optimize(base, RUSSIAN, RUSSIAN, Optimization(keep=300, new_tokens=50, script="Cyrillic")).tokenizer
    made = optimize(base, REFERENCE, RUSSIAN, Optimization(keep=300, script="Cyrillic"), donor=donor)
    assert made.report.new > 30
    assert made.report.dead == 0
    assert len(encode(made.tokenizer, RUSSIAN[0])) < len(encode(base, RUSSIAN[0]))


def test_bad_input_is_one_sentence(bases: dict) -> None:
    base = bases["byte-level"]
    for options, says in ((Optimization(keep=9999), r"more than the 3\d\d tokens"), (Optimization(keep=12), rf"less than the {least(base)} .* or more")):
        with pytest.raises(WorkbenchError, match=says):
            optimize(base, REFERENCE, RUSSIAN, options)
    for empty in ([], ["", ""], iter([])):
        with pytest.raises(WorkbenchError, match="reference text is empty"):
            optimize(base, empty, RUSSIAN, Optimization(keep=300))
    for model in (models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"), models.Unigram([("a", -1.0)])):
        with pytest.raises(WorkbenchError, match=rf"{type(model).__name__}.*tokenizer\.train"):
            optimize(Tokenizer(model), REFERENCE, RUSSIAN)
    with pytest.raises(Stopped):
        optimize(base, REFERENCE, RUSSIAN, Optimization(keep=300), Progress(stop=lambda: True))
    pieces = {f"<0x{b:02X}>": b for b in range(256)} | {"<0xD0><0xBC>": 256, "▁": 257}
    with pytest.raises(WorkbenchError, match="merges byte-fallback pieces"):
        optimize(Tokenizer(models.BPE(pieces, [("<0xD0>", "<0xBC>")], byte_fallback=True)), ["▁"], [], Optimization(keep=257, new_tokens=0))


@quick
@given(words=st.dictionaries(WORD | st.sampled_from(["<unk>", "<unk>ab", "▅a", "▁", "▁▁", "abab", "a\tb"]), st.integers(1, 10**6), max_size=6))
def test_any_words_can_be_scored(words: dict[str, int]) -> None:
    tokens = Counter(piece for word in words for cut in range(1, len(word) + 1) for piece in (word[:cut], word[cut:]) if piece)
    scores = learned(words, tokens, 50)
    assert all(score < 1e-3 for score in scores.values())
    assert scores.keys() <= tokens.keys() | set("".join(words))


def test_the_more_a_text_uses_a_token_the_higher_its_score() -> None:
    scores = learned({"abab": 90, "cdcd": 9, "efgh": 3}, {"abab": 90, "cdcd": 9, "ef": 3, "gh": 3}, 100)
    assert scores["abab"] > scores["cdcd"] > max(scores["ef"], scores["a"])


def test_a_learned_score_without_a_word_falls_back_on_counts(bases: dict) -> None:
    options = [Optimization(keep=300, new_tokens=0, score=score) for score in SCORES]
    one, two = (optimize(bases["byte-level"], ["\n", "\t"], [], o) for o in options)
    assert one.id_map.tolist() == two.id_map.tolist()


def test_the_step_writes_the_map_and_a_transfer_follows_it(tmp_path: Path) -> None:
    for lang in ("en", "ru"):
        (tmp_path / f"{lang}.txt").write_text("\n".join(islice(stories(lang, "train", 0), 1000)), encoding="utf-8")
    english, russian = (str(tmp_path / f"{lang}.txt") for lang in ("en", "ru"))
    made = wb.run(Optimize(base="demo:en-base", text=russian, reference=english, keep=900, new_tokens=50, script="Cyrillic"))
    assert made.metrics["kept"] == 900
    assert made.metrics["dead"] == 0
    table = pd.read_parquet(made.path / "id_map.parquet")
    assert table["old"].tolist() == list(range(made.metrics["rows_before"]))
    moved = wb.run(wb.transfer.Transfer(model="demo:en-base", tokenizer=made.id))
    assert moved.metrics["kept"] == 900 + made.metrics["relearned"]
    from workbench.checkpoint import Checkpoint
    from workbench.refs import locate

    old, new = (Checkpoint.open(place).input() for place in (locate("demo:en-base"), moved.path))
    kept = table[table["new"] >= 0]
    assert (new[kept["new"].tolist()] == old[kept["old"].tolist()]).all()


def test_tokens_of_one_identity_are_carried_each_to_itself() -> None:
    from workbench.transfer.assemble import kept_rows
    from workbench.vocab import Vocabulary

    backend = byte_level(False)
    backend.add_tokens([" the"])  # reads as the model's own "Ġthe"
    base = wrap(backend, {})
    source = Vocabulary(base)
    assert source.collisions
    made = optimize(base, REFERENCE, [], Optimization(keep=320, new_tokens=0))
    kept = kept_rows(source, Vocabulary(made.tokenizer), source.size)
    assert kept.tolist() == np.flatnonzero(made.id_map >= 0).tolist()
