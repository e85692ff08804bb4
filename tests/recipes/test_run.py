"""Journeys as lists of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench import store
from workbench.errors import Stopped, WorkbenchError
from workbench.progress import Progress
from workbench.recipes import Recipe

STEPS = ["longer", "start", "result", "scores", "chats"]


def kept(recipe: Any, **options: Any) -> list[str]:
    return wb.run(Recipe(recipe=str(recipe), **options)).metrics["kept"]


def test_a_recipe_makes_what_its_steps_make_and_reports_what_it_is_asked_to(journey: Any) -> None:
    seen = []
    made = wb.run(Recipe(recipe=str(journey)), wb.Progress(seen.append))
    assert made.metrics["new"] == 20
    assert set(made.metrics["replies"]) == {"original", "adapted"}
    ids = made.metrics["made"]
    assert wb.open_artefact(ids["result"]).parents == [journey.recipe["values"]["base"]["demo"], ids["start"]][1:]
    assert wb.open_artefact(ids["start"]).parents == [ids["longer"]]
    assert wb.open_artefact(ids["start"]).name == "journey: start"
    fractions = [e.fraction for e in seen if e.fraction is not None]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    assert list(dict.fromkeys(e.message.partition(": ")[0] for e in seen if e.kind == "progress" and e.message)) == STEPS  # each says which step it is about
    assert [row["model"] for row in made.metrics["rows"]] == ["base", "start"]
    assert all(row["bits_per_byte target"] == row["bits_per_byte source"] > 0 for row in made.metrics["rows"])


def test_what_has_not_changed_is_not_made_again(journey: Any) -> None:
    first = wb.run(Recipe(recipe=str(journey))).metrics
    assert first["kept"] == []
    again = wb.run(Recipe(recipe=str(journey))).metrics
    assert again["kept"] == STEPS
    assert {k: v for k, v in again.items() if k != "kept"} == {k: v for k, v in first.items() if k != "kept"}


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ("chats.max_tokens=2", ["longer", "start", "result", "scores"]),
        ("result.variant=overlap", ["longer", "start", "scores"]),
        ("start.method=random", ["longer"]),
        ("longer.new_tokens=9", []),
        ("longer.new_tokens=20", STEPS),
        ("scores.device=cpu", STEPS),
    ],
)
def test_a_changed_knob_runs_its_step_again_and_what_depends_on_it(journey: Any, change: str, stays: list[str]) -> None:
    kept(journey)
    assert kept(journey, set=(change,)) == stays
    assert kept(journey) == STEPS


def test_changed_inputs_are_noticed_whatever_they_are_called(journey: Any) -> None:
    kept(journey)
    text = Path(journey.recipe["steps"]["longer"]["text"])
    text.write_text(text.read_text(encoding="utf-8") + "лес\n", encoding="utf-8")
    assert "longer" not in kept(journey)
    text.write_text(text.read_text(encoding="utf-8").removesuffix("лес\n"), encoding="utf-8")
    assert kept(journey) == STEPS
    config = Path(journey.recipe["values"]["chat"]["demo"]) / "generation_config.json"
    config.write_text(config.read_text().replace("3", "4"))
    assert kept(journey) == ["longer", "start", "scores"]


def test_an_artefact_that_was_deleted_is_made_again_and_leads_to_the_same(journey: Any) -> None:
    ids = wb.run(Recipe(recipe=str(journey))).metrics["made"]
    store.delete(ids["result"])
    again = wb.run(Recipe(recipe=str(journey))).metrics
    assert again["kept"] == [step for step in STEPS if step != "result"]  # its bytes are as before, so the chat after it stands
    assert again["made"]["result"] != ids["result"]


def test_from_a_step_on_all_is_made_again(journey: Any) -> None:
    kept(journey)
    assert kept(journey, from_step="result") == ["longer", "start"]
    with pytest.raises(WorkbenchError, match=r"has no step 'results'. Did you mean result"):
        kept(journey, from_step="results")


@pytest.mark.parametrize("at", range(len(STEPS)))
def test_a_recipe_that_was_killed_goes_on_where_it_was(journey: Any, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the step `at`: as no code runs after a kill, what counts is only what was written by then."""

    class Killed(BaseException):
        pass

    ran: list[str] = []
    whole = store.run

    def run(step: Any, *given: Any, **named: Any) -> Any:
        if step.command == "recipe":
            return whole(step, *given, **named)
        if len(ran) == at:
            raise Killed
        ran.append(step.command)
        return whole(step, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(store, "run", run)
        with pytest.raises(Killed):
            store.run(Recipe(recipe=str(journey)))
    assert kept(journey) == STEPS[:at]


def test_a_training_that_is_stopped_is_no_result(journey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = journey.recipe["steps"]["longer"]["text"]
    train = {"step": "train", "stage": "align", "model": "$start", "text": text, "steps": 4, "block": 16, "eval_every": 0, "eval_documents": 2}
    journey.change(steps={n: journey.recipe["steps"][n] for n in ("longer", "start")} | {"adapted": train}, table=[], report={})
    stop = []

    def sink(event: Any) -> None:
        if event.kind == "metric" and "loss" in event.data:
            stop.append(event)

    with pytest.raises(Stopped, match="Stopped in adapted"):
        wb.run(Recipe(recipe=str(journey)), wb.Progress(sink, lambda: bool(stop)))
    made = wb.run(Recipe(recipe=str(journey))).metrics
    assert made["kept"] == ["longer", "start"]
    assert wb.open_artefact(made["made"]["adapted"]).metrics["steps"] == 4


def test_knobs_and_values_can_be_set_from_outside(journey: Any) -> None:
    made = wb.run(Recipe(recipe=str(journey), set=("longer.new_tokens=7", "start.method=random", "start.seed=3"))).metrics
    assert made["new"] == 7
    assert wb.open_artefact(made["made"]["start"]).step.method.method == "random"
    here = journey.recipe["values"]["base"]["demo"]
    paper = wb.run(Recipe(recipe=str(journey), scale="paper", set=(f"base={here}", f"chat={journey.recipe['values']['chat']['demo']}", "longer.new_tokens=7")))
    assert paper.metrics["new"] == 7
    assert "start" not in paper.metrics["kept"]


def test_a_sweep_runs_as_a_job_which_keeps_a_folder_of_its_own(journey: Any, tmp_path: Path) -> None:
    made = store.run(Recipe(recipe=str(journey), sweep=("longer.new_tokens=5,10",)), Progress(work=tmp_path / "work"))
    assert len(made.metrics["runs"]) == 2


def test_a_sweep_is_one_table_of_all_its_runs(journey: Any) -> None:
    made = wb.run(Recipe(recipe=str(journey), sweep=("longer.new_tokens=5,10", "start.method=mean,random"))).metrics
    rows = made["rows"]
    assert [(r["longer.new_tokens"], r["start.method"], r["model"]) for r in rows] == [
        (n, method, model) for n in (5, 10) for method in ("mean", "random") for model in ("base", "start")
    ]
    assert len({row["bits_per_byte target"] for row in rows if row["model"] == "start"}) == 4
    assert [wb.open_artefact(id).metrics["kept"] for id in made["runs"].values()] == [[], ["longer"], [], ["longer"]]
    journey.change(table=[])
    assert wb.run(Recipe(recipe=str(journey), sweep=("longer.new_tokens=5,10",))).metrics["rows"] == [
        {"longer.new_tokens": n, "new": n, "constant": 1} for n in (5, 10)
    ]


@pytest.mark.parametrize("sweep", ["longer.new_tokens", "longer.new_tokens=", "longer.new_tokens=1,,2", "=1"])
def test_a_bad_sweep_is_refused(journey: Any, sweep: str) -> None:
    with pytest.raises(WorkbenchError, match=r"write step\.knob=a,b,c"):
        wb.run(Recipe(recipe=str(journey), sweep=(sweep,)))


def test_every_run_of_a_sweep_is_checked_before_the_first(journey: Any) -> None:
    with pytest.raises(WorkbenchError, match="new_tokens"):
        wb.run(Recipe(recipe=str(journey), sweep=("longer.new_tokens=5,many",)))
    assert not store.artefacts()


def test_the_command_line_has_the_flags_as_they_are_said(journey: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.__main__ import main

    assert main(["recipe", str(journey), "--set", "longer.new_tokens=4", "chats.max_tokens=2"]) == 0
    assert main(["recipe", str(journey), "--set", "longer.new_tokens=4", "--from", "result", "--json"]) == 0
    assert '"kept": ["longer", "start"]' in capsys.readouterr().out
    assert main(["recipe", str(journey), "--from", "resul"]) == 2
    assert "Did you mean result" in capsys.readouterr().err


def test_steps_made_anew_are_made_anew_once_however_often_it_is_stopped(journey: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.recipes import ledger

    wb.run(Recipe(recipe=str(journey)))
    step, made, real = Recipe(recipe=str(journey), from_step="longer"), [], ledger.run

    def counted(*given: Any, **named: Any) -> Any:
        made.append(named["anew"])
        if len(made) == 2:
            raise KeyboardInterrupt
        return real(*given, **named)

    monkeypatch.setattr(ledger, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        store.run(step, Progress(work=tmp_path / "work"))
    found = store.run(step, Progress(work=tmp_path / "work")).metrics
    assert found["kept"][0] == "longer"
    assert made[:3] == [True, True, False]  # the second was begun before, and goes on
