"""Trainings side by side: their curves, their last numbers, and the knobs in which they differ. Only files are read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import jobs, refs, store
from .errors import WorkbenchError

PREFIX = "bits_per_byte_"
SIDES = ("target", "source")
HIDDEN = ("step", "stage", "preset")  # of a spec: said elsewhere, or no knob of its own


@dataclass(frozen=True)
class Run:
    """One training, as its job or what it made tells it. `points`: metrics by step, the last measurement among them."""

    id: str
    label: str
    spec: dict[str, Any]
    state: str
    points: list[dict[str, float]] = field(repr=False, default_factory=list)
    metrics: dict[str, Any] = field(repr=False, default_factory=dict)

    @property
    def ended(self) -> str:
        """Its state, and whether it did all of its work."""
        return "stopped early" if self.metrics.get("ended") == "stop" else self.state

    def measured_on(self, side: str) -> str:
        """What its bits per byte of a side (target, source) were measured on: the text, how many documents, how much of each is seen at once."""
        knobs = ("text", "pairs") if side == "target" else ("source_text", "pairs")
        texts = [each for each in map(self.spec.get, knobs) if each]
        seed = f", seed {self.spec['seed']}" if self.spec.get("seed") else ""  # it decides which documents are held out
        return f"{refs.label(texts[0])}: {self.spec.get('eval_documents')} documents, {self.spec.get('block')} tokens at a time{seed}" if texts else ""

    def curve(self, name: str) -> list[tuple[float, float]]:
        """(step, value) of one measure, such as loss or bits_per_byte_target."""
        return [(p["step"], p[name]) for p in self.points if "step" in p and isinstance(p.get(name), (int, float))]


@dataclass(frozen=True)
class Runs:
    """What a comparison found: a row of numbers for each run, a row for each knob that differs, curves by measure and run."""

    rows: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    curves: dict[str, dict[str, list[tuple[float, float]]]]


def compare(references: Iterable[Any]) -> Runs:
    """Compare trainings: jobs, ids of jobs, or models that a training made. Raises WorkbenchError where one of them is no training."""
    found = [run_of(each) for each in references]
    if not found:
        raise WorkbenchError("There is no training to compare; name at least one job, or a model that a training made.")
    measures = dict.fromkeys(key for run in found for p in run.points for key in p if key.startswith(PREFIX) or key == "loss")
    curves = {measure: {run.label: points for run in found if (points := run.curve(measure))} for measure in measures}
    return Runs([_row(run) for run in found], differences(found), curves)


def differences(found: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each knob that is not the same in all of them."""
    names = dict.fromkeys(name for run in found for name in run.spec if name not in HIDDEN)
    rows = [{"knob": name, **{run.label: _said(run.spec[name]) if name in run.spec else "–" for run in found}} for name in names]
    return [row for row in rows if len({str(value) for key, value in row.items() if key != "knob"}) > 1]


def run_of(reference: Any) -> Run:
    """The training of a job, of a job's id, or of a model."""
    given = str(getattr(reference, "id", reference))
    if jobs.ID.fullmatch(given):
        job = jobs.open_job(given)
        result = job.result or {}
        return _run(given, job.spec, job.state, [e["data"] for e in job.events() if e["kind"] == "metric"], result.get("metrics", {}))
    made = store.open_artefact(given)
    return _run(given, made.manifest["spec"], "done", list(made.metrics.get("loss") or []), made.metrics, before=True)


def trainings() -> list[Run]:
    """All trainings there are, newest first: the jobs, and the models that came of no job of their own (a recipe's, a notebook's)."""
    mine = [job for job in jobs.jobs() if job.spec.get("step") == "train"]
    made = {(job.result or {}).get("id") for job in mine}
    others = [a for a in store.artefacts("model") if a.manifest["spec"].get("step") == "train" and a.id not in made]
    dated = [(int(job.id.partition("-")[0]) / 1000, job.id) for job in mine] + [(a.manifest["created"], a.id) for a in others]
    return [run_of(reference) for _, reference in sorted(dated, reverse=True)]


def measured_after(metrics: Mapping[str, Any]) -> list[dict[str, float]]:
    """The measurement after the last step, which only the result has: the end of the curves."""
    bits, last = metrics.get("bits_per_byte"), metrics.get("steps")
    if not isinstance(bits, dict) or not last:
        return []
    return [{"step": last} | {f"{PREFIX}{name}": pair["after"] for name, pair in bits.items() if pair.get("after") is not None}]


def by_step(points: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Points with what was told of one step put together, in the order of the steps: a job that was killed and gone on with tells some steps twice."""
    found: dict[float, dict[str, Any]] = {}
    for point in points:
        if "step" in point:
            found.setdefault(point["step"], {}).update(point)
    return [found[step] for step in sorted(found)]


def _run(given: str, spec: dict[str, Any], state: str, points: list[dict[str, float]], metrics: dict[str, Any], before: bool = False) -> Run:
    if spec.get("step") != "train":
        raise WorkbenchError(f"'{given}' is no training but a step '{spec.get('step')}'; name a job that trains, or a model that it made.")
    if before:
        points = [{"step": 0} | {f"{PREFIX}{name}": pair["before"] for name, pair in metrics.get("bits_per_byte", {}).items()}, *points]
    return Run(given, f"{spec.get('stage', 'train')} {given[-4:]}", spec, state, by_step([*points, *measured_after(metrics)]), metrics)


def _row(run: Run) -> dict[str, Any]:
    bits = run.metrics.get("bits_per_byte") or {}
    measured = {f"{name.replace('_', ' ')} {when}": pair.get(when) for name, pair in bits.items() for when in ("before", "after")}
    loss = run.curve("loss")
    seconds = run.metrics.get("seconds")
    speed = run.metrics.get("tokens_per_second")
    if not speed and seconds:  # of a training that did not tell: padding and looks included
        speed = run.metrics.get("tokens", 0) / seconds
    return {
        "run": run.label, "model": refs.label(str(run.spec.get("model", ""))), "state": run.ended,
        "steps": run.metrics.get("steps", int(loss[-1][0]) if loss else 0), **measured, "last loss": loss[-1][1] if loss else None,
        "warnings": len(run.metrics.get("warnings", [])), "started": _started(run.id), "tokens": run.metrics.get("tokens"),
        "seconds": seconds, "tokens/s": round(speed) if speed else None,
        **{f"{side} measured on": run.measured_on(side) for side in SIDES if side in bits},
    }  # fmt: skip


def _started(given: str) -> str:
    at = int(given.partition("-")[0]) / 1000 if jobs.ID.fullmatch(given) else store.open_artefact(given).manifest["created"]
    return time.strftime("%d %b %H:%M", time.localtime(at))


def _said(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(map(str, map(_said, value))) or "none"
    return refs.label(value) if isinstance(value, str) else "none" if value is None else value
