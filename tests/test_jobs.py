"""Long work survives its reader; its own death is noticed."""

from __future__ import annotations

import os
import signal
import time

import pytest
import tiny

from workbench import jobs, store
from workbench.errors import WorkbenchError
from workbench.jobs import Jobs
from workbench.steps import from_flat


def until(condition: object, seconds: float = 60) -> None:
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "took too long"
        time.sleep(0.05)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"The bear number {n} lives in the forest." for n in range(400)))
    return path


def test_a_job_runs_the_same_step_and_reports_by_files(text) -> None:
    job = jobs.submit(from_flat("corpus", {"source": str(text)}), name="bears").wait(120)
    assert job.state == "done", job.error
    assert store.open_artefact(job.result["id"]).name == "bears"
    again = jobs.open_job(job.id)  # another reader, later
    assert again.result == job.result
    assert [e["message"] for e in again.events() if e["kind"] == "state"] == ["waiting", "running", "done"]
    assert next(r for r in Jobs().run(None, None)["rows"] if r["job"] == job.id)["artefact"] == job.result["id"]


def test_a_failing_job_says_one_sentence(tmp_path) -> None:
    job = jobs.submit(from_flat("corpus", {"source": str(tmp_path / "nothing.txt")})).wait(120)
    assert job.state == "failed"
    assert "nothing.txt" in job.error
    assert "Traceback" not in job.error
    assert store.artefacts() == []


def test_heavy_jobs_wait_for_their_turn_and_a_waiting_one_can_be_stopped(tmp_path) -> None:
    base = tiny.folder(tmp_path / "base")
    (tmp_path / "stuck").mkdir()
    os.mkfifo(tmp_path / "stuck" / "config.json")  # its reader waits until somebody writes
    work = {"model": str(base), "tokenizer": str(base)}
    slow = jobs.submit(from_flat("transfer", work | {"model": str(tmp_path / "stuck")}))
    until(lambda: slow.state == "running")
    second, light = jobs.submit(from_flat("transfer", work)), jobs.submit(from_flat("transfer.preview", work))
    assert light.wait(60).state == "done", "a light job does not queue"
    assert second.state == "waiting"
    second.stop()
    assert second.wait(60).state == "stopped"
    _kill(slow)
    assert slow.state == "lost", "a killed job is noticed"
    third = jobs.submit(from_flat("transfer", work)).wait(120)
    assert third.state == "done", "a dead job does not block the queue"
    assert len(store.artefacts()) == 1


def _kill(job: jobs.Job) -> None:
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if str(job.path) in (process.info["cmdline"] or []):
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)


def test_unknown_job() -> None:
    with pytest.raises(WorkbenchError, match="There is no job"):
        jobs.open_job("../../etc/passwd")
