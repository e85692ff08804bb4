"""Long work as child processes: a job is a folder with `job.json`, an append-only `events.jsonl` and a lock.

The child holds the lock `alive` for its whole life, so a killed one is noticed by the free lock, whatever became of its
process number. A page or a notebook only reads files: a reload loses nothing. Heavy jobs run one at a time, in order.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout
from pydantic import Field

from . import forking, store, work
from .errors import Stopped, WorkbenchError, nearest
from .progress import Event, Progress
from .specs import Step

ID = re.compile(r"\d{10,14}-[0-9a-f]{6}")
ENDED = ("done", "failed", "stopped", "lost")


@dataclass(frozen=True)
class Job:
    """A job as its files tell it."""

    id: str
    path: Path

    @cached_property
    def about(self) -> dict[str, Any]:
        return json.loads((self.path / "job.json").read_text(encoding="utf-8"))

    @property
    def spec(self) -> dict[str, Any]:
        return self.about["spec"]

    @property
    def name(self) -> str:
        return self.about["name"]

    @property
    def heavy(self) -> bool:
        return self.about["heavy"]

    def events(self, start: int = 0) -> list[dict[str, Any]]:
        """All whole events from the `start`-th on."""
        try:
            lines = (self.path / "events.jsonl").read_bytes().split(b"\n")[:-1]  # what follows the last newline is half a line
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[start:]]

    @property
    def said(self) -> int:
        """Bytes of its events so far; -1 before the first."""
        try:
            return (self.path / "events.jsonl").stat().st_size
        except FileNotFoundError:
            return -1

    @property
    def state(self) -> str:
        """waiting, running, done, failed, stopped, or lost (its process was killed)."""
        last = self._last()
        state = last["message"] if last else "waiting"
        if state in ENDED or self._alive():
            return state
        # Between the two reads the job may have ended: look once more before calling it lost.
        last = self._last()
        state = last["message"] if last else "waiting"
        born = (self.path / "job.json").stat().st_mtime if last is None else last["at"] if last["data"].get("again") else 0.0
        return state if state in ENDED or time.time() - born < 60 else "lost"

    @property
    def fraction(self) -> float:
        return next((e["fraction"] for e in reversed(self.events()) if e.get("fraction") is not None), 0.0)

    @property
    def result(self) -> dict[str, Any] | None:
        """{"id", "kind", "metrics"} of a job that is done."""
        last = self._last()
        return last["data"] if last and last["message"] == "done" else None

    @property
    def error(self) -> str:
        last = self._last()
        return last["data"].get("error", "") if last else ""

    @property
    def resumable(self) -> bool:
        """Whether it ended before its work was done: stopped, failed or killed."""
        state = self.state
        return state in ENDED and (state != "done" or self.result["metrics"].get("ended") == "stop")

    def stop(self) -> None:
        """Ask it to end at its next report; what it has kept so far stays."""
        (self.path / "stop").touch()

    def wait(self, seconds: float = 600) -> Job:
        """Return when it has ended; raises WorkbenchError after `seconds`."""
        end = time.time() + seconds
        while self.state not in ENDED:
            if time.time() > end:
                raise WorkbenchError(f"Job {self.id} is still {self.state} after {seconds:.0f} s; wait longer or stop it.")
            time.sleep(0.2)
        return self

    def _last(self) -> dict[str, Any] | None:
        return next((e for e in reversed(self.events()) if e["kind"] == "state"), None)

    def _alive(self) -> bool:
        try:
            with FileLock(self.path / "alive").acquire(timeout=0):
                return False
        except Timeout:
            return True


def folder() -> Path:
    place = store.folder().parent / "jobs"
    place.mkdir(exist_ok=True)
    return place


def submit(step: Step, name: str = "") -> Job:
    """Start a step in a process of its own; returns at once."""
    from .steps import to_json

    new = f"{int(time.time() * 1000)}-{secrets.token_hex(3)}"
    path = folder() / new
    path.mkdir()
    store.write_json(path / "job.json", {"id": new, "name": name, "heavy": step.heavy, "spec": to_json(step)})
    _start(path)
    return Job(new, path)


def resume(reference: str, step: Step | None = None) -> Job:
    """Start a job again that was stopped, failed or killed; what it kept is gone on from. Returns at once.

    Raises WorkbenchError where it is still under way or has done its work, and, where a `step` is given that differs from the job's, the difference.
    """
    from .steps import to_json

    job = open_job(reference)
    if not job.resumable:
        done = job.state in ENDED
        raise WorkbenchError(f"Job {job.id} {'has done its work' if done else f'is {job.state}'}; {'submit the step again' if done else 'stop it first'}.")
    if step is not None:
        work.same_or_refuse(job.spec, to_json(step), f"Job {job.id} is of another step")
    (job.path / "stop").unlink(missing_ok=True)
    _Log(job.path).state("waiting", again=True)  # said here, so that no reader sees the old end until the child holds its lock
    _start(job.path)
    return job


def _start(path: Path) -> None:
    if forking.start(path):
        return
    with (path / "output.log").open("ab") as log:
        subprocess.Popen([sys.executable, "-m", "workbench.jobs", str(path)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def open_job(reference: str) -> Job:
    """The job with this id. Raises WorkbenchError that lists close ones."""
    if not ID.fullmatch(reference) or not (folder() / reference / "job.json").is_file():
        raise WorkbenchError(f"There is no job '{reference}'.{nearest(reference, [j.id for j in jobs()])}")
    return Job(reference, folder() / reference)


def jobs() -> list[Job]:
    """All jobs, newest first."""
    return sorted((Job(p.parent.name, p.parent) for p in folder().glob("*/job.json") if ID.fullmatch(p.parent.name)), key=lambda j: j.id, reverse=True)


def watch(job: Job, every: float = 0.3) -> Iterator[dict[str, Any]]:
    """Its events as they come, from the first, until it has ended."""
    seen = 0
    while True:
        ended = job.state in ENDED
        for event in job.events(seen):
            seen += 1
            yield event
        if ended:
            return
        time.sleep(every)


class _Log:
    """The child's side: appends events, one whole line a write."""

    def __init__(self, path: Path) -> None:
        events = path / "events.jsonl"
        if events.is_file() and (text := events.read_bytes()) and not text.endswith(b"\n"):  # what a killed process left of its last line
            os.truncate(events, text.rfind(b"\n") + 1)
        self.file = events.open("a", encoding="utf-8", buffering=1)

    def __call__(self, event: Event) -> None:
        self.file.write(json.dumps(event.json(), ensure_ascii=False) + "\n")

    def state(self, name: str, **data: Any) -> None:
        self.file.write(json.dumps({"kind": "state", "message": name, "data": data, "at": time.time()}, ensure_ascii=False) + "\n")


def run_folder(path: Path) -> int:
    """The child: wait for a turn, run the step, say how it ended."""
    from .steps import from_json

    with FileLock(path / "alive"):
        log = _Log(path)
        stop = (path / "stop").exists
        job = json.loads((path / "job.json").read_text(encoding="utf-8"))
        try:
            store.sweep()
            log.state("waiting")
            if job["heavy"]:
                _wait_for_turn(path, stop, lambda: log.state("running"))
            else:
                log.state("running")
            made = store.run(from_json(job["spec"]), Progress(log, stop, path / "work"), name=job["name"])
        except Stopped as error:
            log.state("stopped", error=str(error))
            return 1
        except WorkbenchError as error:
            log.state("failed", error=str(error))
            return error.exit_code
        except Exception as error:  # a bug, of whatever kind: the job has failed and says so
            traceback.print_exc()  # into output.log; a page shows only the sentence
            log.state("failed", error=f"This is a bug in the workbench ({type(error).__name__}); the details are in {path.name}/output.log.")
            return 1
        log.state("done", **made.summary())
        return 0


def _wait_for_turn(path: Path, stop: Callable[[], bool], begin: Callable[[], None]) -> None:
    """Return when it has begun: once no other heavy job runs, and none that came earlier waits. One looks and begins at a time."""
    ended: dict[str, int] = {}  # with the size of their events: one that is gone on with has more
    while True:
        if stop():
            raise Stopped("Stopped while waiting for its turn.")
        with FileLock(folder() / ".turn"):
            others = {job: job.said for job in jobs() if job.id != path.name and job.heavy}
            states = {job.id: job.state for job, said in others.items() if ended.get(job.id) != said}
            ended |= {job.id: said for job, said in others.items() if states.get(job.id) in ENDED}
            if not any(state == "running" or (state == "waiting" and job < path.name) for job, state in states.items()):
                return begin()
        time.sleep(0.3)


class Jobs(Step):
    """List the jobs, stop one, or go on with one that ended early."""

    command: ClassVar[str] = "jobs"
    heavy: ClassVar[bool] = False
    stop: str = Field("", description="Id of a job to stop; what it has kept so far stays.")
    resume: str = Field("", description="Id of a job that was stopped, failed or killed, to go on with from what it kept.")
    limit: int = Field(20, ge=1, le=1000, description="How many of the newest jobs to list.")

    def run(self, out: Path, progress: Progress) -> dict[str, Any]:
        if self.stop:
            open_job(self.stop).stop()
        if self.resume:
            resume(self.resume)
        return {
            "rows": [
                {
                    "job": j.id,
                    "step": j.spec["step"],
                    "name": j.name,
                    "state": j.state,
                    "percent": round(100 * j.fraction),
                    "artefact": (j.result or {}).get("id"),
                    "error": j.error,
                }
                for j in jobs()[: self.limit]
            ]
        }


if __name__ == "__main__":
    sys.exit(run_folder(Path(sys.argv[1])))
