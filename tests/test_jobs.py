"""Long work survives its reader; its own death is noticed."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import tiny
from filelock import FileLock

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


def pretended(number: int, *states: str) -> tuple[jobs.Job, jobs._Log]:
    """A heavy job as its files would tell it."""
    job = jobs.Job(f"{number:013}-000000", jobs.folder() / f"{number:013}-000000")
    job.path.mkdir()
    store.write_json(job.path / "job.json", {"id": job.id, "name": "", "heavy": True, "spec": {"step": "train"}})
    log = jobs._Log(job.path)
    for state in states:
        log.state(state)
    return job, log


def test_an_earlier_job_that_is_gone_on_with_has_its_turn_before_one_that_waits(monkeypatch) -> None:
    (first, again), (second, running), (third, _) = pretended(1, "running", "stopped"), pretended(2, "running"), pretended(3, "waiting")
    seen: list[str] = []
    then = iter([lambda: again.state("waiting", again=True), lambda: running.state("done"), lambda: again.state("running"), lambda: again.state("done")])

    def sleep(_: float) -> None:
        seen.append(f"{first.state} {second.state}")
        next(then)()

    with FileLock(first.path / "alive"), FileLock(second.path / "alive"), monkeypatch.context() as patched:
        patched.setattr(jobs.time, "sleep", sleep)
        jobs._wait_for_turn(third.path, lambda: False, lambda: seen.append("begun"))
    assert seen == ["stopped running", "waiting running", "waiting done", "running done", "begun"]


def test_two_jobs_never_begin_at_once() -> None:
    """Both may find nobody running, as where one is gone on with just after the other has looked."""
    held = {1: pretended(1, "stopped"), 2: pretended(2, "waiting")}
    order: list[str] = []

    def turn(n: int) -> None:
        job, log = held[n]

        def begin() -> None:
            time.sleep(0.2)  # between the look and the word
            log.state("running")
            order.append(f"{n} begins")

        with FileLock(job.path / "alive"):
            jobs._wait_for_turn(job.path, lambda: False, begin)
            time.sleep(0.5)
            order.append(f"{n} ends")
            log.state("done")

    threads = [threading.Thread(target=turn, args=(n,)) for n in (2, 1)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
        if thread is threads[0]:
            held[1][1].state("waiting", again=True)
    for thread in threads:
        thread.join(30)
    assert [line.split()[1] for line in order] == ["begins", "ends"] * 2


def test_unknown_job() -> None:
    with pytest.raises(WorkbenchError, match="There is no job"):
        jobs.open_job("../../etc/passwd")
