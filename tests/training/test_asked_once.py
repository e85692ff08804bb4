"""The original model is asked once: by one process, and for every prompt once, however often that is cut off."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench import contents, processes
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation import asking
from workbench.progress import Progress
from workbench.training import Calibrate, answering
from workbench.training.calibrate import ASKED, COUNTS
from workbench.training.conversations import ANSWERS

KNOBS = {"prompts": ("demo:en",), "prompt_limit": 20, "ask_batch": 6, "copy_tasks": 0, "reply_tokens": 12, "eval_documents": 4, "device": "cpu"}
STEP = Calibrate(model="demo:en-chat", instruct="demo:en-chat", **KNOBS)


class Cut(BaseException):
    """What a kill looks like from within."""


@pytest.fixture(scope="module")
def tokens() -> Any:
    return wb.tokenizer.load("demo:en-chat")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prompts each call of the model answered; `asked.append(-1)` beforehand makes the call after the next one a kill."""
    calls: list[int] = []
    real = asking.finished_replies

    def replies(model: Any, tokenizer: Any, prompts: Any, *given: Any) -> Any:
        if -1 in calls and len(calls) > 2:
            raise Cut
        calls.append(len(prompts))
        return real(model, tokenizer, prompts, *given)

    monkeypatch.setattr(asking, "finished_replies", replies)
    return calls


def learnt(data: Any) -> tuple[Any, Any]:
    return data.kept, data.found["answers"]


@pytest.mark.parametrize("torn", [b"", b'[["half a li'])
def test_what_was_answered_before_a_kill_is_not_asked_again(tmp_path: Path, tokens: Any, asked: list[int], torn: bytes) -> None:
    whole = learnt(STEP.data(tokens, Progress()))
    assert asked == [6, 6, 6, 2]
    asked[:] = [-1]
    with pytest.raises(Cut):
        STEP.data(tokens, Progress(work=tmp_path / "work"))
    with (tmp_path / "work" / ASKED).open("ab") as file:
        file.write(torn)
    asked.clear()
    assert learnt(STEP.data(tokens, Progress(work=tmp_path / "work"))) == whole
    assert asked == [6, 2], "two batches had been answered"
    asked.clear()
    assert learnt(STEP.data(tokens, Progress(work=tmp_path / "work"))) == whole
    assert not asked
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == [COUNTS, ANSWERS]


def test_answers_to_other_prompts_are_not_taken_up(tmp_path: Path, tokens: Any, asked: list[int]) -> None:
    asked.append(-1)
    with pytest.raises(Cut):
        STEP.data(tokens, Progress(work=tmp_path))
    asked.clear()
    other = STEP.model_copy(update={"prompt_limit": 19})
    assert learnt(other.data(tokens, Progress(work=tmp_path))) == learnt(other.data(tokens, Progress()))
    assert asked[:4] == [6, 6, 6, 1]


@pytest.mark.parametrize("folder", [True, False])
def test_only_the_first_of_several_processes_asks(tmp_path: Path, tokens: Any, folder: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for what it writes, with a folder to go on from or without one."""
    alone = learnt(STEP.data(tokens, Progress()))
    work = tmp_path / "work" if folder else None
    found: list[Any] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "rank", lambda: int(threading.current_thread().name == "other"))
    real = answering.self_answers

    def slowly(*given: Any, **named: Any) -> Any:
        assert processes.main()
        time.sleep(0.3)
        return real(*given, **named)

    monkeypatch.setattr(answering, "self_answers", slowly)
    other = threading.Thread(target=lambda: found.append(learnt(STEP.data(tokens, Progress(work=work)))), name="other", daemon=True)
    other.start()
    mine = STEP.data(tokens, Progress(work=work))
    other.join(60)
    assert [learnt(mine), *found] == [alone, alone]
    shared = wb.store.home() / "cache" / "answers" / contents.fingerprint(STEP)
    assert shared.is_dir() != folder
    STEP.keep(mine, tmp_path)
    assert not shared.is_dir()


@pytest.mark.parametrize("folder", [True, False])
def test_a_process_that_waits_for_answers_can_be_stopped(tmp_path: Path, folder: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    begun = time.monotonic()
    with pytest.raises(Stopped):
        wb.store.run(STEP, Progress(stop=lambda: time.monotonic() > begun + 0.5, work=tmp_path / "work" if folder else None))


def test_a_preview_leaves_nothing_to_go_on_from(tmp_path: Path, asked: list[int]) -> None:
    preview = wb.training.PreviewCalibrate(**STEP.model_dump())
    made = wb.run(preview, Progress(work=tmp_path / "work"))
    assert asked == [6, 2]
    assert not (tmp_path / "work").exists()
    assert made.metrics["estimate"]["time"].endswith("of it to ask the original")


def test_a_preview_counts_the_steps_of_all_prompts_though_it_asks_few() -> None:
    more = {"steps": 10**6, "batch_size": 1, "block": 64, "copy_tasks": 0, "prompt_limit": 400}
    preview = wb.training.PreviewCalibrate(**STEP.model_dump() | more)
    few = wb.training.running.opened(preview).steps
    assert wb.training.first_batch(preview).steps == 50 * few
    assert wb.training.first_batch(preview.model_copy(update={"steps": 7})).steps == 7


def test_a_preview_counts_the_steps_of_large_batches_and_of_no_more_prompts_than_there_are(tmp_path: Path, tokens: Any) -> None:
    asked = [f"{who} lives in {place}. Where does {who} live?" for who in ("Anna", "Martin", "Sara", "Mina") for place in ("Paris", "London", "Madrid", "Rome")]
    (tmp_path / "few.txt").write_text("\n".join(asked), encoding="utf-8")
    step = STEP.model_copy(
        update={"prompts": (str(tmp_path / "few.txt"),), "prompt_limit": 4000, "steps": 10**6, "batch_size": 2, "reply_tokens": 24, "reply_script": "any"}
    )
    for more in ({"accumulate": 64}, {"batch_size": 1, "block": 64}):
        each = step.model_copy(update={"block": 256} | more)
        told = wb.training.first_batch(wb.training.PreviewCalibrate(**each.model_dump())).steps
        assert told == pytest.approx(wb.training.running.opened(each).steps, rel=0.3)


def test_a_preview_of_few_short_answers_is_shown_though_they_fill_no_block(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text(json.dumps({"instruction": "who?", "output": "the bear"}), encoding="utf-8")
    short = STEP.model_dump() | {"block": 512, "reply_tokens": 12, "prompt_limit": 2000}
    assert wb.training.first_batch(wb.training.PreviewCalibrate(**short)).documents
    with pytest.raises(WorkbenchError, match="less than one block of 512"):
        wb.training.first_batch(wb.training.PreviewCalibrate(**short | {"answers": str(tmp_path / "answers.jsonl")}))


def test_the_file_says_what_was_asked(tmp_path: Path, tokens: Any, asked: list[int]) -> None:
    asked.append(-1)
    with pytest.raises(Cut):
        STEP.data(tokens, Progress(work=tmp_path))
    first, *batches = (tmp_path / ASKED).read_text(encoding="utf-8").splitlines()
    assert len(first) == 64
    assert [len(json.loads(line)) for line in batches] == [6, 6]
