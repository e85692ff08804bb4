"""What has been made already: results under a hash of the step and of everything that it reads.

Same step, same inputs, same result: so a recipe that is run again, after a stop or with one knob changed, does only what is new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from pathlib import Path

from .. import store, work
from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from ..specs import Step
from ..steps import to_json


class Again:
    """Steps that are to be made anew, and how far that has come: noted in `folder`, so that a recipe that is gone on with makes each of them anew once."""

    def __init__(self, names: Container[str], folder: Path | None) -> None:
        self.names, self.file = names, folder / "again.json" if folder else None
        self.states: dict[str, str] = json.loads(self.file.read_text(encoding="utf-8")) if self.file and self.file.is_file() else {}

    def due(self, name: str) -> bool:
        return name in self.names and self.states.get(name) != "done"

    def begin(self, name: str) -> bool:
        """Whether what an earlier run kept of it is to be thrown away."""
        new = self.due(name) and name not in self.states
        self._note(name, "begun")
        return new

    def done(self, name: str) -> None:
        self._note(name, "done")

    def _note(self, name: str, state: str) -> None:
        if name in self.names:
            self.states[name] = state
            if self.file:
                store.write_json(self.file, self.states)


def find(key: str) -> store.Artefact | None:
    """What a step of this fingerprint made before; None where none has run, or its artefact has been deleted."""
    try:
        entry = json.loads(_place(key, ".json").read_text(encoding="utf-8"))
        return store.open_artefact(entry["id"]) if entry["id"] else store.Artefact(None, "report", None, {"spec": entry["spec"], "metrics": entry["metrics"]})
    except (OSError, ValueError, KeyError, TypeError, WorkbenchError):
        return None


def run(step: Step, key: str, progress: Progress, name: str, *, anew: bool = False) -> store.Artefact:
    """Run a step of this fingerprint and note what it made. One that is stopped or killed goes on from its checkpoint the next time, unless `anew`."""
    spec = json.dumps(to_json(step), sort_keys=True)
    part = progress.part(0, 1)
    part.work = _place(f"{key}-{hashlib.sha256(spec.encode()).hexdigest()[:8]}", ".work")  # of one spec, as whoever goes on from a checkpoint asks for the same
    if anew:
        work.clear(part.work)
    made = store.run(step, part, name=name)
    if made.metrics.get("ended") == "stop":
        progress.check()
        raise Stopped(f"{name} was stopped; run the recipe again to go on with it.")
    store.write_json(_place(key, ".json"), {"id": made.id, "spec": made.manifest["spec"], "metrics": {} if made.id else made.metrics})
    return made


def _place(key: str, suffix: str) -> Path:
    place = store.folder().parent / "results"
    place.mkdir(exist_ok=True)
    return place / f"{key}{suffix}"
