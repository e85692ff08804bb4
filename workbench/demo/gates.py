"""What the demo claims, as numbers with intervals and thresholds: from the tables of its recipes, one for each seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Row = dict[str, Any]
Table = Mapping[str, Mapping[str, float]]  # model as the recipe calls it → "measure side" → value
ORIGINAL = "demo:en-chat"
VARIANTS = ("swap", "overlap", "conversion")
SHOWN = (*VARIANTS, "direct", "original_trained", "calibrated", "calibrated_original")
COPYING = {"sentences, by their length": "copy_sentences target", "characters": "copy_characters target"}  # the paper's measure ignores what a copy says
CONTROLS = ("adapted", "random_rows", "untrained")
ANSWERS, ENGLISH, BITS, ENGLISH_BITS = "exact_match target", "exact_match source", "bits_per_byte target", "bits_per_byte source"


@dataclass(frozen=True)
class Gate:
    """One claim: `value` with a 95 % interval, and whether it is on the right side of `threshold`; without one it is only shown.

    Shares are judged by their value; differences and ratios, which are taken within a seed, by the end of their interval that is nearer to the threshold.
    """

    gate: str
    value: float
    low: float
    high: float
    threshold: float | None = None
    passed: bool | None = None

    def row(self) -> Row:
        about = asdict(self)
        return {**{k: v for k, v in about.items() if k != "passed"}, "pass": self.passed}


def share(gate: str, values: Sequence[float], n: int, least: float | None = None) -> Gate:
    """A share of n items (the same at every seed), with Wilson's interval."""
    from ..evaluation.asking import wilson

    value = float(np.mean(values))
    return Gate(gate, value, *wilson(value * n, n), least, None if least is None else value >= least)


def apart(gate: str, values: Sequence[float], least: float | None = None, most: float | None = None) -> Gate:
    """A difference or a ratio, once for each seed, with Student's interval; a single seed has none and does not pass."""
    from scipy import stats

    value, n = float(np.mean(values)), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
    low, high = value - half, value + half
    passed = low > least if least is not None else high < most if most is not None else None
    return Gate(gate, value, low, high, least if least is not None else most, passed)


def lep(
    language: str, tables: Sequence[Table], reports: Sequence[Mapping[str, Any]], guess: float, tokens: Sequence[tuple[float, float]], n: int
) -> list[Gate]:
    """Gates 0 to 4 for one language. `guess`: the share that guessing among what the story names would get; `tokens`: of an answer, before and after."""

    def of(model: str, measure: str = ANSWERS) -> list[float]:
        return [table[model][measure] for table in tables]

    def minus(model: str, other: Callable[[Table], float], measure: str = ANSWERS) -> list[float]:
        return [table[model][measure] - other(table) for table in tables]

    def ratio(name: str) -> float:
        return float(np.mean([report[name]["after"] / report[name]["before"] for report in reports]))

    fertility, english = ratio("tokens_per_word"), ratio("tokens_per_word_english")
    bits = [table["adapted"][BITS] for table in tables]
    found = [
        share(f"0 {language}: the original chat model answers", of(ORIGINAL), n, 0.5),
        share("1 English: the original chat model answers", of(ORIGINAL, ENGLISH), n, 0.9),
        Gate(f"2 {language}: tokens per word, after / before", fertility, fertility, fertility, 0.6, fertility <= 0.6),
        Gate(f"2 {language}: the same of English", english, english, english, 1.0, english <= 1.0),
        apart(f"3 {language}: bits per byte, adapted / original", [b / t["demo:en-base"][BITS] for b, t in zip(bits, tables, strict=True)], most=1.0),
        apart(f"3 {language}: bits per byte, adapted / from scratch", [b / t["scratch"][BITS] for b, t in zip(bits, tables, strict=True)], most=1.0),
        share(f"4 {language}: LEP answers", of("conversion"), n),
        apart(f"4 {language}: LEP above guessing", minus("conversion", lambda _: guess), least=0.0),
        *(apart(f"4 {language}: LEP above {c.replace('_', ' ')}", minus("conversion", lambda t, c=c: t[c][ANSWERS]), least=0.0) for c in CONTROLS),
        apart(f"4 {language}: LEP less the original", minus("conversion", lambda t: t[ORIGINAL][ANSWERS]), least=-0.05),
        apart(f"4 {language}: tokens of an answer, original / LEP", [before / after for before, after in tokens], least=1.5),
        apart(f"4 {language}: English answers, LEP less the original", minus("conversion", lambda t: t[ORIGINAL][ENGLISH], ENGLISH), least=-0.02),
    ]
    found += [share(f"4 {language}: {model.replace('_', ' ')} answers", of(model), n) for model in SHOWN if model != "conversion"]
    for name, copies in COPYING.items():
        gained = minus("calibrated", lambda t, c=copies: t["conversion"][c], copies)
        found.append(apart(f"4 {language}: copying {name}, calibrated less LEP", gained, least=0.0))
        control = minus("calibrated_original", lambda t, c=copies: t[ORIGINAL][c], copies)
        found.append(apart(f"4 {language}: copying {name}, the original calibrated less not", control))
    return found


def salt(language: str, rows: Sequence[Row], summary: Sequence[Row]) -> list[Gate]:
    """Gate 5, from a race: at step 0 below random, mean and Gaussian rows; random's end in half of its steps; all others are shown."""
    start = {name: [r["bits_per_byte"] for r in rows if r["method"] == name and r["step"] == 0] for name in {r["method"] for r in rows}}
    last = max(r["step"] for r in rows)
    found = [
        apart(f"5 {language}: bits per byte at step 0, SALT / {name}", [a / b for a, b in zip(start["salt"], start[name], strict=True)], most=1.0)
        for name in ("random", "mean", "gaussian")
        if name in start
    ]
    for row in summary:
        if row["method"] == "original":
            continue
        steps = row["steps_to_random"]
        took = float(last if steps is None else steps)
        limit = last / 2 if row["method"] == "salt" else None
        passed = None if limit is None else steps is not None and took <= limit
        way = "to" if steps is not None else "without getting to"
        found.append(Gate(f"5 {language}: steps of {row['method']} {way} where random is after {last}", took, took, took, limit, passed))
    return found


def persian(tables: Sequence[Table], n: int) -> list[Gate]:
    """Gate 6, from the Persian recipe: alignment alone, then text; what it costs English is shown."""
    choice = "choice target"

    def over(measure: str, model: str, other: str) -> list[float]:
        return [table[model][measure] / table[other][measure] for table in tables]

    return [
        share("6 Persian: choices, the original base", [table["base"][choice] for table in tables], n),
        apart("6 Persian: choices, aligned less the original", [table["aligned"][choice] - table["base"][choice] for table in tables], least=0.0),
        apart("6 Persian: bits per byte of English, aligned / original", over(ENGLISH_BITS, "aligned", "base"), most=1.02),
        apart("6 Persian: bits per byte, after text / aligned", over(BITS, "monolingual", "aligned"), most=1.0),
        apart("6 Persian: bits per byte of English, after text / original", over(ENGLISH_BITS, "monolingual", "base")),
    ]
