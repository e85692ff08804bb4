"""Figures from results, without a user interface."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workbench import plots

FERTILITY = [
    {"tokenizer": "old", "text": "ru", "tokens_per_word": 3.5, "low": 3.4, "high": 3.7, "bytes_per_token": 3.0},
    {"tokenizer": "new", "text": "ru", "tokens_per_word": 1.5, "low": 1.4, "high": 1.6, "bytes_per_token": 7.0},
]


def test_bars_carry_their_intervals() -> None:
    bar = plots.fertility(FERTILITY).data[0]
    assert list(bar.x) == [3.5, 1.5]
    assert list(bar.error_x.array) == pytest.approx([0.2, 0.1])
    assert list(bar.error_x.arrayminus) == pytest.approx([0.1, 0.1])


def test_a_script_without_words_is_shown_in_bytes_per_token() -> None:
    rows = [row | {"tokens_per_word": None, "low": None, "high": None} for row in FERTILITY]
    assert list(plots.fertility(rows).data[0].x) == [3.0, 7.0]


def test_unknown_and_byte_fallback_rates_stand_beside_fertility() -> None:
    rows = [row | {"unknown_rate": 0.02, "byte_fallback_rate": rate} for row, rate in zip(FERTILITY, (0.5, 0.0), strict=True)]
    for shown in (rows, [row | {"tokens_per_word": None} for row in rows]):
        hover = plots.fertility(shown).data[0].hovertemplate
        assert ["2.0 % unknown, 50.0 % byte fallback" in hover[0], "2.0 % unknown, 0.0 % byte fallback" in hover[1]] == [True, True]


def test_parity_has_a_bar_for_each_language_and_tokenizer() -> None:
    about = {"source": "en", "pairs": "p", "count": 9}
    rows = [
        about | {"tokenizer": name, "target": target, "parity": 2.0 + n, "parity_low": 1.5 + n, "parity_high": 3.0 + n}
        for name in ("old", "new")
        for n, target in enumerate(("ru", "fa"))
    ]
    old, new = plots.parity(rows).data
    assert (old.name, new.name) == ("old", "new")
    assert (list(old.x), list(old.y)) == (["en → ru", "en → fa"], [2.0, 3.0])
    assert (list(old.error_y.array), list(old.error_y.arrayminus)) == ([1.0, 1.0], [0.5, 0.5])


def test_histograms_are_in_the_order_of_their_bins() -> None:
    def row(name: str, at: str, share: float, kind: str = "tokens per word") -> dict[str, object]:
        return {"tokenizer": name, "text": "ru", "histogram": kind, "bin": at, "count": 1, "share": share}

    rows = [
        row("old", "20+", 0.4),
        row("old", "3", 0.6),
        row("new", "1", 1.0),
        row("new", "Latin", 0.2, "script of tokens"),
        row("new", "Cyrillic", 0.8, "script of tokens"),
    ]
    old, new = plots.histogram(rows, "tokens per word", "ru").data
    assert (list(old.x), list(old.y), list(new.y)) == (["1", "3", "20+"], [0, 60, 40], [100, 0, 0])
    (scripts,) = plots.histogram(rows, "script of tokens").data
    assert list(scripts.x) == ["Cyrillic", "Latin"]


def test_bits_per_byte_takes_the_rows_of_one_text() -> None:
    rows = [
        {"model": "a", "measure": "bits_per_byte", "text": "ru", "value": 2.0, "low": 1.9, "high": 2.1},
        {"model": "a", "measure": "exact_match", "text": "ru", "value": 0.5},
        {"model": "a", "measure": "bits_per_byte", "text": "en", "value": 1.0},
    ]
    assert list(plots.bits_per_byte(rows, "ru").data[0].x) == [2.0]


def test_curves_come_from_metric_events() -> None:
    metrics = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "learning_rate": 0.1}, {"step": 2, "bits_per_byte_target": 1.2}]
    assert list(plots.loss(metrics).data[0].y) == [3.0, 2.0]
    assert [line.name for line in plots.convergence(metrics).data] == ["target"]


def test_the_histogram_leaves_out_empty_ends() -> None:
    bins = [{"from": 1, "to": 2, "documents": 0}, {"from": 2, "to": 4, "documents": 5}, {"from": 4, "to": 8, "documents": 0}]
    assert list(plots.lengths(bins).data[0].x) == ["2–3"]


def test_scripts_and_rows_draw() -> None:
    assert list(plots.scripts({"Latin": 0.25, "Cyrillic": 0.75}).data[0].x) == [75.0, 25.0]
    assert [bar.name for bar in plots.rows_kept({"kept": 5, "new": 2, "dropped": 0}).data] == ["kept", "new"]


def test_nothing_can_be_sent_to_a_cloud() -> None:
    shown = plots.show(plots.fertility(FERTILITY))
    assert shown["config"]["showSendToCloud"] is False
    page = plots.html(plots.fertility(FERTILITY))
    assert 'src="http' not in page
    assert '"showSendToCloud": false' in page


def test_plots_know_no_user_interface() -> None:
    code = "import sys, workbench.plots; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
