"""The home folder: artefacts as plain folders with a manifest, written whole or not at all.

An artefact is filled under a temporary name, its files are fsynced, `manifest.json` is written last and the folder is
renamed into place: without a manifest nothing is an artefact, so an interrupted write is never listed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from . import processes, work
from .errors import RunFailed, WorkbenchError, nearest
from .progress import Progress
from .specs import Options, Ref, Step, _unwrap

ID = re.compile(r"[a-z]+-[0-9a-f]{8}")
PACKAGES = ("workbench", "torch", "transformers", "tokenizers", "peft", "safetensors")


def home() -> Path:
    """`$WORKBENCH_HOME`, else `~/.workbench`; asked for at call time so that a test can move it."""
    return Path(os.environ.get("WORKBENCH_HOME") or "~/.workbench").expanduser()


@dataclass(frozen=True)
class Artefact:
    """What a step left: a folder with a manifest, or (id and path None) only its metrics."""

    id: str | None
    kind: str
    path: Path | None
    manifest: dict[str, Any]

    def __str__(self) -> str:
        return self.id or self.kind

    @property
    def name(self) -> str:
        return self.manifest.get("name", "")

    @property
    def metrics(self) -> dict[str, Any]:
        return self.manifest["metrics"]

    @property
    def parents(self) -> list[str]:
        return self.manifest.get("parents", [])

    @cached_property
    def step(self) -> Step:
        """The step that made it, ready to run again."""
        from .steps import from_json

        return from_json(self.manifest["spec"])

    def summary(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "metrics": self.metrics}


def run(step: Step, progress: Progress | None = None, name: str = "") -> Artefact:
    """Run a step here and now; its artefact is in the home folder when this returns.

    Raises WorkbenchError for bad input, RunFailed where the machine gave out; whatever is raised, nothing half-made stays. What the step keeps in
    `progress.work` stays until it has succeeded, so that the same step, run again with the same folder, goes on from there.
    """
    from . import contents
    from .steps import to_json

    progress = progress or Progress()
    spec = to_json(step)
    if not processes.main():
        return _follow(step, spec, progress)
    if not (kind := step.made_kind()):
        return Artefact(None, "report", None, {"spec": spec, "metrics": finite(step.run(Path(os.devnull), progress))})
    new = f"{kind}-{secrets.token_hex(4)}"
    room = folder()
    temporary = room / f".tmp-{new}"
    started = time.time()
    with FileLock(room / f".tmp-{new}.lock"), work.held(progress.work, spec, lambda: contents.by_knob(step, progress.work)):
        try:
            (room / f".tmp-{new}.using").write_text(" ".join(parents(step)), encoding="utf-8")
            temporary.mkdir()
            metrics = finite(step.run(temporary, progress))
            manifest = {
                "id": new, "kind": kind, "name": name, "created": time.time(), "seconds": round(time.time() - started, 3),
                "spec": spec, "parents": parents(step), "seed": getattr(step, "seed", None), "versions": versions(), "metrics": metrics, **_contents(temporary),
            }  # fmt: skip
            write_json(temporary / "manifest.json", manifest)
            temporary.rename(room / new)
            sync(room)
        except OSError as error:
            if error.errno == 28:
                raise RunFailed(f"The disk that holds {home()} is full; free some space and run it again.") from error
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            for beside in (".using", ".lock"):
                (room / f".tmp-{new}{beside}").unlink(missing_ok=True)
    if metrics.get("ended") != "stop":  # a step that was stopped leaves its result so far, and may be gone on with
        work.clear(progress.work)
    return open_artefact(new)


def _follow(step: Step, spec: dict[str, Any], progress: Progress) -> Artefact:
    """Run a step beside the main process: it computes its part, and what it writes is thrown away."""
    mine = Progress(work=progress.work)
    mine.leaving = progress.stopping
    with tempfile.TemporaryDirectory() as out:
        return Artefact(None, "report", None, {"spec": spec, "metrics": finite(step.run(Path(out), mine))})


def finite(value: Any) -> Any:
    """The value as JSON has it: numbers that are not finite become None, which every reader understands."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(v) for key, v in value.items()}
    return [finite(v) for v in value] if isinstance(value, (list, tuple)) else value


def folder() -> Path:
    """The folder of all artefacts, made on first use."""
    place = home() / "artefacts"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"The home folder {home()} cannot be written ({error.strerror}); set WORKBENCH_HOME to another place.") from error
    return place


def open_artefact(reference: str) -> Artefact:
    """The artefact with this id. Raises WorkbenchError that lists close ids."""
    path = folder() / reference
    if not ID.fullmatch(reference) or not (path / "manifest.json").is_file():
        raise WorkbenchError(f"There is no artefact '{reference}'.{nearest(reference, [a.id for a in artefacts()]) or ' None has been made so far.'}")
    return read(path)


def read(path: Path) -> Artefact:
    """The artefact in a folder, in this home or a copy elsewhere. Raises WorkbenchError where its manifest cannot be read."""
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        return Artefact(manifest["id"], manifest["kind"], path, {"metrics": manifest["metrics"], "spec": manifest["spec"], **manifest})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(f"The manifest of {path.name} cannot be read ({type(error).__name__}); delete the folder {path}.") from error


def artefacts(kind: str = "") -> list[Artefact]:
    """All artefacts, newest first."""
    found = []
    for place in folder().glob("*/manifest.json"):
        if ID.fullmatch(place.parent.name):
            with suppress(WorkbenchError):  # deleted this moment, or damaged: it must not hide the others
                found.append(open_artefact(place.parent.name))
    return sorted((a for a in found if kind in ("", a.kind)), key=lambda a: -a.manifest.get("created", 0))


def rename(reference: str, name: str) -> Artefact:
    """Give an artefact another name; its id, to which others refer, stays."""
    artefact = open_artefact(reference)
    if len(name) > 80 or any(ord(c) < 32 for c in name):
        raise WorkbenchError("A name has at most 80 characters and none of them control characters; shorten it.")
    manifest = artefact.manifest | {"name": name}
    write_json(artefact.path / "manifest.json", manifest)
    return replace(artefact, manifest=manifest)


def made_in(out: Path) -> str:
    """The id that what a step fills `out` with will have; "" where that is no artefact."""
    name = out.name.removeprefix(".tmp-")
    return name if ID.fullmatch(name) else ""


def delete(reference: str) -> None:
    """Remove an artefact. Refuses while another one was made from it, or is being made."""
    artefact = open_artefact(reference)
    if _in_use(artefact.id):
        raise WorkbenchError(f"{artefact.id} is being used to make another artefact; wait until that is done, or stop it first.")
    children = [a.id for a in artefacts() if artefact.id in a.parents]
    if children:
        raise WorkbenchError(f"{artefact.id} was used to make {', '.join(children)}; delete those first.")
    gone = folder() / f".tmp-{artefact.id}"
    artefact.path.rename(gone)
    shutil.rmtree(gone)


def _in_use(identity: str) -> bool:
    """Whether a living process makes something of it."""
    for note in folder().glob(".tmp-*.using"):
        with suppress(FileNotFoundError):
            if identity in note.read_text(encoding="utf-8").split():
                try:
                    with FileLock(note.with_suffix(".lock")).acquire(timeout=0):
                        continue
                except Timeout:
                    return True
    return False


def sweep() -> int:
    """Remove what killed processes left under temporary names; returns how many. A lock tells living writers apart."""
    removed = 0
    for place in {p.with_suffix("") for p in folder().glob(".tmp-*")}:
        lock = FileLock(place.with_name(place.name + ".lock"))
        try:
            with lock.acquire(timeout=0):
                removed += place.exists()
                shutil.rmtree(place, ignore_errors=True)
        except Timeout:
            continue
        for beside in (".using", ".lock"):
            place.with_name(place.name + beside).unlink(missing_ok=True)
    return removed


def parents(step: Options) -> list[str]:
    """The artefact ids a step refers to, in the order of its knobs."""
    found: list[str] = []
    for name, field in type(step).model_fields.items():
        value = getattr(step, name)
        if isinstance(value, Options):
            found += parents(value)
        elif any(isinstance(m, Ref) for m in _unwrap(field.annotation, list(field.metadata))[1]):
            given = value if isinstance(value, (tuple, list)) else [value]
            named = [Path(v).name if v and Path(v).parent == folder() else v for v in given]
            found += [v for v in named if v and ID.fullmatch(v) and (folder() / v / "manifest.json").is_file()]
    return list(dict.fromkeys(found))


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_json(path: Path, value: Any) -> None:
    with whole(path) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode())


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write so that a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _contents(place: Path) -> dict[str, Any]:
    """Size and SHA-256 of every file, all of them on disk for good, and one hash over the whole."""
    files = {}
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        files[path.relative_to(place).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
        sync(path.parent)
    return {"files": files, "content_hash": hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()}


def sync(place: Path) -> None:
    """Make a folder's entries durable, where the system can (Windows cannot)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
