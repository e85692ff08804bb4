"""The command line as a user types it."""

from __future__ import annotations

import json

import pytest

from workbench.__main__ import main, overview, table
from workbench.steps import menu


def run(capsys: pytest.CaptureFixture, *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_overview_lists_every_step_with_its_help(capsys) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert out.strip() == overview()
    for command in menu():
        assert f"  {command} " in out


@pytest.mark.parametrize("command", sorted(menu()))
def test_help_of_every_step(capsys, command) -> None:
    code, out, _ = run(capsys, *command.split("."), "--help")
    assert code == 0
    assert f"workbench {command}" in out


def test_json_is_exactly_one_object(capsys) -> None:
    code, out, _ = run(capsys, "artefacts", "--json")
    assert code == 0
    assert json.loads(out) == {"id": None, "kind": "report", "metrics": {"rows": []}}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fertilty"], "Did you mean fertility?"),
        (["tokenizer", "extnd"], "tokenizer.extend"),
        (["artefacts", "--kindd", "x"], "--kind"),
        (["corpus", "--seed", "-3", "--source", "x"], "greater than or equal to 0"),
        (["corpus"], "needs 'source'"),
        (["transfer", "--model", "nowhere-at-all", "--tokenizer", "x"], "is no artefact, file, folder or hub id"),
        (["jobs", "--spec", "missing.json"], "cannot be read as JSON"),
        (["train", "--stage", "allign"], "align"),
        (["corpus", "a.txt", "--source", "b.txt"], "given twice"),
        (["jobs", "--limit", "0"], "greater than or equal to 1"),
        (["import", ""], "at least 1 character"),
        (["import", "x" * 400], "is no artefact"),
        (["transfer", "explain", "nothing", "#²"], "is no artefact"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(capsys, words, says) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_step_from_a_file(capsys, tmp_path) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"step": "artefacts", "kind": "model"}))
    assert run(capsys, "artefacts", "--spec", str(file), "--json")[0] == 0
    code, _, err = run(capsys, "jobs", "--spec", str(file))
    assert code == 2
    assert "workbench artefacts --spec" in err


def test_corpus_by_command_gives_an_id_that_the_next_command_takes(capsys, tmp_path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("\n".join(f"Медведь номер {n} живёт в лесу." for n in range(100)), encoding="utf-8")
    code, out, _ = run(capsys, "corpus", "--source", str(text), "--name", "bears", "--json")
    assert code == 0
    made = json.loads(out)
    assert made["kind"] == "corpus"
    code, out, _ = run(capsys, "artefacts")
    assert code == 0
    assert made["id"] in out
    assert "bears" in out


def test_table_lines_up() -> None:
    lines = table([{"a": 1, "b": "xx"}, {"a": 22, "c": None}]).splitlines()
    assert lines[0].split() == ["a", "b", "c"]
    assert lines[2].split() == ["22", "–", "–"]
