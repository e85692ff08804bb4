"""The folder in which a running step keeps what it needs to go on later: it belongs to one step, and to one process at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import WorkbenchError

SPEC, CONTENTS, LOCK = "spec.json", "contents.json", "lock"


@contextmanager
def held(folder: Path | None, spec: Mapping[str, Any], contents: Callable[[], Mapping[str, str]] = dict) -> Iterator[None]:
    """Hold the folder for the step of this spec; None holds nothing. `contents`: hashes of what its knobs point to, asked for only where a folder is held.

    Raises WorkbenchError where another process holds it, where it holds anything else (it is removed in the end), where another step was begun in it (the
    difference is shown), or where what the step reads is no longer what it was: it would go on with another text, or another model, than it began with.
    """
    if folder is None:
        yield
        return
    from .store import write_json

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK).acquire(timeout=0):
            before = _begun(folder)
            if before:
                same_or_refuse(json.loads((folder / SPEC).read_text(encoding="utf-8")), spec, f"What was begun in {folder} was another step")
            else:
                _empty_or_refuse(folder)
            now = dict(contents())
            kept = any(each.name not in (SPEC, CONTENTS, LOCK) and not each.name.startswith(".") for each in folder.iterdir())  # "." is what a kill left half
            if kept and before:  # where nothing was kept (a text too short to begin with), whatever is there now is begun with
                _unchanged_or_refuse(json.loads((folder / CONTENTS).read_text(encoding="utf-8")), now, folder)
            write_json(folder / SPEC, spec)
            write_json(folder / CONTENTS, now)
            yield
    except Timeout:
        raise WorkbenchError(f"A running step keeps its checkpoints in {folder}; wait for it or name another folder.") from None


def _begun(folder: Path) -> bool:
    """Whether a step was begun here; a spec.json alone may be a user's own, among files of theirs."""
    return (folder / SPEC).is_file() and (folder / CONTENTS).is_file()


def _empty_or_refuse(folder: Path) -> None:
    """Raises WorkbenchError where there is more than what a kill may leave of a beginning."""
    others = [each.name for each in folder.iterdir() if each.name not in (LOCK, SPEC) and not each.name.startswith((f".{SPEC}.", f".{CONTENTS}."))]
    if others:
        with suppress(OSError):
            (folder / LOCK).unlink()
        raise WorkbenchError(f"{folder} holds other files ({min(others)}), and is removed when the step has succeeded; name an empty folder or a new one.")


def same_or_refuse(before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Raises WorkbenchError with every knob that differs, before and now."""
    changes = differences(json.loads(json.dumps(before)), json.loads(json.dumps(now)))
    if changes:
        listed = "; ".join(f"{name} was {a}, is {b}" for name, (a, b) in changes.items())
        raise WorkbenchError(f"{what} ({listed}); set it as it was to go on, or start anew elsewhere.")


def _unchanged_or_refuse(before: Mapping[str, str], now: Mapping[str, str], folder: Path) -> None:
    gone = [f"'{name}'" for name in before if name not in now]
    if gone:  # as a relative path is, where it is gone on with from another folder
        listed = " and ".join(gone)
        raise WorkbenchError(f"What {listed} named when {folder} was begun is not found from here; go on from the same place as then, or start anew elsewhere.")
    changed = [f"'{name}'" for name in now if before.get(name) != now[name]]
    if changed:
        listed, it = " and ".join(changed), "it" if len(changed) == 1 else "them"
        raise WorkbenchError(f"The content of {listed} has changed since {folder} was begun; put {it} back as before to go on, or start anew elsewhere.")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Knobs of two specs that differ, nested ones with dots: name → (before, now) as JSON, "not set" where one of them lacks it."""
    found: dict[str, tuple[str, str]] = {}
    for name in [*before, *(n for n in now if n not in before)]:
        a, b = before.get(name), now.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found |= {f"{name}.{inner}": pair for inner, pair in differences(a, b).items()}
        elif name not in before or name not in now or a != b:
            found[name] = tuple(json.dumps(side[name], ensure_ascii=False) if name in side else "not set" for side in (before, now))
    return found


def clear(folder: Path | None) -> None:
    """Remove the folder of a step that has succeeded; never one in which none was begun."""
    if folder is not None and _begun(folder):
        shutil.rmtree(folder, ignore_errors=True)
