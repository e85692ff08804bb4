"""Jobs at one moment, read from their files once and kept while they do not change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import jobs
from ..jobs import ENDED, Job

WORDS = {
    "waiting": "waiting for its turn",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
    "lost": "lost: its process was killed",
}


@dataclass(frozen=True)
class Snapshot:
    """A job at one moment, read once."""

    id: str
    step: str
    name: str
    state: str
    fraction: float
    message: str
    error: str
    result: dict[str, Any] | None
    events: list[dict[str, Any]] = field(repr=False)
    kind: str = ""

    @property
    def title(self) -> str:
        """What it is called in lists: its name, else its step with the stage or the recipe that it runs."""
        return self.name or " ".join(filter(None, (self.step, self.kind)))

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def resumable(self) -> bool:
        """As `Job.resumable`: it ended before its work was done."""
        return self.ended and (self.state != "done" or (self.result or {}).get("metrics", {}).get("ended") == "stop")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [e["data"] for e in self.events if e["kind"] == "metric"]


def snapshot(job: Job) -> Snapshot:
    return _ended(str(job.path)) or _read(job)


def recent(commands: tuple[str, ...] = (), limit: int = 40) -> list[Snapshot]:
    """The newest jobs, of these steps where some are named."""
    found = [j for j in jobs.jobs()[:limit] if not commands or _spec_of(str(j.path)).get("step") in commands]
    return [snapshot(j) for j in found]


def metrics_of(job: str, command: str) -> dict[str, Any]:
    """The metrics of a job that has ended well, else {}."""
    found = next((s for s in recent((command,)) if s.id == job), None)
    return found.result["metrics"] if found and found.result else {}


_done: dict[str, tuple[int, Snapshot]] = {}


def _ended(path: str) -> Snapshot | None:
    """A job that has ended no longer changes, unless someone goes on with it: then its events grow."""
    size, shot = _done.get(path, (-1, None))
    return shot if shot and size == _size(path) else None


def _size(path: str) -> int:
    try:
        return (Path(path) / "events.jsonl").stat().st_size
    except FileNotFoundError:
        return 0


def _read(job: Job) -> Snapshot:
    size = _size(str(job.path))
    state = job.state
    events = job.events()
    spec = _spec_of(str(job.path))
    fraction = next((e["fraction"] for e in reversed(events) if e.get("fraction") is not None), 0.0)
    message = next((e["message"] for e in reversed(events) if e["kind"] in ("progress", "note") and e["message"]), "")
    last = next((e for e in reversed(events) if e["kind"] == "state"), {"data": {}, "message": ""})
    result = last["data"] if last["message"] == "done" else None
    whole = state == "done" and (result or {}).get("metrics", {}).get("ended") != "stop"
    kind, error = str(spec.get("stage") or spec.get("recipe") or ""), last["data"].get("error", "")
    shot = Snapshot(job.id, spec.get("step", ""), job.name, state, 1.0 if whole else fraction, message, error, result, events, kind)
    if shot.ended:
        _done[str(job.path)] = size, shot
    return shot


@lru_cache(maxsize=512)
def _spec_of(path: str) -> dict[str, Any]:
    return json.loads((Path(path) / "job.json").read_text(encoding="utf-8"))["spec"]


def is_heavy(shot: Snapshot) -> bool:
    return jobs.open_job(shot.id).heavy
