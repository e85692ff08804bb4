"""Two vocabularies side by side: every token is kept, new or dropped, and can be found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.errors import WorkbenchError
from workbench.tokenizer import compare, extend
from workbench.tokenizer.extension import Extension

from .conftest import RUSSIAN

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_tokenizer_beside_itself_keeps_all(base: Any) -> None:
    found = compare(base, base)
    assert found.counts == {"kept": len(found.vocabulary), "new": 0, "dropped": 0}
    assert all(here == there for here, there in found.kept.items())


def test_each_token_has_one_state_and_swapping_swaps_new_and_dropped(bases: dict) -> None:
    for one in bases.values():
        for other in bases.values():
            there, back = compare(one, other), compare(other, one)
            assert len(there.kept) + len(there.new) == len(there.vocabulary)
            assert len(set(there.kept.values())) + len(there.dropped) == len(there.base)
            assert (set(there.new), set(there.dropped)) == (set(back.dropped), set(back.new))


def test_an_extension_drops_nothing(base: Any) -> None:
    made = extend(base, RUSSIAN, Extension(new_tokens=30, script="Cyrillic"))
    found = compare(made.tokenizer, base)
    assert found.new == list(made.new_ids)
    assert found.dropped == []
    rows, count = found.rows(state="new", script="cyrillic")
    assert count == len(rows) == len(found.new)
    assert {row["id_before"] for row in rows} == {None}


@quick
@given(search=st.sampled_from(["the", " the", "␣THE", "#70", "⟨D0⟩", "\n", ""]), start=st.integers(0, 30), limit=st.integers(1, 20))
def test_pages_of_a_search_are_its_rows(bases: dict, search: str, start: int, limit: int) -> None:
    found = compare(bases["byte-level"], bases["sentencepiece"])
    every, count = found.rows(search, limit=10_000)
    assert count == len(every)
    assert found.rows(search, start=start, limit=limit) == (every[start : start + limit], count)
    wanted = search.replace(" ", "␣").replace("\n", "⏎").casefold()
    if not search.startswith("#"):
        assert all(wanted in row["token"].casefold() for row in every)
    else:
        assert {row["id"] or row["id_before"] for row in every} == {70}


def test_unknown_states_and_scripts_are_refused(bases: dict) -> None:
    found = compare(bases["byte-level"], bases["byte-level"])
    with pytest.raises(WorkbenchError, match="kept, new or dropped"):
        found.rows(state="old")
    with pytest.raises(WorkbenchError, match=r"Did you mean.*Cyrillic"):
        found.rows(script="Cyrilic")
