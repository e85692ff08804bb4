"""The command line as a user types it."""

from __future__ import annotations

import json
import shutil

import pytest

from workbench import refs
from workbench.__main__ import main, overview
from workbench.errors import RunFailed
from workbench.steps import menu
from workbench.terminal import lines, table


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
    assert f"workbench {command.replace('.', ' ')} " in out


def test_usage_names_what_may_be_given_by_position(capsys) -> None:
    assert "usage: workbench tokenizer extend [BASE] [TEXT] [--knob value …]" in run(capsys, "tokenizer", "extend", "--help")[1]
    assert "usage: workbench fertility [TOKENIZERS …] " in run(capsys, "fertility", "--help")[1]


@pytest.mark.parametrize("words", [("tokenizer",), ("tokenizer", "--help"), ("transfer", "--help"), ("fertility", "-h")])
def test_help_of_a_group_names_the_steps_below_it(capsys, words) -> None:
    code, out, _ = run(capsys, *words)
    assert code == 0
    below = [command for command in menu() if command.startswith(f"{words[0]}.")]
    assert below
    assert all(command in out for command in below)
    assert "evaluate" not in out


def test_json_is_exactly_one_object(capsys) -> None:
    code, out, _ = run(capsys, "artefacts", "--json")
    assert code == 0
    assert json.loads(out) == {"id": None, "kind": "report", "metrics": {"rows": []}}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fertilty"], "Did you mean fertility or"),
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


def test_a_few_models_with_many_measures_are_shown_whole() -> None:
    rows = [{"model": f"m{n}", **{f"measure_{k}": n + k / 100 for k in range(12)}} for n in range(3)]
    said = "\n".join(lines({"rows": rows}))
    assert said.split("\n")[0].split() == ["m0", "m1", "m2"]
    assert all(f"{row[f'measure_{k}']:.4g}" in said for row in rows for k in range(12))
    assert "see --json" not in said
    twice = "\n".join(lines({"rows": [*rows, rows[0]]}))  # a model with several rows is no column
    assert "see --json" in twice


def test_a_wide_table_is_cut_to_what_fits_a_terminal() -> None:
    row = {"p95": 1, "tokenizer": "/a/b/x.model", "tokens_per_word": 2.34567, "parity": None, "text": "demo:ru", **dict.fromkeys("abcdefgh", 1)}
    head, first, *rest = "\n".join(lines({"rows": [row] * 41})).splitlines()
    assert head.split() == ["tokenizer", "text", "tokens", "per", "word", "p95", *"abcd"]
    assert first.split()[:3] == ["x.model", "demo:ru", "2.346"]
    assert rest[-1] == "… 1 more rows and 5 more columns, see --json"


def test_long_lists_histograms_and_notes_already_said_are_left_out() -> None:
    shown = list(lines({"worst_words": [{"word": "a"}] * 13, "histograms": [{"bin": 1}] * 9, "notes": ["Said.", "New."]}, {"Said."}))
    assert shown[2:] == ["… 1 more rows, see --json", "\nhistograms: 9 rows, see --json", "New."]


def test_nested_numbers_stand_one_to_a_line_with_four_digits() -> None:
    value = {"new": 50, "extension": {"share": 1 / 3, "rows": [{"k": 2 / 3}], "tops": [1 / 3, 2], "deep": {"x": {"y": 0.123456}}}, "flat": {"a": 1 / 7}}
    assert "\n".join(lines(value)).splitlines() == [
        "new: 50", "extension:", "  share: 0.3333", "  rows:", "    k", "    0.6667", "  tops: 0.3333, 2", "  deep:", "    x: y 0.1235", "flat: a 0.1429",
    ]  # fmt: skip


def test_paths_are_called_by_their_last_parts_as_many_as_tell_them_apart() -> None:
    names = refs.short_names(["/d/t/a.model", "/d/a/b.model", "/d/c/b.model", "demo:ru", "meta/llama"])
    assert list(names.values()) == ["a.model", "a/b.model", "c/b.model", "demo:ru", "meta/llama"]
    assert refs.short_names(["/x.model", "/y/x.model"]) == {"/x.model": "/x.model", "/y/x.model": "y/x.model"}


FERTILITY = ("fertility", "--tokenizers", "demo:en-base", "demo:ru-plm", "--text", "demo:en", "demo:ru", "--limit", "40")
CHROMIUM = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


def test_a_figure_beside_the_numbers(capsys, tmp_path) -> None:
    place = tmp_path / "fertility.html"
    code, out, err = run(capsys, *FERTILITY, "--figure", str(place), "--json")
    assert code == 0
    assert len(json.loads(out)["metrics"]["rows"]) == 4
    assert str(place) in err
    page = place.read_text(encoding="utf-8")
    assert "demo:ru-plm" in page
    assert 'src="http' not in page


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium was found")
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_figure_as_a_picture(capsys, tmp_path, suffix) -> None:
    pytest.importorskip("kaleido", reason="kaleido is not installed (extra figures)")
    place = tmp_path / f"fertility.{suffix}"
    assert run(capsys, *FERTILITY, f"--figure={place}")[0] == 0
    raw = place.read_bytes()
    assert b"demo:ru-plm" in raw if suffix == "svg" else raw.startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "says"), [("a.pdf", "end its name in .svg, .png, .html"), ("missing/a.html", "There is no folder"), ("a", "end its name in")])
def test_a_figure_that_cannot_be_is_refused_before_the_work(capsys, tmp_path, name, says) -> None:
    code, out, err = run(capsys, *FERTILITY, "--figure", str(tmp_path / name))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_step_without_a_figure_says_which_have_one(capsys, tmp_path) -> None:
    code, _, err = run(capsys, "artefacts", "--figure", str(tmp_path / "a.html"))
    assert code == 2
    assert "fertility.sweep" in err


def test_pictures_need_kaleido_and_say_so(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, *FERTILITY, "--figure", str(tmp_path / "a.svg"))
    assert code == 2
    assert "install 'workbench[figures]'" in err


def test_a_browser_that_fails_is_one_sentence(tmp_path, monkeypatch) -> None:
    import plotly.graph_objects as go

    from workbench import pictures

    monkeypatch.setattr(go.Figure, "write_image", lambda *_, **__: 1 / 0)
    with pytest.raises(RunFailed, match="install Chromium or Chrome, or write"):
        pictures.write(go.Figure(), tmp_path / "a.png")


def test_texts_are_drawn_side_by_side_in_one_measure() -> None:
    from workbench import pictures

    rows = [
        {"tokenizer": t, "text": x, "tokens_per_word": v, "low": v, "high": v, "bytes_per_token": 2 * v}
        for x in ("a", "b")
        for t, v in (("s", 1.5), ("t", 3.0))
    ]
    figure = pictures.draw("fertility", {"rows": rows})
    assert [list(bar.x) for bar in figure.data] == [[1.5, 3.0], [1.5, 3.0]]
    assert [note.text for note in figure.layout.annotations] == ["a", "b"]
    paths = [{**row, "tokenizer": f"/d/{row['tokenizer']}.model", "text": f"/d/{row['text'] * 40}.txt"} for row in rows]
    figure = pictures.draw("fertility", {"rows": paths})
    assert list(figure.data[0].customdata) == ["s.model", "t.model"]
    assert [note.text for note in figure.layout.annotations] == [f"…{name * 23}.txt" for name in "ab"]
    rows[-1]["tokens_per_word"] = None  # a text without words: bytes per token for all
    assert [list(bar.x) for bar in pictures.draw("fertility", {"rows": rows}).data] == [[3.0, 6.0], [3.0, 6.0]]
    bits = [{"model": m, "measure": "bits_per_byte", "text": x, "value": 1.0, "low": 0.9, "high": 1.1} for x in ("a", "b") for m in ("m", "n")]
    assert len(pictures.draw("evaluate", {"rows": bits}).data) == 2
    swept = [{"new": n, "size": 9 + n, "tokens_per_word": 3 - n / 9, "low": 1.0, "high": 3.0, "bytes_per_token": 1.0, "table_mb": 1.0} for n in (0, 4, 8)]
    drawn = pictures.draw("fertility.sweep", {"rows": swept, "knee": swept[1]})
    assert drawn.layout.annotations[0].text == "knee: 4 new, 2.56"
    assert list(drawn.data[1].x) == [0, 4, 8]
