"""Metrics as a terminal shows them."""

from __future__ import annotations

import pytest

from workbench.terminal import WIDE, lines


@pytest.mark.parametrize("models", range(1, WIDE + 3))
def test_of_a_few_models_with_many_measures_no_model_and_no_measure_is_left_out(models: int) -> None:
    rows = [{"model": f"m{n}", **{f"measure_{k}": 100 * n + k for k in range(WIDE + 2)}} for n in range(models)]
    shown = "\n".join(lines({"rows": rows}))
    assert all(f"m{n}" in shown for n in range(models))
    whole = all(str(100 * n + k) in shown for n in range(models) for k in range(WIDE + 2))
    assert whole == ("see --json" not in shown) == (models < WIDE)


def test_rows_without_columns_are_no_failure() -> None:
    assert not "".join(lines({"rows": [{}]})).strip()
