"""A working folder belongs to one step and one process."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import work
from workbench.__main__ import main
from workbench.errors import WorkbenchError
from workbench.progress import Progress
from workbench.training.stages import Align

LEAVES = st.none() | st.integers(0, 2) | st.sampled_from(["", "a"])
SPECS = st.dictionaries(st.sampled_from("abc"), LEAVES | st.dictionaries(st.sampled_from("xy"), LEAVES))


@settings(max_examples=50, deadline=None)
@given(SPECS, SPECS)
def test_no_difference_means_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert work.differences(one, one) == {}
    assert (work.differences(one, other) == {}) == (one == other)
    assert work.differences(one, other).keys() == work.differences(other, one).keys()


def test_differences_are_named_with_both_values() -> None:
    before, now = {"step": "train", "seed": 0, "method": {"k": 4, "name": "salt"}}, {"step": "train", "seed": 1, "method": {"k": 5, "name": "salt"}, "new": "a"}
    assert work.differences(before, now) == {"seed": ("0", "1"), "method.k": ("4", "5"), "new": ("not set", '"a"')}


def test_the_same_step_may_go_on_and_another_may_not(tmp_path: Path) -> None:
    place = tmp_path / "work"
    with work.held(place, {"step": "train", "seed": 0}):
        (place / "kept").touch()
    with work.held(place, {"step": "train", "seed": 0}):
        assert (place / "kept").exists()
    with (
        pytest.raises(WorkbenchError, match=r"was another step \(seed was 0, is 1\); set it as it was to go on, or start anew"),
        work.held(place, {"step": "train", "seed": 1}),
    ):
        pass
    work.clear(place)
    with work.held(place, {"step": "train", "seed": 1}):
        pass


@pytest.mark.parametrize("spec", [False, True])
@pytest.mark.parametrize("other", ["model.bin", ".git/config"])
def test_a_folder_of_the_users_own_is_neither_taken_nor_removed(tmp_path: Path, other: str, spec: bool) -> None:
    kept = tmp_path / "mine" / other
    kept.parent.mkdir(parents=True)
    kept.write_text("years of work", encoding="utf-8")
    if spec:  # the very one that is run
        (tmp_path / "mine" / work.SPEC).write_text("{}", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    assert main(["import", "demo:en-chat", "--work", str(tmp_path / "mine")]) == 2
    with pytest.raises(WorkbenchError, match=r"holds other files .*; name an empty folder or a new one"), work.held(tmp_path / "mine", {}):
        pass
    work.clear(tmp_path / "mine")
    assert sorted(tmp_path.rglob("*")) == before
    assert kept.read_text(encoding="utf-8") == "years of work"


def test_an_empty_folder_of_the_users_own_is_taken(tmp_path: Path) -> None:
    begun(tmp_path, text="a")
    assert (tmp_path / work.SPEC).is_file()


def begun(place: Path, **contents: str) -> None:
    with work.held(place, {"step": "train"}, lambda: contents):
        pass


def test_what_was_begun_goes_on_only_with_what_it_read(tmp_path: Path) -> None:
    place = tmp_path / "work"
    begun(place, text="a", model="b")
    begun(place, text="other", model="b")  # nothing was kept yet
    (place / "kept").touch()
    begun(place, text="other", model="b")
    with pytest.raises(WorkbenchError, match=r"^The content of 'text' has changed since .*; put it back as before to go on, or start anew elsewhere\.$"):
        begun(place, text="a", model="b")
    with pytest.raises(WorkbenchError, match=r"^What 'text' named when .* is not found from here; go on from the same place as then, or start"):
        begun(place, model="b")
    with pytest.raises(WorkbenchError, match=r"The content of 'text' and 'pairs' has changed since .*; put them back"):
        begun(place, text="b", model="b", pairs="c")
    begun(place, text="other", model="b")
    (place / work.CONTENTS).unlink()
    with pytest.raises(WorkbenchError, match="holds other files"):  # a user's, with a spec of their own
        begun(place, text="other", model="b")
    (place / "kept").unlink()
    begun(place, text="a", model="b")  # killed at its beginning


def test_what_a_step_reads_is_looked_at_only_for_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench import contents

    text = tmp_path / "a.txt"
    text.write_text("\n".join(f"{n} дом" for n in range(60)), encoding="utf-8")
    asked: list[tuple[str, Path]] = []
    monkeypatch.setattr(contents, "by_knob", lambda step, without: asked.append((step.command, without)) or {})
    step = wb.corpus.Corpus(source=(str(text),))
    wb.run(step)
    assert not asked
    wb.run(step, Progress(work=tmp_path / "work"))
    assert asked == [("corpus", tmp_path / "work")]


def test_what_a_kill_left_half_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    begun(tmp_path / "work", text="a")
    (tmp_path / "work" / ".writing").mkdir()
    begun(tmp_path / "work", text="other")


@pytest.mark.parametrize("place", ["checkpoints", ".work"])
def test_a_folder_within_the_text_that_is_read_may_be_gone_on_from(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("\n".join(f"{n} дом" for n in range(60)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    step = wb.corpus.Corpus(source=(".",))

    def killed(step: wb.corpus.Corpus, out: Path, progress: Progress) -> dict[str, Any]:
        (progress.work / "kept").write_text("so far", encoding="utf-8")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(wb.corpus.Corpus, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            wb.run(step, Progress(work=Path(place)))
    assert wb.run(step, Progress(work=Path(place))).metrics["documents"] == 60


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with FileLock(tmp_path / work.LOCK), pytest.raises(WorkbenchError, match="wait for it or name another folder"), work.held(tmp_path, {}):
        pass


def test_no_folder_is_no_matter() -> None:
    with work.held(None, {}):
        work.clear(None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_to_a_command_with_a_working_folder_asks_it_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    before, said = signal.getsignal(number), []

    def run(step: Align, out: Path, progress: Progress) -> dict[str, Any]:
        said.append(progress.stopping())
        signal.raise_signal(number)
        said.append(progress.stopping())
        assert signal.getsignal(number) == before, "a second one ends it"
        return {"ended": "stop"}

    monkeypatch.setattr(Align, "run", run)
    words = ["train", "here", "there", "--work", str(tmp_path / "work")]
    assert main(words) == 0
    assert said == [False, True]
    assert (tmp_path / "work" / work.SPEC).is_file(), "what was stopped can be gone on with"
    assert signal.getsignal(number) == before
    assert main([*words, "--seed", "3"]) == 2, "but not with another knob"
