"""Artefacts are whole or not there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from workbench import steps, store
from workbench.errors import RunFailed, WorkbenchError
from workbench.progress import Progress
from workbench.specs import ArtefactRef, Step


class Note(Step):
    """Write a note."""

    command: ClassVar[str] = "note"
    makes: ClassVar[str] = "note"
    text: str = Field("hello", description="What to write.")
    after: ArtefactRef = Field("", description="An earlier note.")
    seconds: float = Field(0, description="How long to take.")
    fail: str = Field("", description="How to fail.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        (out / "part").mkdir()
        (out / "part" / "note.txt").write_text(self.text)
        time.sleep(self.seconds)
        if self.fail == "disk":
            raise OSError(28, "No space left on device")
        if self.fail:
            raise ValueError(self.fail)
        return {"length": len(self.text)}


@pytest.fixture(autouse=True)
def _menu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "menu", lambda: {"note": (Note,)})


def test_a_made_artefact_is_a_plain_folder_with_a_manifest() -> None:
    made = store.run(Note(text="abc"), name="first")
    assert made.path.parent == store.folder()
    assert (made.path / "part" / "note.txt").read_text() == "abc"
    assert made.metrics == {"length": 3}
    assert made.manifest["files"]["part/note.txt"]["bytes"] == 3
    assert made.manifest["versions"]["workbench"]
    assert made.step == Note(text="abc")
    assert [a.id for a in store.artefacts()] == [made.id]
    assert store.open_artefact(made.id).manifest == made.manifest


def test_the_same_content_has_the_same_hash_and_lineage_is_kept() -> None:
    first, again = store.run(Note()), store.run(Note())
    assert first.manifest["content_hash"] == again.manifest["content_hash"] != store.run(Note(text="x")).manifest["content_hash"]
    child = store.run(Note(after=first))
    assert child.parents == [first.id]
    with pytest.raises(WorkbenchError, match=f"used to make {child.id}"):
        store.delete(first.id)
    store.delete(child.id)
    store.delete(first.id)
    left = {a.id for a in store.artefacts()}
    assert again.id in left
    assert not left & {first.id, child.id}


def test_a_failed_step_leaves_nothing() -> None:
    with pytest.raises(ValueError, match="boom"):
        store.run(Note(fail="boom"))
    with pytest.raises(RunFailed, match="disk"):
        store.run(Note(fail="disk"))
    assert store.artefacts() == []
    assert list(store.folder().iterdir()) == []


def _make(seconds: float, times: int = 1, after: str = "") -> None:
    steps.menu = lambda: {"note": (Note,)}
    for n in range(times):
        store.run(Note(text=str(n), seconds=seconds, after=after))


def test_kill_in_the_middle_of_a_write_leaves_no_artefact_and_is_swept() -> None:
    parent, other = store.run(Note()), store.run(Note())
    child = multiprocessing.get_context("fork").Process(target=_make, args=(60, 1, parent.id))
    child.start()
    deadline = time.time() + 20
    while not list(store.folder().glob(".tmp-*/part/note.txt")) and time.time() < deadline:
        time.sleep(0.02)
    assert store.sweep() == 0, "a living writer must not be swept"
    with pytest.raises(WorkbenchError, match=f"{parent.id} is being used to make another artefact"):
        store.delete(parent.id)
    store.delete(other.id)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert [each.id for each in store.artefacts()] == [parent.id]
    store.delete(parent.id)  # a dead one uses nothing
    assert store.sweep() == 1
    assert list(store.folder().iterdir()) == []


def test_two_processes_write_one_home() -> None:
    children = [multiprocessing.get_context("fork").Process(target=_make, args=(0, 10)) for _ in range(2)]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        for artefact in store.artefacts():  # readers never see a half-written one
            assert (artefact.path / "part" / "note.txt").is_file()
    assert len(store.artefacts()) == 20


def test_unknown_ids_name_close_ones() -> None:
    made = store.run(Note())
    wrong = made.id[:-1] + ("0" if made.id[-1] != "0" else "1")
    with pytest.raises(WorkbenchError, match=f"Did you mean {made.id}"):
        store.open_artefact(wrong)
    for sly in ("../etc", "note-../../x", ""):
        with pytest.raises(WorkbenchError, match="There is no artefact"):
            store.open_artefact(sly)


def test_renaming_keeps_the_id_and_refuses_odd_names() -> None:
    made = store.run(Note())
    assert store.rename(made.id, "мой").name == "мой"
    assert store.open_artefact(made.id).name == "мой"
    with pytest.raises(WorkbenchError, match="80 characters"):
        store.rename(made.id, "a\nb")


def test_a_home_that_cannot_be_written_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "file"))
    with pytest.raises(WorkbenchError, match="set WORKBENCH_HOME"):
        store.run(Note())


def test_what_a_stopped_step_has_kept_is_an_artefact() -> None:
    asked = []

    class Keeps(Note):
        """Ends early when asked to, and keeps what it has."""

        def run(self, out: Path, progress: Progress) -> dict[str, Any]:
            asked.append(True)
            return super().run(out, Progress())

    assert store.run(Keeps(), Progress(stop=lambda: bool(asked))).metrics == {"length": 5}


def test_a_damaged_manifest_hides_nothing_else() -> None:
    made = store.run(Note())
    for n, text in enumerate(("{}", "", "[1]", '{"id": 3}')):
        place = store.folder() / f"note-0000000{n}"
        place.mkdir()
        (place / "manifest.json").write_text(text)
        with pytest.raises(WorkbenchError, match="cannot be read"):
            store.open_artefact(place.name)
    assert [a.id for a in store.artefacts()] == [made.id]


def test_numbers_that_json_has_not_become_null() -> None:
    class Odd(Note):
        """Gives odd numbers."""

        def run(self, out: Path, progress: Progress) -> dict[str, Any]:
            return {"a": float("inf"), "b": [float("nan"), 1.0], "c": {"d": (1, 2)}}

    assert store.run(Odd()).metrics == {"a": None, "b": [None, 1.0], "c": {"d": [1, 2]}}


def test_a_folder_inside_the_home_is_a_parent_too() -> None:
    first = store.run(Note())
    assert store.run(Note(after=str(first.path))).parents == [first.id]
