"""What has been made already: results under a hash of the step and of everything that it reads.

Same step, same inputs, same result: so a recipe that is run again, after a stop or with one knob changed, does only what is new.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from .. import refs, store, work
from ..errors import Stopped, WorkbenchError
from ..progress import Progress
from ..specs import Step, flat, knobs
from ..steps import to_json

SMALL = 64 << 20  # bytes; of a larger file outside the home folder size and time stand for its content, or every run would read gigabytes first
AIDS = ("device",)  # knobs that decide where a step runs and not what comes out


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


def fingerprint(step: Step) -> str:
    """SHA-256 of a step's spec in which every reference is replaced by what it points to: an artefact's content, a file's bytes."""
    values = flat(step, defaults=True)
    given = [values.get(knob.name) for knob in knobs(type(step)) if knob.ref]
    folders = {each for value in given for each in (value if isinstance(value, (tuple, list)) else [value])}  # only a reference may name a folder
    spec = {knob: _seen(value, folders) for knob, value in to_json(step).items() if knob not in AIDS}
    return hashlib.sha256(json.dumps(spec, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


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


def _seen(value: Any, folders: Container[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _seen(each, folders) for key, each in value.items()}
    if isinstance(value, list):
        return [_seen(each, folders) for each in value]
    return _pointed(value, value in folders) if isinstance(value, str) and 0 < len(value) < 1024 and "\n" not in value else value


def _pointed(text: str, folder: bool) -> Any:
    """What a text stands for: an artefact, or the files of a path; else itself, as a hub id or a word does."""
    try:
        if store.ID.fullmatch(text) and not Path(text).exists():
            return store.open_artefact(text).manifest.get("content_hash", text)
        path = refs.locate(text) if text in refs.demo_names() else Path(text).expanduser()
        wild = glob.glob(str(path), recursive=True) if glob.has_magic(text) else []  # noqa: PTH207 - Path.glob takes no absolute pattern
        paths = [path] if path.exists() else [Path(p) for p in wild]
        files = sorted(f for p in paths for f in (p.rglob("*") if folder and p.is_dir() else [p]) if f.is_file())
    except (OSError, ValueError, RuntimeError, WorkbenchError):  # not a path at all; or an artefact that is gone
        return text
    return [text, *([f.name, *_content(f)] for f in files)] if files else text


def _content(file: Path) -> tuple[Any, ...]:
    about = file.stat()
    if about.st_size > SMALL:
        return about.st_size, about.st_mtime_ns
    with file.open("rb") as opened:
        return about.st_size, hashlib.file_digest(opened, "sha256").hexdigest()
