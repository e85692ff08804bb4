"""Which tokens are looked at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import spaces
from workbench.errors import WorkbenchError
from workbench.spaces.choosing import choose, frequencies, shares, states_of


def test_states_are_by_bytes(models: tuple[Path, Path]) -> None:
    base, longer = (spaces.open(m) for m in models)
    first, last = states_of([base, longer])
    assert set(first) == {"kept"}
    assert Counter(last.tolist()) == {"kept": base.size, "new": longer.size - base.size}
    new = choose(longer, states=last, state="new")
    assert new.of == longer.size - base.size
    cyrillic = choose(longer, states=last, state="new", script="Cyrillic")
    assert set(cyrillic.ids) < set(new.ids)  # some new tokens are parts of letters
    assert set(longer.scripts[cyrillic.ids]) == {"Cyrillic"}


def test_a_beginning_with_a_space_is_the_start_of_a_word(models: tuple[Path, Path]) -> None:
    space = spaces.open(models[0])
    inside, start = choose(space, prefix="b").ids, choose(space, prefix=" b").ids
    assert set(start) < set(inside)
    assert all(space.tokens.identity(int(i)).word_start for i in start)


def test_frequent_tokens_are_counted_in_a_text(models: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the bear\n" * 40 + "the fox\n" * 3, encoding="utf-8")
    space = spaces.open(models[0])
    counts = frequencies(space, str(tmp_path / "text.txt"))
    assert counts[space.find("bear")] > counts[space.find("fox")] >= 1
    assert space.find("fox") not in choose(space, counts=counts, min_count=20).ids


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 200))
def test_shares_use_the_room_and_no_stratum_is_overdrawn(sizes: list[int], room: int) -> None:
    found = shares(sizes, room)
    assert sum(found) == min(room, sum(sizes))
    assert all(f <= s for f, s in zip(found, sizes, strict=True))
    full = [f for f, s in zip(found, sizes, strict=True) if f < s]
    assert not full or max(found) - min(full) <= 1  # none that has more to give gives less than others


def test_a_sample_is_stratified_seeded_and_keeps_what_was_picked(models: tuple[Path, Path]) -> None:
    base, longer = (spaces.open(m) for m in models)
    states = states_of([base, longer])[1]
    ask = {"states": states, "sample": 40, "seed": 3, "pick": ["bear"]}
    found = choose(longer, **ask)
    assert np.array_equal(found.ids, choose(longer, **ask).ids)
    assert not np.array_equal(found.ids, choose(longer, **ask | {"seed": 4}).ids)
    assert len(found.ids) == 40
    assert longer.find("bear") in found.ids
    assert (states[found.ids] == "new").sum() >= 5  # 30 of 350 tokens, in equal shares


def test_a_sample_larger_than_the_vocabulary_takes_all_and_says_so(models: tuple[Path, Path]) -> None:
    found = choose(spaces.open(models[0]), sample=10_000)
    assert len(found.ids) == found.of
    assert any("only" in note and "all of them are taken" in note for note in found.notes)


def test_zero_rows_nan_rows_and_twice_picked_tokens_are_named() -> None:
    rows = np.eye(5, dtype=np.float32)
    rows[1], rows[3, 2] = 0, np.nan
    space = spaces.of(rows, list("abcde"))
    found = choose(space, pick=["a", "a", "b"], sample=5)
    assert found.ids.tolist() == [0, 2, 4]
    assert "are zero or hold NaN or infinity and are left out: b (#1), d (#3)" in " ".join(found.notes)
    assert "picked twice" in found.notes[0]
    assert choose(space, pick=["c", "a"]).ids.tolist() == [0, 2]  # nothing else was asked for


@pytest.mark.parametrize(
    ("ask", "said"),
    [({"state": "new"}, "open two spaces"), ({"script": "Klingon"}, "no token|No token"), ({"min_count": 2}, "name one"), ({"prefix": "zzz"}, "ask for less")],
)
def test_what_cannot_be_chosen_is_said(ask: dict, said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        choose(spaces.of(np.eye(3), list("abc")), **ask)
