"""Values, intervals and paired differences from one row of sums an item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.evaluation.asking import wilson
from workbench.evaluation.scoring import Score, corpus_metric, corpus_stats, mean

numbers = st.lists(st.floats(0, 10), min_size=5, max_size=30)


@settings(deadline=None, max_examples=40)  # a draw of a thousand rounds takes long on a busy machine
@given(numbers)
def test_the_value_lies_in_its_interval_and_a_model_is_no_different_from_itself(values: list[float]) -> None:
    score = mean("a", values)
    low, high = score.interval()
    assert score.value == pytest.approx(np.mean(values))
    assert low - 1e-9 <= score.value <= high + 1e-9
    assert score.against(score) == (0.0, 0.0, 0.0)


@settings(deadline=None, max_examples=40)  # a draw of a thousand rounds takes long on a busy machine
@given(numbers, st.floats(0.5, 3))
def test_a_constant_difference_leaves_no_doubt_however_far_the_items_are_apart(values: list[float], more: float) -> None:
    difference, low, high = mean("a", [value + more for value in values]).against(mean("a", values))
    assert (difference, low, high) == pytest.approx((more, more, more))


def test_a_ratio_is_of_the_sums_and_a_share_has_wilson_s_interval() -> None:
    assert Score("bits", np.array([[8.0, 2.0], [2.0, 8.0]]), "ratio").value == 1.0
    share = mean("right", [1, 1, 0, 1], "share")
    assert (share.value, *share.interval()) == (0.75, *wilson(3, 4))


def test_an_item_that_could_not_be_given_counts_for_neither_side_of_a_pair() -> None:
    nothing = float("nan")
    one, other = mean("a", [1, nothing, 3]), mean("a", [nothing, 5, 1])
    assert (one.n, one.value) == (2, 2.0)
    assert one.against(other) == (2.0, None, None)  # one item says nothing of others
    assert one.interval() == (None, None)
    assert mean("a", [1, nothing, 3, 3, 3, 3]).against(mean("a", [0, 9, 2, 2, 2, 2])) == pytest.approx((1.0, 1.0, 1.0))
    assert mean("a", [nothing]).value is None
    assert mean("a", [nothing]).interval() == (None, None)
    assert mean("a", [nothing, 1]).against(mean("a", [1, nothing])) == (None, None, None)


@pytest.mark.parametrize("name", ["bleu", "bleu_char", "chrf"])
def test_corpus_measures_are_sacrebleu_s_own(name: str) -> None:
    said = ["лиса видит большого медведя в лесу", "дом красный", "", "мяч", "а"]
    wanted = ["лиса видит медведя в лесу", "это красный дом", "кто живёт в доме", "красный мяч", "б"]
    score = Score(name, corpus_stats(name, said, wanted), name)
    assert score.value == pytest.approx(corpus_metric(name).corpus_score(said, [wanted]).score)
    assert score.interval()[0] < score.value < score.interval()[1]
