"""What the demo claims is judged as it is written down: planted numbers pass and fail where they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.demo import gates
from workbench.demo.check import Check, _measured, guessing
from workbench.errors import WorkbenchError
from workbench.evaluation import Race
from workbench.recipes.run import Recipe

MODELS = ("demo:en-base", "start", "adapted", "scratch", gates.ORIGINAL, *gates.SHOWN, *gates.CONTROLS)
REPORT = {"tokens_per_word": {"before": 3.0, "after": 1.5}, "tokens_per_word_english": {"before": 1.4, "after": 1.4}}
COPIES = dict.fromkeys(gates.COPYING.values(), 0.3)


def table(**changed: float) -> gates.Table:
    """Numbers with which every gate is passed; `changed`: model__measure=value."""
    rows = {m: {gates.ANSWERS: 0.1, gates.ENGLISH: 0.92, gates.BITS: 0.4, gates.ENGLISH_BITS: 0.5} | COPIES for m in MODELS}
    for model, value in {gates.ORIGINAL: 0.6, **dict.fromkeys(gates.VARIANTS, 0.61)}.items():
        rows[model][gates.ANSWERS] = value
    rows["adapted"][gates.BITS], rows["scratch"][gates.BITS] = 0.3, 0.35
    rows["calibrated"] |= dict.fromkeys(COPIES, 0.8)
    for name, value in changed.items():
        model, _, measure = name.partition("__")
        rows[{"original": gates.ORIGINAL, "base": "demo:en-base"}.get(model, model)][getattr(gates, measure)] = value
    return rows


def judged(found: list[gates.Gate]) -> dict[str, bool]:
    return {gate.gate: gate.passed for gate in found if gate.passed is not None}


def of_lep(*tables: gates.Table, guess: float = 0.3, tokens: tuple[float, float] = (12.0, 6.0)) -> dict[str, bool]:
    return judged(gates.lep("Russian", tables, [REPORT] * len(tables), guess, [tokens] * len(tables), 200))


def test_what_holds_at_every_seed_passes() -> None:
    found = of_lep(table(), table(), table())
    assert all(found.values())
    assert {name[0] for name in found} == set("01234")


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({"original__ANSWERS": 0.4, "conversion__ANSWERS": 0.4}, "0 "),
        ({"original__ENGLISH": 0.85, "conversion__ENGLISH": 0.85}, "1 "),
        ({"adapted__BITS": 0.41}, "3 Russian: bits per byte, adapted / original"),
        ({"scratch__BITS": 0.29}, "3 Russian: bits per byte, adapted / from scratch"),
        ({"conversion__ANSWERS": 0.5}, "4 Russian: LEP less the original"),
        ({"untrained__ANSWERS": 0.61}, "4 Russian: LEP above untrained"),
        ({"adapted__ANSWERS": 0.7}, "4 Russian: LEP above adapted"),
        ({"conversion__ENGLISH": 0.88}, "4 Russian: English answers"),
    ],
)
def test_what_does_not_hold_fails(changed: dict[str, float], failing: str) -> None:
    found = of_lep(table(**changed), table(**changed), table(**changed))
    assert [name for name, passed in found.items() if not passed and name.startswith(failing)]


def test_guessing_and_the_tokens_of_an_answer_are_judged() -> None:
    assert not of_lep(table(), table(), guess=0.7)["4 Russian: LEP above guessing"]
    assert not of_lep(table(), table(), tokens=(12.0, 9.0))["4 Russian: tokens of an answer, original / LEP"]


def test_copying_is_judged_by_length_and_by_what_is_said_with_its_control_beside_it() -> None:
    rows = [table(), table()]
    for each in rows:
        each["calibrated"]["copy_characters target"] = 0.2
        each["calibrated_original"]["copy_characters target"] = 0.5
    found = {gate.gate: gate for gate in gates.lep("Russian", rows, [REPORT] * 2, 0.3, [(12.0, 6.0)] * 2, 200)}
    assert found["4 Russian: copying sentences, by their length, calibrated less LEP"].passed
    assert found["4 Russian: copying characters, calibrated less LEP"].passed is False
    control = found["4 Russian: copying characters, the original calibrated less not"]
    assert (round(control.value, 6), control.passed) == (0.2, None)


def test_a_difference_needs_seeds_that_agree() -> None:
    torn = [table(conversion__ANSWERS=value) for value in (0.2, 0.9, 0.35)]
    assert not of_lep(*torn)["4 Russian: LEP above untrained"]
    assert not of_lep(table())["4 Russian: LEP above untrained"]  # one seed says nothing of the next


RACED = {
    "rows": [
        {"method": m, "seed": s, "step": step, "bits_per_byte": b}
        for m, b in (("salt", 1.5), ("random", 2.5), ("mean", 2.4))
        for s in (0, 1)
        for step in (0, 200)
    ],
    "summary": [{"method": "salt", "steps_to_random": 100}, {"method": "random", "steps_to_random": 200}, {"method": "original", "steps_to_random": None}],
}


def test_a_race_is_kept_and_another_is_run_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []
    monkeypatch.setattr(Race, "run", lambda self, *_: run.append(self.text) or RACED)
    tables = [wb.run(Check(parts=("salt",), languages=(lang,), seeds=2)).metrics["rows"] for lang in ("ru", "ru", "fa")]
    assert run == ["demo:ru", "demo:fa"]
    assert tables[0] == tables[1] != tables[2]


def test_salt_must_be_twice_as_fast_as_random() -> None:
    rows = RACED["rows"]
    found = judged(gates.salt("Russian", rows, RACED["summary"]))
    assert all(found.values())
    assert len(found) == 3
    slow: list[dict[str, Any]] = [{"method": "salt", "steps_to_random": None}]
    assert judged(gates.salt("Russian", rows, slow))["5 Russian: steps of salt without getting to where random is after 200"] is False


def test_persian_is_judged_stage_by_stage() -> None:
    def at(choice: float, bits: float, english: float) -> dict[str, float]:
        return {"choice target": choice, gates.BITS: bits, gates.ENGLISH_BITS: english}

    good = {"base": at(0.5, 0.4, 0.5), "aligned": at(0.6, 0.5, 0.505), "monolingual": at(0.6, 0.3, 0.6)}
    assert all(judged(gates.persian([good, good], 100)).values())
    bad = good | {"aligned": at(0.5, 0.5, 0.52), "monolingual": at(0.6, 0.5, 0.6)}
    assert not any(judged(gates.persian([bad, bad], 100)).values())


def test_guessing_is_between_one_of_many_and_certainty() -> None:
    assert 0.3 < guessing("ru", 300) < 0.95
    assert guessing("ru", 300) == guessing("ru", 300)


def test_the_recipe_of_the_gates_is_sound() -> None:
    journey = Recipe(recipe="check").journey()
    evaluated = journey.entries["chats"].knobs["models"]
    assert {name.removeprefix("$") for name in evaluated} == {gates.ORIGINAL, *gates.SHOWN, *gates.CONTROLS}


def test_without_models_the_check_says_how_to_make_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.refs.demo_folder", lambda: tmp_path)
    with pytest.raises(WorkbenchError, match=r"demo\.build"):
        wb.run(Check())


def test_a_process_is_measured_and_its_failure_told(tmp_path: Path) -> None:
    seconds, peak = _measured([sys.executable, "-c", "b = bytearray(300 << 20); import time; time.sleep(0.2)"], str(tmp_path))
    assert seconds > 0.2
    assert peak > 0.29
    with pytest.raises(WorkbenchError, match="no such thing"):
        _measured([sys.executable, "-c", "import sys; sys.exit('no such thing')"], str(tmp_path))


@pytest.mark.slow
def test_the_check_runs_in_reduced_form(tmp_path: Path) -> None:
    """One language, one seed, few steps: every gate of LEP gets a number; what needs two seeds does not pass."""
    command = [sys.executable, "-m", "workbench", "demo.check", "--parts", "lep", "--languages", "ru", "--seeds", "1", "--json", "--set", "steps=40"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "WORKBENCH_HOME": str(tmp_path)}, check=True)
    rows = json.loads(done.stdout)["metrics"]["rows"]
    assert {row["gate"][0] for row in rows} == set("01234")
    assert all(set(row) == {"gate", "value", "low", "high", "threshold", "pass"} for row in rows)
    assert next(r for r in rows if r["gate"].startswith("0"))["value"] > 0.3
