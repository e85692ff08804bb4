"""What the references of a step point to, as hashes: a result is found again by them, and a step that goes on notices another text or model."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import time
from collections.abc import Container
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

from . import refs, store
from .errors import WorkbenchError
from .specs import Step, flat, knobs
from .steps import to_json

SMALL = 64 << 20  # bytes; of a larger file outside the home folder size and time stand for its content, or every run would read gigabytes first
MUCH = 1 << 30  # bytes read of one reference at most; of the files that follow, size and time
SETTLED = 2 * 10**9  # nanoseconds after which another write would show in a file's time; clocks of file systems tick in up to two seconds
AIDS = ("device",)  # knobs that decide where a step runs and not what comes out


def fingerprint(step: Step) -> str:
    """SHA-256 of a step's spec in which every reference is replaced by what it points to (an artefact's content, a file's bytes), and of the versions
    that run it."""
    values = flat(step, defaults=True)
    given = [values.get(knob.name) for knob in knobs(type(step)) if knob.ref]
    folders = {each for value in given for each in (value if isinstance(value, (tuple, list)) else [value])}  # only a reference may name a folder
    return digest([store.versions(), {knob: _seen(value, folders) for knob, value in to_json(step).items() if knob not in AIDS}])


def by_knob(step: Step, without: Path | None = None) -> dict[str, str]:
    """SHA-256 of what each reference points to, a folder `without` aside. One whose content does not lie here (a hub id) is left out."""
    spec, found = to_json(step), {}
    for knob in knobs(type(step)):
        value = reduce(lambda part, name: part.get(name) if isinstance(part, dict) else None, knob.path, spec)
        if knob.ref and value and (seen := _seen(value, value if isinstance(value, list) else [value], without)) != value:
            found[knob.name] = digest(seen)
    return found


def digest(value: Any) -> str:
    """SHA-256 of anything that is JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def pointed(text: str, folder: bool = True, without: Path | None = None) -> Any:
    """What a text stands for: an artefact, the files of a path (of a folder only if that may be one), or the code of a text of the demo; else itself, as a
    hub id or a word does."""
    try:
        if store.ID.fullmatch(text) and not Path(text).exists():
            return store.open_artefact(text).manifest.get("content_hash", text)
        left, found = MUCH, []
        for name, file in _files(text, folder, without) or _world(text):
            about = file.stat()
            whole = about.st_size <= min(SMALL, left)
            left -= about.st_size if whole else 0
            found.append([name, about.st_size, _hash(file, about) if whole else about.st_mtime_ns])
    except (OSError, ValueError, RuntimeError, WorkbenchError):  # not a path at all, or not to be read; or an artefact that is gone
        return text
    return [text, *found] if found else text


def size(text: str) -> int | None:
    """Bytes of what a text points to; None where it points to nothing here."""
    try:
        if store.ID.fullmatch(text) and not Path(text).exists():
            return sum(file["bytes"] for file in store.open_artefact(text).manifest["files"].values())
        return sum(file.stat().st_size for _, file in files) if (files := _files(text, True)) else None
    except (OSError, ValueError, RuntimeError, WorkbenchError):
        return None


def _seen(value: Any, folders: Container[Any], without: Path | None = None) -> Any:
    if isinstance(value, dict):
        return {key: _seen(each, folders, without) for key, each in value.items()}
    if isinstance(value, list):
        return [_seen(each, folders, without) for each in value]
    return pointed(value, value in folders, without) if isinstance(value, str) and 0 < len(value) < 1024 and "\n" not in value else value


def _files(text: str, folder: bool, without: Path | None = None) -> list[tuple[str, Path]]:
    """The files of a path, by their names within it. What is hidden in a folder is left out: no reader takes it, and desktops and editors write there."""
    path = refs.locate(text) if text in refs.demo_names() else Path(text).expanduser()
    if path.is_file():
        return [(path.name, path)]
    if path.is_dir():
        apart = without.resolve() if without else None
        inside = [f for f in path.rglob("*") if f.is_file() and not (apart and f.resolve().is_relative_to(apart))] if folder else []
        named = [(f.relative_to(path), f) for f in inside]
        return sorted((name.as_posix(), f) for name, f in named if not any(part.startswith(".") for part in name.parts))
    wild = glob.glob(str(path), recursive=True) if glob.has_magic(text) else []  # noqa: PTH207 - Path.glob takes no absolute pattern
    return sorted((name, Path(name)) for name in wild if Path(name).is_file())


def _world(text: str) -> list[tuple[str, Path]]:
    """The code that tells a text of the demo (demo:ru) or its pairs (demo:en-ru), by file names; nothing for what is neither, as a model that is not there."""
    from .demo.world import LANGUAGES

    told = text.startswith("demo:") and all(part in LANGUAGES for part in text.removeprefix("demo:").split("-"))
    return sorted((file.name, file) for file in (refs.demo_folder().parent / "world").glob("*.py")) if told else []


def _hash(file: Path, about: os.stat_result) -> str:
    """SHA-256 of a file, which one process reads once while nothing touches it: a training asks before every pass, and a gigabyte takes seconds."""
    settled = time.time_ns() - max(about.st_mtime_ns, about.st_ctime_ns) > SETTLED
    state = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    return _read(file, state) if settled else _read.__wrapped__(file, state)


@lru_cache(maxsize=1 << 14)
def _read(file: Path, state: tuple[int, ...]) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
