"""What references point to, as hashes: they change with the content and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import tiny

import workbench as wb
from workbench import contents, refs
from workbench.contents import by_knob, fingerprint
from workbench.steps import find


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "ru.txt").write_text("\n".join(f"дом {n}" for n in range(60)), encoding="utf-8")
    return tmp_path / "ru.txt"


def test_a_knob_s_hash_is_that_of_what_lies_there(tmp_path: Path, text: Path) -> None:
    model = tiny.folder(tmp_path / "model")
    step = find("train", "align")(model=str(model), text=str(text))
    first = by_knob(step)
    assert set(first) == {"model", "text"}
    os.utime(text, (1, 1))
    assert by_knob(step) == first, "a file that was only touched is as it was"
    text.write_text(text.read_text(encoding="utf-8").replace("дом 7", "дым 7"), encoding="utf-8")
    second = by_knob(step)
    assert {name for name in first if first[name] != second[name]} == {"text"}
    (model / "generation_config.json").unlink()
    assert {name for name in first if second[name] != by_knob(step)[name]} == {"model"}
    assert by_knob(step.model_copy(update={"steps": 7, "device": "cpu"})) == by_knob(step), "knobs that point to nothing do not matter"


def test_what_is_not_here_has_no_hash_and_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_hash", lambda file, _: pytest.fail(f"{file} was read"))
    assert by_knob(find("train", "align")(model="some-lab/base", text="hf:some/text", source_text="hf:some/set")) == {}


def test_a_text_of_the_demo_is_the_code_that_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = find("train", "align")(model="some-lab/base", text="demo:ru")
    assert set(by_knob(step)) == {"text"}
    assert set(by_knob(step.model_copy(update={"model": "demo:no-model", "pairs": "demo:en-ru"}))) == {"text", "pairs"}
    monkeypatch.setattr(refs, "demo_folder", lambda: tmp_path / "models")
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "text.py").write_text("SPOKEN = 0.6")
    first = by_knob(step), fingerprint(step)
    assert first == (by_knob(step), fingerprint(step))
    (tmp_path / "world" / "text.py").write_text("SPOKEN = 0.5")
    assert first[0] != by_knob(step)
    assert first[1] != fingerprint(step)


def test_what_other_versions_made_is_made_anew(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = wb.corpus.Corpus(source=(str(text),))
    now, read = fingerprint(step), by_knob(step)
    assert fingerprint(step) == now
    monkeypatch.setattr(contents.store, "versions", lambda: {"torch": "0"})
    assert fingerprint(step) != now
    assert by_knob(step) == read, "what a step has begun goes on"


def test_lists_artefacts_and_the_options_of_a_method_are_followed(tmp_path: Path, text: Path) -> None:
    other = tmp_path / "b.txt"
    other.write_text(text.read_text(encoding="utf-8"), encoding="utf-8")
    made = wb.run(wb.corpus.Corpus(source=(str(text), str(other))))
    assert set(by_knob(made.step)) == {"source"}
    first = by_knob(made.step)
    other.unlink()
    assert by_knob(made.step) != first
    assert contents.pointed(made.id) == made.manifest["content_hash"]
    donor = tiny.folder(tmp_path / "donor")
    step = wb.transfer.Transfer(model="demo:en-base", tokenizer=str(donor), method=wb.transfer.Salt(donor=str(donor)))
    assert set(by_knob(step)) == {"model", "tokenizer", "donor"}


@pytest.mark.parametrize(("small", "much"), [(10, 1 << 30), (1 << 30, 10)])
def test_of_large_files_size_and_time_stand_for_the_content(text: Path, monkeypatch: pytest.MonkeyPatch, small: int, much: int) -> None:
    monkeypatch.setattr(contents, "SMALL", small)
    monkeypatch.setattr(contents, "MUCH", much)
    monkeypatch.setattr(contents, "_hash", lambda file, _: pytest.fail(f"{file} was read"))
    first = contents.pointed(str(text))
    assert contents.pointed(str(text)) == first
    os.utime(text, (1, 1))
    assert contents.pointed(str(text)) != first


def test_what_is_hidden_in_a_folder_does_not_count_and_what_is_moved_does(tmp_path: Path, text: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text("лес", encoding="utf-8")
    step = find("train", "align")(model="some-lab/base", text=str(tmp_path))
    first = by_knob(step)
    (tmp_path / ".DS_Store").write_text("a desktop's", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_text("a version control's", encoding="utf-8")
    assert by_knob(step) == first
    assert len(list(wb.corpus.open(str(tmp_path)))) == 61
    (tmp_path / "more").rename(tmp_path / ".more")
    assert len(list(wb.corpus.open(str(tmp_path)))) == 60
    assert by_knob(step) != first


def test_a_pattern_that_also_matches_a_folder_is_what_its_files_are(tmp_path: Path, text: Path) -> None:
    first = contents.pointed(str(tmp_path / "*"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    assert contents.pointed(str(tmp_path / "*")) == first


def test_only_references_point_to_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompt").write_text("a file by the name of a knob's value", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("a recipe is edited and gone on with", encoding="utf-8")
    assert by_knob(find("train", "calibrate")(model="some-lab/base", reply_script="prompt")) == {}
    assert by_knob(find("recipe")(recipe="mine.yaml")) == {}


def test_a_file_is_read_once_while_nothing_touches_it(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    real = contents.hashlib.file_digest
    monkeypatch.setattr(contents.hashlib, "file_digest", lambda *given: reads.append(1) or real(*given))
    monkeypatch.setattr(contents, "SETTLED", -(10**18))
    first = contents.pointed(str(text))
    assert contents.pointed(str(text)) == first
    assert len(reads) == 1
    os.utime(text, (1, 1))
    assert contents.pointed(str(text)) == first
    assert len(reads) == 2
    monkeypatch.undo()
    text.write_text(text.read_text(encoding="utf-8").replace("дом", "дым"), encoding="utf-8")
    os.utime(text, (1, 1))
    assert contents.pointed(str(text)) != first, "same size, same time of writing, another text"


def test_a_file_that_may_not_be_read_is_left_to_the_step(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(file: Path, about: os.stat_result) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(contents, "_hash", refused)
    assert contents.pointed(str(text)) == str(text)


def test_sizes_are_those_of_the_files(tmp_path: Path, text: Path) -> None:
    assert contents.size(str(text)) == text.stat().st_size
    assert contents.size(str(tmp_path / "*.txt")) == text.stat().st_size
    assert contents.size("hf:some/set") is contents.size("demo:ru") is contents.size("corpus-12345678") is None
    made = wb.run(wb.corpus.Corpus(source=(str(text),)))
    assert contents.size(made.id) == sum(f.stat().st_size for f in made.path.iterdir() if f.name != "manifest.json")


def test_a_step_s_fingerprint_follows_what_it_reads_and_not_where_it_runs(text: Path) -> None:
    step = find("train", "align")(model="demo:en-base", text=str(text))
    first = fingerprint(step)
    assert fingerprint(step.model_copy(update={"device": "cpu"})) == first
    assert fingerprint(step.model_copy(update={"seed": 1})) != first
    text.write_text("other", encoding="utf-8")
    assert fingerprint(step) != first
