"""A training job that is killed, and one that is stopped, go on by `jobs.resume` to the same weights."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import tiny

import workbench as wb
from workbench import jobs
from workbench.checkpoint import Checkpoint
from workbench.errors import WorkbenchError
from workbench.training import resuming
from workbench.training.stages import Align

STEPS = 40


@pytest.fixture
def align(tmp_path: Path) -> Align:
    text = tmp_path / "ru.txt"
    text.write_text("\n".join(f"{line}, {n}" for n in range(60) for line in tiny.RUSSIAN), encoding="utf-8")
    quick = {"steps": STEPS, "batch_size": 2, "block": 32, "learning_rate": 0.02, "eval_every": 0, "eval_documents": 5, "device": "cpu", "dtype": "fp32"}
    return Align(model=str(tiny.folder(tmp_path / "model")), text=str(text), checkpoint_every=2, **quick)


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "took too long"
        time.sleep(0.002)


def process(job: jobs.Job) -> psutil.Process:
    return next(p for p in psutil.process_iter(["cmdline"]) if str(job.path) in (p.info["cmdline"] or []))


def same_weights(one: str, other: str) -> bool:
    files = [wb.store.open_artefact(reference).manifest["files"] for reference in (one, other)]
    return all(files[0][name]["sha256"] == files[1][name]["sha256"] for name in files[0] if name.endswith(".safetensors"))


def test_a_job_that_is_stopped_and_then_killed_goes_on_to_the_same_weights(align: Align) -> None:
    job = jobs.submit(align)
    until(lambda: resuming.last(job.path / "work"))
    with pytest.raises(WorkbenchError, match="is running; stop it first"):
        jobs.resume(job.id)
    job.stop()
    job.wait(120)
    assert job.result["metrics"]["ended"] == "stop", job.error
    assert Checkpoint.open(wb.store.open_artefact(job.result["id"]).path), "a stop leaves what was learnt so far as a model"
    with pytest.raises(WorkbenchError, match=r"is of another step \(learning_rate was 0.02, is 0.5\)"):
        jobs.resume(job.id, Align(**align.model_dump() | {"learning_rate": 0.5}))

    stopped = at(job)
    jobs.Jobs(resume=job.id).run(None, None)
    assert job.state == "waiting"
    until(lambda: at(job) > stopped)
    child = process(job)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    assert job.state == "lost"
    killed = at(job)
    assert killed < STEPS, "it was killed too late to show anything"
    with (job.path / "events.jsonl").open("a") as file:
        file.write('{"kind": "met')  # what a kill can leave

    assert jobs.resume(job.id).wait(120).state == "done", job.error
    assert [e["message"] for e in job.events() if e["kind"] == "note"] == [f"Going on from step {at}, in fp32." for at in (stopped, killed)]
    assert same_weights(job.result["id"], wb.run(align).id)
    assert not (job.path / "work").exists()
    with pytest.raises(WorkbenchError, match="has done its work; submit the step again"):
        jobs.resume(job.id)


def at(job: jobs.Job) -> int:
    """The step of its last whole checkpoint; one may be replaced by the next while it is read."""
    while True:
        with suppress(FileNotFoundError):
            return resuming.record(resuming.last(job.path / "work"))["step"]
